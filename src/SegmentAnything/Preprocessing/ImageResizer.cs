using System.Buffers;
using SegmentAnything.Kernels;

namespace SegmentAnything.Preprocessing;

/// <summary>Receives finished rows of red, green, blue and one unused byte a pixel.</summary>
internal interface IRowSink
{
    /// <summary>Takes one row; rows come in any order, from several threads.</summary>
    public void Accept(int y, ReadOnlySpan<byte> rgbx);
}

/// <summary>Resizes images with antialiasing.</summary>
internal static class ImageResizer
{
    /// <summary>Resizes an image of any format to red-green-blue bytes, with the antialiased bilinear filter.</summary>
    /// <param name="source">The image.</param>
    /// <param name="width">Columns of the result, at least 1.</param>
    /// <param name="height">Rows of the result, at least 1.</param>
    /// <param name="rgb">height x width x 3 values, row-major; must not overlap the source.</param>
    /// <param name="threads">Threads to work with at most.</param>
    /// <remarks>
    /// Columns first, then rows; each pass sums value times weight in fixed point, adds one half and keeps the whole part
    /// as a byte. Exactness: every path and every number of threads gives the bytes of Pillow's resize(BILINEAR).
    /// Measured by: PreprocessBenchmarks.
    /// </remarks>
    public static unsafe void Resize(PixelBuffer source, int width, int height, Span<byte> rgb, int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(rgb.Length, (long)width * height * 3, nameof(rgb));
        fixed (byte* destination = rgb) Resize(source, width, height, new RgbSink(destination, width), threads, CancellationToken.None);
    }

    /// <summary>The definition of <see cref="Resize"/>: whole passes, one value at a time.</summary>
    internal static void ResizeScalar(PixelBuffer source, int width, int height, Span<byte> rgb)
    {
        var horizontal = new ResampleTable(source.Width, width);
        var vertical = new ResampleTable(source.Height, height);
        byte[] narrow = new byte[source.Height * width * 3];
        byte[] row = new byte[source.Width * 4];
        ChannelOrder order = OrderOf(source.Format);
        for (int y = 0; y < source.Height; y++)
        {
            ImageKernels.ToRgbxScalar(RowOf(source, y), order, row);
            for (int x = 0; x < width; x++)
            {
                ReadOnlySpan<int> weights = horizontal.WeightsOf(x);
                for (int c = 0; c < 3; c++)
                {
                    int sum = ImageKernels.Half;
                    for (int k = 0; k < weights.Length; k++) sum += row[((horizontal.First[x] + k) * 4) + c] * weights[k];
                    narrow[(((y * width) + x) * 3) + c] = (byte)Math.Clamp(sum >> ResampleTable.Precision, 0, 255);
                }
            }
        }

        for (int y = 0; y < height; y++)
        {
            ReadOnlySpan<int> weights = vertical.WeightsOf(y);
            for (int i = 0; i < width * 3; i++)
            {
                int sum = ImageKernels.Half;
                for (int k = 0; k < weights.Length; k++) sum += narrow[((vertical.First[y] + k) * width * 3) + i] * weights[k];
                rgb[(y * width * 3) + i] = (byte)Math.Clamp(sum >> ResampleTable.Precision, 0, 255);
            }
        }
    }

    /// <summary>Resizes an image and hands its rows over.</summary>
    /// <remarks>
    /// Rows are shared out in bands, one a thread; a band repeats the few source rows at its upper edge. Each asks before every
    /// row of the source whether to go on: an image of gigabytes takes seconds, one of its rows microseconds.
    /// </remarks>
    public static void Resize<TSink>(PixelBuffer source, int width, int height, TSink sink, int threads, CancellationToken cancellationToken)
        where TSink : struct, IRowSink
    {
        const int SmallestBand = 32;
        const long SmallestPicture = 1 << 18;
        var horizontal = new ResampleTable(source.Width, width);
        var vertical = new ResampleTable(source.Height, height);
        long work = ((long)source.Width * source.Height) + ((long)width * height);
        int bands = work < SmallestPicture ? 1 : Math.Clamp(height / SmallestBand, 1, threads);
        WorkSplitter.RunOnPool(
            threads,
            bands,
            band => ResizeRows(
                source, horizontal, vertical, (int)((long)height * band / bands), (int)((long)height * (band + 1) / bands), sink, cancellationToken),
            cancellationToken);
    }

    private static void ResizeRows<TSink>(
        PixelBuffer source, ResampleTable horizontal, ResampleTable vertical, int firstRow, int endRow, TSink sink, CancellationToken cancellationToken)
        where TSink : struct, IRowSink
    {
        // Padding: vector paths read whole vectors, at most Taps pixels and one vector beyond the last pixel, and write
        // at most one vector beyond the end of a row.
        const int Padding = 64;
        ChannelOrder order = OrderOf(source.Format);
        int sourceBytes = ((source.Width + horizontal.Taps) * 4) + Padding;
        int rowBytes = horizontal.Length * 4;
        int rowStride = (rowBytes + (2 * Padding) - 1) / Padding * Padding;
        byte[] rented = ArrayPool<byte>.Shared.Rent(checked(sourceBytes + (rowStride * (vertical.Taps + 1))));
        try
        {
            Span<byte> wide = rented.AsSpan(0, sourceBytes);
            Span<byte> ring = rented.AsSpan(sourceBytes, rowStride * vertical.Taps);
            Span<byte> result = rented.AsSpan(sourceBytes + ring.Length, rowStride);
            wide[(source.Width * 4)..].Clear();
            int done = vertical.First[firstRow];
            for (int y = firstRow; y < endRow; y++)
            {
                int first = vertical.First[y];
                int count = vertical.Count[y];
                for (done = Math.Max(done, first); done < first + count; done++)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    Span<byte> slot = ring.Slice(done % vertical.Taps * rowStride, rowStride);
                    if (horizontal.IsIdentity)
                    {
                        ImageKernels.ToRgbx(RowOf(source, done), order, slot[..rowBytes]);
                        continue;
                    }

                    ImageKernels.ToRgbx(RowOf(source, done), order, wide[..(source.Width * 4)]);
                    ImageKernels.ShrinkRow(wide, horizontal, slot);
                }

                if (vertical.IsIdentity)
                {
                    sink.Accept(y, ring.Slice(first % vertical.Taps * rowStride, rowBytes));
                    continue;
                }

                ImageKernels.BlendRows(ring, rowStride, vertical, y, result);
                sink.Accept(y, result[..rowBytes]);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    /// <summary>A row of an image, as it is.</summary>
    internal static ReadOnlySpan<byte> RowOf(PixelBuffer source, int y) => source.Memory.Span.Slice(
        checked((int)((long)y * source.Stride)), source.Width * source.Format.BytesPerPixel());

    /// <summary>Where the channels of a pixel are.</summary>
    internal static ChannelOrder OrderOf(PixelFormat format) => format switch
    {
        PixelFormat.Rgb24 => new(3, 0, 1, 2),
        PixelFormat.Bgr24 => new(3, 2, 1, 0),
        PixelFormat.Rgba32 => new(4, 0, 1, 2),
        PixelFormat.Bgra32 => new(4, 2, 1, 0),
        PixelFormat.Gray8 => new(1, 0, 0, 0),
        _ => throw new ArgumentOutOfRangeException(nameof(format), format, "Not a known pixel format."),
    };

    private readonly unsafe struct RgbSink(byte* rgb, int width) : IRowSink
    {
        public void Accept(int y, ReadOnlySpan<byte> rgbx)
        {
            var row = new Span<byte>(rgb + ((nint)y * width * 3), width * 3);
            for (int x = 0; x < width; x++)
            {
                row[3 * x] = rgbx[4 * x];
                row[(3 * x) + 1] = rgbx[(4 * x) + 1];
                row[(3 * x) + 2] = rgbx[(4 * x) + 2];
            }
        }
    }
}
