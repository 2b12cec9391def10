using System.Buffers;
using System.Numerics.Tensors;
using SegmentAnything.Kernels;

namespace SegmentAnything.Preprocessing;

/// <summary>Makes the image encoder's input where the filter is not antialiased.</summary>
internal static class PlainEncoderInput
{
    /// <summary>
    /// Resizes a picture to a square, whatever that does to its proportions, between the four nearest pixels, normalises each
    /// channel, and lays the channels out one after the other.
    /// </summary>
    /// <param name="source">The picture.</param>
    /// <param name="side">The side S of the square, in pixels.</param>
    /// <param name="mean">Three values, red, green, blue, on the scale 0 to 255.</param>
    /// <param name="std">Three values, by which the difference to the mean is divided.</param>
    /// <param name="planar">3 x S x S values (channels, rows, columns); every one is written.</param>
    /// <remarks>
    /// Columns first, then rows, in float32; pixel centres are at halves (align_corners = false). A larger picture is not
    /// averaged: most of its pixels are not looked at. Source: EfficientSAM, efficient_sam/efficient_sam.py (preprocess).
    /// </remarks>
    public static void Write(
        PixelBuffer source, int side, ReadOnlySpan<float> mean, ReadOnlySpan<float> std, Span<float> planar)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(mean.Length, 3, nameof(mean));
        ArgumentOutOfRangeException.ThrowIfNotEqual(std.Length, 3, nameof(std));
        ArgumentOutOfRangeException.ThrowIfLessThan(planar.Length, 3L * side * side, nameof(planar));
        InterpolationAxis horizontal = new(source.Width, side, side), vertical = new(source.Height, side, side);
        byte[] pixels = ArrayPool<byte>.Shared.Rent(4 * source.Width);
        // Two resized rows at a time, of three channels each; which row of the picture they are of.
        float[] rows = ArrayPool<float>.Shared.Rent(7 * side);
        (int First, int Second) held = (-1, -1);
        Span<float> scratch = rows.AsSpan(6 * side, side);
        for (int y = 0; y < side; y++)
        {
            (int first, int second) = (vertical.First[y], vertical.Second[y]);
            Hold(first, ref held.First, rows.AsSpan(0, 3 * side), held.Second == first ? rows.AsSpan(3 * side, 3 * side) : default);
            Hold(second, ref held.Second, rows.AsSpan(3 * side, 3 * side), default);
            for (int c = 0; c < 3; c++)
            {
                Span<float> destination = planar.Slice(((c * side) + y) * side, side);
                TensorPrimitives.Multiply(rows.AsSpan(((3 + c) * side), side), vertical.SecondWeight[y], scratch);
                TensorPrimitives.MultiplyAdd(rows.AsSpan(c * side, side), vertical.FirstWeight[y], scratch, destination);
                TensorPrimitives.Subtract(destination, mean[c], destination);
                TensorPrimitives.Divide(destination, std[c], destination);
            }
        }

        ArrayPool<float>.Shared.Return(rows);
        ArrayPool<byte>.Shared.Return(pixels);

        // Resizes a row of the picture, unless it is there already.
        void Hold(int row, ref int held, Span<float> destination, ReadOnlySpan<float> copy)
        {
            if (held == row) return;
            held = row;
            if (!copy.IsEmpty)
            {
                copy.CopyTo(destination);
                return;
            }

            Span<byte> rgbx = pixels.AsSpan(0, 4 * source.Width);
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
