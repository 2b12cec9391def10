using System.Numerics.Tensors;
using CommunityToolkit.HighPerformance.Buffers;
using SegmentAnything.Decoding;
using SegmentAnything.Execution;
using SegmentAnything.Families;
using SegmentAnything.Loading;
using SegmentAnything.Masks;
using SegmentAnything.Rle;

namespace SegmentAnything;

/// <summary>Gives masks and predicted IoUs for an image embedding and any number of encoded prompts.</summary>
/// <remarks>
/// Safe to use from several threads. What depends on the image alone is computed with its first prompt, or before it by
/// <see cref="Prepare"/>, and kept here, within <see cref="SamOptions.PreparedImageBudget"/>, as long as the embedding is. Source: Segment Anything, modeling/mask_decoder.py, predictor.py.
/// </remarks>
public sealed class MaskDecoder : IDisposable
{
    // Prompts that are decoded at a time: enough for all threads, and their logits stay within some 50 MB.
    private const int MostPrompts = 64;

    private readonly IMaskDecoderEngine _engine;
    private readonly WorkSplitter _splitter;
    private readonly PreparedImages _images;
    private readonly SamVariant _variant;
    private readonly ModelFrame _frame;
    private readonly MaskRules _rules;
    private readonly bool _givesObjectScores;
    private readonly int _largestHole, _largestSprinkle;
    private readonly UseGate _gate = new();

    /// <summary>Loads the mask decoder of a model.</summary>
    /// <param name="variant">Which model it is.</param>
    /// <param name="files">Where its files are.</param>
    /// <param name="options">How to run it; by default on the CPU.</param>
    /// <exception cref="ModelNotFoundException">A file is missing.</exception>
    /// <exception cref="CheckpointException">The decoder's file is damaged or not of a known layout.</exception>
    /// <exception cref="ExecutionProviderException">No execution provider of the list works.</exception>
    public MaskDecoder(SamVariant variant, ModelFiles files, SamOptions? options = null)
        : this(variant, OpenedModel.Open(variant, files, options?.Specification), options)
    {
    }

    private MaskDecoder(SamVariant variant, OpenedModel opened, SamOptions? options)
        : this(variant, opened.Model, options ?? SamOptions.Default, opened)
    {
    }

    /// <summary>Loads the mask decoder of a model that was recognised.</summary>
    internal MaskDecoder(SamVariant variant, FamilyModel model, SamOptions options, IDisposable? disposedAfterwards = null)
    {
        using (disposedAfterwards)
        {
            _variant = variant;
            _frame = model.Frame;
            _rules = model.MasksFor(options);
            _givesObjectScores = model.Capabilities.ObjectScores;
            (_largestHole, _largestSprinkle) = (options.LargestFilledHole, options.LargestRemovedSprinkle);
            LowResSize = model.LowResSize;
            _splitter = new WorkSplitter(options.Execution.Threads);
            (_engine, Provider) = model.CreateDecoder(options, _splitter);
            _images = new PreparedImages(_engine, model.ReadWithoutMask(), frame => _frame.CreateUpscaler(frame, LowResSize), options.PreparedImageBudget);
        }
    }

    /// <summary>The execution provider that runs it.</summary>
    public ExecutionProvider Provider { get; }

    /// <summary>Threads that work on a prompt, the caller's included.</summary>
    internal int Threads => _splitter.Threads;

    /// <summary>The side of the low-resolution logits: 256.</summary>
    public int LowResSize { get; }

    /// <summary>
    /// Computes what prompts need of the image alone, unless it is there already, so that the first prompt takes no longer than the
    /// next. Does nothing where <see cref="SamOptions.PreparedImageBudget"/> cannot hold one image.
    /// </summary>
    /// <param name="embedding">The image.</param>
    /// <param name="cancellationToken">Stops the work soon.</param>
    /// <exception cref="ModelContractException">The embedding was made by another model.</exception>
    /// <exception cref="ObjectDisposedException">The decoder or the embedding was disposed.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public void Prepare(ImageEmbedding embedding, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(embedding);
        using UseGate.Use own = _gate.Enter(this);
        using ImageEmbedding.Use use = Acquire(embedding, cancellationToken);
        if (_images.CanKeep) _images.Get(embedding, cancellationToken).Dispose();
    }

    /// <summary>Decodes one prompt.</summary>
    /// <param name="embedding">The image.</param>
    /// <param name="prompt">Encoded for the image's size.</param>
    /// <param name="selection">Which masks are wanted.</param>
    /// <param name="cancellationToken">Stops the work soon.</param>
    /// <returns>1, 3 or 4 masks at source size, ranked by predicted IoU.</returns>
    /// <exception cref="ArgumentException">The prompt was encoded for an image of another size.</exception>
    /// <exception cref="ModelContractException">The embedding was made by another model.</exception>
    /// <exception cref="ObjectDisposedException">The decoder or the embedding was disposed.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public MaskPrediction Decode(
        ImageEmbedding embedding, EncodedPrompt prompt, MaskSelection selection = MaskSelection.Auto, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(embedding);
        Check(embedding, prompt);
        return Decode(embedding, prompt.Tokens, prompt.Dense, prompt.IsAmbiguous, selection, cancellationToken);
    }

    /// <summary>Decodes many prompts against one image in as few calls as possible.</summary>
    /// <param name="embedding">The image.</param>
    /// <param name="prompts">Encoded for the image's size; each is an object of its own.</param>
    /// <param name="selection">Which masks are wanted of each.</param>
    /// <param name="cancellationToken">Stops the work soon.</param>
    /// <returns>One prediction a prompt, in their order. The same as one call a prompt gives, within float rounding.</returns>
    /// <exception cref="ArgumentException">A prompt was encoded for an image of another size.</exception>
    /// <exception cref="ModelContractException">The embedding was made by another model.</exception>
    /// <exception cref="ObjectDisposedException">The decoder or the embedding was disposed.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public MaskPrediction[] Decode(
        ImageEmbedding embedding,
        IReadOnlyList<EncodedPrompt> prompts,
        MaskSelection selection = MaskSelection.Auto,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(embedding);
        ArgumentNullException.ThrowIfNull(prompts);
        foreach (EncodedPrompt prompt in prompts) Check(embedding, prompt);
        Operation? operation = Operation.BeginPrompt(_variant.Name, prompts.Count);
        if (operation is null) return DecodeUnobserved(embedding, prompts, selection, cancellationToken);
        try
        {
            MaskPrediction[] predictions = DecodeUnobserved(embedding, prompts, selection, cancellationToken);
            operation.Succeed();
            return predictions;
        }
        catch (Exception e)
        {
            operation.Fail(e);
            throw;
        }
    }

    private MaskPrediction[] DecodeUnobserved(
        ImageEmbedding embedding, IReadOnlyList<EncodedPrompt> prompts, MaskSelection selection, CancellationToken cancellationToken)
    {
        using UseGate.Use own = _gate.Enter(this);
        using ImageEmbedding.Use use = Acquire(embedding, cancellationToken);
        MaskPrediction[] predictions = new MaskPrediction[prompts.Count];
        using SpanOwner<int> alike = SpanOwner<int>.Allocate(Math.Min(prompts.Count, MostPrompts));
        for (int first = 0; first < predictions.Length; first++)
        {
            if (predictions[first] is not null) continue;
            int count = 0;
            for (int i = first; i < predictions.Length && count < alike.Length; i++)
            {
                if (predictions[i] is null && AreAlike(prompts[first], prompts[i], selection)) alike.Span[count++] = i;
            }

            Decode(embedding, prompts, alike.Span[..count], selection, predictions, cancellationToken);
        }

        return predictions;
    }

    /// <summary>Brings low-resolution logits to the size of the source image, as masks are made of them.</summary>
    /// <param name="embedding">The image.</param>
    /// <param name="lowResLogits">LowResSize x LowResSize values, row-major: a mask's <see cref="PredictedMask.LowResLogits"/>.</param>
    /// <param name="destination">Height x width values are written, row-major, rows from the top.</param>
    /// <exception cref="ArgumentException">There are not as many logits as that, or the destination is too short.</exception>
    /// <exception cref="ModelContractException">The embedding was made by another model.</exception>
    /// <exception cref="ObjectDisposedException">The decoder was disposed, or the prediction that the logits came from.</exception>
    public void UpscaleLogits(ImageEmbedding embedding, ReadOnlyMemory<float> lowResLogits, Span<float> destination)
    {
        using UseGate.Use own = _gate.Enter(this);
        CheckLogits(embedding, lowResLogits);
        long pixels = (long)embedding.SourceSize.Width * embedding.SourceSize.Height;
        if (destination.Length < pixels)
            throw new ArgumentException($"The destination has {destination.Length} elements; an image of {embedding.SourceSize} needs {pixels}.", nameof(destination));
        UpscalerOf(embedding).UpscaleLogits(lowResLogits.Span, destination);
    }

    /// <summary>Cuts low-resolution logits at another value than 0, at the size of the source image.</summary>
    /// <param name="embedding">The image.</param>
    /// <param name="lowResLogits">LowResSize x LowResSize values, row-major: a mask's <see cref="PredictedMask.LowResLogits"/>.</param>
    /// <param name="cutoff">Logits above it are mask.</param>
    /// <exception cref="ArgumentException">There are not as many logits as that, or the cut-off is not a finite number.</exception>
    /// <exception cref="ModelContractException">The embedding was made by another model.</exception>
    /// <exception cref="ObjectDisposedException">The decoder was disposed, or the prediction that the logits came from.</exception>
    public RleMask CutLogits(ImageEmbedding embedding, ReadOnlyMemory<float> lowResLogits, float cutoff)
    {
        using UseGate.Use own = _gate.Enter(this);
        CheckLogits(embedding, lowResLogits);
        if (!float.IsFinite(cutoff)) throw new ArgumentOutOfRangeException(nameof(cutoff), cutoff, "The cut-off must be a finite number, in logits: 0 is the model's own.");
        return UpscalerOf(embedding).Measure(lowResLogits.Span, cutoff, 0).Mask;
    }

    private void CheckLogits(ImageEmbedding embedding, ReadOnlyMemory<float> lowResLogits)
    {
        ArgumentNullException.ThrowIfNull(embedding);
        Check(embedding);
        if (lowResLogits.Length != LowResSize * LowResSize)
        {
            throw new ArgumentException(
                $"There are {lowResLogits.Length} logits, expected {LowResSize} x {LowResSize}: give the LowResLogits of one mask that this model predicted.", nameof(lowResLogits));
        }
    }

    /// <summary>Releases the network, after calls that are under way on other threads have ended.</summary>
    public void Dispose()
    {
        if (!_gate.Close()) return;
        _images.Dispose();
        _engine.Dispose();
        _splitter.Dispose();
    }

    /// <summary>Decodes one prompt that is not held in an <see cref="EncodedPrompt"/>: nothing but the result is allocated.</summary>
    /// <param name="embedding">The image.</param>
    /// <param name="tokens">N x channels.</param>
    /// <param name="dense">Channels values, or channels x grid x grid.</param>
    /// <param name="isAmbiguous">See <see cref="Prompt.IsAmbiguous"/>.</param>
    /// <param name="selection">Which masks are wanted.</param>
    /// <param name="cancellationToken">Stops the work soon.</param>
    internal MaskPrediction Decode(
        ImageEmbedding embedding,
        ReadOnlySpan<float> tokens,
        ReadOnlySpan<float> dense,
        bool isAmbiguous,
        MaskSelection selection,
        CancellationToken cancellationToken)
    {
        Operation? operation = Operation.BeginPrompt(_variant.Name, 1);
        if (operation is null) return DecodeUnobserved(embedding, tokens, dense, isAmbiguous, selection, cancellationToken);
        try
        {
            MaskPrediction prediction = DecodeUnobserved(embedding, tokens, dense, isAmbiguous, selection, cancellationToken);
            operation.Succeed();
            return prediction;
        }
        catch (Exception e)
        {
            operation.Fail(e);
            throw;
        }
    }

    private MaskPrediction DecodeUnobserved(
        ImageEmbedding embedding,
        ReadOnlySpan<float> tokens,
        ReadOnlySpan<float> dense,
        bool isAmbiguous,
        MaskSelection selection,
        CancellationToken cancellationToken)
    {
        using UseGate.Use own = _gate.Enter(this);
        using ImageEmbedding.Use use = Acquire(embedding, cancellationToken);
        MaskPrediction prediction = null!;
        DecodeAlike(embedding, tokens, dense, 1, Resolve(selection, isAmbiguous), new Span<MaskPrediction>(ref prediction), cancellationToken);
        return prediction;
    }

    /// <summary>
    /// Decodes prompts that are alike, without masks at source size: the automatic generator's way in.
    /// </summary>
    /// <param name="embedding">The image. The caller holds a use of it.</param>
    /// <param name="tokens">B x N x channels.</param>
    /// <param name="promptCount">B.</param>
    /// <param name="selection">Not <see cref="MaskSelection.Auto"/>.</param>
    /// <param name="leastPredictedIou">Masks with less need no logits, nor does the frame's padding; null where all of all masks is wanted.</param>
    /// <param name="logits">B x masks x LowResSize x LowResSize values, of which those that the masks at source size need are written; all of them for null.</param>
    /// <param name="predictedIou">B x masks values are written.</param>
    /// <param name="cancellationToken">Stops the work soon.</param>
    internal void DecodeLogits(
        ImageEmbedding embedding,
        ReadOnlySpan<float> tokens,
        int promptCount,
        MaskSelection selection,
        float? leastPredictedIou,
        Span<float> logits,
        Span<float> predictedIou,
        CancellationToken cancellationToken)
    {
        using UseGate.Use own = _gate.Enter(this);
        Check(embedding);
        (int first, int count) = _rules.Computed(selection);
        using PreparedImages.Use image = _images.Get(embedding, cancellationToken);
        int tokensPerPrompt = tokens.Length / (promptCount * embedding.Channels), scale = LowResSize / embedding.GridSize;
        DecodeRequest request = new()
        {
            Image = image.Image,
            Tokens = tokens,
            Prompts = promptCount,
            TokensPerPrompt = tokensPerPrompt,
            Wanted = leastPredictedIou is { } least
                ? new WantedMasks(first, count, least, (image.Upscaler.LowResRows + scale - 1) / scale)
                : new WantedMasks(first, count),
        };
        _engine.Decode(request, new DecodeResult { Logits = logits, PredictedIou = predictedIou }, cancellationToken);
        // Of the logits, those of rejected masks are not written, and each mask's first tells of the rest: all are sums over the same tokens.
        int maskSize = LowResSize * LowResSize;
        CheckFinite(predictedIou[..(promptCount * count)]);
        for (int i = 0; i < promptCount * count; i++)
        {
            if (predictedIou[i] >= leastPredictedIou) CheckFinite(logits.Slice(i * maskSize, 1));
        }
    }

    /// <summary>Decodes one prompt with a mask to its single mask, without one at source size: the automatic generator's refinement.</summary>
    /// <param name="embedding">The image. The caller holds a use of it.</param>
    /// <param name="tokens">N x channels.</param>
    /// <param name="dense">Channels x grid x grid: the encoded mask.</param>
    /// <param name="logits">LowResSize x LowResSize values are written.</param>
    /// <param name="cancellationToken">Stops the work soon.</param>
    /// <returns>The predicted IoU.</returns>
    internal float DecodeSingle(
        ImageEmbedding embedding, ReadOnlySpan<float> tokens, ReadOnlySpan<float> dense, Span<float> logits, CancellationToken cancellationToken)
    {
        using UseGate.Use own = _gate.Enter(this);
        Check(embedding);
        (int first, int count) = _rules.Computed(MaskSelection.Single);
        int maskSize = LowResSize * LowResSize;
        using SpanOwner<float> computed = SpanOwner<float>.Allocate(count * maskSize), iou = SpanOwner<float>.Allocate(count);
        using PreparedImages.Use withoutMask = _images.Get(embedding, cancellationToken);
        using IPreparedImage image = _engine.Prepare(embedding.AllValues, dense, withoutMask.Image, cancellationToken);
        DecodeRequest request = new()
        {
            Image = image,
            Tokens = tokens,
            Prompts = 1,
            TokensPerPrompt = tokens.Length / embedding.Channels,
            Wanted = new WantedMasks(first, count),
        };
        _engine.Decode(request, new DecodeResult { Logits = computed.Span, PredictedIou = iou.Span }, cancellationToken);
        CheckFinite(iou.Span);
        CheckFinite(computed.Span);
        int chosen = _rules.Choose(MaskSelection.Single, computed.Span, iou.Span) ?? 0;
        computed.Span.Slice(chosen * maskSize, maskSize).CopyTo(logits);
        return iou.Span[chosen];
    }

    // NaN is not greater than any cut-off: such masks would be empty, without a word.
    private void CheckFinite(ReadOnlySpan<float> values)
    {
        if (values.IsEmpty || float.IsFinite(TensorPrimitives.MaxMagnitude(values))) return;
        throw new ModelContractException(
            $"The mask decoder of {_variant.Name} gave NaN or infinity on {Provider.Name}. The embedding or its weights are damaged, or too large for the precision it computes in; check them with segment-anything verify.");
    }

    /// <summary>Brings logits to what is handed out: <see cref="MaskRules.LogitLimit"/>.</summary>
    internal void LimitLogits(Span<float> logits)
    {
        if (float.IsFinite(_rules.LogitLimit)) TensorPrimitives.Clamp(logits, -_rules.LogitLimit, _rules.LogitLimit, logits);
    }

    /// <summary>From low-resolution logits to masks of an image's size.</summary>
    internal IMaskUpscaler UpscalerOf(ImageEmbedding embedding) => _images.UpscalerOf(embedding);

    /// <summary>The masks that <see cref="DecodeLogits"/> gives for each prompt.</summary>
    internal int MasksOf(MaskSelection selection) => _rules.Computed(selection).Count;

    /// <summary>The memory of what is kept of images.</summary>
    internal long PreparedImageBytes => _images.Bytes;

    private static bool AreAlike(EncodedPrompt a, EncodedPrompt b, MaskSelection selection) =>
        a.TokenCount == b.TokenCount && ReferenceEquals(a.DenseMemory, b.DenseMemory)
        && (selection != MaskSelection.Auto || a.IsAmbiguous == b.IsAmbiguous);

    private ImageEmbedding.Use Acquire(ImageEmbedding embedding, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Check(embedding);
        return embedding.Acquire();
    }

    private static MaskSelection Resolve(MaskSelection selection, bool isAmbiguous) =>
        selection != MaskSelection.Auto ? selection : isAmbiguous ? MaskSelection.Multiple : MaskSelection.Single;

    /// <summary>Throws unless an embedding was made by this model.</summary>
    internal void Check(ImageEmbedding embedding)
    {
        if (embedding.ModelName != _variant.Name || embedding.GridSize != _variant.EmbeddingGrid
            || embedding.Channels != _variant.EmbeddingChannels || embedding.Frame.Fit != _frame.Fit || embedding.ModelSize != _frame.Side)
        {
            throw new ModelContractException(
                $"The image embedding was made by model '{embedding.ModelName}' ({embedding.Channels}x{embedding.GridSize}x{embedding.GridSize}); "
                + $"this decoder belongs to '{_variant.Name}' ({_variant.EmbeddingChannels}x{_variant.EmbeddingGrid}x{_variant.EmbeddingGrid}). "
                + "Encode the image with the encoder of this model.");
        }
    }

    private static void Check(ImageEmbedding embedding, EncodedPrompt prompt)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        if (prompt.SourceSize != embedding.SourceSize)
        {
            throw new ArgumentException(
                $"The prompt was encoded for an image of {prompt.SourceSize} pixels, and this image has {embedding.SourceSize}: encode it for this size.",
                nameof(prompt));
        }
    }

    private void Decode(
        ImageEmbedding embedding,
        IReadOnlyList<EncodedPrompt> prompts,
        ReadOnlySpan<int> alike,
        MaskSelection selection,
        MaskPrediction[] predictions,
        CancellationToken cancellationToken)
    {
        EncodedPrompt sample = prompts[alike[0]];
        int values = sample.TokenMemory.Length;
        using SpanOwner<float> tokens = SpanOwner<float>.Allocate(alike.Length * values);
        for (int i = 0; i < alike.Length; i++) prompts[alike[i]].Tokens.CopyTo(tokens.Span.Slice(i * values, values));
        using SpanOwner<MaskPrediction> decoded = SpanOwner<MaskPrediction>.Allocate(alike.Length);
        DecodeAlike(embedding, tokens.Span, sample.Dense, alike.Length, Resolve(selection, sample.IsAmbiguous), decoded.Span, cancellationToken);
        for (int i = 0; i < alike.Length; i++) predictions[alike[i]] = decoded.Span[i];
        decoded.Span.Clear();
    }

    // Prompts of equally many tokens, for the same choice of masks, on the same dense values.
    private void DecodeAlike(
        ImageEmbedding embedding,
        ReadOnlySpan<float> tokens,
        ReadOnlySpan<float> dense,
        int prompts,
        MaskSelection selection,
        Span<MaskPrediction> predictions,
        CancellationToken cancellationToken)
    {
        (int first, int computed) = _rules.Computed(selection);
        int maskSize = LowResSize * LowResSize, count = prompts * computed;
        bool hasMask = dense.Length > embedding.Channels;

        // The result keeps the logits: they are the way to refine it.
        PooledLogits kept = new(count * maskSize, prompts);
        Span<float> logits = kept.GetSpan();
        using SpanOwner<float> iou = SpanOwner<float>.Allocate(count);
        using SpanOwner<float> scores = SpanOwner<float>.Allocate(_givesObjectScores ? prompts : 0);
        using PreparedImages.Use withoutMask = _images.Get(embedding, cancellationToken);
        IPreparedImage image = hasMask ? _engine.Prepare(embedding.AllValues, dense, withoutMask.Image, cancellationToken) : withoutMask.Image;
        try
        {
            DecodeRequest request = new()
            {
                Image = image,
                Tokens = tokens,
                Prompts = prompts,
                TokensPerPrompt = tokens.Length / (prompts * embedding.Channels),
                Wanted = new WantedMasks(first, computed),
            };
            _engine.Decode(request, new DecodeResult { Logits = logits, PredictedIou = iou.Span, ObjectScores = scores.Span }, cancellationToken);
        }
        finally
        {
            if (hasMask) image.Dispose();
        }

        CheckFinite(iou.Span);
        CheckFinite(logits[..(count * maskSize)]);

        using SpanOwner<int> chosen = SpanOwner<int>.Allocate(prompts);
        int masks = Choose(selection, logits, iou.Span, chosen.Span, computed, maskSize);
        using SpanOwner<MaskMeasurement> measured = SpanOwner<MaskMeasurement>.Allocate(prompts * masks);
        logits = logits[..(prompts * masks * maskSize)];
        using SpanOwner<float> cleaned = Clean(logits, maskSize);
        withoutMask.Upscaler.Measure(
            cleaned.Length > 0 ? cleaned.Span : logits, MaskMeasurement.Threshold, MaskMeasurement.StabilityOffset, _splitter, measured.Span, cancellationToken);
        LimitLogits(logits);
        for (int i = 0; i < prompts; i++)
        {
            PredictedMask[] predicted = new PredictedMask[masks];
            for (int m = 0; m < masks; m++)
            {
                int index = (i * masks) + m;
                predicted[m] = new PredictedMask(
                    measured.Span[index].Mask, iou.Span[index], measured.Span[index].StabilityScore,
                    kept.Memory.Slice(index * maskSize, maskSize), first + (masks == computed ? m : chosen.Span[i]));
            }

            predictions[i] = new MaskPrediction(predicted, kept, _givesObjectScores ? scores.Span[i] : null);
        }

        // A pooled array must not keep masks alive.
        measured.Span.Clear();
    }

    // Masks without their small holes and sprinkles; the logits that are handed out keep them. Empty where nothing is asked for.
    private SpanOwner<float> Clean(ReadOnlySpan<float> logits, int maskSize)
    {
        if (_largestHole == 0 && _largestSprinkle == 0) return SpanOwner<float>.Empty;
        SpanOwner<float> cleaned = SpanOwner<float>.Allocate(logits.Length);
        logits.CopyTo(cleaned.Span);
        for (int start = 0; start < logits.Length; start += maskSize)
            SmallRegions.Clean(cleaned.Span.Slice(start, maskSize), LowResSize, LowResSize, MaskMeasurement.Threshold, _largestHole, _largestSprinkle);
        return cleaned;
    }

    // Where the family gives one of the masks that were computed, brings it to the place of each prompt. Gives the masks of a prompt.
    private int Choose(MaskSelection selection, Span<float> logits, Span<float> iou, Span<int> chosen, int computed, int maskSize)
    {
        for (int i = 0; i < chosen.Length; i++)
        {
            Span<float> own = logits.Slice(i * computed * maskSize, computed * maskSize);
            if (_rules.Choose(selection, own, iou.Slice(i * computed, computed)) is not { } index) return computed;
            chosen[i] = index;
            own.Slice(index * maskSize, maskSize).CopyTo(logits.Slice(i * maskSize, maskSize));
            iou[i] = iou[(i * computed) + index];
        }

        return 1;
    }
}
