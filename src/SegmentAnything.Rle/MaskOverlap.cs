namespace SegmentAnything.Rle;

/// <summary>How the overlap of two masks is measured, 0 to 1.</summary>
public enum MaskOverlap
{
    /// <summary>Pixels in both divided by pixels in either: <see cref="RleMask.IntersectionOverUnion"/>.</summary>
    IntersectionOverUnion,

    /// <summary>
    /// Pixels in both divided by those of the smaller mask: <see cref="RleMask.IntersectionOverSmaller"/>. A part of an object
    /// overlaps the whole by 1, however small it is.
    /// </summary>
    IntersectionOverSmaller,
}
