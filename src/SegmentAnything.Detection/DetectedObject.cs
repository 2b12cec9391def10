namespace SegmentAnything.Detection;

/// <summary>An object that a detector found.</summary>
/// <param name="Box">In source-image pixels, within the image.</param>
/// <param name="Class">Its class, as the model numbers them.</param>
/// <param name="Score">How sure the model is, 0 to 1.</param>
public readonly record struct DetectedObject(Box Box, int Class, float Score);
