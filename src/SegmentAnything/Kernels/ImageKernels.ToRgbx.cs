using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace SegmentAnything.Kernels;

/// <summary>Where the channels of a pixel are.</summary>
/// <param name="PixelBytes">Bytes of a pixel: 1, 3 or 4.</param>
/// <param name="Red">The byte that has red, counted from the pixel's first.</param>
/// <param name="Green">The byte that has green.</param>
/// <param name="Blue">The byte that has blue.</param>
internal readonly record struct ChannelOrder(int PixelBytes, int Red, int Green, int Blue);

/// <summary>Kernels for images.</summary>
internal static partial class ImageKernels
{
    /// <summary>Writes red, green, blue and one unused byte for every pixel of a row.</summary>
    /// <param name="row">Pixels, without the padding of their row.</param>
    /// <param name="order">Their layout.</param>
    /// <param name="destination">Four bytes a pixel.</param>
    /// <remarks>Grey becomes three equal channels. The fourth byte is 0; nobody may read it.</remarks>
    internal static void ToRgbx(ReadOnlySpan<byte> row, ChannelOrder order, Span<byte> destination)
    {
        int done = Vector128.IsHardwareAccelerated ? ToRgbxVector128(row, order, destination) : 0;
        ToRgbxScalar(row[(done * order.PixelBytes)..], order, destination[(done * 4)..]);
    }

    internal static void ToRgbxScalar(ReadOnlySpan<byte> row, ChannelOrder order, Span<byte> destination)
    {
        for (int i = 0, o = 0; i < row.Length; i += order.PixelBytes, o += 4)
        {
            destination[o] = row[i + order.Red];
            destination[o + 1] = row[i + order.Green];
            destination[o + 2] = row[i + order.Blue];
            destination[o + 3] = 0;
        }
    }

    // Four pixels a step, one byte shuffle. A step reads 16 bytes, of which it needs 4, 12 or 16, so the last steps that
    // would read beyond the row are left to the scalar tail. Returns the number of pixels done.
    internal static int ToRgbxVector128(ReadOnlySpan<byte> row, ChannelOrder order, Span<byte> destination)
    {
        // Each pixel's three bytes; an index out of range gives 0 in the fourth.
        int bytes = order.PixelBytes;
        Vector128<byte> pixel = Vector128.Create((byte)0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3) * (byte)bytes;
        Vector128<byte> channels = Vector128.Create((uint)(order.Red | (order.Green << 8) | (order.Blue << 16))).AsByte();
        Vector128<byte> from = (pixel + channels) | Vector128.Create(0x80000000u).AsByte();
        int pixels = Math.Min(row.Length / bytes, destination.Length / 4);
        ref byte input = ref MemoryMarshal.GetReference(row);
        ref byte output = ref MemoryMarshal.GetReference(destination);
        int done = 0;
        for (; done + 4 <= pixels && (done * bytes) + Vector128<byte>.Count <= row.Length; done += 4)
        {
            Vector128<byte> loaded = Vector128.LoadUnsafe(ref input, (nuint)(done * bytes));
            Vector128.Shuffle(loaded, from).StoreUnsafe(ref output, (nuint)(done * 4));
        }

        return done;
    }
}
