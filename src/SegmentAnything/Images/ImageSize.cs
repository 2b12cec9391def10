namespace SegmentAnything;

/// <summary>The size of an image, in pixels.</summary>
/// <param name="Width">Columns.</param>
/// <param name="Height">Rows.</param>
public readonly record struct ImageSize(int Width, int Height)
{
    /// <summary>Gives the size as <c>width x height</c>.</summary>
    public override string ToString() => $"{Width}x{Height}";
}
