namespace SegmentAnything;

/// <content>The twins that do not block the caller's thread.</content>
/// <remarks>
/// The work is the same and takes a thread of the pool; the twins are for user interfaces and servers, whose own threads have
/// other things to do. Every exception comes with the task.
/// </remarks>
public sealed partial class SamModel
{
    /// <summary>Computes the embedding of one image on another thread. See <see cref="Encode"/>.</summary>
    /// <param name="image">Pixels in rows from the top; their memory must stay unchanged until the task has ended.</param>
    /// <param name="cancellationToken">Stops the work soon: within the resizing of a large image, and after the operator under way.</param>
    /// <returns>A task with the embedding, which the caller disposes.</returns>
    public Task<ImageEmbedding> EncodeAsync(PixelBuffer image, CancellationToken cancellationToken = default) =>
        Task.Run(() => Encode(image, cancellationToken), cancellationToken);

    /// <summary>Gives the masks for one prompt, on another thread. See <see cref="Predict(ImageEmbedding, Prompt, MaskSelection, CancellationToken)"/>.</summary>
    /// <param name="embedding">The image.</param>
    /// <param name="prompt">In source-image pixels.</param>
    /// <param name="selection">Which masks are wanted; by default three for a single point and one for every other prompt.</param>
    /// <param name="cancellationToken">Stops the work soon.</param>
    /// <returns>A task with masks at source size, ranked by predicted IoU.</returns>
    /// <remarks>One prompt takes milliseconds: where that does not matter, <c>Predict</c> is the simpler call.</remarks>
    public Task<MaskPrediction> PredictAsync(
        ImageEmbedding embedding, Prompt prompt, MaskSelection selection = MaskSelection.Auto, CancellationToken cancellationToken = default) =>
        Task.Run(() => Predict(embedding, prompt, selection, cancellationToken), cancellationToken);

    /// <summary>Gives the masks for many prompts, on another thread. See <see cref="Predict(ImageEmbedding, IReadOnlyList{Prompt}, MaskSelection, CancellationToken)"/>.</summary>
    /// <param name="embedding">The image.</param>
    /// <param name="prompts">In source-image pixels; the list must stay unchanged until the task has ended.</param>
    /// <param name="selection">Which masks are wanted of each.</param>
    /// <param name="cancellationToken">Stops the work soon.</param>
    /// <returns>A task with one prediction a prompt, in their order.</returns>
    public Task<MaskPrediction[]> PredictAsync(
        ImageEmbedding embedding,
        IReadOnlyList<Prompt> prompts,
        MaskSelection selection = MaskSelection.Auto,
        CancellationToken cancellationToken = default) =>
        Task.Run(() => Predict(embedding, prompts, selection, cancellationToken), cancellationToken);
}
