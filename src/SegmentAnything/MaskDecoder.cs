using CommunityToolkit.HighPerformance.Buffers;
using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;
using SegmentAnything.Execution;
using SegmentAnything.Kernels;

namespace SegmentAnything;

/// <summary>Gives masks and predicted IoUs for an image embedding and any number of encoded prompts.</summary>
/// <remarks>
/// Safe to use from several threads. What depends on the image alone is computed with its first prompt and kept in the
/// embedding. Source: Segment Anything, modeling/mask_decoder.py, predictor.py.
/// </remarks>
public sealed class MaskDecoder : IDisposable
{
    /// <summary>Logits above this are mask. Source: Segment Anything, modeling/sam.py (mask_threshold).</summary>
    internal const float MaskThreshold = 0;

    /// <summary>Source: Segment Anything, automatic_mask_generator.py (stability_score_offset).</summary>
    internal const float StabilityOffset = 1;

    private readonly IMaskDecoderEngine _engine;
    private readonly float[] _noMaskDense;
    private readonly SamVariant _variant;
    private readonly int _maskTokens;
    private readonly UseGate _gate = new();

    /// <summary>Loads the mask decoder of a model.</summary>
    /// <param name="variant">Which model it is.</param>
    /// <param name="files">Where its files are.</param>
    /// <param name="options">How to run it; by default on the CPU.</param>
    /// <exception cref="ModelNotFoundException">A file is missing.</exception>
    /// <exception cref="CheckpointException">The decoder's file is damaged or not of the official layout.</exception>
    /// <exception cref="ExecutionProviderException">No execution provider of the list works.</exception>
    public MaskDecoder(SamVariant variant, ModelFiles files, SamOptions? options = null)
        : this(variant, DecoderSource.Read(variant, files), options ?? SamOptions.Default)
    {
    }

    internal MaskDecoder(SamVariant variant, StateDict weights, SamOptions options)
    {
        _variant = variant;
        DecoderLayout layout = DecoderLayout.Of(weights);
        _maskTokens = layout.MaskTokens;
        _noMaskDense = weights.ReadAny("prompt_encoder.no_mask_embed.weight");
        (_engine, Provider) = MaskDecoderEngines.Create(weights, variant.EmbeddingGrid, options);
    }

    /// <summary>The execution provider that runs it.</summary>
    public ExecutionProvider Provider { get; }

    /// <summary>The side of the low-resolution logits: 256.</summary>
    public int LowResSize => 4 * _variant.EmbeddingGrid;

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
        ArgumentNullException.ThrowIfNull(prompt);
        return Decode(embedding, [prompt], selection, cancellationToken)[0];
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
        using UseGate.Use own = _gate.Enter(this);
        cancellationToken.ThrowIfCancellationRequested();
        Check(embedding);
        foreach (EncodedPrompt prompt in prompts) Check(embedding, prompt);

        using ImageEmbedding.Use use = embedding.Acquire();
        MaskPrediction[] predictions = new MaskPrediction[prompts.Count];
        // One call takes prompts with equally many tokens, for equally many masks, on the same dense values.
        foreach (IGrouping<(int TokenCount, float[] Dense, (int First, int Count) Masks), int> group in Enumerable.Range(0, prompts.Count)
            .GroupBy(i => (prompts[i].TokenCount, prompts[i].DenseMemory, MasksOf(prompts[i], selection))))
        {
            DecodeAlike(embedding, prompts, [.. group], group.Key.Masks, predictions, cancellationToken);
        }

        return predictions;
    }

    /// <summary>Releases the network, after calls that are under way on other threads have ended.</summary>
    public void Dispose()
    {
        if (_gate.Close()) _engine.Dispose();
    }

    /// <summary>
    /// Decodes prompts that are alike, without masks at source size: the automatic generator's way in.
    /// </summary>
    /// <param name="embedding">The image. The caller holds a use of it.</param>
    /// <param name="tokens">B x N x channels.</param>
    /// <param name="promptCount">B.</param>
    /// <param name="selection">Not <see cref="MaskSelection.Auto"/>.</param>
    /// <param name="logits">B x masks x LowResSize x LowResSize values are written.</param>
    /// <param name="predictedIou">B x masks values are written.</param>
    /// <param name="cancellationToken">Stops the work soon.</param>
    internal void DecodeLogits(
        ImageEmbedding embedding,
        ReadOnlySpan<float> tokens,
        int promptCount,
        MaskSelection selection,
        Span<float> logits,
        Span<float> predictedIou,
        CancellationToken cancellationToken)
    {
        using UseGate.Use own = _gate.Enter(this);
        Check(embedding);
        (int first, int count) = Masks(selection);
        IPreparedImage image = embedding.PrepareFor(_engine, _noMaskDense, cancellationToken);
        int tokensPerPrompt = tokens.Length / (promptCount * embedding.Channels);
        _engine.Decode(image, tokens, promptCount, tokensPerPrompt, first, count, logits, predictedIou, cancellationToken);
    }

    private (int First, int Count) MasksOf(EncodedPrompt prompt, MaskSelection selection) => Masks(selection switch
    {
        MaskSelection.Auto => prompt.IsAmbiguous ? MaskSelection.Multiple : MaskSelection.Single,
        _ => selection,
    });

    private (int First, int Count) Masks(MaskSelection selection) => selection switch
    {
        MaskSelection.Single => (0, 1),
        MaskSelection.Multiple => (1, _maskTokens - 1),
        MaskSelection.All => (0, _maskTokens),
        _ => throw new ArgumentOutOfRangeException(nameof(selection), selection, "Give Single, Multiple or All."),
    };

    private void Check(ImageEmbedding embedding)
    {
        if (embedding.ModelName != _variant.Name || embedding.GridSize != _variant.EmbeddingGrid
            || embedding.Channels != _variant.EmbeddingChannels)
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

    private void DecodeAlike(
        ImageEmbedding embedding,
        IReadOnlyList<EncodedPrompt> prompts,
        int[] indices,
        (int First, int Count) masks,
        MaskPrediction[] predictions,
        CancellationToken cancellationToken)
    {
        EncodedPrompt sample = prompts[indices[0]];
        int tokenValues = sample.TokenMemory.Length;
        int maskSize = LowResSize * LowResSize;
        bool hasMask = sample.DenseMemory.Length > embedding.Channels;
        using SpanOwner<float> tokens = SpanOwner<float>.Allocate(indices.Length * tokenValues);
        for (int i = 0; i < indices.Length; i++)
            prompts[indices[i]].Tokens.CopyTo(tokens.Span.Slice(i * tokenValues, tokenValues));

        // The result keeps the logits: they are the way to refine it.
        float[] logits = GC.AllocateUninitializedArray<float>(checked(indices.Length * masks.Count * maskSize));
        using SpanOwner<float> iou = SpanOwner<float>.Allocate(indices.Length * masks.Count);
        IPreparedImage image = hasMask
            ? _engine.Prepare(embedding.Values, sample.Dense, cancellationToken)
            : embedding.PrepareFor(_engine, _noMaskDense, cancellationToken);
        try
        {
            _engine.Decode(image, tokens.Span, indices.Length, sample.TokenCount, masks.First, masks.Count, logits, iou.Span, cancellationToken);
        }
        finally
        {
            if (hasMask) image.Dispose();
        }

        MaskUpscaler upscaler = embedding.Upscaler;
        for (int i = 0; i < indices.Length; i++)
        {
            PredictedMask[] predicted = new PredictedMask[masks.Count];
            for (int m = 0; m < masks.Count; m++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                int index = (i * masks.Count) + m;
                ReadOnlyMemory<float> lowRes = logits.AsMemory(index * maskSize, maskSize);
                MaskMeasurement measured = upscaler.Measure(lowRes.Span, MaskThreshold, StabilityOffset);
                predicted[m] = new PredictedMask(measured.Mask, iou.Span[index], measured.StabilityScore, lowRes, masks.First + m);
            }

            predictions[indices[i]] = new MaskPrediction(predicted);
        }
    }
}
