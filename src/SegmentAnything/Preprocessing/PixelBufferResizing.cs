using SegmentAnything.Preprocessing;

namespace SegmentAnything;

/// <summary>Resizes pictures for networks around segmentation.</summary>
public static class PixelBufferResizing
{
    /// <summary>Resizes a picture of any format to red-green-blue bytes, with the antialiased bilinear filter.</summary>
    /// <param name="source">The picture.</param>
    /// <param name="width">Columns of the result, 1 to <see cref="PixelBuffer.MaxSide"/>.</param>
    /// <param name="height">Rows of the result, likewise.</param>
    /// <returns>A picture of its own. Its bytes are those of Pillow's resize(BILINEAR).</returns>
    /// <exception cref="ArgumentOutOfRangeException">A side is out of range.</exception>
    /// <exception cref="ArgumentException">The result would have 2^31 bytes or more.</exception>
    public static PixelBuffer ResizeToRgb(this PixelBuffer source, int width, int height)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(width, PixelBuffer.MaxSide);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(height, PixelBuffer.MaxSide);
        long bytes = 3L * width * height;
        if (bytes > Array.MaxLength) throw new ArgumentException($"A picture of {width}x{height} has {bytes} bytes, more than one block of memory holds.");
        byte[] rgb = new byte[bytes];
        ImageResizer.Resize(source, width, height, rgb, threads: 1);
        return PixelBuffer.FromRgb24(rgb, width, height);
    }
}
