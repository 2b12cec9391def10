namespace SegmentAnything.Rle;

/// <summary>A point in pixels, x to the right and y down; the centre of the top left pixel is 0, 0.</summary>
/// <param name="X">Column.</param>
/// <param name="Y">Row.</param>
public readonly record struct MaskPoint(double X, double Y);
