using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace SegmentAnything.Rle.Kernels;

/// <content>Turns row-major pixels into run lengths down the columns.</content>
internal static partial class RleKernels
{
    /// <summary>Below this width words of 64 columns are mostly empty, and take more memory than the pixels.</summary>
    private const int MinWordWidth = 16;

    /// <summary>
    /// Words of one panel, 4 MB: the bit rows of a large photograph, and few enough to stay in a cache of the second or
    /// third level. Larger bitmaps are read in several panels of columns.
    /// </summary>
    private const int PanelWords = 1 << 19;

    /// <summary>
    /// Words between the bit rows of neighbouring strips beyond their rows: without them heights that are powers of two
    /// would put all strips into one set of the cache.
    /// </summary>
    private const int StripGap = 8;

    /// <summary>Run lengths of a row-major bitmap.</summary>
    /// <param name="bitmap">Rows from the top, <paramref name="stride"/> elements apart; non-zero is foreground.</param>
    /// <param name="width">Pixels in a row.</param>
    /// <param name="height">Rows.</param>
    /// <param name="stride">Elements from one row to the next, at least width.</param>
    /// <remarks>
    /// Exactness: every path equals <see cref="FindRunsRowMajorScalar"/>. Source: COCO API, maskApi.c (rleEncode).
    /// Measured by: EncodeBenchmarks.
    /// </remarks>
    public static int[] FindRunsRowMajor(ReadOnlySpan<byte> bitmap, int width, int height, int stride) => width < MinWordWidth
        ? FindRunsRowMajorScalar(bitmap, width, height, stride)
        : SimdDispatch.Run<FindRunsRowMajorKernel, int[]>(new(bitmap, width, height, stride));

    // The definition: as FindRunsScalar, reading down the columns.
    internal static int[] FindRunsRowMajorScalar(ReadOnlySpan<byte> bitmap, int width, int height, int stride)
    {
        var counts = new RunBuilder();
        bool foreground = false;
        int start = 0, position = 0;
        for (int x = 0; x < width; x++)
        {
            for (int y = 0; y < height; y++, position++)
            {
                if (bitmap[(y * stride) + x] != 0 == foreground) continue;
                counts.Add(position - start);
                start = position;
                foreground = !foreground;
            }
        }

        counts.Add(position - start);
        return counts.ToArrayAndFree();
    }

    internal static int[] FindRunsRowMajor<TSimd, TVector>(ReadOnlySpan<byte> bitmap, int width, int height, int stride)
        where TSimd : ISimd<TVector>
        where TVector : struct =>
        FindRunsInBitRows<byte, BytePixels<TSimd, TVector>, TSimd, TVector>(bitmap, width, height, stride, default);

    /// <summary>Run lengths of the pixels whose logit is above a cut-off; NaN is not above anything.</summary>
    /// <remarks>
    /// Exactness: every path equals <see cref="FindRunsOfLogitsScalar"/>. Source: Segment Anything, modeling/sam.py
    /// (mask_threshold). Measured by: EncodeBenchmarks.
    /// </remarks>
    public static int[] FindRunsOfLogits(ReadOnlySpan<float> logits, int width, int height, int stride, float cutoff) => width < MinWordWidth
        ? FindRunsOfLogitsScalar(logits, width, height, stride, cutoff)
        : SimdDispatch.Run<FindRunsOfLogitsKernel, int[]>(new(logits, width, height, stride, cutoff));

    // The definition.
    internal static int[] FindRunsOfLogitsScalar(
        ReadOnlySpan<float> logits, int width, int height, int stride, float cutoff)
    {
        var counts = new RunBuilder();
        bool foreground = false;
        int start = 0, position = 0;
        for (int x = 0; x < width; x++)
        {
            for (int y = 0; y < height; y++, position++)
            {
                if (logits[(y * stride) + x] > cutoff == foreground) continue;
                counts.Add(position - start);
                start = position;
                foreground = !foreground;
            }
        }

        counts.Add(position - start);
        return counts.ToArrayAndFree();
    }

    internal static int[] FindRunsOfLogits<TSimd, TVector>(ReadOnlySpan<float> logits, int width, int height, int stride, float cutoff)
        where TSimd : ISimd<TVector>
        where TVector : struct =>
        FindRunsInBitRows<float, LogitPixels<TSimd, TVector>, TSimd, TVector>(logits, width, height, stride, new(cutoff));

    // Row-major pixels are read once and become bit rows: a word holds 64 neighbouring columns of a row, and a strip of 64
    // columns has its words one below the other. Blocks of 64 words are transposed, so that a word holds 64 pixels of a
    // column; then runs are found down the columns.
    private static int[] FindRunsInBitRows<TPixel, TPixels, TSimd, TVector>(
        ReadOnlySpan<TPixel> pixels, int width, int height, int stride, TPixels reader)
        where TPixel : unmanaged
        where TPixels : struct, IPixelReader<TPixel>
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        int blocks = (height + 63) / 64;
        int stripWords = (blocks * 64) + StripGap;
        int strips = (width + 63) / 64;
        int panelStrips = Math.Clamp(PanelWords / stripWords, 1, strips);
        ulong[] panel = ArrayPool<ulong>.Shared.Rent(checked(panelStrips * stripWords));
        ulong[] columns = ArrayPool<ulong>.Shared.Rent(blocks * 64);
        var changes = new RunBuilder();
        ulong last = 0;
        for (int firstStrip = 0; firstStrip < strips; firstStrip += panelStrips)
        {
            int inPanel = Math.Min(panelStrips, strips - firstStrip);
            ReadBitRows(pixels, width, height, stride, reader, firstStrip, inPanel, panel, stripWords);
            for (int s = 0; s < inPanel; s++)
            {
                int firstColumn = (firstStrip + s) * 64;
                Span<ulong> rows = panel.AsSpan(s * stripWords, blocks * 64);
                // Rows that are not there must not end runs; their bits are masked below. Zeros let blocks be uniform.
                rows[height..].Clear();
                if (last == 0 && !rows.ContainsAnyExcept(0UL)) continue;
                for (int b = 0; b < blocks; b++) TransposeBlock<TSimd, TVector>(rows.Slice(b * 64, 64), columns.AsSpan(b * 64, 64));
                FindChangesInColumns(
                    columns, blocks, height, firstColumn, Math.Min(64, width - firstColumn), ref last, ref changes);
            }
        }

        ArrayPool<ulong>.Shared.Return(panel);
        ArrayPool<ulong>.Shared.Return(columns);
        int[] runs = DifferencesOf(changes.Runs, width * height);
        changes.Free();
        return runs;
    }

    // A word a row for each strip of the panel; bits beyond the last column are 0.
    private static void ReadBitRows<TPixel, TPixels>(
        ReadOnlySpan<TPixel> pixels, int width, int height, int stride, TPixels reader,
        int firstStrip, int strips, ulong[] panel, int stripWords)
        where TPixel : unmanaged
        where TPixels : struct, IPixelReader<TPixel>
    {
        int firstColumn = firstStrip * 64;
        int columns = Math.Min(strips * 64, width - firstColumn);
        int whole = columns / 64, rest = columns % 64;
        ulong restMask = (1UL << rest) - 1;
        Span<TPixel> tail = stackalloc TPixel[64];
        tail.Clear();
        for (int y = 0; y < height; y++)
        {
            int start = (y * stride) + firstColumn;
            ref TPixel row = ref Unsafe.Add(ref MemoryMarshal.GetReference(pixels), start);
            ref ulong word = ref panel[y];
            for (int s = 0; s < whole; s++)
            {
                word = reader.Read(ref row);
                row = ref Unsafe.Add(ref row, 64);
                word = ref Unsafe.Add(ref word, stripWords);
            }

            if (rest == 0) continue;
            // Up to the last rows there is more to read after the row, which the mask takes away.
            int restStart = start + (whole * 64);
            if (restStart <= pixels.Length - 64)
            {
                word = reader.Read(ref row) & restMask;
            }
            else
            {
                pixels.Slice(restStart, rest).CopyTo(tail);
                word = reader.Read(ref MemoryMarshal.GetReference(tail)) & restMask;
            }
        }
    }

    private static void TransposeBlock<TSimd, TVector>(ReadOnlySpan<ulong> rows, Span<ulong> columns)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        if (!rows.ContainsAnyExcept(rows[0]) && rows[0] is 0 or ulong.MaxValue)
        {
            columns.Fill(rows[0]);
            return;
        }

        rows.CopyTo(columns);
        BitWords<TSimd, TVector>.Transpose(ref MemoryMarshal.GetReference(columns));
    }

    // Appends the positions where the colour changes, going down the columns of a strip; word b * 64 + c holds rows
    // 64 b .. 64 b + 63 of column c.
    private static void FindChangesInColumns(
        ulong[] columns, int blocks, int height, int firstColumn, int columnCount, ref ulong last, ref RunBuilder changes)
    {
        int lastBits = height - ((blocks - 1) * 64);
        ulong lastMask = ulong.MaxValue >> (64 - lastBits);
        ref ulong words = ref MemoryMarshal.GetArrayDataReference(columns);
        ulong before = last;
        for (int c = 0; c < columnCount; c++)
        {
            int position = (firstColumn + c) * height;
            ref int found = ref changes.GetReference(height + ChangeSlack);
            int count = 0;
            ref ulong word = ref Unsafe.Add(ref words, c);
            for (int b = 0; b < blocks - 1; b++)
            {
                WriteChanges(word ^ ((word << 1) | before), position, ref found, ref count);
                before = word >> 63;
                position += 64;
                word = ref Unsafe.Add(ref word, 64);
            }

            WriteChanges((word ^ ((word << 1) | before)) & lastMask, position, ref found, ref count);
            before = (word >> (lastBits - 1)) & 1;
            changes.Advance(count);
        }

        last = before;
    }

    // Reads 64 pixels as a word.
    private interface IPixelReader<TPixel>
    {
        ulong Read(ref readonly TPixel source);
    }

    private readonly struct BytePixels<TSimd, TVector> : IPixelReader<byte>
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public ulong Read(ref readonly byte source) => BitWords<TSimd, TVector>.NonZero(in source);
    }

    private readonly struct LogitPixels<TSimd, TVector>(float cutoff) : IPixelReader<float>
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public ulong Read(ref readonly float source) => BitWords<TSimd, TVector>.Above(in source, cutoff);
    }

    private readonly ref struct FindRunsRowMajorKernel(ReadOnlySpan<byte> bitmap, int width, int height, int stride) : ISimdKernel<int[]>
    {
        private readonly ReadOnlySpan<byte> _bitmap = bitmap;

        public int[] Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct => FindRunsRowMajor<TSimd, TVector>(_bitmap, width, height, stride);

        public int[] RunScalar() => FindRunsRowMajorScalar(_bitmap, width, height, stride);
    }

    private readonly ref struct FindRunsOfLogitsKernel(ReadOnlySpan<float> logits, int width, int height, int stride, float cutoff)
        : ISimdKernel<int[]>
    {
        private readonly ReadOnlySpan<float> _logits = logits;

        public int[] Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct => FindRunsOfLogits<TSimd, TVector>(_logits, width, height, stride, cutoff);

        public int[] RunScalar() => FindRunsOfLogitsScalar(_logits, width, height, stride, cutoff);
    }
}
