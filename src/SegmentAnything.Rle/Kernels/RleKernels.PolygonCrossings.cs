using System.Buffers;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace SegmentAnything.Rle.Kernels;

/// <content>Finds where the edges of polygons cross the middles of columns, four edges and four crossings at a time.</content>
internal static partial class RleKernels
{
    /// <summary>
    /// Words of 64 rows that a column may have when crossings are collected as bits. A column has two crossings or more, and
    /// to clear and look through so many words takes about as long as these.
    /// </summary>
    private const int MaxColumnWords = 64;

    /// <summary>All words of the bits, 8 MB; the crossings of wider polygons are sorted.</summary>
    private const int MaxPlaneWords = 1 << 20;

    // Crossings become bits, a word for 64 rows of a column: two at one place cancel out there, and read in order they are
    // sorted.
    private static int[] FillOutlines(ref Outlines outlines, int width, int height, DrawingLimit limit)
    {
        // Columns whose middle lies between the outermost corners: 5c + 2 >= x of the first and 5c + 3 <= x of the last.
        // Halves away from whole numbers, so that no rounding matters.
        int left = (int)Math.Max(0, Math.Floor((outlines.MinX + 2.5) * .2));
        int right = (int)Math.Min(width - 1, Math.Floor((outlines.MaxX - 2.5) * .2));
        if (left > right) return [width * height];
        outlines.End();
        // Before anything is drawn. As a rule there are so few that they need not be counted.
        int columns = right - left + 1;
        if (!limit.Allows((outlines.Corners.Length / 2) * (long)columns) && CountCrossings(outlines.Corners, width) is var many && !limit.Allows(many))
            limit.Add(many);
        int top = ToRow(outlines.MinY, height), rows = ToRow(outlines.MaxY, height) - top + 1;
        // As many words a column as a power of two, so that a word's column is found by a shift.
        int shift = BitOperations.Log2(BitOperations.RoundUpToPowerOf2((uint)(rows + 63) >> 6)), columnWords = 1 << shift;
        if (columnWords > MaxColumnWords || (long)columns * columnWords > MaxPlaneWords) return FillBySorting(outlines, width, height, left, columns, limit);

        int words = ((columns * columnWords) + 3) & ~3;
        ulong[] plane = ArrayPool<ulong>.Shared.Rent(words);
        plane.AsSpan(0, words).Clear();
        int crossings = FindCrossings(
            outlines.Corners, width, height, 64 * columnWords, -((left * 64.0 * columnWords) + top), new CrossingBits(plane),
            limit.CancellationToken);
        limit.Add(crossings);
        int[] positions = ArrayPool<int>.Shared.Rent(Math.Min(crossings, 64 * words) + ChangeSlack);
        ref ulong first = ref MemoryMarshal.GetArrayDataReference(plane);
        ref int found = ref MemoryMarshal.GetArrayDataReference(positions);
        int count = 0, origin = (left * height) + top, gap = height - (64 * columnWords);
        for (int i = 0; i < words; i += 4)
        {
            uint isZero = Vector256.Equals(Vector256.LoadUnsafe(ref first, (nuint)i), Vector256<ulong>.Zero).ExtractMostSignificantBits();
            for (uint others = isZero ^ 0b1111; others != 0; others &= others - 1)
            {
                int word = i + BitOperations.TrailingZeroCount(others), position = origin + (64 * word) + ((word >> shift) * gap);
                ulong changes = Unsafe.Add(ref first, word);
                // One is what most words of a smooth outline have.
                if (BitOperations.IsPow2(changes)) Unsafe.Add(ref found, count++) = position + BitOperations.TrailingZeroCount(changes);
                else WriteChanges(changes, position, ref found, ref count);
            }
        }

        int[] runs = RunsBetween(positions.AsSpan(0, count), width * height);
        ArrayPool<int>.Shared.Return(positions);
        ArrayPool<ulong>.Shared.Return(plane);
        return runs;
    }

    // Few crossings in many rows, or very many crossings.
    private static int[] FillBySorting(in Outlines outlines, int width, int height, int left, int columns, DrawingLimit limit)
    {
        int room = (int)CountCrossings(outlines.Corners, width);
        int[] found = ArrayPool<int>.Shared.Rent(room), sorted = ArrayPool<int>.Shared.Rent(room);
        int crossings = FindCrossings(outlines.Corners, width, height, height, 0, new CrossingList(found), limit.CancellationToken);
        limit.Add(crossings);
        SortByColumns(found.AsSpan(0, crossings), sorted, height, left, columns, limit.CancellationToken);
        int[] runs = RunsBetween(sorted.AsSpan(0, crossings), width * height);
        ArrayPool<int>.Shared.Return(found);
        ArrayPool<int>.Shared.Return(sorted);
        return runs;
    }

    // As many as FindCrossings finds.
    private static long CountCrossings(ReadOnlySpan<double> corners, int width)
    {
        long count = 0;
        for (int i = 0; i <= corners.Length - 4; i += 2)
        {
            // No comparison with a corner that is not a number is true.
            double xs = Math.Min(corners[i], corners[i + 2]), xe = Math.Max(corners[i], corners[i + 2]);
            double first = Math.Max(Math.Floor((xs + 2.5) * .2), 0), last = Math.Min(Math.Floor((xe - 2.5) * .2), width - 1);
            if (xs < xe && first <= last) count += (long)(last - first) + 1;
        }

        return count;
    }

    // Sorts positions in all columns from the left one on: by columns first, which takes the same time for each, then in each column.
    private static void SortByColumns(ReadOnlySpan<int> positions, Span<int> sorted, int height, int left, int columns, CancellationToken cancellationToken)
    {
        const int FewPositions = 4096, PositionsBetweenLooks = 1 << 20;
        if (positions.Length <= FewPositions)
        {
            positions.CopyTo(sorted);
            sorted[..positions.Length].Sort();
            return;
        }

        // One more: a crossing below the last row of a column has the position of the next column's first.
        int[] ends = new int[columns + 2];
        foreach (int position in positions) ends[(int)((uint)position / (uint)height) - left + 1]++;
        for (int i = 1; i < ends.Length; i++) ends[i] += ends[i - 1];
        for (int start = 0; start < positions.Length; start += PositionsBetweenLooks)
        {
            cancellationToken.ThrowIfCancellationRequested();
            foreach (int position in positions.Slice(start, Math.Min(PositionsBetweenLooks, positions.Length - start)))
                sorted[ends[(int)((uint)position / (uint)height) - left]++] = position;
        }

        // Now each number is where its column ends.
        for (int i = 0, start = 0; i <= columns; start = ends[i++])
        {
            cancellationToken.ThrowIfCancellationRequested();
            sorted[start..ends[i]].Sort();
        }
    }

    // Finds the crossings of all edges, in no order, each as column * stride + row + origin; returns how many. Corners are
    // pairs of x and y on the finer grid; a corner that is not a number ends an outline, and there are some at the end.
    [SkipLocalsInit]
    private static int FindCrossings<TCrossings>(
        ReadOnlySpan<double> corners, int width, int height, double stride, double origin, TCrossings crossings, CancellationToken cancellationToken)
        where TCrossings : struct, ICrossings
    {
        ref double edges = ref MemoryMarshal.GetReference(stackalloc double[EdgeRows.Length]);
        ref double columns = ref MemoryMarshal.GetReference(stackalloc double[ColumnRows.Length]);
        int total = 0, count = 0;
        for (int i = 0; i <= corners.Length - 10;)
        {
            int edgeCount = 0;
            for (; edgeCount < EdgeRows.Capacity && i <= corners.Length - 10; edgeCount += 4, i += 8)
                SetUpEdges(in corners[i], width, ref Unsafe.Add(ref edges, edgeCount));

            for (int edge = 0; edge < edgeCount;)
            {
                AppendColumns(ref edges, ref edge, edgeCount, ref columns, ref count);
                if (count <= ColumnRows.Capacity) break;
                cancellationToken.ThrowIfCancellationRequested();
                total += count;
                CrossColumns(ref columns, count, height, stride, origin);
                crossings.Add(LowerHalves(ref columns, count));
                count = 0;
            }
        }

        CrossColumns(ref columns, count, height, stride, origin);
        crossings.Add(LowerHalves(ref columns, count));
        return total + count;
    }

    // Four edges at a time.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void SetUpEdges(ref readonly double corners, int width, ref double edges)
    {
        ref double corner = ref Unsafe.AsRef(in corners);
        (Vector256<double> x0, Vector256<double> y0) = FourCorners(ref corner);
        (Vector256<double> x1, Vector256<double> y1) = FourCorners(ref Unsafe.Add(ref corner, 2));

        // From left to right: which way an edge is walked changes no point of it, except for ties, which the rule settles
        // itself by walking up the longer side.
        Vector256<double> isForward = Vector256.LessThan(x0, x1), zero = Vector256<double>.Zero;
        Vector256<double> xs = Vector256.MinNative(x0, x1), xe = Vector256.MaxNative(x0, x1);
        Vector256<double> ys = Vector256.ConditionalSelect(isForward, y0, y1), ye = Vector256.ConditionalSelect(isForward, y1, y0);
        Vector256<double> dx = xe - xs, rise = ye - ys, dy = Vector256.Abs(rise);
        Vector256<double> isWide = Vector256.GreaterThanOrEqual(dx, dy), falls = Vector256.LessThan(rise, zero);

        // Columns whose middle lies between: 5c + 2 >= xs and 5c + 3 <= xe; halves away from whole numbers, so that no
        // rounding matters. None for edges to a corner that is not a number, whichever way minima treat it.
        Vector256<double> first = Vector256.MaxNative(Vector256.Floor((xs + Vector256.Create(2.5)) * Vector256.Create(.2)), zero);
        Vector256<double> last = Vector256.MinNative(
            Vector256.Floor((xe - Vector256.Create(2.5)) * Vector256.Create(.2)), Vector256.Create(width - 1.0));
        Vector256<double> crosses = Vector256.LessThanOrEqual(first, last) & Vector256.GreaterThan(dx, zero);
        Vector256<double> along = Vector256.ConditionalSelect(isWide, dx, dy);
        Vector256<double> across = Vector256.ConditionalSelect(isWide, rise, Vector256.ConditionalSelect(falls, -dx, dx));
        (((last - first + Vector256<double>.One) & crosses) + Vector256.Create(LowerHalf)).StoreUnsafe(ref edges, EdgeRows.Count);
        first.StoreUnsafe(ref edges, EdgeRows.First);
        (across / along).StoreUnsafe(ref edges, EdgeRows.Slope);
        Vector256.ConditionalSelect(isWide, ys, Vector256.ConditionalSelect(falls, xe, xs)).StoreUnsafe(ref edges, EdgeRows.Start);
        Vector256.ConditionalSelect(isWide, Vector256.Create(2.0) - xs, Vector256.MinNative(ys, ye)).StoreUnsafe(ref edges, EdgeRows.Offset);
        (crosses & Vector256.AndNot(along / across, isWide)).StoreUnsafe(ref edges, EdgeRows.Inverse);
    }

    // Four corners: x0 x2 x1 x3 and y0 y2 y1 y3.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector256<double> X, Vector256<double> Y) FourCorners(ref double corners)
    {
        Vector256<double> a = Vector256.LoadUnsafe(ref corners), b = Vector256.LoadUnsafe(ref corners, 4);
        Vector256<double> isX = Vector256.Create(~0L, 0, ~0L, 0).AsDouble();
        return (Vector256.ConditionalSelect(isX, a, Vector256.Shuffle(b, Vector256.Create(1L, 0, 3, 2))),
            Vector256.ConditionalSelect(isX, Vector256.Shuffle(a, Vector256.Create(1L, 0, 3, 2)), b));
    }

    // Each edge's columns, until there are no more edges or no room. Eight are written whether an edge has as many or not,
    // to spare a branch for each number.
    private static void AppendColumns(ref double edges, ref int edge, int edgeCount, ref double columns, ref int count)
    {
        int e = edge, n = count;
        while (e < edgeCount && n <= ColumnRows.Capacity)
        {
            ref double from = ref Unsafe.Add(ref edges, e), to = ref Unsafe.Add(ref columns, n);
            ref int left = ref Unsafe.As<double, int>(ref Unsafe.Add(ref from, EdgeRows.Count));
            ref double first = ref Unsafe.Add(ref from, EdgeRows.First);
            WriteEight(Vector256.Create(first) + Vector256.Create(0.0, 1, 2, 3), Vector256.Create(first) + Vector256.Create(4.0, 5, 6, 7), ref to);
            WriteEight(ref Unsafe.Add(ref from, EdgeRows.Slope), ref Unsafe.Add(ref to, ColumnRows.Slope));
            WriteEight(ref Unsafe.Add(ref from, EdgeRows.Start), ref Unsafe.Add(ref to, ColumnRows.Start));
            WriteEight(ref Unsafe.Add(ref from, EdgeRows.Offset), ref Unsafe.Add(ref to, ColumnRows.Offset));
            WriteEight(ref Unsafe.Add(ref from, EdgeRows.Inverse), ref Unsafe.Add(ref to, ColumnRows.Inverse));
            if (left <= 8)
            {
                n += left;
                e++;
            }
            else
            {
                n += 8;
                left -= 8;
                first += 8;
            }
        }

        (edge, count) = (e, n);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void WriteEight(ref double value, ref double destination) =>
        WriteEight(Vector256.Create(value), Vector256.Create(value), ref destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void WriteEight(Vector256<double> low, Vector256<double> high, ref double destination)
    {
        low.StoreUnsafe(ref destination);
        high.StoreUnsafe(ref destination, 4);
    }

    // Where the edges cross the columns. In double precision as the rule has it; multiplication and addition stay apart:
    // fused they would round differently.
    private static void CrossColumns(ref double columns, int count, int height, double stride, double origin)
    {
        Vector256<double> half = Vector256.Create(.5), one = Vector256<double>.One, zero = Vector256<double>.Zero;
        Vector256<double> rows = Vector256.Create((double)height), strides = Vector256.Create(stride), origins = Vector256.Create(origin);
        // Lanes behind the last column count for nothing; but no step is looked for there.
        zero.StoreUnsafe(ref Unsafe.Add(ref columns, count), ColumnRows.Inverse);
        for (int i = 0; i < count; i += 4)
        {
            ref double next = ref Unsafe.Add(ref columns, i);
            Vector256<double> column = Vector256.LoadUnsafe(ref next), slope = Vector256.LoadUnsafe(ref next, ColumnRows.Slope);
            Vector256<double> start = Vector256.LoadUnsafe(ref next, ColumnRows.Start), offset = Vector256.LoadUnsafe(ref next, ColumnRows.Offset);
            Vector256<double> inverse = Vector256.LoadUnsafe(ref next, ColumnRows.Inverse), isWide = Vector256.Equals(inverse, zero);
            Vector256<double> rises = Vector256.GreaterThan(slope, zero), grid = column * Vector256.Create((double)Upsampling);

            // The step before the crossing. Of a tall edge it is the last before the drawn x passes from 5c + 2 to 5c + 3, or
            // back: a division gives it but for rounding, and is put right until the passage comes between it and the next.
            // x = 5c + 3 is far already on the way up, and still near on the way down.
            Vector256<double> target = grid + Vector256.Create(3.0);
            Vector256<double> ahead = ((target - half - start) * inverse) + Vector256.ConditionalSelect(rises, Vector256.Create(-1e-9), Vector256.Create(1e-9));
            Vector256<double> step = Vector256.ConditionalSelect(isWide, grid + offset, Vector256.Floor(ahead)), here, after;
            while (true)
            {
                here = Vector256.Truncate(start + (slope * step) + half);
                after = Vector256.Truncate(start + (slope * (step + one)) + half);
                Vector256<double> isEarly = Vector256.AndNot(Vector256.GreaterThanOrEqual(after, target) ^ rises, isWide);
                Vector256<double> isLate = Vector256.AndNot(~(Vector256.GreaterThanOrEqual(here, target) ^ rises), isWide);
                if ((isEarly | isLate) == zero) break;
                step += (isEarly & one) - (isLate & one);
            }

            Vector256<double> y = Vector256.ConditionalSelect(isWide, Vector256.MinNative(here, after), step + offset);
            // ceil((y + .5) / 5 - .5) is ceil((y - 2) / 5): a multiple of a fifth, and a little less changes nothing.
            Vector256<double> row = Vector256.Ceiling(((y - Vector256.Create(2.0)) * Vector256.Create(.2)) - Vector256.Create(.01));
            row = Vector256.MinNative(Vector256.MaxNative(row, zero), rows);
            ((column * strides) + (row + origins) + Vector256.Create(LowerHalf)).StoreUnsafe(ref next, ColumnRows.Found);
        }
    }

    private static ReadOnlySpan<ulong> LowerHalves(ref double columns, int count) =>
        MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<double, ulong>(ref Unsafe.Add(ref columns, ColumnRows.Found)), count);

    /// <summary>Added to a whole number of 32 bits, it makes that number the lower half of the sum's bits.</summary>
    private const double LowerHalf = 1L << 52;

    // ceil((y + .5) / 5 - .5), within the mask.
    private static int ToRow(double y, int height) => (int)Math.Clamp(Math.Ceiling((y - 2) / Upsampling), 0, height);

    // Edges to come. One is wide (dx >= dy) or tall, and is walked along that side from its start, upwards.
    private static class EdgeRows
    {
        public const int Capacity = 32, Length = 6 * Capacity;

        // How many columns' middles it crosses (in the lower half), and the first of these columns.
        public const int Count = 0, First = Capacity;

        // What the other coordinate gains a step, and what it is at the start.
        public const int Slope = 2 * Capacity, Start = 3 * Capacity;

        // Wide: from a column's x on the grid to the step before the crossing. Tall: from a step to its y.
        public const int Offset = 4 * Capacity;

        // Tall: steps for each step in x. Wide: 0.
        public const int Inverse = 5 * Capacity;
    }

    // Columns that edges cross, of all edges together, since an edge has too few for a vector.
    private static class ColumnRows
    {
        // Columns are added while there are so many or fewer.
        public const int Capacity = 120;

        // Eight are added at a time, and four may be read beyond the last.
        private const int Row = Capacity + 16;

        // As of the edge. In the first row stands the column, in the last one, in the lower half, what is found.
        public const int Slope = Row, Start = 2 * Row, Offset = 3 * Row, Inverse = 4 * Row, Found = 5 * Row, Length = 6 * Row;
    }

    private interface ICrossings
    {
        // The lower halves are the numbers.
        void Add(ReadOnlySpan<ulong> crossings);
    }

    private readonly struct CrossingBits(ulong[] plane) : ICrossings
    {
        public void Add(ReadOnlySpan<ulong> crossings)
        {
            ulong[] words = plane;
            foreach (ulong crossing in crossings) words[(uint)crossing >> 6] ^= 1UL << (int)crossing;
        }
    }

    private struct CrossingList(int[] positions) : ICrossings
    {
        private int _count;

        public void Add(ReadOnlySpan<ulong> crossings)
        {
            foreach (ulong crossing in crossings) positions[_count++] = (int)crossing;
        }
    }

    // Outlines on the finer grid, one behind the other; between them a corner that is not a number.
    private ref struct Outlines(int room)
    {
        private readonly double[] _corners = ArrayPool<double>.Shared.Rent(room);
        private int _length;
        private Vector256<double> _least = Vector256.Create(double.PositiveInfinity), _most = Vector256.Create(double.NegativeInfinity);

        /// <summary>So many numbers stand behind the last outline.</summary>
        public const int RoomAtEnd = 16;

        public readonly double MinX => Math.Min(_least[0], _least[2]);

        public readonly double MinY => Math.Min(_least[1], _least[3]);

        public readonly double MaxX => Math.Max(_most[0], _most[2]);

        public readonly double MaxY => Math.Max(_most[1], _most[3]);

        public readonly ReadOnlySpan<double> Corners => _corners.AsSpan(0, _length);

        // The corners, the first again, and one that is not a number.
        public static int RoomFor(ReadOnlySpan<double> polygon) => checked(polygon.Length + 4);

        public void Add(ReadOnlySpan<double> polygon)
        {
            Span<double> outline = _corners.AsSpan(_length, RoomFor(polygon));
            ref double source = ref MemoryMarshal.GetReference(polygon), destination = ref MemoryMarshal.GetReference(outline);
            for (int i = 0; i < polygon.Length; i += 4)
            {
                // The last two corners again, if their number is odd.
                int from = Math.Min(i, polygon.Length - 4);
                Vector256<double> onGrid = Vector256.Truncate(
                    (Vector256.LoadUnsafe(ref source, (nuint)from) * Vector256.Create((double)Upsampling)) + Vector256.Create(.5));
                onGrid.StoreUnsafe(ref destination, (nuint)from);
                _least = Vector256.MinNative(_least, onGrid);
                _most = Vector256.MaxNative(_most, onGrid);
            }

            outline[..2].CopyTo(outline[polygon.Length..]);
            outline[(polygon.Length + 2)..].Fill(double.NaN);
            _length += outline.Length;
        }

        /// <summary>To be called behind the last outline.</summary>
        public void End()
        {
            _corners.AsSpan(_length, RoomAtEnd).Fill(double.NaN);
            _length += RoomAtEnd;
        }

        public readonly void Free() => ArrayPool<double>.Shared.Return(_corners);
    }
}
