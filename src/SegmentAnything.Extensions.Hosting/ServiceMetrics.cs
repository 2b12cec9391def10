using System.Diagnostics.Metrics;

namespace SegmentAnything.Extensions.Hosting;

/// <summary>The names of what the service tells through .NET's metrics, on the meter <see cref="SamTelemetry.MeterName"/>.</summary>
public static class HostingTelemetry
{
    /// <summary>Counter, requests for embeddings. Tag: <see cref="CacheResultTag"/>.</summary>
    public const string CacheRequestsInstrument = "segment_anything.cache.requests";

    /// <summary>Counter, embeddings that were dropped to make room.</summary>
    public const string CacheEvictionsInstrument = "segment_anything.cache.evictions";

    /// <summary>Gauge, bytes of embeddings that are kept.</summary>
    public const string CacheSizeInstrument = "segment_anything.cache.size";

    /// <summary>Gauge, embeddings that are kept.</summary>
    public const string CacheEmbeddingsInstrument = "segment_anything.cache.embeddings";

    /// <summary>Gauge, calls that wait for their turn.</summary>
    public const string QueueLengthInstrument = "segment_anything.queue.length";

    /// <summary>Counter, calls that were refused because the queue was full.</summary>
    public const string QueueRefusalsInstrument = "segment_anything.queue.refusals";

    /// <summary>Tag: <c>hit</c> where the embedding was in the cache, <c>miss</c> where it was not.</summary>
    public const string CacheResultTag = "segment_anything.cache.result";
}

/// <summary>The instruments of one service.</summary>
internal sealed class ServiceMetrics : IDisposable
{
    private readonly Meter _meter;
    private readonly Counter<long> _requests;
    private readonly Counter<long> _evictions;
    private readonly Counter<long> _refusals;

    public ServiceMetrics(IMeterFactory factory, EmbeddingCache cache, Func<long> queueLength)
    {
        _meter = factory.Create(SamTelemetry.MeterName);
        _requests = _meter.CreateCounter<long>(HostingTelemetry.CacheRequestsInstrument, "{request}", "Requests for embeddings.");
        _evictions = _meter.CreateCounter<long>(HostingTelemetry.CacheEvictionsInstrument, "{embedding}", "Embeddings that were dropped to make room.");
        _refusals = _meter.CreateCounter<long>(HostingTelemetry.QueueRefusalsInstrument, "{call}", "Calls that were refused because the queue was full.");
        _meter.CreateObservableGauge(HostingTelemetry.CacheSizeInstrument, () => cache.Bytes, "By", "Bytes of embeddings that are kept.");
        _meter.CreateObservableGauge(HostingTelemetry.CacheEmbeddingsInstrument, () => cache.Count, "{embedding}", "Embeddings that are kept.");
        _meter.CreateObservableGauge(HostingTelemetry.QueueLengthInstrument, queueLength, "{call}", "Calls that wait for their turn.");
    }

    public void Hit() => _requests.Add(1, new KeyValuePair<string, object?>(HostingTelemetry.CacheResultTag, "hit"));

    public void Miss() => _requests.Add(1, new KeyValuePair<string, object?>(HostingTelemetry.CacheResultTag, "miss"));

    public void Dropped(int count) => _evictions.Add(count);

    public void Refused() => _refusals.Add(1);

    public void Dispose() => _meter.Dispose();
}
