namespace SegmentAnything;

/// <summary>How many candidates were left after each step of one crop, and how long the steps took.</summary>
public sealed class CropStatistics
{
    /// <summary>Where the crop lies: left, top, right, bottom in source-image pixels, right and bottom being one past the last.</summary>
    public required Box CropBox { get; init; }

    /// <summary>0 for the whole image; layer i has 2^i crops a side.</summary>
    public required int Layer { get; init; }

    /// <summary>Masks that were decoded: three a point.</summary>
    public int Candidates { get; internal set; }

    /// <summary>Those whose predicted IoU is above the threshold.</summary>
    public int AfterPredictedIou { get; internal set; }

    /// <summary>Of these, those that are stable enough.</summary>
    public int AfterStability { get; internal set; }

    /// <summary>Of these, those that are not cut off by the crop, not too large, and not where nothing is looked for.</summary>
    public int AfterEdge { get; internal set; }

    /// <summary>Of these, those that are left after suppression within the crop.</summary>
    public int AfterSuppression { get; internal set; }

    /// <summary>Spent encoding the crop.</summary>
    public TimeSpan EncodeTime { get; internal set; }

    /// <summary>Spent decoding prompts.</summary>
    public TimeSpan DecodeTime { get; internal set; }

    /// <summary>Spent resizing, cutting, measuring and run-length encoding masks.</summary>
    public TimeSpan MaskTime { get; internal set; }

    /// <summary>Spent on suppression within the crop.</summary>
    public TimeSpan SuppressionTime { get; internal set; }
}
