using System.Buffers;
using System.Numerics.Tensors;
using SegmentAnything.Kernels;

namespace SegmentAnything.Preprocessing;

/// <summary>Makes the image encoder's input where the filter is not antialiased.</summary>
internal static class PlainEncoderInput
{
    /// <summary>
    /// Resizes an image to a square, whatever that does to its proportions, between the four nearest pixels, normalises each
    /// channel, and lays the channels out one after the other.
    /// </summary>
    /// <param name="source">The image.</param>
    /// <param name="side">The side S of the square, in pixels.</param>
    /// <param name="mean">Three values, red, green, blue, on the scale 0 to 255.</param>
    /// <param name="std">Three values, by which the difference to the mean is divided.</param>
    /// <param name="planar">3 x S x S values (channels, rows, columns); every one is written.</param>
    /// <param name="threads">Bands of rows that are worked on at the same time, at most.</param>
    /// <param name="cancellationToken">Looked at between bands.</param>
    /// <remarks>
    /// Columns first, then rows, in float32; pixel centres are at halves (align_corners = false). A larger image is not
    /// averaged: most of its pixels are not looked at. Exactness: every number of threads gives the same bits.
    /// Source: EfficientSAM, efficient_sam/efficient_sam.py (preprocess).
    /// </remarks>
    public static unsafe void Write(
        PixelBuffer source, int side, ReadOnlySpan<float> mean, ReadOnlySpan<float> std, Span<float> planar, int threads,
        CancellationToken cancellationToken = default)
    {
        const int SmallestBand = 32;
        ArgumentOutOfRangeException.ThrowIfLessThan(side, 1);
        ArgumentOutOfRangeException.ThrowIfNotEqual(mean.Length, 3, nameof(mean));
        ArgumentOutOfRangeException.ThrowIfNotEqual(std.Length, 3, nameof(std));
        ArgumentOutOfRangeException.ThrowIfLessThan(planar.Length, 3L * side * side, nameof(planar));
        InterpolationAxis horizontal = new(source.Width, side, side), vertical = new(source.Height, side, side);
        int bands = Math.Clamp(side / SmallestBand, 1, Math.Max(threads, 1));
        fixed (float* means = mean, deviations = std, result = planar)
        {
            Square square = new(source, horizontal, vertical, side, means, deviations, result);
            WorkSplitter.RunOnPool(
                threads, bands, band => square.Fill((int)((long)side * band / bands), (int)((long)side * (band + 1) / bands)), cancellationToken);
        }
    }

    private readonly unsafe struct Square(
        PixelBuffer source, InterpolationAxis horizontal, InterpolationAxis vertical, int side, float* mean, float* std, float* planar)
    {
        /// <summary>Makes some rows. Keeps the two rows of the image, already resized, that a row is made of.</summary>
        public void Fill(int firstRow, int endRow)
        {
            byte[] pixels = ArrayPool<byte>.Shared.Rent(4 * source.Width);
            float[] rows = ArrayPool<float>.Shared.Rent(7 * side);
            try
            {
                Span<float> above = rows.AsSpan(0, 3 * side), below = rows.AsSpan(3 * side, 3 * side), scratch = rows.AsSpan(6 * side, side);
                Span<byte> rgbx = pixels.AsSpan(0, 4 * source.Width);
                // Which rows of the image the two are of.
                (int First, int Second) held = (-1, -1);
                for (int y = firstRow; y < endRow; y++)
                {
                    (int first, int second) = (vertical.First[y], vertical.Second[y]);
                    if (held.First != first)
                    {
                        if (held.Second == first) below.CopyTo(above);
                        else Narrow(first, rgbx, above);
                    }

                    if (held.Second != second)
                    {
                        if (second == first) above.CopyTo(below);
                        else Narrow(second, rgbx, below);
                    }

                    held = (first, second);
                    for (int c = 0; c < 3; c++)
                    {
                        Span<float> destination = new(planar + ((((nint)c * side) + y) * side), side);
                        TensorPrimitives.Multiply(below.Slice(c * side, side), vertical.SecondWeight[y], scratch);
                        TensorPrimitives.MultiplyAdd(above.Slice(c * side, side), vertical.FirstWeight[y], scratch, destination);
                        TensorPrimitives.Subtract(destination, mean[c], destination);
                        TensorPrimitives.Divide(destination, std[c], destination);
                    }
                }
            }
            finally
            {
                ArrayPool<float>.Shared.Return(rows);
                ArrayPool<byte>.Shared.Return(pixels);
            }
        }

        // One row of the image at the square's width, channel by channel.
        private void Narrow(int row, Span<byte> rgbx, Span<float> destination)
        {
            ImageKernels.ToRgbx(ImageResizer.RowOf(source, row), ImageResizer.OrderOf(source.Format), rgbx);
            for (int c = 0; c < 3; c++)
            {
                Span<float> channel = destination.Slice(c * side, side);
                for (int x = 0; x < channel.Length; x++)
                {
                    channel[x] = (horizontal.FirstWeight[x] * rgbx[(4 * horizontal.First[x]) + c])
                        + (horizontal.SecondWeight[x] * rgbx[(4 * horizontal.Second[x]) + c]);
                }
            }
        }
    }
}
