using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace SegmentAnything.Kernels;

/// <content>Resizes a picture with antialiasing.</content>
internal static partial class ImageKernels
{
    private const int Half = 1 << (ResampleTable.Precision - 1);

    /// <summary>Receives finished rows of red, green, blue and one unused byte a pixel.</summary>
    private interface IRowSink
    {
        public void Accept(int y, ReadOnlySpan<byte> rgbx);
    }

    /// <summary>Resizes a picture of any format to red-green-blue bytes, with the antialiased bilinear filter.</summary>
    /// <param name="source">The picture.</param>
    /// <param name="width">Columns of the result, at least 1.</param>
    /// <param name="height">Rows of the result, at least 1.</param>
    /// <param name="rgb">height x width x 3 values, row-major; must not overlap the source.</param>
    /// <remarks>
    /// Columns first, then rows; each pass sums value times weight in fixed point, adds one half and keeps the whole part
    /// as a byte. Exactness: every path and every number of threads gives the bytes of Pillow's resize(BILINEAR).
    /// Measured by: PreprocessBenchmarks.
    /// </remarks>
    public static unsafe void ResizeBilinear(PixelBuffer source, int width, int height, Span<byte> rgb)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(rgb.Length, (long)width * height * 3, nameof(rgb));
        fixed (byte* destination = rgb) Resize(source, width, height, new RgbSink(destination, width), CancellationToken.None);
    }

    /// <summary>The definition of <see cref="ResizeBilinear"/>: whole passes, one value at a time.</summary>
    internal static void ResizeBilinearScalar(PixelBuffer source, int width, int height, Span<byte> rgb)
    {
        var horizontal = new ResampleTable(source.Width, width);
        var vertical = new ResampleTable(source.Height, height);
        byte[] narrow = new byte[source.Height * width * 3];
        byte[] row = new byte[source.Width * 4];
        for (int y = 0; y < source.Height; y++)
        {
            ToRgbxScalar(RowOf(source, y), source.Format, row);
            for (int x = 0; x < width; x++)
            {
                ReadOnlySpan<int> weights = horizontal.WeightsOf(x);
                for (int c = 0; c < 3; c++)
                {
                    int sum = Half;
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
                int sum = Half;
                for (int k = 0; k < weights.Length; k++) sum += narrow[((vertical.First[y] + k) * width * 3) + i] * weights[k];
                rgb[(y * width * 3) + i] = (byte)Math.Clamp(sum >> ResampleTable.Precision, 0, 255);
            }
        }
    }

    // Rows are shared out in bands, one a core; a band repeats the few source rows at its upper edge. Each asks before every row
    // of the source whether to go on: a picture of gigabytes takes seconds, one of its rows microseconds.
    private static void Resize<TSink>(PixelBuffer source, int width, int height, TSink sink, CancellationToken cancellationToken)
        where TSink : struct, IRowSink
    {
        const int SmallestBand = 32;
        const long SmallestPicture = 1 << 18;
        var horizontal = new ResampleTable(source.Width, width);
        var vertical = new ResampleTable(source.Height, height);
        long work = ((long)source.Width * source.Height) + ((long)width * height);
        int bands = work < SmallestPicture ? 1 : Math.Clamp(height / SmallestBand, 1, Environment.ProcessorCount);
        if (bands == 1)
        {
            ResizeRows(source, horizontal, vertical, 0, height, sink, cancellationToken);
            return;
        }

        Parallel.For(0, bands, new ParallelOptions { CancellationToken = cancellationToken }, band => ResizeRows(source, horizontal, vertical,
            (int)((long)height * band / bands), (int)((long)height * (band + 1) / bands), sink, cancellationToken));
    }

    private static void ResizeRows<TSink>(
        PixelBuffer source, ResampleTable horizontal, ResampleTable vertical, int firstRow, int endRow, TSink sink, CancellationToken cancellationToken)
        where TSink : struct, IRowSink
    {
        // Padding: vector paths read whole vectors, at most Taps pixels and one vector beyond the last pixel, and write
        // at most one vector beyond the end of a row.
        const int Padding = 64;
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
                        ToRgbx(RowOf(source, done), source.Format, slot[..rowBytes]);
                        continue;
                    }

                    ToRgbx(RowOf(source, done), source.Format, wide[..(source.Width * 4)]);
                    ShrinkRow(wide, horizontal, slot);
                }

                if (vertical.IsIdentity)
                {
                    sink.Accept(y, ring.Slice(first % vertical.Taps * rowStride, rowBytes));
                    continue;
                }

                BlendRows(ring, rowStride, vertical, y, result);
                sink.Accept(y, result[..rowBytes]);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    private static ReadOnlySpan<byte> RowOf(PixelBuffer source, int y) => source.Memory.Span.Slice(
        checked((int)((long)y * source.Stride)), source.Width * source.Format.BytesPerPixel());

    /// <summary>One row of pixels, its width changed. Pixels are four bytes.</summary>
    internal static void ShrinkRow(ReadOnlySpan<byte> row, ResampleTable table, Span<byte> destination)
    {
        if (Vector128.IsHardwareAccelerated) ShrinkRowVector128(row, table, destination);
        else ShrinkRowScalar(row, table, destination);
    }

    internal static void ShrinkRowScalar(ReadOnlySpan<byte> row, ResampleTable table, Span<byte> destination)
    {
        for (int x = 0; x < table.Length; x++)
        {
            ReadOnlySpan<int> weights = table.WeightsOf(x);
            ReadOnlySpan<byte> pixels = row.Slice(table.First[x] * 4, weights.Length * 4);
            int red = Half, green = Half, blue = Half;
            for (int k = 0; k < weights.Length; k++)
            {
                red += pixels[4 * k] * weights[k];
                green += pixels[(4 * k) + 1] * weights[k];
                blue += pixels[(4 * k) + 2] * weights[k];
            }

            destination[4 * x] = (byte)(red >> ResampleTable.Precision);
            destination[(4 * x) + 1] = (byte)(green >> ResampleTable.Precision);
            destination[(4 * x) + 2] = (byte)(blue >> ResampleTable.Precision);
            destination[(4 * x) + 3] = 0;
        }
    }

    // One pixel is one vector of four sums. No sum is negative, none passes 255.5: weights are not negative and add up to one.
    internal static void ShrinkRowVector128(ReadOnlySpan<byte> row, ResampleTable table, Span<byte> destination)
    {
        ref byte pixels = ref MemoryMarshal.GetReference(row);
        ref int weights = ref MemoryMarshal.GetArrayDataReference(table.Weights);
        ref uint output = ref Unsafe.As<byte, uint>(ref MemoryMarshal.GetReference(destination[..(table.Length * 4)]));
        for (int x = 0; x < table.Length; x++)
        {
            ref byte pixel = ref Unsafe.Add(ref pixels, table.First[x] * 4);
            ref int weight = ref Unsafe.Add(ref weights, x * table.Taps);
            Vector128<int> sum = Vector128.Create(Half);
            int count = table.Count[x];
            for (int k = 0; k < count; k++)
            {
                Vector128<byte> bytes = Vector128.CreateScalarUnsafe(Unsafe.ReadUnaligned<uint>(ref Unsafe.Add(ref pixel, 4 * k))).AsByte();
                Vector128<int> channels = Vector128.WidenLower(Vector128.WidenLower(bytes)).AsInt32();
                sum += channels * Unsafe.Add(ref weight, k);
            }

            sum = Vector128.ShiftRightLogical(sum, ResampleTable.Precision);
            Vector128<byte> packed = Vector128.Narrow(Vector128.Narrow(sum.AsUInt32(), sum.AsUInt32()), Vector128<ushort>.Zero);
            Unsafe.Add(ref output, x) = packed.AsUInt32().ToScalar();
        }
    }

    /// <summary>One output row as the weighted sum of rows in a ring; row r lies at (r % taps) * rowStride.</summary>
    internal static void BlendRows(ReadOnlySpan<byte> ring, int rowStride, ResampleTable table, int y, Span<byte> destination)
    {
        if (Vector512.IsHardwareAccelerated) BlendRowsVector512(ring, rowStride, table, y, destination);
        else if (Vector256.IsHardwareAccelerated) BlendRowsVector256(ring, rowStride, table, y, destination);
        else if (Vector128.IsHardwareAccelerated) BlendRowsVector128(ring, rowStride, table, y, destination);
        else BlendRowsScalar(ring, rowStride, table, y, destination);
    }

    internal static void BlendRowsScalar(ReadOnlySpan<byte> ring, int rowStride, ResampleTable table, int y, Span<byte> destination)
    {
        ReadOnlySpan<int> weights = table.WeightsOf(y);
        int first = table.First[y];
        for (int i = 0; i < rowStride; i++)
        {
            int sum = Half;
            for (int k = 0; k < weights.Length; k++) sum += ring[((first + k) % table.Taps * rowStride) + i] * weights[k];
            destination[i] = (byte)(sum >> ResampleTable.Precision);
        }
    }

    // 16 bytes a step, widened to four vectors of four sums; rows are padded to whole vectors, so there is no tail.
    internal static void BlendRowsVector128(ReadOnlySpan<byte> ring, int rowStride, ResampleTable table, int y, Span<byte> destination)
    {
        ReadOnlySpan<int> weights = table.WeightsOf(y);
        int first = table.First[y];
        ref byte rows = ref MemoryMarshal.GetReference(ring);
        ref byte output = ref MemoryMarshal.GetReference(destination[..rowStride]);
        for (int i = 0; i < rowStride; i += Vector128<byte>.Count)
        {
            Vector128<int> half = Vector128.Create(Half);
            (Vector128<int> s0, Vector128<int> s1, Vector128<int> s2, Vector128<int> s3) = (half, half, half, half);
            for (int k = 0; k < weights.Length; k++)
            {
                Vector128<byte> bytes = Vector128.LoadUnsafe(ref rows, (nuint)(((first + k) % table.Taps * rowStride) + i));
                (Vector128<ushort> lower, Vector128<ushort> upper) = Vector128.Widen(bytes);
                int weight = weights[k];
                s0 += Vector128.WidenLower(lower).AsInt32() * weight;
                s1 += Vector128.WidenUpper(lower).AsInt32() * weight;
                s2 += Vector128.WidenLower(upper).AsInt32() * weight;
                s3 += Vector128.WidenUpper(upper).AsInt32() * weight;
            }

            Vector128.Narrow(
                Vector128.Narrow((s0 >>> ResampleTable.Precision).AsUInt32(), (s1 >>> ResampleTable.Precision).AsUInt32()),
                Vector128.Narrow((s2 >>> ResampleTable.Precision).AsUInt32(), (s3 >>> ResampleTable.Precision).AsUInt32()))
                .StoreUnsafe(ref output, (nuint)i);
        }
    }

    // As above with 32 bytes a step.
    internal static void BlendRowsVector256(ReadOnlySpan<byte> ring, int rowStride, ResampleTable table, int y, Span<byte> destination)
    {
        ReadOnlySpan<int> weights = table.WeightsOf(y);
        int first = table.First[y];
        ref byte rows = ref MemoryMarshal.GetReference(ring);
        ref byte output = ref MemoryMarshal.GetReference(destination[..rowStride]);
        for (int i = 0; i < rowStride; i += Vector256<byte>.Count)
        {
            Vector256<int> half = Vector256.Create(Half);
            (Vector256<int> s0, Vector256<int> s1, Vector256<int> s2, Vector256<int> s3) = (half, half, half, half);
            for (int k = 0; k < weights.Length; k++)
            {
                Vector256<byte> bytes = Vector256.LoadUnsafe(ref rows, (nuint)(((first + k) % table.Taps * rowStride) + i));
                (Vector256<ushort> lower, Vector256<ushort> upper) = Vector256.Widen(bytes);
                int weight = weights[k];
                s0 += Vector256.WidenLower(lower).AsInt32() * weight;
                s1 += Vector256.WidenUpper(lower).AsInt32() * weight;
                s2 += Vector256.WidenLower(upper).AsInt32() * weight;
                s3 += Vector256.WidenUpper(upper).AsInt32() * weight;
            }

            Vector256.Narrow(
                Vector256.Narrow((s0 >>> ResampleTable.Precision).AsUInt32(), (s1 >>> ResampleTable.Precision).AsUInt32()),
                Vector256.Narrow((s2 >>> ResampleTable.Precision).AsUInt32(), (s3 >>> ResampleTable.Precision).AsUInt32()))
                .StoreUnsafe(ref output, (nuint)i);
        }
    }

    // As above with 64 bytes a step.
    internal static void BlendRowsVector512(ReadOnlySpan<byte> ring, int rowStride, ResampleTable table, int y, Span<byte> destination)
    {
        ReadOnlySpan<int> weights = table.WeightsOf(y);
        int first = table.First[y];
        ref byte rows = ref MemoryMarshal.GetReference(ring);
        ref byte output = ref MemoryMarshal.GetReference(destination[..rowStride]);
        for (int i = 0; i < rowStride; i += Vector512<byte>.Count)
        {
            Vector512<int> half = Vector512.Create(Half);
            (Vector512<int> s0, Vector512<int> s1, Vector512<int> s2, Vector512<int> s3) = (half, half, half, half);
            for (int k = 0; k < weights.Length; k++)
            {
                Vector512<byte> bytes = Vector512.LoadUnsafe(ref rows, (nuint)(((first + k) % table.Taps * rowStride) + i));
                (Vector512<ushort> lower, Vector512<ushort> upper) = Vector512.Widen(bytes);
                int weight = weights[k];
                s0 += Vector512.WidenLower(lower).AsInt32() * weight;
                s1 += Vector512.WidenUpper(lower).AsInt32() * weight;
                s2 += Vector512.WidenLower(upper).AsInt32() * weight;
                s3 += Vector512.WidenUpper(upper).AsInt32() * weight;
            }

            Vector512.Narrow(
                Vector512.Narrow((s0 >>> ResampleTable.Precision).AsUInt32(), (s1 >>> ResampleTable.Precision).AsUInt32()),
                Vector512.Narrow((s2 >>> ResampleTable.Precision).AsUInt32(), (s3 >>> ResampleTable.Precision).AsUInt32()))
                .StoreUnsafe(ref output, (nuint)i);
        }
    }

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
