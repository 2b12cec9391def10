using System.Buffers;
using System.Numerics.Tensors;
using SegmentAnything.Kernels;

namespace SegmentAnything.Preprocessing;

/// <summary>Makes the image encoder's input where nothing is rounded to bytes.</summary>
internal static class FloatEncoderInput
{
    /// <summary>
    /// Resizes an image to a size, whatever that does to its proportions, normalises each channel, and lays the channels out
    /// one after the other.
    /// </summary>
    /// <param name="source">The image.</param>
    /// <param name="width">Columns of the result, at least 1.</param>
    /// <param name="height">Rows of the result, at least 1.</param>
    /// <param name="mean">Three values, red, green, blue, on the scale 0 to 1.</param>
    /// <param name="std">Three values, by which the difference to the mean is divided.</param>
    /// <param name="planar">3 x height x width values (channels, rows, columns); every one is written.</param>
    /// <param name="threads">Bands of rows that are worked on at the same time, at most.</param>
    /// <param name="cancellationToken">Looked at between bands.</param>
    /// <remarks>
    /// value / 255 in float32, then the antialiased bilinear filter, columns first and then rows, then (value - mean) / std.
    /// A filtered value is the first product plus the others, one after the other: groups of four products are rounded before
    /// they are added, those that are left are fused with their additions. That is what the compiler made of PyTorch's loop, and
    /// what its bits depend on. Exactness: every path and every number of threads gives the same bits.
    /// Source: SAM 2, utils/transforms.py (SAM2Transforms), with the Resize of torchvision from 0.17 on.
    /// Measured by: PreprocessBenchmarks.
    /// </remarks>
    public static unsafe void Write(
        PixelBuffer source, int width, int height, ReadOnlySpan<float> mean, ReadOnlySpan<float> std, Span<float> planar, int threads,
        CancellationToken cancellationToken = default)
    {
        const int SmallestBand = 32;
        const long SmallestPicture = 1 << 18;
        Check(width, height, mean, std, planar);
        FloatResampleTable horizontal = new(source.Width, width), vertical = new(source.Height, height);
        long work = ((long)source.Width * source.Height) + ((long)width * height);
        int bands = work < SmallestPicture ? 1 : Math.Clamp(height / SmallestBand, 1, Math.Max(threads, 1));
        fixed (float* means = mean, deviations = std, result = planar)
        {
            PlanarPicture picture = new(result, means, deviations, width, height);
            WorkSplitter.RunOnPool(threads, bands, band => picture.Fill(
                source, horizontal, vertical, (int)((long)height * band / bands), (int)((long)height * (band + 1) / bands)), cancellationToken);
        }
    }

    /// <summary>The definition of <see cref="Write"/>: whole passes, one value at a time.</summary>
    internal static void WriteScalar(
        PixelBuffer source, int width, int height, ReadOnlySpan<float> mean, ReadOnlySpan<float> std, Span<float> planar)
    {
        Check(width, height, mean, std, planar);
        FloatResampleTable horizontal = new(source.Width, width), vertical = new(source.Height, height);
        float[] narrow = new float[source.Height * width], wide = new float[source.Width * 4];
        byte[] row = new byte[source.Width * 4];
        ChannelOrder order = ImageResizer.OrderOf(source.Format);
        for (int c = 0; c < 3; c++)
        {
            for (int y = 0; y < source.Height; y++)
            {
                ImageKernels.ToRgbxScalar(ImageResizer.RowOf(source, y), order, row);
                for (int i = 0; i < row.Length; i++) wide[i] = row[i] / 255f;
                for (int x = 0; x < width; x++) narrow[(y * width) + x] = ImageKernels.Filter(wide.AsSpan((horizontal.First[x] * 4) + c), 4, horizontal.WeightsOf(x));
            }

            for (int y = 0; y < height; y++)
            {
                for (int x = 0; x < width; x++)
                {
                    float value = ImageKernels.Filter(narrow.AsSpan((vertical.First[y] * width) + x), width, vertical.WeightsOf(y));
                    planar[(((c * height) + y) * width) + x] = (value - mean[c]) / std[c];
                }
            }
        }
    }

    private static void Check(int width, int height, ReadOnlySpan<float> mean, ReadOnlySpan<float> std, Span<float> planar)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        ArgumentOutOfRangeException.ThrowIfNotEqual(mean.Length, 3, nameof(mean));
        ArgumentOutOfRangeException.ThrowIfNotEqual(std.Length, 3, nameof(std));
        ArgumentOutOfRangeException.ThrowIfLessThan(planar.Length, 3L * width * height, nameof(planar));
    }

    private readonly unsafe struct PlanarPicture(float* planar, float* mean, float* std, int width, int height)
    {
        /// <summary>Makes some rows. Keeps as many narrowed source rows as an output row reads, in a ring.</summary>
        public void Fill(PixelBuffer source, FloatResampleTable horizontal, FloatResampleTable vertical, int firstRow, int endRow)
        {
            int columns = width, taps = vertical.Taps, rowLength = 3 * width, wideLength = source.Width * 4;
            float[] rented = ArrayPool<float>.Shared.Rent(checked(wideLength + (rowLength * taps)));
            byte[] bytes = ArrayPool<byte>.Shared.Rent(wideLength);
            ChannelOrder order = ImageResizer.OrderOf(source.Format);
            try
            {
                Span<float> wide = rented.AsSpan(0, wideLength), ring = rented.AsSpan(wideLength, rowLength * taps);
                int done = vertical.First[firstRow];
                for (int y = firstRow; y < endRow; y++)
                {
                    int first = vertical.First[y];
                    ReadOnlySpan<float> weights = vertical.WeightsOf(y);
                    for (done = Math.Max(done, first); done < first + weights.Length; done++)
                    {
                        ImageKernels.ToRgbx(ImageResizer.RowOf(source, done), order, bytes.AsSpan(0, wideLength));
                        ImageKernels.ToFractions(bytes.AsSpan(0, wideLength), wide);
                        ImageKernels.ShrinkRowFloat(wide, horizontal, ring.Slice(done % taps * rowLength, rowLength));
                    }

                    for (int c = 0; c < 3; c++)
                    {
                        var result = new Span<float>(planar + ((((nint)c * height) + y) * width), width);
                        TensorPrimitives.Multiply(NarrowRow(ring, first, c), weights[0], result);
                        int fused = ImageKernels.FirstFused(weights.Length), k = 1;
                        for (; k < fused; k++) TensorPrimitives.MultiplyAdd(NarrowRow(ring, first + k, c), weights[k], result, result);
                        for (; k < weights.Length; k++) TensorPrimitives.FusedMultiplyAdd(NarrowRow(ring, first + k, c), weights[k], result, result);
                        TensorPrimitives.Subtract(result, mean[c], result);
                        TensorPrimitives.Divide(result, std[c], result);
                    }
                }
            }
            finally
            {
                ArrayPool<float>.Shared.Return(rented);
                ArrayPool<byte>.Shared.Return(bytes);
            }

            ReadOnlySpan<float> NarrowRow(Span<float> ring, int y, int channel) => ring.Slice((y % taps * rowLength) + (channel * columns), columns);
        }
    }
}
