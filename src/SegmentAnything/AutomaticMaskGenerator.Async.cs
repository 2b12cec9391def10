using System.Diagnostics;
using System.Runtime.CompilerServices;
using SegmentAnything.Automatic;

namespace SegmentAnything;

/// <content>The twins that do not block, and the one for many images.</content>
public sealed partial class AutomaticMaskGenerator
{
    /// <summary>Finds the objects of one image on another thread, and gives each as soon as it is certain.</summary>
    /// <param name="image">Pixels; they must stay unchanged until the last object was given.</param>
    /// <param name="progress">Told of every batch of points, on the thread that works.</param>
    /// <param name="cancellationToken">Stops the work after the model's run under way, and between masks.</param>
    /// <returns>
    /// The objects, and their order, are those of <see cref="Generate(PixelBuffer, IProgress{MaskGenerationProgress}?, CancellationToken)"/>.
    /// </returns>
    /// <exception cref="ArgumentException">The image is the default value, without memory.</exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <remarks>
    /// Certain is what no point that is still to be prompted can show to be a duplicate. Without crops that is nothing before the
    /// last point: all objects come at the end, and <paramref name="progress"/> tells how far the points are. With
    /// <see cref="AutomaticMaskOptions.CropLayers"/> the objects of each crop come when it is done, the smallest crops first; with
    /// <see cref="AutomaticMaskOptions.MinMaskRegionArea"/> those that were cleaned come at the end. The next crop is begun when
    /// its first object is asked for: the work waits for a slow consumer, and ends with one that stops.
    /// </remarks>
    public IAsyncEnumerable<GeneratedMask> GenerateAsync(
        PixelBuffer image, IProgress<MaskGenerationProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        CheckImage(image);
        return Core(cancellationToken);

        async IAsyncEnumerable<GeneratedMask> Core([EnumeratorCancellation] CancellationToken token)
        {
            using IEnumerator<GeneratedMask[]> crops = Find(image, image.Size, SearchArea.Everywhere, null, TimeSpan.Zero, [], progress, token).GetEnumerator();
            while (await Task.Run(crops.MoveNext, token).ConfigureAwait(false))
            {
                foreach (GeneratedMask mask in crops.Current)
                {
                    token.ThrowIfCancellationRequested();
                    yield return mask;
                }
            }
        }
    }

    /// <summary>Finds the objects of many images: while one is prompted, the next is read and encoded.</summary>
    /// <typeparam name="T">What names an image, such as its path.</typeparam>
    /// <param name="sources">The images, in the order of the results; taken one at a time as they are needed.</param>
    /// <param name="read">
    /// Reads an image, on another thread, not more than one ahead. What it throws is given as the
    /// <see cref="ImageMasks{T}.Error"/> of that image, and the next image follows; cancellation ends the whole.
    /// </param>
    /// <param name="progress">Told of every batch of points of the image that is prompted.</param>
    /// <param name="cancellationToken">Stops the work after the model's run under way, and between masks.</param>
    /// <returns>One result an image. Two images at most are in memory.</returns>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public IAsyncEnumerable<ImageMasks<T>> GenerateManyAsync<T>(
        IAsyncEnumerable<T> sources,
        Func<T, PixelBuffer> read,
        IProgress<MaskGenerationProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(sources);
        ArgumentNullException.ThrowIfNull(read);
        return Core(cancellationToken);

        async IAsyncEnumerable<ImageMasks<T>> Core([EnumeratorCancellation] CancellationToken token)
        {
            await using IAsyncEnumerator<T> enumerator = sources.GetAsyncEnumerator(token);
            // Linked: who stops reading results early stops the encoding that is under way too.
            using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(token);
            Task<Encoded<T>?> next = NextAsync(enumerator, read, stop.Token);
            try
            {
                while (await next.ConfigureAwait(false) is { } current)
                {
                    next = NextAsync(enumerator, read, stop.Token);
                    if (current.Error is not null)
                    {
                        yield return new ImageMasks<T>(current.Source, null, current.Error);
                        continue;
                    }

                    GeneratedMasks masks = await Task.Run(
                        () => Generate(
                            current.Image, current.Image.Size, SearchArea.Everywhere, current.WholeImage, current.EncodeTime, progress, token), CancellationToken.None).ConfigureAwait(false);
                    yield return new ImageMasks<T>(current.Source, masks, null);
                }
            }
            finally
            {
                await stop.CancelAsync().ConfigureAwait(false);
                await next.ContinueWith(
                    task =>
                    {
                        if (task.IsCompletedSuccessfully) task.Result?.WholeImage?.Dispose();
                        _ = task.Exception; // an encoding that was given up may have failed by being cancelled
                    },
                    CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Finds the objects of many images. See the other overload for everything.</summary>
    /// <inheritdoc cref="GenerateManyAsync{T}(IAsyncEnumerable{T}, Func{T, PixelBuffer}, IProgress{MaskGenerationProgress}?, CancellationToken)"/>
    public IAsyncEnumerable<ImageMasks<T>> GenerateManyAsync<T>(
        IEnumerable<T> sources,
        Func<T, PixelBuffer> read,
        IProgress<MaskGenerationProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(sources);
        return GenerateManyAsync(sources.ToAsyncEnumerable(), read, progress, cancellationToken);
    }

    private async Task<Encoded<T>?> NextAsync<T>(IAsyncEnumerator<T> sources, Func<T, PixelBuffer> read, CancellationToken token)
    {
        if (!await sources.MoveNextAsync().ConfigureAwait(false)) return null;
        T source = sources.Current;
        return await Task.Run(
            () =>
            {
                PixelBuffer image;
                try
                {
                    image = read(source);
                    CheckImage(image);
                }
                catch (Exception e) when (e is not OperationCanceledException)
                {
                    return new Encoded<T>(source, default, null, default, e);
                }

                long before = Stopwatch.GetTimestamp();
                IEncodedCrop encoded = _encoder.Encode(image, token);
                return new Encoded<T>(source, image, encoded, Stopwatch.GetElapsedTime(before), null);
            },
            token).ConfigureAwait(false);
    }

    private sealed record Encoded<T>(T Source, PixelBuffer Image, IEncodedCrop? WholeImage, TimeSpan EncodeTime, Exception? Error);
}
