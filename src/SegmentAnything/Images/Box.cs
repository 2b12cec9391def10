namespace SegmentAnything;

/// <summary>
/// A box in source-image pixels: x to the right, y down, in continuous coordinates, so that a box around the single
/// pixel (3, 5) may be written (3, 5)-(3, 5) or (3, 5)-(4, 6); see the member that uses it for which is meant.
/// </summary>
/// <param name="X0">Left.</param>
/// <param name="Y0">Top.</param>
/// <param name="X1">Right, not less than <paramref name="X0"/>.</param>
/// <param name="Y1">Bottom, not less than <paramref name="Y0"/>.</param>
public readonly record struct Box(float X0, float Y0, float X1, float Y1)
{
    /// <summary>X1 - X0.</summary>
    public float Width => X1 - X0;

    /// <summary>Y1 - Y0.</summary>
    public float Height => Y1 - Y0;

    /// <summary>Width times height.</summary>
    public float Area => Width * Height;

    /// <summary>A box from two corners.</summary>
    public static Box FromXyxy(float x0, float y0, float x1, float y1) => new(x0, y0, x1, y1);

    /// <summary>A box from its top-left corner, width and height.</summary>
    public static Box FromXywh(float x, float y, float width, float height) => new(x, y, x + width, y + height);

    /// <summary>Gives the two corners.</summary>
    public override string ToString() => $"({X0}, {Y0})-({X1}, {Y1})";

    /// <summary>The same box elsewhere.</summary>
    internal Box Offset(float x, float y) => new(X0 + x, Y0 + y, X1 + x, Y1 + y);
}
