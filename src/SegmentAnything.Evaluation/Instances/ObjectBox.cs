namespace SegmentAnything.Evaluation;

/// <summary>A box as COCO's files write it.</summary>
/// <param name="X">Left edge, in source-image pixels.</param>
/// <param name="Y">Top edge, in source-image pixels.</param>
/// <param name="Width">Width, in pixels.</param>
/// <param name="Height">Height, in pixels.</param>
public readonly record struct ObjectBox(double X, double Y, double Width, double Height)
{
    /// <summary>Width times height.</summary>
    public double Area => Width * Height;

    internal bool IsUsable => double.IsFinite(X) && double.IsFinite(Y) && Width >= 0 && Height >= 0 && double.IsFinite(Area);
}
