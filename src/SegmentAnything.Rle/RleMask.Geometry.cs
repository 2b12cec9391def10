using System.Buffers;
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

    /// <summary>The mask with rows and columns exchanged: the pixel at (x, y) goes to (y, x).</summary>
    /// <returns>A mask of Height x Width pixels (width x height).</returns>
    /// <remarks>Memory is in proportion to the runs of both masks.</remarks>
    public RleMask Transpose()
    {
        if (Width == 1 || Height == 1) return new RleMask(_counts, Height, Width);
        // So many runs take longer one by one than all pixels do at once; and the pixels' memory is in proportion to the runs then.
        const int PixelsPerRun = 32;
        if (Width * Height / PixelsPerRun >= _counts.Length) return new RleMask(RleKernels.Transpose(_counts, Width, Height), Height, Width);
        byte[] pixels = ArrayPool<byte>.Shared.Rent(Width * Height);
        Span<byte> rows = pixels.AsSpan(0, Width * Height);
        ToBitmap(rows);
        RleMask transposed = FromColumnMajor(rows, Height, Width);
        ArrayPool<byte>.Shared.Return(pixels);
        return transposed;
    }

    /// <summary>The mask turned by 90 degrees clockwise: its left column becomes the top row.</summary>
    /// <returns>A mask of Height x Width pixels (width x height).</returns>
    public RleMask RotateClockwise() => Transpose().FlipHorizontal();

    /// <summary>The mask turned by 90 degrees counter-clockwise: its top row becomes the left column.</summary>
    /// <returns>A mask of Height x Width pixels (width x height).</returns>
    /// <remarks>As numpy's rot90.</remarks>
    public RleMask RotateCounterclockwise() => Transpose().FlipVertical();

    /// <summary>The mask turned by 180 degrees.</summary>
    /// <returns>A mask of the same size.</returns>
    public RleMask Rotate180() => new(RleKernels.Reverse(_counts), Width, Height);

    /// <summary>The mask at another size: each new pixel has the colour of the pixel that its centre lies in.</summary>
    /// <param name="width">Pixels in a row of the result, at least 1.</param>
    /// <param name="height">Rows of the result, at least 1.</param>
    /// <returns>A mask of width x height pixels.</returns>
    /// <exception cref="RleFormatException">Width or height is not positive or their product is above 2^31 - 1.</exception>
    /// <remarks>
    /// Column x of the result is column floor((x + 1/2) Width / width), in whole numbers, so that no rounding matters; rows likewise.
    /// This is Pillow's NEAREST and PyTorch's "nearest-exact", and shifts nothing. OpenCV's INTER_NEAREST and PyTorch's "nearest"
    /// take floor(x Width / width), which moves the mask by up to half a pixel.
    /// </remarks>
    public RleMask Resize(int width, int height)
    {
        ThrowHelper.CheckSize(width, height);
        return width == Width && height == Height ? this : new RleMask(RleKernels.Resize(_counts, Width, Height, width, height), width, height);
    }

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
