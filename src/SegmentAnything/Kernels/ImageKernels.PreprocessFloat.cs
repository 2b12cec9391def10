using System.Buffers;
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace SegmentAnything.Kernels;

/// <content>Makes the image encoder's input where nothing is rounded to bytes.</content>
internal static partial class ImageKernels
{
    // A byte as a fraction, divided once and for all.
    private static readonly float[] Fractions = [.. Enumerable.Range(0, 256).Select(b => b / 255f)];

    /// <summary>
    /// Resizes a picture to a size, whatever that does to its proportions, normalises each channel, and lays the channels out
    /// one after the other.
    /// </summary>
    /// <param name="source">The picture.</param>
    /// <param name="width">Columns of the result, at least 1.</param>
    /// <param name="height">Rows of the result, at least 1.</param>
    /// <param name="mean">Three values, red, green, blue, on the scale 0 to 1.</param>
    /// <param name="std">Three values, by which the difference to the mean is divided.</param>
    /// <param name="planar">3 x height x width values (channels, rows, columns); every one is written.</param>
    /// <param name="threads">Bands of rows that are worked on at the same time, at most.</param>
    /// <remarks>
    /// value / 255 in float32, then the antialiased bilinear filter, columns first and then rows, then (value - mean) / std.
    /// A filtered value is the first product plus the others, one after the other: groups of four products are rounded before
    /// they are added, those that are left are fused with their additions. That is what the compiler made of PyTorch's loop, and
    /// what its bits depend on. Exactness: every path and every number of threads gives the same bits.
    /// Source: SAM 2, utils/transforms.py (SAM2Transforms), with the Resize of torchvision from 0.17 on.
    /// Measured by: PreprocessBenchmarks.
    /// </remarks>
    public static unsafe void PreprocessFloat(
        PixelBuffer source, int width, int height, ReadOnlySpan<float> mean, ReadOnlySpan<float> std, Span<float> planar, int threads)
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
            if (bands == 1) picture.Fill(source, horizontal, vertical, 0, height);
            else Parallel.For(0, bands, band => picture.Fill(source, horizontal, vertical, (int)((long)height * band / bands), (int)((long)height * (band + 1) / bands)));
        }
    }

    /// <summary>The definition of <see cref="PreprocessFloat"/>: whole passes, one value at a time.</summary>
    internal static void PreprocessFloatScalar(
        PixelBuffer source, int width, int height, ReadOnlySpan<float> mean, ReadOnlySpan<float> std, Span<float> planar)
    {
        Check(width, height, mean, std, planar);
        FloatResampleTable horizontal = new(source.Width, width), vertical = new(source.Height, height);
        float[] narrow = new float[source.Height * width];
        byte[] row = new byte[source.Width * 4];
        for (int c = 0; c < 3; c++)
        {
            for (int y = 0; y < source.Height; y++)
            {
                ToRgbxScalar(RowOf(source, y), source.Format, row);
                for (int x = 0; x < width; x++)
                {
                    ReadOnlySpan<float> weights = horizontal.WeightsOf(x);
                    float sum = Fractions[row[(horizontal.First[x] * 4) + c]] * weights[0];
                    for (int k = 1; k < weights.Length; k++) sum = Next(sum, Fractions[row[((horizontal.First[x] + k) * 4) + c]], weights, k);
                    narrow[(y * width) + x] = sum;
                }
            }

            for (int y = 0; y < height; y++)
            {
                ReadOnlySpan<float> weights = vertical.WeightsOf(y);
                for (int x = 0; x < width; x++)
                {
                    float sum = narrow[(vertical.First[y] * width) + x] * weights[0];
                    for (int k = 1; k < weights.Length; k++) sum = Next(sum, narrow[((vertical.First[y] + k) * width) + x], weights, k);
                    planar[(((c * height) + y) * width) + x] = (sum - mean[c]) / std[c];
                }
            }
        }
    }

    // The first of so many products that is fused with its addition.
    private static int FirstFused(int count) => 1 + ((count - 1) / 4 * 4);

    private static float Next(float sum, float value, ReadOnlySpan<float> weights, int k) =>
        k < FirstFused(weights.Length) ? sum + (value * weights[k]) : MathF.FusedMultiplyAdd(value, weights[k], sum);

    private static void Check(int width, int height, ReadOnlySpan<float> mean, ReadOnlySpan<float> std, Span<float> planar)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        ArgumentOutOfRangeException.ThrowIfNotEqual(mean.Length, 3, nameof(mean));
        ArgumentOutOfRangeException.ThrowIfNotEqual(std.Length, 3, nameof(std));
        ArgumentOutOfRangeException.ThrowIfLessThan(planar.Length, 3L * width * height, nameof(planar));
    }

    /// <summary>One row of pixels as fractions, four values each, its width changed, a channel after the other.</summary>
    internal static void ShrinkRowFloat(ReadOnlySpan<float> row, FloatResampleTable table, Span<float> planes)
    {
        if (Vector128.IsHardwareAccelerated) ShrinkRowFloatVector128(row, table, planes);
        else ShrinkRowFloatScalar(row, table, planes);
    }

    internal static void ShrinkRowFloatScalar(ReadOnlySpan<float> row, FloatResampleTable table, Span<float> planes)
    {
        for (int x = 0; x < table.Length; x++)
        {
            ReadOnlySpan<float> weights = table.WeightsOf(x), pixels = row.Slice(table.First[x] * 4, weights.Length * 4);
            for (int c = 0; c < 3; c++)
            {
                float sum = pixels[c] * weights[0];
                for (int k = 1; k < weights.Length; k++) sum = Next(sum, pixels[(4 * k) + c], weights, k);
                planes[(c * table.Length) + x] = sum;
            }
        }
    }

    // One pixel is one vector of four sums.
    internal static void ShrinkRowFloatVector128(ReadOnlySpan<float> row, FloatResampleTable table, Span<float> planes)
    {
        ref float pixels = ref MemoryMarshal.GetReference(row);
        ref float red = ref MemoryMarshal.GetReference(planes[..(3 * table.Length)]);
        ref float green = ref Unsafe.Add(ref red, table.Length), blue = ref Unsafe.Add(ref green, table.Length);
        ref float weights = ref MemoryMarshal.GetArrayDataReference(table.Weights);
        for (int x = 0; x < table.Length; x++)
        {
            ref float pixel = ref Unsafe.Add(ref pixels, 4 * table.First[x]);
            ref float weight = ref Unsafe.Add(ref weights, x * table.Taps);
            Vector128<float> sum = Vector128.LoadUnsafe(ref pixel) * weight;
            int count = table.Count[x], fused = FirstFused(count), k = 1;
            for (; k < fused; k++) sum += Vector128.LoadUnsafe(ref pixel, (nuint)(4 * k)) * Unsafe.Add(ref weight, k);
            for (; k < count; k++) sum = Vector128.FusedMultiplyAdd(Vector128.LoadUnsafe(ref pixel, (nuint)(4 * k)), Vector128.Create(Unsafe.Add(ref weight, k)), sum);
            Unsafe.Add(ref red, x) = sum.GetElement(0);
            Unsafe.Add(ref green, x) = sum.GetElement(1);
            Unsafe.Add(ref blue, x) = sum.GetElement(2);
        }
    }

    private readonly unsafe struct PlanarPicture(float* planar, float* mean, float* std, int width, int height)
    {
        /// <summary>Makes some rows. Keeps as many narrowed source rows as an output row reads, in a ring.</summary>
        public void Fill(PixelBuffer source, FloatResampleTable horizontal, FloatResampleTable vertical, int firstRow, int endRow)
        {
            int columns = width, taps = vertical.Taps, rowLength = 3 * width, wideLength = source.Width * 4;
            float[] rented = ArrayPool<float>.Shared.Rent(checked(wideLength + (rowLength * taps)));
            byte[] bytes = ArrayPool<byte>.Shared.Rent(wideLength);
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
                        ToRgbx(ImageKernels.RowOf(source, done), source.Format, bytes.AsSpan(0, wideLength));
                        for (int i = 0; i < wide.Length; i++) wide[i] = Fractions[bytes[i]];
                        ShrinkRowFloat(wide, horizontal, ring.Slice(done % taps * rowLength, rowLength));
                    }

                    for (int c = 0; c < 3; c++)
                    {
                        var result = new Span<float>(planar + ((((nint)c * height) + y) * width), width);
                        TensorPrimitives.Multiply(NarrowRow(ring, first, c), weights[0], result);
                        int fused = FirstFused(weights.Length), k = 1;
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
