using SegmentAnything.Kernels;

namespace SegmentAnything.Preprocessing;

/// <summary>Makes the image encoder's input.</summary>
internal static class EncoderInput
{
    /// <summary>
    /// Resizes an image to its place in the model's frame, normalises each channel, and lays the channels out one
    /// after the other, padded on the right and at the bottom: one pass over the image.
    /// </summary>
    /// <param name="source">The image.</param>
    /// <param name="resized">Its size in the frame, at most S x S.</param>
    /// <param name="modelSize">The side S of the model's square input, in pixels.</param>
    /// <param name="mean">Three values, red, green, blue, on the scale 0 to 255.</param>
    /// <param name="std">Three values, by which the difference to the mean is divided.</param>
    /// <param name="planar">3 x S x S values (channels, rows, columns); every one is written.</param>
    /// <param name="threads">Threads to work with at most.</param>
    /// <param name="padding">Three values that stand where there is no image; empty for zeros.</param>
    /// <param name="cancellationToken">Looked at before each row of the image; what was written is then undefined.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <remarks>
    /// planar = (resized - mean) / std in float32, where resized is what <see cref="ImageResizer"/> gives; padding is
    /// added after normalisation. Exactness: every path gives the same bits.
    /// Source: Segment Anything, modeling/sam.py (preprocess) and utils/transforms.py (ResizeLongestSide).
    /// Measured by: PreprocessBenchmarks.
    /// </remarks>
    public static unsafe void Write(
        PixelBuffer source,
        ImageSize resized,
        int modelSize,
        ReadOnlySpan<float> mean,
        ReadOnlySpan<float> std,
        Span<float> planar,
        int threads,
        ReadOnlySpan<float> padding = default,
        CancellationToken cancellationToken = default)
    {
        if (padding.IsEmpty) padding = [0, 0, 0];
        long plane = (long)modelSize * modelSize;
        ArgumentOutOfRangeException.ThrowIfGreaterThan(resized.Width, modelSize, nameof(resized));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(resized.Height, modelSize, nameof(resized));
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
            ImageResizer.Resize(source, resized.Width, resized.Height, new PlanarSink(destination, means, deviations, pads, modelSize), threads, cancellationToken);
    }

    private readonly unsafe struct PlanarSink(float* planar, float* mean, float* std, float* padding, int modelSize) : IRowSink
    {
        public void Accept(int y, ReadOnlySpan<byte> rgbx)
        {
            int width = rgbx.Length / 4;
            for (int channel = 0; channel < 3; channel++)
            {
                var row = new Span<float>(planar + ((nint)channel * modelSize * modelSize) + ((nint)y * modelSize), modelSize);
                ImageKernels.NormalizeChannel(rgbx, channel, mean[channel], std[channel], row[..width]);
                row[width..].Fill(padding[channel]);
            }
        }
    }
}
