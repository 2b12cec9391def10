using SegmentAnything.Rle.Kernels;

namespace SegmentAnything.Rle;

/// <content>Moving pixels.</content>
public sealed partial class RleMask
{
    /// <summary>The mask with left and right exchanged.</summary>
    /// <returns>A mask of the same size.</returns>
    public RleMask FlipHorizontal() => new(RleKernels.FlipColumns(_counts, Width, Height), Width, Height);

    /// <summary>The mask with top and bottom exchanged.</summary>
    /// <returns>A mask of the same size.</returns>
    public RleMask FlipVertical() =>
        // Turned by 180 degrees, then left and right exchanged.
        new(RleKernels.FlipColumns(RleKernels.Reverse(_counts), Width, Height), Width, Height);

    /// <summary>A part of the mask.</summary>
    /// <param name="box">The part, in pixels; at least one, and inside the mask.</param>
    /// <returns>A mask of the size of the box.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The box is empty or reaches over the mask.</exception>
    public RleMask Crop(MaskBox box)
    {
        if (box.IsEmpty || box.X < 0 || box.Y < 0 || box.Width > Width - box.X || box.Height > Height - box.Y)
        {
            throw new ArgumentOutOfRangeException(
                nameof(box), box, $"The box must hold a pixel and lie inside the mask of {Width} x {Height}.");
        }

        return new RleMask(
            RleKernels.Place(_counts, Height, box.Width, box.Height, -(long)box.X, -(long)box.Y), box.Width, box.Height);
    }

    /// <summary>The mask with background added around it.</summary>
    /// <param name="left">Columns to add on the left, at least 0.</param>
    /// <param name="top">Rows to add at the top, at least 0.</param>
    /// <param name="right">Columns to add on the right, at least 0.</param>
    /// <param name="bottom">Rows to add at the bottom, at least 0.</param>
    /// <returns>A mask of left + Width + right by top + Height + bottom pixels.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A number is negative.</exception>
    /// <exception cref="RleFormatException">The result has more than 2^31 - 1 pixels.</exception>
    /// <remarks>Source: Segment Anything, utils/amg.py (uncrop_masks).</remarks>
    public RleMask Pad(int left, int top, int right, int bottom)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(left);
        ArgumentOutOfRangeException.ThrowIfNegative(top);
        ArgumentOutOfRangeException.ThrowIfNegative(right);
        ArgumentOutOfRangeException.ThrowIfNegative(bottom);
        int width = (int)Math.Min(int.MaxValue, (long)left + Width + right);
        int height = (int)Math.Min(int.MaxValue, (long)top + Height + bottom);
        ThrowHelper.CheckSize(width, height);
        return new RleMask(RleKernels.Place(_counts, Height, width, height, left, top), width, height);
    }

    /// <summary>The mask with its foreground moved; what leaves the frame is lost, background comes in.</summary>
    /// <param name="x">Columns to the right; negative to the left.</param>
    /// <param name="y">Rows down; negative up.</param>
    /// <returns>A mask of the same size.</returns>
    public RleMask Translate(int x, int y) => new(RleKernels.Place(_counts, Height, Width, Height, x, y), Width, Height);
}
