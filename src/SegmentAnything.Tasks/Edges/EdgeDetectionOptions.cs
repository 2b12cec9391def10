namespace SegmentAnything.Tasks;

/// <summary>How edges are made one pixel thin.</summary>
public enum EdgeNms
{
    /// <summary>Keeps what is strongest across the edge, as Canny's detector does.</summary>
    Canny,

    /// <summary>Leaves edges as thick as they are.</summary>
    None,
}

/// <summary>How edges are found.</summary>
public sealed record EdgeDetectionOptions
{
    /// <summary>The paper's settings.</summary>
    public static EdgeDetectionOptions Default { get; } = new();

    /// <summary>Points along one side of the grid, 1 to 256. Default 16, so 768 masks.</summary>
    public int PointsPerSide { get; init; } = 16;

    /// <summary>Masks whose boxes overlap by more than this IoU are duplicates, 0 to 1. Default 0.7.</summary>
    public double BoxNmsThreshold { get; init; } = 0.7;

    /// <summary>How edges are made thin.</summary>
    public EdgeNms Nms { get; init; }

    internal void Check()
    {
        if (PointsPerSide is < 1 or > 256) throw new ArgumentOutOfRangeException(nameof(PointsPerSide), PointsPerSide, "PointsPerSide is 1 to 256.");
        if (!(BoxNmsThreshold >= 0 && BoxNmsThreshold <= 1)) throw new ArgumentOutOfRangeException(nameof(BoxNmsThreshold), BoxNmsThreshold, "BoxNmsThreshold is 0 to 1.");
    }
}
