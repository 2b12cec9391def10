using System.Diagnostics.CodeAnalysis;

namespace SegmentAnything.Extensions.Hosting;

/// <summary>The slow half of segmentation, for many callers: encoding in turn, with the latest embeddings kept.</summary>
/// <remarks>
/// The fast half is <see cref="ISegmenter"/>'s, which needs no turn:
/// <code>
/// using EmbeddingLease photo = await service.EncodeAsync(id, pixels, cancellation);
/// using MaskPrediction masks = segmenter.Predict(photo.Embedding, Prompt.Point(320, 180));
/// </code>
/// Safe to use from several threads.
/// </remarks>
public interface ISegmentationService
{
    /// <summary>Gives the embedding of an image: from the cache, or by encoding it when its turn comes.</summary>
    /// <param name="key">What the image is known by, such as a hash of its file. Calls with the same key share one encoding.</param>
    /// <param name="image">Pixels; their memory must stay unchanged until the task has ended.</param>
    /// <param name="cancellationToken">Gives the place in the queue up, or stops the encoding soon.</param>
    /// <returns>A task with the embedding, lent out: dispose the lease.</returns>
    /// <exception cref="ArgumentException">The key is empty, or the image is.</exception>
    /// <exception cref="SegmentationQueueFullException">As many calls are waiting as may.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    Task<EmbeddingLease> EncodeAsync(string key, PixelBuffer image, CancellationToken cancellationToken = default);

    /// <summary>Gives an embedding that is in the cache.</summary>
    /// <param name="key">What the image is known by.</param>
    /// <param name="lease">The embedding, lent out: dispose the lease.</param>
    /// <returns>False where it was never encoded, or was dropped.</returns>
    bool TryGetEmbedding(string key, [NotNullWhen(true)] out EmbeddingLease? lease);

    /// <summary>Drops an embedding from the cache. Leases of it stay valid.</summary>
    /// <param name="key">What the image is known by.</param>
    /// <returns>Whether there was one.</returns>
    bool Remove(string key);

    /// <summary>Finds every object of an image, when its turn comes: in the same queue as <see cref="EncodeAsync"/>.</summary>
    /// <param name="image">Pixels; their memory must stay unchanged until the task has ended.</param>
    /// <param name="options">How to look for objects; by default as the reference does.</param>
    /// <param name="progress">Told of every batch of points, on the thread that works.</param>
    /// <param name="cancellationToken">Gives the place in the queue up, or stops the work soon.</param>
    /// <exception cref="ArgumentException">The image is empty.</exception>
    /// <exception cref="SegmentationQueueFullException">As many calls are waiting as may.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    Task<GeneratedMasks> GenerateMasksAsync(
        PixelBuffer image,
        AutomaticMaskOptions? options = null,
        IProgress<MaskGenerationProgress>? progress = null,
        CancellationToken cancellationToken = default);
}
