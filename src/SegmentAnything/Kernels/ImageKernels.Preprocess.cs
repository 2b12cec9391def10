using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace SegmentAnything.Kernels;

/// <content>Makes the image encoder's input.</content>
internal static partial class ImageKernels
{
    /// <summary>
    /// Resizes a picture to its place in a square frame, normalises each channel, and lays the channels out one after the
    /// other, padded on the right and at the bottom: one pass over the picture.
    /// </summary>
    /// <param name="source">The picture.</param>
    /// <param name="frame">Where the picture lies in the image encoder's square input, whose side is S.</param>
    /// <param name="mean">Three values, red, green, blue, on the scale 0 to 255.</param>
    /// <param name="std">Three values, by which the difference to the mean is divided.</param>
    /// <param name="planar">3 x S x S values (channels, rows, columns); every one is written.</param>
    /// <param name="padding">Three values that stand where there is no picture; empty for zeros.</param>
    /// <param name="cancellationToken">Looked at before each row of the picture; what was written is then undefined.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <remarks>
    /// planar = (resized - mean) / std in float32, where resized is what <see cref="ResizeBilinear"/> gives; padding is
    /// added after normalisation. Exactness: every path gives the same bits.
    /// Source: Segment Anything, modeling/sam.py (preprocess) and utils/transforms.py (ResizeLongestSide).
    /// Measured by: PreprocessBenchmarks.
    /// </remarks>
    public static unsafe void Preprocess(
        PixelBuffer source,
        ImageFrame frame,
        ReadOnlySpan<float> mean,
        ReadOnlySpan<float> std,
        Span<float> planar,
        ReadOnlySpan<float> padding = default,
        CancellationToken cancellationToken = default)
    {
        if (padding.IsEmpty) padding = [0, 0, 0];
        (ImageSize resized, int modelSize) = (frame.ResizedSize, frame.ModelSize);
        long plane = (long)modelSize * modelSize;
        ArgumentOutOfRangeException.ThrowIfNotEqual(mean.Length, 3, nameof(mean));
        ArgumentOutOfRangeException.ThrowIfNotEqual(std.Length, 3, nameof(std));
        ArgumentOutOfRangeException.ThrowIfNotEqual(padding.Length, 3, nameof(padding));
        ArgumentOutOfRangeException.ThrowIfLessThan(planar.Length, 3 * plane, nameof(planar));
        for (int channel = 0; channel < 3; channel++)
            planar.Slice((int)((channel * plane) + ((long)resized.Height * modelSize)), (modelSize - resized.Height) * modelSize).Fill(padding[channel]);
        fixed (float* destination = planar)
        fixed (float* means = mean)
        fixed (float* deviations = std)
        fixed (float* pads = padding)
            Resize(source, resized.Width, resized.Height, new PlanarSink(destination, means, deviations, pads, modelSize), cancellationToken);
    }

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

    private readonly unsafe struct PlanarSink(float* planar, float* mean, float* std, float* padding, int modelSize) : IRowSink
    {
        public void Accept(int y, ReadOnlySpan<byte> rgbx)
        {
            int width = rgbx.Length / 4;
            for (int channel = 0; channel < 3; channel++)
            {
                var row = new Span<float>(planar + ((nint)channel * modelSize * modelSize) + ((nint)y * modelSize), modelSize);
                NormalizeChannel(rgbx, channel, mean[channel], std[channel], row[..width]);
                row[width..].Fill(padding[channel]);
            }
        }
    }
}
