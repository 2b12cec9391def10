using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace SegmentAnything.Rle.Kernels;

/// <content>Fills polygons.</content>
internal static partial class RleKernels
{
    /// <summary>Steps per pixel of the grid on which edges are drawn.</summary>
    private const int Upsampling = 5;

    /// <summary>Coordinates beyond this, either way, are refused: on the finer grid differences must fit in 32 bits.</summary>
    internal const double MaxCoordinate = 1e8;

    /// <summary>Runs of the pixels that are inside an odd number of times.</summary>
    /// <param name="polygons">Closed outlines: x0, y0, x1, y1, ... each; checked by <see cref="CheckPolygon"/>.</param>
    /// <param name="width">Columns of the mask.</param>
    /// <param name="height">Rows of the mask.</param>
    /// <remarks>
    /// The COCO rule: corners are moved to a grid of five steps a pixel; each edge is drawn there, one point a step along
    /// its longer side; where the drawn line goes from step 5c + 2 to 5c + 3 it crosses the middle of column c, at the
    /// smaller y of the two points; these crossings, in order, are where the runs change. Its code draws all points; here
    /// only those at the crossings are computed, with the same arithmetic. Exactness: equals
    /// <see cref="FillPolygonsScalar"/>. Source: COCO API, maskApi.c (rleFrPoly).
    /// </remarks>
    public static int[] FillPolygons(ReadOnlySpan<double[]> polygons, int width, int height)
    {
        int corners = 0;
        foreach (double[] polygon in polygons) corners = checked(corners + (polygon.Length / 2));
        Edge[] edgeBuffer = ArrayPool<Edge>.Shared.Rent(corners);
        int count = 0, left = width, right = -1;
        long crossings = 0;
        foreach (double[] polygon in polygons)
            AddEdges(polygon, width, edgeBuffer, ref count, ref left, ref right, ref crossings);
        ReadOnlySpan<Edge> edges = edgeBuffer.AsSpan(0, count);
        if (edges.IsEmpty)
        {
            ArrayPool<Edge>.Shared.Return(edgeBuffer);
            return [width * height];
        }

        // Crossings are sorted by counting them per column, since a column has few; a crossing below the last row of a
        // column is still one of that column. An edge has one in each of its columns.
        int columns = right - left + 1;
        int[] buffer = ArrayPool<int>.Shared.Rent(checked((int)(columns + 1 + crossings)));
        Span<int> ends = buffer.AsSpan(0, columns + 1), positions = buffer.AsSpan(columns + 1, (int)crossings);
        ends.Clear();
        foreach (ref readonly Edge edge in edges)
        {
            ends[edge.First - left]++;
            ends[edge.Last + 1 - left]--;
        }

        int inColumn = 0, sum = 0;
        foreach (ref int end in ends)
        {
            inColumn += end;
            end = sum;
            sum += inColumn;
        }

        foreach (ref readonly Edge edge in edges)
        {
            Span<int> places = ends.Slice(edge.First - left, edge.Last - edge.First + 1);
            int done = Avx.IsSupported ? CrossEdgeVector256(edge, height, places, positions) : 0;
            CrossEdge(edge, height, places, positions, done);
        }

        // Each column's crossings now end at its entry.
        int start = 0;
        foreach (int end in ends[..columns])
        {
            SortFew(positions[start..end]);
            start = end;
        }

        int[] runs = RunsBetween(positions, width * height);
        ArrayPool<int>.Shared.Return(buffer);
        ArrayPool<Edge>.Shared.Return(edgeBuffer);
        return runs;
    }

    // The definition: every point of every edge.
    internal static int[] FillPolygonsScalar(ReadOnlySpan<double[]> polygons, int width, int height)
    {
        var crossings = new RunBuilder();
        foreach (double[] polygon in polygons)
        {
            int corners = polygon.Length / 2;
            (int X, int Y) last = default;
            bool first = true;
            for (int j = 0; j < corners; j++)
            {
                int k = j + 1 == corners ? 0 : j + 1;
                int xs = ToGrid(polygon[2 * j]), ys = ToGrid(polygon[(2 * j) + 1]);
                int xe = ToGrid(polygon[2 * k]), ye = ToGrid(polygon[(2 * k) + 1]);
                int dx = Math.Abs(xe - xs), dy = Math.Abs(ye - ys);
                bool flip = dx >= dy ? xs > xe : ys > ye;
                if (flip) (xs, ys, xe, ye) = (xe, ye, xs, ys);
                double slope = dx >= dy ? (double)(ye - ys) / dx : (double)(xe - xs) / dy;
                for (int d = 0; d <= Math.Max(dx, dy); d++)
                {
                    int t = flip ? Math.Max(dx, dy) - d : d;
                    (int X, int Y) point = dx >= dy
                        ? (t + xs, (int)(ys + (slope * t) + .5)) : ((int)(xs + (slope * t) + .5), t + ys);
                    if (!first && point.X != last.X)
                    {
                        double x = ((Math.Min(point.X, last.X) + .5) / Upsampling) - .5;
                        double y = Math.Ceiling(Math.Clamp(((Math.Min(point.Y, last.Y) + .5) / Upsampling) - .5, 0, height));
                        if (Math.Floor(x) == x && x >= 0 && x <= width - 1) crossings.Add(((int)x * height) + (int)y);
                    }

                    last = point;
                    first = false;
                }
            }
        }

        crossings.Runs.Sort();
        int[] runs = RunsBetween(crossings.Runs, width * height);
        crossings.Free();
        return runs;
    }

    /// <summary>Throws unless a polygon has at least three points and only numbers that can be drawn.</summary>
    public static void CheckPolygon(ReadOnlySpan<double> polygon)
    {
        if ((polygon.Length & 1) != 0)
        {
            ThrowHelper.Format(
                $"the polygon has {polygon.Length} coordinates, an odd number; x and y come in pairs", polygon.Length);
        }

        if (polygon.Length < 6)
            ThrowHelper.Format($"the polygon has {polygon.Length / 2} points; at least 3 enclose something", polygon.Length);
        for (int i = 0; i < polygon.Length; i++)
        {
            // NaN fails this comparison too.
            if (!(Math.Abs(polygon[i]) <= MaxCoordinate))
                ThrowHelper.Format($"coordinate {i} is {polygon[i]}; numbers from -1e8 to 1e8 can be drawn", i);
        }
    }

    // Mostly two or four crossings of a column, of which the compiler makes no branches that could be guessed wrong.
    private static void SortFew(Span<int> positions)
    {
        if (positions.Length == 2)
        {
            Order(ref positions[0], ref positions[1]);
        }
        else if (positions.Length == 4)
        {
            Order(ref positions[0], ref positions[1]);
            Order(ref positions[2], ref positions[3]);
            Order(ref positions[0], ref positions[2]);
            Order(ref positions[1], ref positions[3]);
            Order(ref positions[1], ref positions[2]);
        }
        else if (positions.Length <= 24)
        {
            for (int i = 1; i < positions.Length; i++)
            {
                int position = positions[i], place = i;
                for (; place > 0 && positions[place - 1] > position; place--) positions[place] = positions[place - 1];
                positions[place] = position;
            }
        }
        else
        {
            positions.Sort();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Order(ref int a, ref int b)
    {
        // Neither is negative, so their difference has the sign that says which is less.
        int less = (b - a) & ((b - a) >> 31);
        a += less;
        b -= less;
    }

    private static int ToGrid(double coordinate) => (int)((Upsampling * coordinate) + .5);

    // From a corner to another on the finer grid, left to right, and the first and the last column whose middle it crosses.
    private readonly record struct Edge(int XStart, int YStart, int XEnd, int YEnd, int First, int Last);

    // The edges of one polygon that cross the middle of a column.
    private static void AddEdges(
        ReadOnlySpan<double> polygon, int width, Edge[] edges, ref int count, ref int left, ref int right, ref long crossings)
    {
        int corners = polygon.Length / 2;
        int x0 = ToGrid(polygon[2 * (corners - 1)]), y0 = ToGrid(polygon[(2 * corners) - 1]);
        for (int j = 0; j < corners; j++)
        {
            int x1 = ToGrid(polygon[2 * j]), y1 = ToGrid(polygon[(2 * j) + 1]);
            // From left to right: which way an edge is walked changes no point of it, except for ties, which the rule
            // settles itself by walking up the longer side.
            (int xs, int ys, int xe, int ye) = x0 < x1 ? (x0, y0, x1, y1) : (x1, y1, x0, y0);
            (x0, y0) = (x1, y1);
            if (xs == xe) continue;

            // Columns whose middle lies between: 5c + 2 >= xs and 5c + 3 <= xe.
            int first = Math.Max(0, CeilingOfFifth(xs - 2)), last = Math.Min(width - 1, FloorOfFifth(xe - 3));
            if (first > last) continue;
            edges[count++] = new Edge(xs, ys, xe, ye, first, last);
            left = Math.Min(left, first);
            right = Math.Max(right, last);
            crossings += last - first + 1;
        }
    }

    // Where an edge crosses its columns, from one of them on: column-major positions, each put at its column's place, which
    // moves on.
    private static void CrossEdge(in Edge edge, int height, Span<int> places, Span<int> positions, int from)
    {
        (int xs, int ys, int xe, int ye, int first, int last) = edge;
        int dx = xe - xs, dy = Math.Abs(ye - ys);
        if (dx >= dy)
        {
            double slope = (double)(ye - ys) / dx;
            for (int column = first + from; column <= last; column++)
            {
                int t = (Upsampling * column) + 2 - xs;
                int y = Math.Min((int)(ys + (slope * t) + .5), (int)(ys + (slope * (t + 1)) + .5));
                positions[places[column - first]++] = (column * height) + ToRow(y, height);
            }
        }
        else
        {
            // Walked along y, upwards in value: from (xs, ys) if that is the smaller y, else from the other end.
            if (ys > ye) (xs, ys, xe) = (xe, ye, xs);
            double slope = (double)(xe - xs) / dy;
            for (int column = first + from; column <= last; column++)
            {
                // The step t at which the drawn x passes from 5c + 2 to 5c + 3, or back.
                int target = (Upsampling * column) + 3;
                int t = Math.Clamp((int)((target - .5 - xs) / slope), 1, dy);
                if (slope > 0)
                {
                    while (t < dy && (int)(xs + (slope * t) + .5) < target) t++;
                    while (t > 1 && (int)(xs + (slope * (t - 1)) + .5) >= target) t--;
                }
                else
                {
                    while (t < dy && (int)(xs + (slope * t) + .5) >= target) t++;
                    while (t > 1 && (int)(xs + (slope * (t - 1)) + .5) < target) t--;
                }

                positions[places[column - first]++] = (column * height) + ToRow(t - 1 + ys, height);
            }
        }
    }

    // Four columns at a time, in double precision as the rule has it; returns how many columns are done. Multiplication
    // and addition stay apart: fused they would round differently. Lanes beyond the last column count for nothing.
    private static int CrossEdgeVector256(in Edge edge, int height, Span<int> places, Span<int> positions)
    {
        (int xs, int ys, int xe, int ye, int first, _) = edge;
        int dx = xe - xs, dy = Math.Abs(ye - ys);
        bool isWide = dx >= dy;
        if (!isWide && ys > ye) (xs, ys, xe, ye) = (xe, ye, xs, ys);
        double slope = isWide ? (double)(ye - ys) / dx : (double)(xe - xs) / dy;
        Vector256<double> half = Vector256.Create(.5), lanes = Vector256.Create(0.0, 1, 2, 3), slopes = Vector256.Create(slope);
        Vector256<double> start = Vector256.Create(isWide ? ys : (double)xs), rows = Vector256.Create((double)height);
        Vector256<double> column = Vector256.Create((double)first) + lanes;
        Vector256<double> inverse = Vector256.Create(isWide ? 0 : dy / (double)(xe - xs)), rises = Vector256.GreaterThan(slopes, Vector256<double>.Zero);
        int i = 0;
        for (; i < places.Length; i += 4)
        {
            int lanesLeft = Math.Min(4, places.Length - i);
            Vector256<double> grid = column * Vector256.Create((double)Upsampling), y;
            if (isWide)
            {
                Vector256<double> step = grid + Vector256.Create(2.0 - xs);
                Vector256<double> here = Vector256.Truncate(start + (slopes * step) + half);
                Vector256<double> next = Vector256.Truncate(start + (slopes * (step + Vector256<double>.One)) + half);
                y = Vector256.Min(here, next);
            }
            else
            {
                // The step at which the drawn x passes from 5c + 2 to 5c + 3, or back: the division gives the one before it,
                // but for rounding. Where that is wrong for one of the four, the plain loop does the rest.
                Vector256<double> target = grid + Vector256.Create(3.0);
                Vector256<double> step = Vector256.Truncate((target - half - start) * inverse);
                Vector256<double> isAbove = Vector256.GreaterThanOrEqual(Vector256.Truncate(start + (slopes * step) + half), target);
                step -= ~(isAbove ^ rises) & Vector256<double>.One;
                Vector256<double> before = Vector256.GreaterThanOrEqual(Vector256.Truncate(start + (slopes * step) + half), target);
                Vector256<double> behind = Vector256.GreaterThanOrEqual(
                    Vector256.Truncate(start + (slopes * (step + Vector256<double>.One)) + half), target);
                Vector256<double> inside = Vector256.GreaterThanOrEqual(step, Vector256<double>.Zero)
                    & Vector256.LessThan(step, Vector256.Create((double)dy));
                uint wrong = ~((before ^ rises) & ~(behind ^ rises) & inside).ExtractMostSignificantBits();
                if ((wrong & ((1u << lanesLeft) - 1)) != 0) return i;
                y = step + Vector256.Create((double)ys);
            }

            // ceil((y + .5) / 5 - .5) is ceil((y - 2) / 5): a multiple of a fifth, and a little less changes nothing.
            Vector256<double> row = Vector256.Ceiling(((y - Vector256.Create(2.0)) * Vector256.Create(.2)) - Vector256.Create(.01));
            row = Vector256.Min(Vector256.Max(row, Vector256<double>.Zero), rows);
            Vector128<int> found = Avx.ConvertToVector128Int32WithTruncation((column * rows) + row);
            positions[places[i]++] = found.ToScalar();
            if (lanesLeft > 1) positions[places[i + 1]++] = found.GetElement(1);
            if (lanesLeft > 2) positions[places[i + 2]++] = found.GetElement(2);
            if (lanesLeft > 3) positions[places[i + 3]++] = found.GetElement(3);
            column += Vector256.Create(4.0);
        }

        return places.Length;
    }

    // ceil((y + .5) / 5 - .5), within the mask.
    private static int ToRow(int y, int height) => Math.Clamp(CeilingOfFifth(y - 2), 0, height);

    private static int FloorOfFifth(int value) => value >= 0 ? value / Upsampling : -((Upsampling - 1 - value) / Upsampling);

    private static int CeilingOfFifth(int value) => value >= 0 ? (value + Upsampling - 1) / Upsampling : -(-value / Upsampling);

    // Runs that change at each of the sorted positions; two at one place cancel out.
    private static int[] RunsBetween(ReadOnlySpan<int> sorted, int pixels)
    {
        if (AreChanges(sorted, pixels)) return DifferencesOf(sorted, pixels);
        var runs = new RunBuilder(sorted.Length + 1);
        int position = 0;
        for (int i = 0; i < sorted.Length; i++)
        {
            runs.AddStretch(sorted[i] - position, (i & 1) != 0);
            position = sorted[i];
        }

        runs.AddStretch(pixels - position, (sorted.Length & 1) != 0);
        return runs.ToArrayAndFree();
    }

    // Whether no two positions are equal and none is the end of the mask.
    private static bool AreChanges(ReadOnlySpan<int> sorted, int pixels)
    {
        bool equal = false;
        for (int i = 1; i < sorted.Length; i++) equal |= sorted[i] == sorted[i - 1];
        return !equal && (sorted.IsEmpty || sorted[^1] < pixels);
    }
}
