namespace SegmentAnything.Detection;

/// <summary>How a detector is run.</summary>
public sealed record DetectorOptions
{
    /// <summary>The defaults: the layout is told by the file, scores of 0.25 and more, the CPU.</summary>
    public static DetectorOptions Default { get; } = new();

    /// <summary>The layout, where the file does not tell; else it must be the file's.</summary>
    public DetectorLayout? Layout { get; init; }

    /// <summary>Boxes must have at least this score, 0 to 1. Default 0.25.</summary>
    public float ScoreThreshold { get; init; } = 0.25f;

    /// <summary>Boxes of one class that overlap by more than this IoU are one object's, where the layout leaves that to do. Default 0.7.</summary>
    public double NmsThreshold { get; init; } = 0.7;

    /// <summary>
    /// Whether classes count for nothing: boxes that overlap are one object's, whatever their classes. For proposals of "anything".
    /// </summary>
    public bool ClassAgnostic { get; init; }

    /// <summary>The names of classes 0, 1 ..; null to take the model's own.</summary>
    public IReadOnlyList<string>? ClassNames { get; init; }

    /// <summary>Where the model runs; null for the CPU.</summary>
    public ExecutionOptions? Execution { get; init; }

    internal void Check()
    {
        if (!(ScoreThreshold >= 0 && ScoreThreshold <= 1)) throw new ArgumentOutOfRangeException(nameof(ScoreThreshold), ScoreThreshold, "ScoreThreshold is 0 to 1.");
        if (!(NmsThreshold >= 0 && NmsThreshold <= 1)) throw new ArgumentOutOfRangeException(nameof(NmsThreshold), NmsThreshold, "NmsThreshold is 0 to 1.");
    }
}
