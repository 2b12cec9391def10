using CommunityToolkit.HighPerformance.Buffers;
using SegmentAnything.Families;
using SegmentAnything.Loading;
using SegmentAnything.Rle;

namespace SegmentAnything;

/// <summary>A loaded Segment Anything model: encode an image once, then prompt it as often as you like.</summary>
/// <remarks>
/// Made only of <see cref="ImageEncoder"/>, <see cref="PromptEncoder"/> and <see cref="MaskDecoder"/>, which can be used
/// on their own. Holds no state of its own: one model serves any number of threads and images.
/// <code>
/// using SamModel sam = await SamModel.LoadAsync(SamModels.MobileSam);
/// using ImageEmbedding photo = sam.Encode(PixelBuffer.FromRgb24(pixels, width, height));
/// MaskPrediction masks = sam.Predict(photo, Prompt.Point(500, 375));
/// </code>
/// </remarks>
public sealed partial class SamModel : ISegmenter
{
    private readonly bool _preparesImages;

    private SamModel(OpenedModel opened, SamOptions options, CancellationToken cancellationToken)
    {
        using (opened)
        {
            cancellationToken.ThrowIfCancellationRequested();
            FamilyModel model = opened.Model;
            Variant = opened.Variant;
            _preparesImages = options.PreparesEncodedImages;
            AutomaticDefaults = model.AutomaticDefaults;
            PromptEncoder = new PromptEncoder(model);
            Task<MaskDecoder>? decoder = null;
            try
            {
                // Both take about as long, each mostly one thread. What the application configures is called on its own thread.
                decoder = options.Execution is { ConfigureSession: null, IsOnProcessor: true }
                    ? Task.Run(() => new MaskDecoder(Variant, model, options))
                    : Task.FromResult(new MaskDecoder(Variant, model, options));
                Encoder = new ImageEncoder(opened, options, cancellationToken: cancellationToken);
                Decoder = decoder.GetAwaiter().GetResult();
            }
            catch
            {
                PromptEncoder.Dispose();
                Encoder?.Dispose();
                DisposeWhenLoaded(decoder);
                throw;
            }
        }
    }

    // The loading reads the opened files, which are closed after this: it has to end first, whatever became of it.
    private static void DisposeWhenLoaded(Task<MaskDecoder>? decoder)
    {
        if (decoder is null) return;
        ((IAsyncResult)decoder).AsyncWaitHandle.WaitOne();
        if (decoder.IsCompletedSuccessfully) decoder.Result.Dispose();
        else _ = decoder.Exception;
    }

    /// <summary>Which model it is.</summary>
    public SamVariant Variant { get; }

    /// <summary>What it can be prompted with, and what it gives.</summary>
    public ModelCapabilities Capabilities => PromptEncoder.Capabilities;

    /// <summary>Pixels to embedding.</summary>
    public ImageEncoder Encoder { get; }

    /// <summary>Points, boxes and masks to tokens.</summary>
    public PromptEncoder PromptEncoder { get; }

    /// <summary>Embedding and tokens to masks.</summary>
    public MaskDecoder Decoder { get; }

    /// <summary>How automatic masks are looked for where the caller does not say: the family's own settings.</summary>
    public AutomaticMaskOptions AutomaticDefaults { get; }

    /// <summary>Loads a model whose files are in the model store.</summary>
    /// <param name="variant">One of <see cref="SamModels"/>.</param>
    /// <param name="options">How to run it; by default on the CPU.</param>
    /// <param name="cancellationToken">
    /// Stops soon: between the networks, within a checkpoint's hash, and between the layers of a graph that is built. ONNX Runtime
    /// is not interrupted while it loads one network.
    /// </param>
    /// <exception cref="ModelNotFoundException">The store lacks a file; the message says where it looked and how to get it.</exception>
    /// <exception cref="CheckpointException">The decoder's file is damaged or not of a known layout.</exception>
    /// <exception cref="ModelContractException">The encoder's file belongs to another model.</exception>
    /// <exception cref="ExecutionProviderException">No execution provider of the list works.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; nothing is left behind.</exception>
    public static SamModel Load(SamVariant variant, SamOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(variant);
        return Load(variant, ModelStore.Default.Find(variant), options, cancellationToken);
    }

    /// <summary>Loads a model; what the model store lacks of it is downloaded first.</summary>
    /// <param name="variant">One of <see cref="SamModels"/>.</param>
    /// <param name="progress">Told how far each download is, from the thread that receives it; not called where nothing is missing.</param>
    /// <param name="options">How to run it; by default on the CPU.</param>
    /// <param name="cancellationToken">Stops the download, of which what was received is kept, and the loading.</param>
    /// <returns>The model, loaded on a thread of the pool.</returns>
    /// <exception cref="ModelNotFoundException">A file could not be had; the message lists each address with what happened there.</exception>
    /// <exception cref="CheckpointException">The decoder's file is damaged or not of a known layout.</exception>
    /// <exception cref="ModelContractException">The encoder's file belongs to another model.</exception>
    /// <exception cref="ExecutionProviderException">No execution provider of the list works.</exception>
    /// <exception cref="IOException">The model store's folder cannot be written, or is full.</exception>
    /// <exception cref="UnauthorizedAccessException">The model store's folder must not be written.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <remarks>
    /// Files are looked for and kept as <see cref="ModelStore.Default"/> says. For a store or an <see cref="HttpClient"/> of
    /// one's own there are <see cref="ModelStore.GetAsync"/> and <see cref="Load(SamVariant, ModelFiles, SamOptions, CancellationToken)"/>.
    /// </remarks>
    public static async Task<SamModel> LoadAsync(
        SamVariant variant,
        IProgress<ModelDownloadProgress>? progress = null,
        SamOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(variant);
        ModelFiles files = await ModelStore.Default.GetAsync(variant, client: null, progress, cancellationToken).ConfigureAwait(false);
        return await Task.Run(() => Load(variant, files, options, cancellationToken), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Loads a model by its name, from a folder, or from a checkpoint.</summary>
    /// <param name="nameOrPath">
    /// The name of one of <see cref="SamModels"/>, to be found in the model store, such as <c>mobile-sam</c>; or a folder
    /// that holds <c>encoder.onnx</c> and <c>decoder.onnx</c> of the official export, of any SAM, Hugging Face's
    /// <c>vision_encoder.onnx</c> and <c>prompt_encoder_mask_decoder.onnx</c>, samexporter's <c>NAME.encoder.onnx</c> and
    /// <c>NAME.decoder.onnx</c>, or one pair of any names; or a checkpoint, such as
    /// <c>sam_vit_b_01ec64.pth</c> (PyTorch, or safetensors of the official code's or Hugging Face's names). From a
    /// checkpoint the image encoder, where our own kernels do not run it, is built the first time, and kept in the model store.
    /// </param>
    /// <param name="options">How to run it; by default on the CPU.</param>
    /// <param name="cancellationToken">
    /// Stops soon: between the networks, within a checkpoint's hash, and between the layers of a graph that is built. ONNX Runtime
    /// is not interrupted while it loads one network.
    /// </param>
    /// <exception cref="ModelNotFoundException">There is neither such a model nor such a folder, or a file is missing.</exception>
    /// <exception cref="CheckpointException">A file is damaged or not of a known layout.</exception>
    /// <exception cref="ModelContractException">Encoder and decoder do not belong together.</exception>
    /// <exception cref="ExecutionProviderException">No execution provider of the list works.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; nothing is left behind.</exception>
    public static SamModel Load(string nameOrPath, SamOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(nameOrPath);
        cancellationToken.ThrowIfCancellationRequested();
        if (Directory.Exists(nameOrPath)) return new SamModel(OpenedModel.OfFolder(nameOrPath), options ?? SamOptions.Default, cancellationToken);
        if (File.Exists(nameOrPath)) return new SamModel(OpenedModel.OfCheckpoint(nameOrPath, options?.Specification), options ?? SamOptions.Default, cancellationToken);
        return SamModels.Find(nameOrPath) is { } published
            ? Load(published, options, cancellationToken)
            : throw new ModelNotFoundException(
                $"'{nameOrPath}' is neither a folder, nor a checkpoint, nor the name of a model: the names are {string.Join(", ", SamModels.All.Select(v => v.Name))}.",
                [nameOrPath]);
    }

    /// <summary>Loads a model from files that are somewhere else.</summary>
    /// <param name="variant">What the files are of.</param>
    /// <param name="files">Where they are: a folder, paths, bytes or streams.</param>
    /// <param name="options">How to run it; by default on the CPU.</param>
    /// <param name="cancellationToken">
    /// Stops soon: between the networks, within a checkpoint's hash, and between the layers of a graph that is built. ONNX Runtime
    /// is not interrupted while it loads one network.
    /// </param>
    /// <exception cref="ModelNotFoundException">A file is missing.</exception>
    /// <exception cref="CheckpointException">The decoder's file is damaged or not of a known layout.</exception>
    /// <exception cref="ModelContractException">The encoder's file belongs to another model.</exception>
    /// <exception cref="ExecutionProviderException">No execution provider of the list works.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; nothing is left behind.</exception>
    public static SamModel Load(SamVariant variant, ModelFiles files, SamOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(variant);
        ArgumentNullException.ThrowIfNull(files);
        return new SamModel(OpenedModel.Open(variant, files, options?.Specification), options ?? SamOptions.Default, cancellationToken);
    }

    /// <summary>
    /// Computes the embedding of one image, and what the mask decoder makes of it before any prompt. See
    /// <see cref="ImageEncoder.Encode(PixelBuffer, CancellationToken)"/> and <see cref="SamOptions.PreparesEncodedImages"/>.
    /// </summary>
    /// <param name="image">Pixels in rows from the top.</param>
    /// <param name="cancellationToken">Stops the work soon.</param>
    /// <returns>The embedding, which the caller disposes.</returns>
    public ImageEmbedding Encode(PixelBuffer image, CancellationToken cancellationToken = default)
    {
        ImageEmbedding embedding = Encoder.Encode(image, cancellationToken);
        if (!_preparesImages) return embedding;
        try
        {
            Decoder.Prepare(embedding, cancellationToken);
            return embedding;
        }
        catch
        {
            embedding.Dispose();
            throw;
        }
    }

    /// <summary>Reads an embedding that was saved, and checks that this model made it.</summary>
    /// <param name="source">What <see cref="ImageEmbedding.Save"/> wrote.</param>
    /// <exception cref="InvalidDataException">The stream holds no embedding, or a damaged one.</exception>
    /// <exception cref="ModelContractException">Another model, or another encoder file, made the embedding.</exception>
    public ImageEmbedding LoadEmbedding(Stream source)
    {
        ImageEmbedding embedding = ImageEmbedding.Load(source);
        if (embedding.ModelName == Variant.Name && embedding.EncoderFingerprint == Encoder.Fingerprint) return embedding;
        embedding.Dispose();
        throw new ModelContractException(
            $"The saved embedding was made by '{embedding.ModelName}' (encoder {embedding.EncoderFingerprint[..Math.Min(12, embedding.EncoderFingerprint.Length)]}); "
            + $"this model is '{Variant.Name}' (encoder {Encoder.Fingerprint[..12]}). Encode the image again.");
    }

    /// <summary>Gives the masks for one prompt.</summary>
    /// <param name="embedding">The image.</param>
    /// <param name="prompt">In source-image pixels.</param>
    /// <param name="selection">
    /// Which masks are wanted; by default three for a single point and one for every other prompt: of a binary mask without points the
    /// one of all four that is nearest to it.
    /// </param>
    /// <param name="cancellationToken">Stops the work soon.</param>
    /// <returns>Masks at source size, ranked by predicted IoU. To dispose it is optional, and spares the next prediction new memory.</returns>
    /// <exception cref="ArgumentException">The prompt is empty, lies outside the image, or its mask has a wrong size.</exception>
    /// <exception cref="ModelContractException">
    /// The embedding was made by another model, or the decoder's file was exported for points alone and the prompt has more.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The model, the embedding, or the prediction that a mask prompt came from was disposed.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public MaskPrediction Predict(
        ImageEmbedding embedding, Prompt prompt, MaskSelection selection = MaskSelection.Auto, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(embedding);
        ArgumentNullException.ThrowIfNull(prompt);
        // What is encoded lives only until it is decoded: pooled memory holds it, and only the masks are allocated.
        using SpanOwner<float> tokens = SpanOwner<float>.Allocate(PromptEncoder.TokenCount(prompt) * PromptEncoder.Channels);
        using MemoryOwner<float>? mask = prompt.HasMask ? MemoryOwner<float>.Allocate(PromptEncoder.DenseLength) : null;
        PromptEncoder.Encode(prompt, embedding.SourceSize, tokens.Span, mask?.Memory ?? default, -1, cancellationToken);
        bool nearest = AsksForNearest(prompt, selection);
        MaskPrediction prediction = Decoder.Decode(
            embedding, tokens.Span, mask is null ? PromptEncoder.NoMaskDense : mask.Span, prompt.IsAmbiguous, nearest ? MaskSelection.All : selection, cancellationToken);
        return nearest ? prediction.Nearest(prompt.MaskInSource!) : prediction;
    }

    /// <summary>Gives the masks for many prompts against one image in one call; each prompt is an object of its own.</summary>
    /// <param name="embedding">The image.</param>
    /// <param name="prompts">In source-image pixels.</param>
    /// <param name="selection">Which masks are wanted of each.</param>
    /// <param name="cancellationToken">Stops the work soon.</param>
    /// <returns>One prediction a prompt, in their order. To dispose all of them is optional, and spares the next call new memory.</returns>
    /// <exception cref="ArgumentException">A prompt is empty, lies outside the image, or its mask has a wrong size; the message begins with its number, from 0.</exception>
    /// <exception cref="ModelContractException">
    /// The embedding was made by another model, or the decoder's file was exported for points alone and a prompt has more.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The model, the embedding, or the prediction that a mask prompt came from was disposed.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public MaskPrediction[] Predict(
        ImageEmbedding embedding,
        IReadOnlyList<Prompt> prompts,
        MaskSelection selection = MaskSelection.Auto,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(embedding);
        ArgumentNullException.ThrowIfNull(prompts);
        EncodedPrompt[] encoded = new EncodedPrompt[prompts.Count];
        for (int i = 0; i < encoded.Length; i++) encoded[i] = PromptEncoder.Encode(prompts[i] ?? throw new ArgumentNullException(nameof(prompts), $"Prompt {i} is null."), embedding.SourceSize, i, cancellationToken);
        int[] nearest = [.. Enumerable.Range(0, encoded.Length).Where(i => AsksForNearest(prompts[i], selection))];
        if (nearest.Length == 0) return Decoder.Decode(embedding, encoded, selection, cancellationToken);
        int[] others = [.. Enumerable.Range(0, encoded.Length).Except(nearest)];
        MaskPrediction[] predictions = new MaskPrediction[encoded.Length];
        Decode(others, selection);
        Decode(nearest, MaskSelection.All);
        foreach (int i in nearest) predictions[i] = predictions[i].Nearest(prompts[i].MaskInSource!);
        return predictions;

        void Decode(int[] some, MaskSelection wanted)
        {
            MaskPrediction[] decoded = Decoder.Decode(embedding, [.. some.Select(i => encoded[i])], wanted, cancellationToken);
            for (int k = 0; k < some.Length; k++) predictions[some[k]] = decoded[k];
        }
    }

    // A binary mask, alone or with a box, says which of the masks is meant; what points add to it is meant to change it.
    private static bool AsksForNearest(Prompt prompt, MaskSelection selection) =>
        selection == MaskSelection.Auto && prompt.MaskInSource is not null && prompt.Points.IsEmpty;

    /// <summary>The logits of a mask at the size of the source image; those above 0 are the mask.</summary>
    /// <param name="embedding">The image.</param>
    /// <param name="lowResLogits">A mask's <see cref="PredictedMask.LowResLogits"/>.</param>
    /// <returns>Height x width values, row-major, rows from the top.</returns>
    /// <exception cref="ArgumentException">There are not as many logits as the model's masks have.</exception>
    /// <exception cref="ModelContractException">The embedding was made by another model.</exception>
    /// <exception cref="ObjectDisposedException">The prediction that the logits came from was disposed.</exception>
    public float[] UpscaleLogits(ImageEmbedding embedding, ReadOnlyMemory<float> lowResLogits)
    {
        ArgumentNullException.ThrowIfNull(embedding);
        float[] logits = new float[checked(embedding.SourceSize.Width * embedding.SourceSize.Height)];
        Decoder.UpscaleLogits(embedding, lowResLogits, logits);
        return logits;
    }

    /// <summary>A mask cut at another logit than 0, at the size of the source image.</summary>
    /// <param name="embedding">The image.</param>
    /// <param name="lowResLogits">A mask's <see cref="PredictedMask.LowResLogits"/>.</param>
    /// <param name="cutoff">Logits above it are mask: a higher one gives less of it. At 0 it is <see cref="PredictedMask.Mask"/>.</param>
    /// <exception cref="ArgumentException">There are not as many logits as the model's masks have, or the cut-off is not a finite number.</exception>
    /// <exception cref="ModelContractException">The embedding was made by another model.</exception>
    /// <exception cref="ObjectDisposedException">The prediction that the logits came from was disposed.</exception>
    public RleMask CutLogits(ImageEmbedding embedding, ReadOnlyMemory<float> lowResLogits, float cutoff)
    {
        ArgumentNullException.ThrowIfNull(embedding);
        return Decoder.CutLogits(embedding, lowResLogits, cutoff);
    }

    /// <summary>Finds every object of an image. See <see cref="AutomaticMaskGenerator.Generate(PixelBuffer, IProgress{MaskGenerationProgress}, CancellationToken)"/>.</summary>
    /// <param name="image">Pixels in rows from the top.</param>
    /// <param name="options">How to look for objects; by default as the reference does.</param>
    /// <param name="progress">Told of every batch of points.</param>
    /// <param name="cancellationToken">Stops the work soon.</param>
    public GeneratedMasks GenerateMasks(
        PixelBuffer image,
        AutomaticMaskOptions? options = null,
        IProgress<MaskGenerationProgress>? progress = null,
        CancellationToken cancellationToken = default) =>
        new AutomaticMaskGenerator(this, options).Generate(image, progress, cancellationToken);

    /// <summary>
    /// Finds the objects of an image that is encoded already, everywhere or in a part of it. See
    /// <see cref="AutomaticMaskGenerator.Generate(ImageEmbedding, SearchArea, IProgress{MaskGenerationProgress}, CancellationToken)"/>.
    /// </summary>
    /// <param name="embedding">The image. It is not disposed.</param>
    /// <param name="options">How to look for objects, without crops; by default as the reference does.</param>
    /// <param name="area">Where to look; null for everywhere.</param>
    /// <param name="progress">Told of every batch of points.</param>
    /// <param name="cancellationToken">Stops the work soon.</param>
    public GeneratedMasks GenerateMasks(
        ImageEmbedding embedding,
        AutomaticMaskOptions? options = null,
        SearchArea? area = null,
        IProgress<MaskGenerationProgress>? progress = null,
        CancellationToken cancellationToken = default) =>
        new AutomaticMaskGenerator(this, options).Generate(embedding, area, progress, cancellationToken);

    /// <summary>
    /// Finds every object of an image on another thread, and gives each as soon as it is certain: without crops all at the end,
    /// with crops crop by crop. See <see cref="AutomaticMaskGenerator.GenerateAsync"/>.
    /// </summary>
    /// <param name="image">Pixels in rows from the top, to stay unchanged until the end.</param>
    /// <param name="options">How to look for objects; by default as the reference does.</param>
    /// <param name="progress">Told of every batch of points.</param>
    /// <param name="cancellationToken">Stops the work soon.</param>
    public IAsyncEnumerable<GeneratedMask> GenerateMasksAsync(
        PixelBuffer image,
        AutomaticMaskOptions? options = null,
        IProgress<MaskGenerationProgress>? progress = null,
        CancellationToken cancellationToken = default) =>
        new AutomaticMaskGenerator(this, options).GenerateAsync(image, progress, cancellationToken);

    /// <summary>Releases the networks, after calls that are under way on other threads have ended.</summary>
    public void Dispose()
    {
        Encoder.Dispose();
        Decoder.Dispose();
        PromptEncoder.Dispose();
    }
}
