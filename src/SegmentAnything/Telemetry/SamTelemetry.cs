using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace SegmentAnything;

/// <summary>The names of what the library tells of its work through .NET's own tracing and metrics.</summary>
/// <remarks>
/// <para>
/// Any listener sees it; for OpenTelemetry: <c>AddSource(SamTelemetry.ActivitySourceName)</c> and
/// <c>AddMeter(SamTelemetry.MeterName)</c>. Where nobody listens nothing is measured, and nothing is allocated.
/// </para>
/// <para>
/// Every activity and every measurement has the tag <see cref="ModelTag"/>; those of a call that failed or was cancelled have
/// <see cref="ErrorTypeTag"/> too. Names and units follow OpenTelemetry's conventions: durations are seconds.
/// </para>
/// </remarks>
public static class SamTelemetry
{
    /// <summary>The <see cref="System.Diagnostics.ActivitySource"/> of the activities below.</summary>
    public const string ActivitySourceName = "SegmentAnything";

    /// <summary>The <see cref="System.Diagnostics.Metrics.Meter"/> of the instruments below, and of the hosting package's.</summary>
    public const string MeterName = "SegmentAnything";

    /// <summary>Activity: one image was encoded. Tags: <see cref="ImageWidthTag"/>, <see cref="ImageHeightTag"/>.</summary>
    public const string EncodeActivity = "segment_anything.encode";

    /// <summary>Activity: one call decoded one or many prompts. Tag: <see cref="PromptCountTag"/>.</summary>
    public const string PromptActivity = "segment_anything.prompt";

    /// <summary>
    /// Activity: every object of one image was looked for; the encoding of each crop is a child. Tags: <see cref="ImageWidthTag"/>,
    /// <see cref="ImageHeightTag"/>, <see cref="PromptCountTag"/>, <see cref="MaskCountTag"/>.
    /// </summary>
    public const string GenerateActivity = "segment_anything.generate";

    /// <summary>Histogram, seconds: from pixels to an embedding. Its count is the number of images and crops that were encoded.</summary>
    public const string EncodeDurationInstrument = "segment_anything.encode.duration";

    /// <summary>Histogram, seconds: a call of the mask decoder, from encoded prompts to masks at source size.</summary>
    public const string PromptDurationInstrument = "segment_anything.prompt.duration";

    /// <summary>Counter, prompts: what was decoded, by calls and by the automatic generator.</summary>
    public const string PromptsInstrument = "segment_anything.prompts";

    /// <summary>Histogram, seconds: from pixels to every object; the time that a consumer of the masks takes is counted in.</summary>
    public const string GenerateDurationInstrument = "segment_anything.generate.duration";

    /// <summary>Counter, masks: what the automatic generator found.</summary>
    public const string GeneratedMasksInstrument = "segment_anything.generate.masks";

    /// <summary>Tag: the name of the model, such as <c>mobile-sam</c>.</summary>
    public const string ModelTag = "segment_anything.model";

    /// <summary>Tag: columns of the image, in pixels.</summary>
    public const string ImageWidthTag = "segment_anything.image.width";

    /// <summary>Tag: rows of the image, in pixels.</summary>
    public const string ImageHeightTag = "segment_anything.image.height";

    /// <summary>Tag: how many prompts there were.</summary>
    public const string PromptCountTag = "segment_anything.prompt.count";

    /// <summary>Tag: how many masks were found.</summary>
    public const string MaskCountTag = "segment_anything.mask.count";

    /// <summary>Tag: the type of the exception that ended the call, such as <c>System.OperationCanceledException</c>.</summary>
    public const string ErrorTypeTag = "error.type";

    private static readonly string? Version = typeof(SamTelemetry).Assembly.GetName().Version?.ToString(3);

    // From a click of milliseconds to the finest automatic grids.
    private static readonly InstrumentAdvice<double> Durations = new()
    {
        HistogramBucketBoundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
    };

    private static readonly Meter Meter = new(MeterName, Version);

    internal static ActivitySource Source { get; } = new(ActivitySourceName, Version);

    internal static Histogram<double> EncodeDuration { get; } =
        Meter.CreateHistogram(EncodeDurationInstrument, "s", "From pixels to an embedding.", advice: Durations);

    internal static Histogram<double> PromptDuration { get; } =
        Meter.CreateHistogram(PromptDurationInstrument, "s", "A call of the mask decoder.", advice: Durations);

    internal static Histogram<double> GenerateDuration { get; } =
        Meter.CreateHistogram(GenerateDurationInstrument, "s", "From pixels to every object.", advice: Durations);

    internal static Counter<long> Prompts { get; } = Meter.CreateCounter<long>(PromptsInstrument, "{prompt}", "Prompts that were decoded.");

    internal static Counter<long> GeneratedMasks { get; } = Meter.CreateCounter<long>(GeneratedMasksInstrument, "{mask}", "Objects that were found.");
}
