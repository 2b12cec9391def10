using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace SegmentAnything.Kernels;

/// <content>Brings bytes to the scale that a network was trained with.</content>
internal static partial class ImageKernels
{
    /// <summary>Normalises one channel of a row of four-byte pixels.</summary>
    /// <param name="rgbx">The pixels.</param>
    /// <param name="channel">0, 1 or 2.</param>
    /// <param name="mean">Subtracted first.</param>
    /// <param name="std">Divided by then.</param>
    /// <param name="destination">One value a pixel.</param>
    internal static void NormalizeChannel(ReadOnlySpan<byte> rgbx, int channel, float mean, float std, Span<float> destination)
    {
        int done = 0;
        if (Vector512.IsHardwareAccelerated) done = NormalizeChannelVector512(rgbx, channel, mean, std, destination);
        else if (Vector256.IsHardwareAccelerated) done = NormalizeChannelVector256(rgbx, channel, mean, std, destination);
        else if (Vector128.IsHardwareAccelerated) done = NormalizeChannelVector128(rgbx, channel, mean, std, destination);
        NormalizeChannelScalar(rgbx[(done * 4)..], channel, mean, std, destination[done..]);
    }

    internal static void NormalizeChannelScalar(ReadOnlySpan<byte> rgbx, int channel, float mean, float std, Span<float> destination)
    {
        for (int x = 0; x < rgbx.Length / 4; x++) destination[x] = (rgbx[(4 * x) + channel] - mean) / std;
    }

    // A pixel is one 32-bit lane; its channel is shifted down and the others are masked out. Division, not
    // multiplication with the reciprocal: the bits of the definition. Returns the number of pixels done.
    internal static int NormalizeChannelVector128(ReadOnlySpan<byte> rgbx, int channel, float mean, float std, Span<float> destination)
    {
        ReadOnlySpan<int> pixels = MemoryMarshal.Cast<byte, int>(rgbx);
        ref int input = ref MemoryMarshal.GetReference(pixels);
        ref float output = ref MemoryMarshal.GetReference(destination[..pixels.Length]);
        int x = 0;
        for (; x + Vector128<int>.Count <= pixels.Length; x += Vector128<int>.Count)
        {
            Vector128<int> value = (Vector128.LoadUnsafe(ref input, (nuint)x) >>> (8 * channel)) & Vector128.Create(0xFF);
            ((Vector128.ConvertToSingle(value) - Vector128.Create(mean)) / Vector128.Create(std)).StoreUnsafe(ref output, (nuint)x);
        }

        return x;
    }

    internal static int NormalizeChannelVector256(ReadOnlySpan<byte> rgbx, int channel, float mean, float std, Span<float> destination)
    {
        ReadOnlySpan<int> pixels = MemoryMarshal.Cast<byte, int>(rgbx);
        ref int input = ref MemoryMarshal.GetReference(pixels);
        ref float output = ref MemoryMarshal.GetReference(destination[..pixels.Length]);
        int x = 0;
        for (; x + Vector256<int>.Count <= pixels.Length; x += Vector256<int>.Count)
        {
            Vector256<int> value = (Vector256.LoadUnsafe(ref input, (nuint)x) >>> (8 * channel)) & Vector256.Create(0xFF);
            ((Vector256.ConvertToSingle(value) - Vector256.Create(mean)) / Vector256.Create(std)).StoreUnsafe(ref output, (nuint)x);
        }

        return x;
    }

    internal static int NormalizeChannelVector512(ReadOnlySpan<byte> rgbx, int channel, float mean, float std, Span<float> destination)
    {
        ReadOnlySpan<int> pixels = MemoryMarshal.Cast<byte, int>(rgbx);
        ref int input = ref MemoryMarshal.GetReference(pixels);
        ref float output = ref MemoryMarshal.GetReference(destination[..pixels.Length]);
        int x = 0;
        for (; x + Vector512<int>.Count <= pixels.Length; x += Vector512<int>.Count)
        {
            Vector512<int> value = (Vector512.LoadUnsafe(ref input, (nuint)x) >>> (8 * channel)) & Vector512.Create(0xFF);
            ((Vector512.ConvertToSingle(value) - Vector512.Create(mean)) / Vector512.Create(std)).StoreUnsafe(ref output, (nuint)x);
        }

        return x;
    }
}
