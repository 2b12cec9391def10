namespace SegmentAnything;

/// <summary>What an application asks of a model: embeddings of images, masks for prompts, every object. <see cref="SamModel"/> is one.</summary>
/// <remarks>
/// For code that is to be tested without weights, and for containers. Safe to use from several threads, as far as the
/// implementation is.
/// </remarks>
public interface ISegmenter : IDisposable
{
    /// <summary>Computes the embedding of one image. See <see cref="SamModel.Encode"/>.</summary>
    ImageEmbedding Encode(PixelBuffer image, CancellationToken cancellationToken = default);

    /// <summary>Gives the masks for one prompt. See <see cref="SamModel.Predict(ImageEmbedding, Prompt, MaskSelection, CancellationToken)"/>.</summary>
    MaskPrediction Predict(
        ImageEmbedding embedding, Prompt prompt, MaskSelection selection = MaskSelection.Auto, CancellationToken cancellationToken = default);

    /// <summary>Gives the masks for many prompts. See <see cref="SamModel.Predict(ImageEmbedding, IReadOnlyList{Prompt}, MaskSelection, CancellationToken)"/>.</summary>
    MaskPrediction[] Predict(
        ImageEmbedding embedding,
        IReadOnlyList<Prompt> prompts,
        MaskSelection selection = MaskSelection.Auto,
        CancellationToken cancellationToken = default);

    /// <summary>Finds every object of an image. See <see cref="SamModel.GenerateMasks"/>.</summary>
    GeneratedMasks GenerateMasks(
        PixelBuffer image,
        AutomaticMaskOptions? options = null,
        IProgress<MaskGenerationProgress>? progress = null,
        CancellationToken cancellationToken = default);
}
