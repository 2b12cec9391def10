namespace SegmentAnything.Evaluation;

/// <summary>The detections of one category in one image, matched with its objects at every threshold and size.</summary>
/// <remarks>A set of thresholds is a word: bit t stands for threshold t.</remarks>
internal sealed class MatchedCell
{
    public required int Category { get; init; }

    /// <summary>Detections by falling score, as places in the list that was given.</summary>
    public required int[] Detections { get; init; }

    /// <summary>Their scores.</summary>
    public required double[] Scores { get; init; }

    /// <summary>The objects, as places in the set's list.</summary>
    public required int[] GroundTruths { get; init; }

    /// <summary>For each area range and detection: at which thresholds it matched an object.</summary>
    public required ulong[][] Matched { get; init; }

    /// <summary>For each area range and detection: at which thresholds it counts neither as right nor as wrong.</summary>
    public required ulong[][] Ignored { get; init; }

    /// <summary>For each area range: how many objects are to be found.</summary>
    public required int[] Wanted { get; init; }

    /// <summary>Of the first area range, for each threshold and detection: the object's place in <see cref="GroundTruths"/>, or -1.</summary>
    public required int[][] Partners { get; init; }
}
