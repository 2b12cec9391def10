namespace SegmentAnything;

/// <summary>A point in source-image pixels.</summary>
/// <param name="X">To the right; 0 is the left edge of the first column.</param>
/// <param name="Y">Down; 0 is the top edge of the first row.</param>
/// <param name="Label">Whether the point lies on the object.</param>
public readonly record struct PointPrompt(float X, float Y, PointLabel Label = PointLabel.Foreground);
