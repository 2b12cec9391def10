namespace SegmentAnything;

/// <summary>
/// What an application asks of a model: encode an image, predict masks for prompts, find everything. <see cref="SamModel"/> is
/// one; a test can have its own, whose results it makes with the public constructors of <see cref="ImageEmbedding"/>,
/// <see cref="MaskPrediction"/>, <see cref="PredictedMask"/>, <see cref="GeneratedMasks"/> and <see cref="GeneratedMask"/>.
/// </summary>
/// <remarks>Implementations serve any number of threads and images at once. What may be thrown is what <see cref="SamModel"/> throws.</remarks>
public interface ISegmenter : IDisposable
{
    /// <summary>Which model it is.</summary>
    SamVariant Variant { get; }

    /// <summary>What it can be prompted with, and what it gives.</summary>
    ModelCapabilities Capabilities { get; }

    /// <summary>Computes the embedding of one image, to be prompted any number of times.</summary>
    /// <param name="image">Pixels in rows from the top.</param>
    /// <param name="cancellationToken">Stops the work soon.</param>
    ImageEmbedding Encode(PixelBuffer image, CancellationToken cancellationToken = default);

    /// <summary>Reads an embedding that was saved, and checks that this model made it.</summary>
    /// <param name="source">What <see cref="ImageEmbedding.Save"/> wrote.</param>
    ImageEmbedding LoadEmbedding(Stream source);

    /// <summary>Gives the masks for one prompt.</summary>
    /// <param name="embedding">The image.</param>
    /// <param name="prompt">In source-image pixels.</param>
    /// <param name="selection">Which masks are wanted.</param>
    /// <param name="cancellationToken">Stops the work soon.</param>
    /// <returns>Masks at source size, ranked by predicted IoU.</returns>
    MaskPrediction Predict(
        ImageEmbedding embedding, Prompt prompt, MaskSelection selection = MaskSelection.Auto, CancellationToken cancellationToken = default);

    /// <summary>Gives the masks for many prompts against one image in one call; each prompt is an object of its own.</summary>
    /// <param name="embedding">The image.</param>
    /// <param name="prompts">In source-image pixels.</param>
    /// <param name="selection">Which masks are wanted of each.</param>
    /// <param name="cancellationToken">Stops the work soon.</param>
    /// <returns>One prediction a prompt, in their order.</returns>
    MaskPrediction[] Predict(
        ImageEmbedding embedding, IReadOnlyList<Prompt> prompts, MaskSelection selection = MaskSelection.Auto, CancellationToken cancellationToken = default);

    /// <summary>Finds every object of an image.</summary>
    /// <param name="image">Pixels in rows from the top.</param>
    /// <param name="options">How to look for objects; by default as the model's family does.</param>
    /// <param name="progress">Told of every batch of points.</param>
    /// <param name="cancellationToken">Stops the work soon.</param>
    GeneratedMasks GenerateMasks(
        PixelBuffer image, AutomaticMaskOptions? options = null, IProgress<MaskGenerationProgress>? progress = null, CancellationToken cancellationToken = default);

    /// <summary>Finds every object of an image on another thread.</summary>
    /// <param name="image">Pixels in rows from the top, to stay unchanged until the end.</param>
    /// <param name="options">How to look for objects; by default as the model's family does.</param>
    /// <param name="progress">Told of every batch of points.</param>
    /// <param name="cancellationToken">Stops the work soon.</param>
    IAsyncEnumerable<GeneratedMask> GenerateMasksAsync(
        PixelBuffer image, AutomaticMaskOptions? options = null, IProgress<MaskGenerationProgress>? progress = null, CancellationToken cancellationToken = default);
}
