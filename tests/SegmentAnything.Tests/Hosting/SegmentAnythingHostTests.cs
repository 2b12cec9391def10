using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Google.Protobuf;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using SegmentAnything.Extensions.Hosting;
using SegmentAnything.Tests.Pipeline;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.Hosting;

/// <summary>A real host, container and model (of kilobytes), in front of which a gate can hold encodings up.</summary>
public sealed class SegmentAnythingHostTests
{
    private const long EmbeddingBytes = ToyModel.Channels * ToyModel.Grid * ToyModel.Grid * sizeof(float);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Host_Started_HasLoadedAndUsedTheModel()
    {
        using var folder = new TemporaryFolder();
        (byte[] encoder, byte[] decoder) = (ToyModel.Encoder(), ToyModel.Decoder().ToByteArray());
        File.WriteAllBytes(Path.Combine(folder.Path, "encoder.onnx"), encoder);
        File.WriteAllBytes(Path.Combine(folder.Path, "decoder.onnx"), decoder);
        var log = new Recorder();
        HostApplicationBuilder builder = Builder(log);
        builder.Services.AddSegmentAnything(options => options.Model = folder.Path);
        using IHost host = builder.Build();
        await host.StartAsync(Token);

        Assert.Contains(log.Lines, line => line.StartsWith("Loading the model", StringComparison.Ordinal));
        Assert.Contains(log.Lines, line => line.StartsWith("The model is warm", StringComparison.Ordinal));
        var sam = Assert.IsType<SamModel>(host.Services.GetRequiredService<ISegmenter>());
        var service = host.Services.GetRequiredService<ISegmentationService>();
        using (EmbeddingLease photo = await service.EncodeAsync("a", Picture(), Token))
        {
            using MaskPrediction masks = sam.Predict(photo.Embedding, Prompt.Point(5, 5), cancellationToken: Token);
            Assert.Equal(3, masks.Count);
        }

        GeneratedMasks all = await service.GenerateMasksAsync(
            Picture(), new AutomaticMaskOptions { PointsPerSide = 2, PredIouThreshold = 0, StabilityScoreThreshold = 0 }, cancellationToken: Token);
        Assert.NotEmpty(all);
        Assert.Contains(log.Lines, line => line.StartsWith("encode of 40x30 pixels", StringComparison.Ordinal));

        await host.StopAsync(Token);
        host.Dispose();
        Assert.Throws<ObjectDisposedException>(() => sam.Encode(Picture())); // the container disposed it
    }

    [Fact]
    public async Task Host_StoppedWhileItStarts_CancelsTheLoading()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(Path.Combine(folder.Path, "encoder.onnx"), ToyModel.Encoder());
        File.WriteAllBytes(Path.Combine(folder.Path, "decoder.onnx"), ToyModel.Decoder().ToByteArray());
        HostApplicationBuilder builder = Builder();
        builder.Services.AddSegmentAnything(options => options.Model = folder.Path);
        using IHost host = builder.Build();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => host.StartAsync(new CancellationToken(true)));
        Assert.IsType<SamModel>(host.Services.GetRequiredService<ISegmenter>()); // and it can be loaded afterwards
    }

    [Theory]
    [InlineData(0, 64, 0, "MaxConcurrency is 0")]
    [InlineData(1, -1, 0, "MaxQueueLength is -1")]
    [InlineData(1, 0, -1, "MaxCacheBytes is -1")]
    public async Task Host_WithBadOptions_SaysAtStartWhich(int concurrency, int queue, long cache, string message)
    {
        HostApplicationBuilder builder = Builder();
        builder.Services.AddSegmentAnything(options =>
        {
            (options.MaxConcurrency, options.MaxQueueLength, options.MaxCacheBytes) = (concurrency, queue, cache);
            options.WarmUp = false;
        });
        using IHost host = builder.Build();
        var e = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync(Token));
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Host_WithoutWarmUp_LoadsNothingAtStart()
    {
        HostApplicationBuilder builder = Builder();
        builder.Services.AddSegmentAnything(options => (options.WarmUp, options.Model, options.Download) = (false, "no-such-model", false));
        using IHost host = builder.Build();
        await host.StartAsync(Token);
        Assert.Throws<ModelNotFoundException>(() => host.Services.GetRequiredService<ISegmenter>());
        await host.StopAsync(Token);
    }

    [Fact]
    public async Task Fake_AddedBefore_IsUsedInsteadOfAModel()
    {
        await using ServiceProvider services = Provide(out GatedSegmenter fake);
        Assert.Same(fake, services.GetRequiredService<ISegmenter>());
        await services.GetServices<IHostedService>().Single().StartAsync(Token);
        Assert.Equal(1, fake.Encodings); // the warm-up's
    }

    [Fact]
    public async Task EncodeAsync_SameKey_EncodesOnceAndCounts()
    {
        await using ServiceProvider services = Provide(out GatedSegmenter fake);
        var service = services.GetRequiredService<ISegmentationService>();
        using var heard = new Heard(services);
        fake.Close();
        Task<EmbeddingLease>[] calls = [.. Enumerable.Range(0, 5).Select(_ => service.EncodeAsync("a", Picture(), Token))];
        fake.Open();
        EmbeddingLease[] leases = await Task.WhenAll(calls);

        Assert.Equal(1, fake.Encodings);
        Assert.All(leases, lease => Assert.Same(leases[0].Embedding, lease.Embedding));
        Assert.True(service.TryGetEmbedding("a", out EmbeddingLease? again));
        Assert.False(service.TryGetEmbedding("b", out _));
        again.Dispose();
        foreach (EmbeddingLease lease in leases) lease.Dispose();
        heard.Observe();
        Assert.Equal((5, 2), (heard.Sum(HostingTelemetry.CacheRequestsInstrument, "hit"), heard.Sum(HostingTelemetry.CacheRequestsInstrument, "miss")));
        Assert.Equal(EmbeddingBytes, heard.Last(HostingTelemetry.CacheSizeInstrument));
        Assert.Equal(1, heard.Last(HostingTelemetry.CacheEmbeddingsInstrument));
        Assert.Equal(0, heard.Last(HostingTelemetry.QueueLengthInstrument));
    }

    [Fact]
    public async Task EncodeAsync_MoreThanFits_DropsTheLeastRecentlyUsedAndKeepsLeasesValid()
    {
        await using ServiceProvider services = Provide(out _, options => options.MaxCacheBytes = (2 * EmbeddingBytes) + 10);
        var service = services.GetRequiredService<ISegmentationService>();
        using var heard = new Heard(services);
        EmbeddingLease a = await service.EncodeAsync("a", Picture(), Token);
        (await service.EncodeAsync("b", Picture(), Token)).Dispose();
        (await service.EncodeAsync("a", Picture(), Token)).Dispose(); // used again: now b is the oldest
        (await service.EncodeAsync("c", Picture(), Token)).Dispose();
        Assert.False(service.TryGetEmbedding("b", out _));
        Assert.True(service.Remove("a"));
        Assert.False(service.Remove("a"));

        ImageEmbedding lent = a.Embedding;
        Assert.Equal(ToyModel.Channels * ToyModel.Grid * ToyModel.Grid, lent.Values.Length); // dropped, and lent out still
        a.Dispose();
        a.Dispose();
        Assert.Throws<ObjectDisposedException>(() => lent.Values.Length);
        heard.Observe();
        Assert.Equal(1, heard.Sum(HostingTelemetry.CacheEvictionsInstrument));
        Assert.Equal(EmbeddingBytes, heard.Last(HostingTelemetry.CacheSizeInstrument));
    }

    [Fact]
    public async Task EncodeAsync_CacheOfNothing_StillGivesEmbeddings()
    {
        await using ServiceProvider services = Provide(out GatedSegmenter fake, options => options.MaxCacheBytes = 0);
        var service = services.GetRequiredService<ISegmentationService>();
        using (EmbeddingLease lease = await service.EncodeAsync("a", Picture(), Token)) Assert.False(lease.Embedding.Values.IsEmpty);
        using (EmbeddingLease lease = await service.EncodeAsync("a", Picture(), Token)) Assert.False(lease.Embedding.Values.IsEmpty);
        Assert.Equal(2, fake.Encodings);
    }

    [Fact]
    public async Task Queue_Full_RefusesAtOnceAndNeverRunsMoreThanAllowed()
    {
        await using ServiceProvider services = Provide(out GatedSegmenter fake, options => (options.MaxConcurrency, options.MaxQueueLength) = (2, 3));
        var service = services.GetRequiredService<ISegmentationService>();
        using var heard = new Heard(services);
        fake.Close();
        List<Task> accepted = [.. Enumerable.Range(0, 4).Select(i => service.EncodeAsync($"{i}", Picture(), Token)), service.GenerateMasksAsync(Picture(), cancellationToken: Token)];
        heard.Observe();
        Assert.Equal(3, heard.Last(HostingTelemetry.QueueLengthInstrument));
        var e = await Assert.ThrowsAsync<SegmentationQueueFullException>(() => service.EncodeAsync("one more", Picture(), Token));
        Assert.Contains("3 calls are waiting", e.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<SegmentationQueueFullException>(() => service.GenerateMasksAsync(Picture(), cancellationToken: Token));
        fake.Open();
        await Task.WhenAll(accepted);
        (await service.EncodeAsync("one more", Picture(), Token)).Dispose(); // there is room again
        Assert.InRange(fake.MostAtATime, 1, 2);
        Assert.Equal(2, heard.Sum(HostingTelemetry.QueueRefusalsInstrument));
    }

    [Fact]
    public async Task EncodeAsync_CancelledWhileItWaits_GivesItsPlaceUp()
    {
        await using ServiceProvider services = Provide(out GatedSegmenter fake, options => options.MaxQueueLength = 1);
        var service = services.GetRequiredService<ISegmentationService>();
        fake.Close();
        Task<EmbeddingLease> first = service.EncodeAsync("a", Picture(), Token);
        using var cancellation = new CancellationTokenSource();
        Task<EmbeddingLease> second = service.EncodeAsync("b", Picture(), cancellation.Token);
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        Task<EmbeddingLease> third = service.EncodeAsync("c", Picture(), Token);
        fake.Open();
        (await first).Dispose();
        (await third).Dispose();
        Assert.Equal(2, fake.Encodings);
    }

    [Fact]
    public async Task EncodeAsync_WhoEncodesIsCancelled_AnotherOfTheSameKeyGoesOn()
    {
        await using ServiceProvider services = Provide(out GatedSegmenter fake);
        var service = services.GetRequiredService<ISegmentationService>();
        fake.Close();
        using var cancellation = new CancellationTokenSource();
        Task<EmbeddingLease> first = service.EncodeAsync("a", Picture(), cancellation.Token), second = service.EncodeAsync("a", Picture(), Token);
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        fake.Open();
        using EmbeddingLease lease = await second;
        Assert.False(lease.Embedding.Values.IsEmpty);
    }

    [Fact]
    public async Task EncodeAsync_ThatFails_FailsForItsCallerAndCanBeTriedAgain()
    {
        await using ServiceProvider services = Provide(out GatedSegmenter fake);
        var service = services.GetRequiredService<ISegmentationService>();
        fake.Failure = new InvalidOperationException("the device is gone");
        await Assert.ThrowsAsync<InvalidOperationException>(() => service.EncodeAsync("a", Picture(), Token));
        fake.Failure = null;
        (await service.EncodeAsync("a", Picture(), Token)).Dispose();
        await Assert.ThrowsAsync<ArgumentException>(() => service.EncodeAsync("", Picture(), Token));
        await Assert.ThrowsAsync<ArgumentException>(() => service.EncodeAsync("b", default, Token));
    }

    [Fact]
    public async Task EncodeAsync_FromManyThreads_NeverGivesADisposedEmbedding()
    {
        await using ServiceProvider services = Provide(out _, options => (options.MaxCacheBytes, options.MaxQueueLength, options.MaxConcurrency) = (3 * EmbeddingBytes, 10_000, 2));
        var service = services.GetRequiredService<ISegmentationService>();
        await Parallel.ForAsync(0, 400, new ParallelOptions { MaxDegreeOfParallelism = 16, CancellationToken = Token }, async (i, token) =>
        {
            using EmbeddingLease lease = await service.EncodeAsync($"{i % 7}", Picture(), token);
            if (i % 5 == 0) service.Remove($"{i % 7}");
            await Task.Yield();
            Assert.False(lease.Embedding.Values.IsEmpty);
        });
    }

    private static PixelBuffer Picture() => PixelBuffer.FromGray8(new byte[40 * 30], 40, 30);

    private static HostApplicationBuilder Builder(Recorder? log = null)
    {
        HostApplicationBuilder builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Logging.SetMinimumLevel(LogLevel.Debug);
        if (log is not null) builder.Logging.AddProvider(log);
        return builder;
    }

    private static ServiceProvider Provide(out GatedSegmenter fake, Action<SegmentAnythingOptions>? configure = null)
    {
        var segmenter = new GatedSegmenter();
        var services = new ServiceCollection();
        services.AddSingleton<ISegmenter>(_ => segmenter);
        services.AddSegmentAnything(configure);
        fake = segmenter;
        return services.BuildServiceProvider(new ServiceProviderOptions { ValidateOnBuild = true, ValidateScopes = true });
    }

    /// <summary>The toy model, behind a gate.</summary>
    private sealed class GatedSegmenter : ISegmenter
    {
        private readonly SamModel _model = ToyModel.Load();
        private readonly ManualResetEventSlim _gate = new(true);
        private int _encodings;
        private int _now;
        private int _most;

        public int Encodings => _encodings;

        public int MostAtATime => _most;

        public Exception? Failure { get; set; }

        public SamVariant Variant => _model.Variant;

        public ModelCapabilities Capabilities => _model.Capabilities;

        public void Close() => _gate.Reset();

        public void Open() => _gate.Set();

        public ImageEmbedding Encode(PixelBuffer image, CancellationToken cancellationToken = default)
        {
            Enter(cancellationToken);
            try
            {
                if (Failure is not null) throw Failure;
                Interlocked.Increment(ref _encodings);
                return _model.Encode(image, cancellationToken);
            }
            finally
            {
                Interlocked.Decrement(ref _now);
            }
        }

        public MaskPrediction Predict(ImageEmbedding embedding, Prompt prompt, MaskSelection selection = MaskSelection.Auto, CancellationToken cancellationToken = default) =>
            _model.Predict(embedding, prompt, selection, cancellationToken);

        public MaskPrediction[] Predict(
            ImageEmbedding embedding, IReadOnlyList<Prompt> prompts, MaskSelection selection = MaskSelection.Auto, CancellationToken cancellationToken = default) =>
            _model.Predict(embedding, prompts, selection, cancellationToken);

        public ImageEmbedding LoadEmbedding(Stream source) => _model.LoadEmbedding(source);

        public IAsyncEnumerable<GeneratedMask> GenerateMasksAsync(
            PixelBuffer image,
            AutomaticMaskOptions? options = null,
            IProgress<MaskGenerationProgress>? progress = null,
            CancellationToken cancellationToken = default) => _model.GenerateMasksAsync(image, options, progress, cancellationToken);

        public GeneratedMasks GenerateMasks(
            PixelBuffer image, AutomaticMaskOptions? options = null, IProgress<MaskGenerationProgress>? progress = null, CancellationToken cancellationToken = default)
        {
            Enter(cancellationToken);
            try
            {
                return _model.GenerateMasks(image, new AutomaticMaskOptions { PointsPerSide = 1 }, progress, cancellationToken);
            }
            finally
            {
                Interlocked.Decrement(ref _now);
            }
        }

        public void Dispose() => _model.Dispose();

        private void Enter(CancellationToken cancellationToken)
        {
            _gate.Wait(cancellationToken);
            int now = Interlocked.Increment(ref _now);
            for (int most = _most; now > most; most = _most) Interlocked.CompareExchange(ref _most, now, most);
        }
    }

    /// <summary>Hears the instruments of one container.</summary>
    private sealed class Heard : IDisposable
    {
        private readonly MeterListener _listener = new();
        private readonly ConcurrentQueue<(string Name, long Value, object? Tag)> _values = [];

        public Heard(IServiceProvider services)
        {
            object factory = services.GetRequiredService<IMeterFactory>();
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name == SamTelemetry.MeterName && ReferenceEquals(instrument.Meter.Scope, factory)) listener.EnableMeasurementEvents(instrument);
            };
            _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => _values.Enqueue((instrument.Name, value, tags.IsEmpty ? null : tags[0].Value)));
            _listener.SetMeasurementEventCallback<int>((instrument, value, _, _) => _values.Enqueue((instrument.Name, value, null)));
            _listener.Start();
        }

        public void Observe() => _listener.RecordObservableInstruments();

        public long Sum(string name, object? tag = null) => _values.Where(v => v.Name == name && Equals(v.Tag, tag)).Sum(v => v.Value);

        public long Last(string name) => _values.Last(v => v.Name == name).Value;

        public void Dispose() => _listener.Dispose();
    }

    private sealed class Recorder : ILoggerProvider, ILogger
    {
        public ConcurrentQueue<string> Lines { get; } = [];

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Lines.Enqueue(formatter(state, exception));

        public void Dispose()
        {
        }
    }
}
