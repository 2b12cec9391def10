using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace SegmentAnything;

/// <summary>One call that somebody observes: an activity and measurements. There is none where nobody listens.</summary>
/// <remarks>
/// <code>
/// using Operation? operation = Operation.BeginEncode(...);
/// </code>
/// ends it, too: neither as a success nor as a failure, where neither was told before.
/// </remarks>
internal sealed class Operation : IDisposable
{
    private readonly Activity? _activity;
    private readonly Histogram<double> _duration;
    private readonly string _model;
    private readonly long _start = Stopwatch.GetTimestamp();
    private long _prompts;
    private long _masks;
    private bool _ended;

    private Operation(string name, Histogram<double> duration, string model)
    {
        _activity = SamTelemetry.Source.StartActivity(name)?.SetTag(SamTelemetry.ModelTag, model);
        _duration = duration;
        _model = model;
    }

    /// <summary>Begins to encode an image; null where nobody listens.</summary>
    public static Operation? BeginEncode(string model, PixelBuffer image) =>
        Begin(SamTelemetry.EncodeActivity, SamTelemetry.EncodeDuration, model)?.WithImage(image.Size);

    /// <summary>Begins to decode prompts; null where nobody listens.</summary>
    public static Operation? BeginPrompt(string model, int prompts)
    {
        Operation? operation = Begin(SamTelemetry.PromptActivity, SamTelemetry.PromptDuration, model, SamTelemetry.Prompts.Enabled);
        operation?.AddPrompts(prompts);
        return operation;
    }

    /// <summary>Begins to look for every object of an image; null where nobody listens.</summary>
    public static Operation? BeginGenerate(string model, ImageSize image) =>
        Begin(
            SamTelemetry.GenerateActivity, SamTelemetry.GenerateDuration, model,
            SamTelemetry.Prompts.Enabled || SamTelemetry.GeneratedMasks.Enabled)?.WithImage(image);

    /// <summary>Makes the activity the current one on this thread, after the work has gone on to another.</summary>
    public void Resume()
    {
        if (_activity is not null) Activity.Current = _activity;
    }

    /// <summary>Counts prompts.</summary>
    public void AddPrompts(int count)
    {
        _prompts += count;
        SamTelemetry.Prompts.Add(count, new KeyValuePair<string, object?>(SamTelemetry.ModelTag, _model));
    }

    /// <summary>Counts masks that were found.</summary>
    public void AddMasks(int count)
    {
        _masks += count;
        SamTelemetry.GeneratedMasks.Add(count, new KeyValuePair<string, object?>(SamTelemetry.ModelTag, _model));
    }

    /// <summary>Ends it.</summary>
    public void Succeed() => End(null);

    /// <summary>Ends it as failed or cancelled.</summary>
    public void Fail(Exception exception)
    {
        string type = exception.GetType().FullName!;
        _activity?.SetTag(SamTelemetry.ErrorTypeTag, type).SetStatus(ActivityStatusCode.Error, exception.Message);
        End(type);
    }

    public void Dispose() => End(null);

    private static Operation? Begin(string name, Histogram<double> duration, string model, bool isCounted = false) =>
        isCounted || duration.Enabled || SamTelemetry.Source.HasListeners() ? new Operation(name, duration, model) : null;

    private Operation WithImage(ImageSize image)
    {
        _activity?.SetTag(SamTelemetry.ImageWidthTag, image.Width).SetTag(SamTelemetry.ImageHeightTag, image.Height);
        return this;
    }

    private void End(string? errorType)
    {
        if (_ended) return;
        _ended = true;
        TagList tags = new() { { SamTelemetry.ModelTag, _model } };
        if (errorType is not null) tags.Add(SamTelemetry.ErrorTypeTag, errorType);
        _duration.Record(Stopwatch.GetElapsedTime(_start).TotalSeconds, tags);
        if (_activity is null) return;
        if (_prompts > 0) _activity.SetTag(SamTelemetry.PromptCountTag, _prompts);
        if (_activity.OperationName == SamTelemetry.GenerateActivity) _activity.SetTag(SamTelemetry.MaskCountTag, _masks);
        _activity.Stop();
    }
}
