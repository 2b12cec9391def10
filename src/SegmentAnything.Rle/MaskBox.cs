namespace SegmentAnything.Rle;

/// <summary>A box in whole pixels: the top left pixel and how many pixels it spans.</summary>
/// <param name="X">First column, from 0.</param>
/// <param name="Y">First row, from 0.</param>
/// <param name="Width">Number of columns, the last one included; 0 for an empty mask.</param>
/// <param name="Height">Number of rows, the last one included; 0 for an empty mask.</param>
/// <remarks>
/// This is COCO's convention: <c>X + Width</c> is one past the last column. Segment Anything's own
/// <c>batched_mask_to_box</c> gives inclusive maxima instead: <c>(X, Y, X + Width - 1, Y + Height - 1)</c>.
/// </remarks>
public readonly record struct MaskBox(int X, int Y, int Width, int Height)
{
    /// <summary>One past the last column.</summary>
    public int Right => X + Width;

    /// <summary>One past the last row.</summary>
    public int Bottom => Y + Height;

    /// <summary>Whether the box holds no pixel.</summary>
    public bool IsEmpty => Width <= 0 || Height <= 0;
}
