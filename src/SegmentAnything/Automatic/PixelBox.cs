namespace SegmentAnything.Automatic;

/// <summary>A box whose right and bottom are the last pixels inside, as the reference's batched_mask_to_box gives it.</summary>
internal readonly record struct PixelBox(int X0, int Y0, int X1, int Y1)
{
    public PixelBox Offset(int x, int y) => new(X0 + x, Y0 + y, X1 + x, Y1 + y);

    /// <summary>The same four numbers; the width is one less than the number of columns.</summary>
    public Box ToBox() => new(X0, Y0, X1, Y1);
}
