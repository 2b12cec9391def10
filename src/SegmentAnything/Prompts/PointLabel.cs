namespace SegmentAnything;

/// <summary>What a point says of the object.</summary>
public enum PointLabel
{
    /// <summary>The point lies outside the object.</summary>
    Background = 0,

    /// <summary>The point lies on the object.</summary>
    Foreground = 1,
}
