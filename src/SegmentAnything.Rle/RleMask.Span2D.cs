using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using CommunityToolkit.HighPerformance;

namespace SegmentAnything.Rle;

/// <content>Planes of memory, as CommunityToolkit.HighPerformance has them.</content>
public sealed partial class RleMask
{
    /// <summary>Makes a mask from a bitmap.</summary>
    /// <param name="bitmap">One byte a pixel, any pitch; every value but 0 is foreground.</param>
    /// <returns>The mask.</returns>
    /// <exception cref="RleFormatException">The plane is empty, or has more than 2^31 - 1 bytes.</exception>
    public static RleMask FromBitmap(ReadOnlySpan2D<byte> bitmap)
    {
        ThrowHelper.CheckSize(bitmap.Width, bitmap.Height);
        ReadOnlySpan<byte> firstRow = bitmap.GetRowSpan(0);
        int stride = bitmap.Height == 1 ? bitmap.Width : Stride(firstRow, bitmap.GetRowSpan(1));
        return FromBitmap(
            MemoryMarshal.CreateReadOnlySpan(ref MemoryMarshal.GetReference(firstRow), Extent(bitmap.Width, bitmap.Height, stride)),
            bitmap.Width, bitmap.Height, stride);
    }

    /// <summary>Writes the mask as a bitmap.</summary>
    /// <param name="destination">One byte a pixel, any pitch, of this mask's width and height.</param>
    /// <param name="foreground">The value of a foreground pixel; background is 0.</param>
    /// <exception cref="ArgumentException">The plane has another size.</exception>
    public void ToBitmap(Span2D<byte> destination, byte foreground = 1)
    {
        if (destination.Width != Width || destination.Height != Height)
        {
            throw new ArgumentException(
                $"The plane is {destination.Width} x {destination.Height}, the mask {Width} x {Height} (width x height).",
                nameof(destination));
        }

        Span<byte> firstRow = destination.GetRowSpan(0);
        int stride = Height == 1 ? Width : Stride(firstRow, destination.GetRowSpan(1));
        ToBitmap(
            MemoryMarshal.CreateSpan(ref MemoryMarshal.GetReference(firstRow), Extent(Width, Height, stride)),
            stride, foreground);
    }

    // Bytes from one row to the next.
    private static int Stride(ReadOnlySpan<byte> row, ReadOnlySpan<byte> nextRow) =>
        (int)Unsafe.ByteOffset(ref MemoryMarshal.GetReference(row), ref MemoryMarshal.GetReference(nextRow));

    private static int Extent(int width, int height, int stride)
    {
        long extent = ((long)(height - 1) * stride) + width;
        if (extent > int.MaxValue) ThrowHelper.Format($"the plane spans {extent} bytes; at most {int.MaxValue} can be read", -1);
        return (int)extent;
    }
}
