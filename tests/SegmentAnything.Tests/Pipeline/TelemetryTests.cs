using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace SegmentAnything.Tests.Pipeline;

/// <summary>What is told to listeners such as OpenTelemetry, whose own are made of these two.</summary>
public sealed class TelemetryTests
{
    private static readonly AutomaticMaskOptions KeepAll = new()
    {
        PointsPerSide = 3,
        PredIouThreshold = 0,
        StabilityScoreThreshold = 0,
        CropLayers = 1,
    };

    [Fact]
    public void EncodeAndPrompt_AreToldWithModelAndSizes()
    {
        using var heard = new Listener("telemetry-1");
        using SamModel sam = Load("telemetry-1");
        using ImageEmbedding photo = sam.Encode(Picture(80, 60));
        sam.Predict(photo, Prompt.Point(40, 30));
        sam.Predict(photo, [Prompt.Point(10, 10), Prompt.Point(20, 20), Prompt.Box(1, 2, 30, 40)]);

        Assert.Equal(
            [
                "segment_anything.encode image.height=60 image.width=80 Unset",
                "segment_anything.prompt prompt.count=1 Unset",
                "segment_anything.prompt prompt.count=3 Unset",
            ],
            heard.Activities.Select(Describe));
        Assert.Equal(1, heard.Count(SamTelemetry.EncodeDurationInstrument));
        Assert.Equal(2, heard.Count(SamTelemetry.PromptDurationInstrument));
        Assert.Equal(4, heard.Sum(SamTelemetry.PromptsInstrument));
        Assert.All(heard.Measurements.Where(m => m.Instrument.Unit == "s"), m => Assert.InRange(m.Value, 1e-9, 600));
    }

    [Fact]
    public async Task Generate_IsTheParentOfItsEncodings_AlsoAcrossThreads()
    {
        using var heard = new Listener("telemetry-2");
        using SamModel sam = Load("telemetry-2");
        int masks = 0;
        await foreach (GeneratedMask _ in sam.GenerateMasksAsync(Picture(90, 70), KeepAll, cancellationToken: TestContext.Current.CancellationToken)) masks++;

        Activity generate = Assert.Single(heard.Activities, a => a.OperationName == SamTelemetry.GenerateActivity);
        Activity[] encodings = [.. heard.Activities.Where(a => a.OperationName == SamTelemetry.EncodeActivity)];
        Assert.Equal(5, encodings.Length);
        Assert.All(encodings, a => Assert.Equal(generate.SpanId, a.ParentSpanId));
        Assert.True(masks > 0);
        Assert.Equal($"segment_anything.generate image.height=70 image.width=90 mask.count={masks} prompt.count=45 Unset", Describe(generate));
        Assert.Equal(masks, heard.Sum(SamTelemetry.GeneratedMasksInstrument));
        Assert.Equal(45, heard.Sum(SamTelemetry.PromptsInstrument));
        Assert.Equal(1, heard.Count(SamTelemetry.GenerateDurationInstrument));
        Assert.Equal(sam.GenerateMasks(Picture(90, 70), KeepAll).Count, masks);
    }

    [Fact]
    public void Failure_IsToldWithTheExceptionsType()
    {
        using var heard = new Listener("telemetry-3");
        using SamModel sam = Load("telemetry-3");
        Assert.Throws<OperationCanceledException>(() => sam.Encode(Picture(8, 8), new CancellationToken(true)));

        Activity failed = Assert.Single(heard.Activities);
        Assert.Equal(ActivityStatusCode.Error, failed.Status);
        Assert.Equal("System.OperationCanceledException", failed.GetTagItem(SamTelemetry.ErrorTypeTag));
        Assert.Equal("System.OperationCanceledException", Assert.Single(heard.Measurements).ErrorType);
    }

    [Fact]
    public void Operation_WhereNobodyListens_IsNone()
    {
        // Other tests of this process may listen to the same source: what decides is asked first.
        if (SamTelemetry.Source.HasListeners() || SamTelemetry.EncodeDuration.Enabled || SamTelemetry.PromptDuration.Enabled
            || SamTelemetry.GenerateDuration.Enabled || SamTelemetry.Prompts.Enabled || SamTelemetry.GeneratedMasks.Enabled)
        {
            Assert.Skip("Another test of this process is listening.");
        }

        Assert.Null(Operation.BeginEncode("m", Picture(8, 8)));
        Assert.Null(Operation.BeginPrompt("m", 1));
        Assert.Null(Operation.BeginGenerate("m", Picture(8, 8).Size));
    }

    private static SamModel Load(string name) => SamModel.Load(ToyModel.Variant with { Name = name }, ToyModel.Files());

    private static PixelBuffer Picture(int width, int height) => PixelBuffer.FromGray8(new byte[width * height], width, height);

    private static string Describe(Activity activity) => string.Join(' ', [
        activity.OperationName,
        .. activity.TagObjects.Where(t => t.Key != SamTelemetry.ModelTag)
            .Select(t => $"{t.Key.Replace("segment_anything.", "", StringComparison.Ordinal)}={t.Value}").Order(StringComparer.Ordinal),
        activity.Status.ToString()]);

    /// <summary>Hears what one model does: tests run side by side, and all of them have the same source and meter.</summary>
    private sealed class Listener : IDisposable
    {
        private readonly ActivityListener _activities;
        private readonly MeterListener _meters = new();

        public Listener(string model)
        {
            _activities = new ActivityListener
            {
                ShouldListenTo = source => source.Name == SamTelemetry.ActivitySourceName,
                Sample = (ref _) => ActivitySamplingResult.AllDataAndRecorded,
                ActivityStopped = activity =>
                {
                    if (Equals(activity.GetTagItem(SamTelemetry.ModelTag), model)) Activities.Enqueue(activity);
                },
            };
            ActivitySource.AddActivityListener(_activities);
            _meters.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name == SamTelemetry.MeterName) listener.EnableMeasurementEvents(instrument);
            };
            _meters.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Hear(instrument, value, tags, model));
            _meters.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Hear(instrument, value, tags, model));
            _meters.Start();
        }

        public ConcurrentQueue<Activity> Activities { get; } = [];

        public ConcurrentQueue<(Instrument Instrument, double Value, string? ErrorType)> Measurements { get; } = [];

        public int Count(string instrument) => Measurements.Count(m => m.Instrument.Name == instrument);

        public double Sum(string instrument) => Measurements.Where(m => m.Instrument.Name == instrument).Sum(m => m.Value);

        public void Dispose()
        {
            _activities.Dispose();
            _meters.Dispose();
        }

        private void Hear(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags, string model)
        {
            Dictionary<string, object?> all = new(tags.ToArray());
            if (Equals(all.GetValueOrDefault(SamTelemetry.ModelTag), model))
                Measurements.Enqueue((instrument, value, (string?)all.GetValueOrDefault(SamTelemetry.ErrorTypeTag)));
        }
    }
}
