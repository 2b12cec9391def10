using System.Diagnostics.CodeAnalysis;
using System.Threading.RateLimiting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace SegmentAnything.Extensions.Hosting;

/// <summary>A queue in front of the model, and a cache behind it.</summary>
internal sealed class SegmentationService : ISegmentationService, IDisposable
{
    private readonly IServiceProvider _services;
    private readonly ILogger<SegmentationService> _logger;
    private readonly SegmentAnythingOptions _options;
    private readonly ConcurrencyLimiter _turns;
    private readonly EmbeddingCache _cache;
    private readonly ServiceMetrics _metrics;
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Task> _underWay = [];

    public SegmentationService(
        IServiceProvider services, IOptions<SegmentAnythingOptions> options, ILogger<SegmentationService> logger, System.Diagnostics.Metrics.IMeterFactory meters)
    {
        _services = services;
        _logger = logger;
        _options = options.Value;
        _cache = new EmbeddingCache(_options.MaxCacheBytes);
        _turns = new ConcurrencyLimiter(new ConcurrencyLimiterOptions
        {
            PermitLimit = _options.MaxConcurrency,
            QueueLimit = _options.MaxQueueLength,
            QueueProcessingOrder = QueueProcessingOrder.OldestFirst,
        });
        _metrics = new ServiceMetrics(meters, _cache, () => _turns.GetStatistics()?.CurrentQueuedCount ?? 0);
    }

    public async Task<EmbeddingLease> EncodeAsync(string key, PixelBuffer image, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        CheckImage(image);
        while (true)
        {
            Task? other;
            TaskCompletionSource? own = null;
            lock (_gate)
            {
                if (_cache.TryGet(key, out EmbeddingLease? lease))
                {
                    _metrics.Hit();
                    return lease;
                }

                if (!_underWay.TryGetValue(key, out other))
                    _underWay.Add(key, (own = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task);
            }

            if (own is null)
            {
                // Whoever encodes it may be cancelled, or fail: then the image at hand is encoded instead.
                await other!.WaitAsync(cancellationToken).ConfigureAwait(false);
                continue;
            }

            _metrics.Miss();
            try
            {
                ImageEmbedding embedding = await RunAsync(
                    (segmenter, token) => segmenter.Encode(image, token), image, "encode", cancellationToken).ConfigureAwait(false);
                EmbeddingLease lease = _cache.Add(key, embedding, out int dropped);
                if (dropped > 0)
                {
                    _metrics.Dropped(dropped);
                    _logger.Dropped(dropped, _options.MaxCacheBytes);
                }

                return lease;
            }
            finally
            {
                lock (_gate) _underWay.Remove(key);
                own.SetResult();
            }
        }
    }

    public bool TryGetEmbedding(string key, [NotNullWhen(true)] out EmbeddingLease? lease)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        bool found = _cache.TryGet(key, out lease);
        if (found) _metrics.Hit();
        else _metrics.Miss();
        return found;
    }

    public bool Remove(string key)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        return _cache.Remove(key);
    }

    public Task<GeneratedMasks> GenerateMasksAsync(
        PixelBuffer image,
        AutomaticMaskOptions? options = null,
        IProgress<MaskGenerationProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        CheckImage(image);
        return RunAsync((segmenter, token) => segmenter.GenerateMasks(image, options, progress, token), image, "generate", cancellationToken);
    }

    public void Dispose()
    {
        _turns.Dispose();
        _cache.Dispose();
        _metrics.Dispose();
    }

    private static void CheckImage(PixelBuffer image)
    {
        if (image.Width == 0) throw new ArgumentException("The image is empty: make it with one of PixelBuffer's methods.", nameof(image));
    }

    private async Task<T> RunAsync<T>(Func<ISegmenter, CancellationToken, T> work, PixelBuffer image, string what, CancellationToken cancellationToken)
    {
        long start = TimeProvider.System.GetTimestamp();
        using RateLimitLease turn = await _turns.AcquireAsync(1, cancellationToken).ConfigureAwait(false);
        if (!turn.IsAcquired)
        {
            _logger.QueueFull(_options.MaxQueueLength);
            _metrics.Refused();
            throw new SegmentationQueueFullException(
                $"{_options.MaxQueueLength} calls are waiting already ({nameof(SegmentAnythingOptions)}.{nameof(SegmentAnythingOptions.MaxQueueLength)}). Try again later.");
        }

        TimeSpan waited = TimeProvider.System.GetElapsedTime(start);
        // The model may still have to be loaded, which blocks as well.
        T result = await Task.Run(() => work(_services.GetRequiredService<ISegmenter>(), cancellationToken), cancellationToken).ConfigureAwait(false);
        _logger.Done(what, image.Width, image.Height, waited.TotalMilliseconds, (TimeProvider.System.GetElapsedTime(start) - waited).TotalMilliseconds);
        return result;
    }
}
