using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace SegmentAnything.Kernels;

/// <content>Brings pixels of every format to one layout.</content>
internal static partial class ImageKernels
{
    /// <summary>Writes red, green, blue and one unused byte for every pixel of a row.</summary>
    /// <param name="row">Pixels, without the padding of their row.</param>
    /// <param name="format">Their layout.</param>
    /// <param name="destination">Four bytes a pixel.</param>
    /// <remarks>Grey becomes three equal channels. The fourth byte is 0 or alpha; nobody may read it.</remarks>
    internal static void ToRgbx(ReadOnlySpan<byte> row, PixelFormat format, Span<byte> destination)
    {
        int done = Vector128.IsHardwareAccelerated ? ToRgbxVector128(row, format, destination) : 0;
        int bytes = format.BytesPerPixel();
        ToRgbxScalar(row[(done * bytes)..], format, destination[(done * 4)..]);
    }

    internal static void ToRgbxScalar(ReadOnlySpan<byte> row, PixelFormat format, Span<byte> destination)
    {
        (int bytes, int red, int green, int blue) = format switch
        {
            PixelFormat.Rgb24 => (3, 0, 1, 2),
            PixelFormat.Bgr24 => (3, 2, 1, 0),
            PixelFormat.Rgba32 => (4, 0, 1, 2),
            PixelFormat.Bgra32 => (4, 2, 1, 0),
            PixelFormat.Gray8 => (1, 0, 0, 0),
            _ => throw new ArgumentOutOfRangeException(nameof(format), format, "Not a known pixel format."),
        };
        for (int i = 0, o = 0; i < row.Length; i += bytes, o += 4)
        {
            destination[o] = row[i + red];
            destination[o + 1] = row[i + green];
            destination[o + 2] = row[i + blue];
            destination[o + 3] = 0;
        }
    }

    // Four pixels a step, one byte shuffle. A step reads 16 bytes, of which it needs 4, 12 or 16, so the last steps that
    // would read beyond the row are left to the scalar tail. Returns the number of pixels done.
    internal static int ToRgbxVector128(ReadOnlySpan<byte> row, PixelFormat format, Span<byte> destination)
    {
        const byte No = 0x80; // an index out of range gives 0
        Vector128<byte> order = format switch
        {
            PixelFormat.Rgb24 => Vector128.Create(0, 1, 2, No, 3, 4, 5, No, 6, 7, 8, No, 9, 10, 11, No),
            PixelFormat.Bgr24 => Vector128.Create(2, 1, 0, No, 5, 4, 3, No, 8, 7, 6, No, 11, 10, 9, No),
            PixelFormat.Rgba32 => Vector128.Create(0, 1, 2, No, 4, 5, 6, No, 8, 9, 10, No, 12, 13, 14, No),
            PixelFormat.Bgra32 => Vector128.Create(2, 1, 0, No, 6, 5, 4, No, 10, 9, 8, No, 14, 13, 12, No),
            PixelFormat.Gray8 => Vector128.Create(0, 0, 0, No, 1, 1, 1, No, 2, 2, 2, No, 3, 3, 3, No),
            _ => throw new ArgumentOutOfRangeException(nameof(format), format, "Not a known pixel format."),
        };
        int bytes = format.BytesPerPixel();
        int pixels = Math.Min(row.Length / bytes, destination.Length / 4);
        ref byte input = ref MemoryMarshal.GetReference(row);
        ref byte output = ref MemoryMarshal.GetReference(destination);
        int done = 0;
        for (; done + 4 <= pixels && (done * bytes) + Vector128<byte>.Count <= row.Length; done += 4)
        {
            Vector128<byte> loaded = Vector128.LoadUnsafe(ref input, (nuint)(done * bytes));
            Vector128.Shuffle(loaded, order).StoreUnsafe(ref output, (nuint)(done * 4));
        }

        return done;
    }
}
