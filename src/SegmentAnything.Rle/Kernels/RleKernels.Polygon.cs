using System.Buffers;
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
        var crossings = new RunBuilder(1024);
        var columns = new RunBuilder(1024);
        foreach (double[] polygon in polygons) AddCrossings(polygon, width, height, ref crossings, ref columns);
        SortByColumn(ref crossings, ref columns, width);
        return RunsBetween(ref crossings, width * height);
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
        return RunsBetween(ref crossings, width * height);
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

    private static int ToGrid(double coordinate) => (int)((Upsampling * coordinate) + .5);

    // The crossings of one polygon, as column-major positions in no order, and the column of each.
    private static void AddCrossings(
        ReadOnlySpan<double> polygon, int width, int height, ref RunBuilder crossings, ref RunBuilder columns)
    {
        int corners = polygon.Length / 2;
        int x0 = ToGrid(polygon[2 * (corners - 1)]), y0 = ToGrid(polygon[(2 * corners) - 1]);
        for (int j = 0; j < corners; j++)
        {
            int x1 = ToGrid(polygon[2 * j]), y1 = ToGrid(polygon[(2 * j) + 1]);
            // From left to right: which way an edge is walked changes no point of it, except for ties, which the rule
            // settles itself by walking up the longer side.
            int xs = x0, ys = y0, xe = x1, ye = y1;
            (x0, y0) = (x1, y1);
            if (xs == xe) continue;
            if (xs > xe) (xs, ys, xe, ye) = (xe, ye, xs, ys);

            // Columns whose middle lies between: 5c + 2 >= xs and 5c + 3 <= xe.
            int first = Math.Max(0, CeilingOfFifth(xs - 2)), last = Math.Min(width - 1, FloorOfFifth(xe - 3));
            if (first > last) continue;
            int count = last - first + 1;
            Span<int> found = crossings.GetSpan(count), foundColumns = columns.GetSpan(count);
            for (int k = 0; k < count; k++) foundColumns[k] = first + k;
            int dx = xe - xs, dy = Math.Abs(ye - ys);
            if (dx >= dy)
            {
                double slope = (double)(ye - ys) / dx;
                int column = first;
                if (Avx.IsSupported)
                    column += CrossWideEdge(slope, ys, (Upsampling * first) + 2 - xs, first, count, height, found);
                for (; column <= last; column++)
                {
                    int t = (Upsampling * column) + 2 - xs;
                    int y = Math.Min((int)(ys + (slope * t) + .5), (int)(ys + (slope * (t + 1)) + .5));
                    found[column - first] = (column * height) + ToRow(y, height);
                }
            }
            else
            {
                // Walked along y, upwards in value: from (xs, ys) if that is the smaller y, else from the other end.
                if (ys > ye) (xs, ys, xe) = (xe, ye, xs);
                double slope = (double)(xe - xs) / dy;
                for (int column = first; column <= last; column++)
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

                    found[column - first] = (column * height) + ToRow(t - 1 + ys, height);
                }
            }

            crossings.Advance(count);
            columns.Advance(count);
        }
    }

    // ceil((y + .5) / 5 - .5), within the mask.
    private static int ToRow(int y, int height) => Math.Clamp(CeilingOfFifth(y - 2), 0, height);

    private static int FloorOfFifth(int value) => value >= 0 ? value / Upsampling : -((Upsampling - 1 - value) / Upsampling);

    private static int CeilingOfFifth(int value) => value >= 0 ? (value + Upsampling - 1) / Upsampling : -(-value / Upsampling);

    // Four columns at a time, in double precision as the rule has it; returns how many columns are done. Multiplication
    // and addition stay apart: fused they would round differently.
    private static int CrossWideEdge(
        double slope, int ys, int firstStep, int firstColumn, int count, int height, Span<int> found)
    {
        Vector256<double> start = Vector256.Create((double)ys), half = Vector256.Create(.5), fifth = Vector256.Create((double)Upsampling);
        Vector256<double> slopes = Vector256.Create(slope), lanes = Vector256.Create(0.0, 1, 2, 3);
        Vector256<double> step = Vector256.Create((double)firstStep) + (lanes * fifth);
        Vector256<double> column = (Vector256.Create((double)firstColumn) + lanes) * Vector256.Create((double)height);
        int i = 0;
        for (; i <= count - 4; i += 4)
        {
            Vector256<double> here = Vector256.Truncate(start + (slopes * step) + half);
            Vector256<double> next = Vector256.Truncate(start + (slopes * (step + Vector256<double>.One)) + half);
            Vector256<double> row = ((Vector256.Min(here, next) + half) / fifth) - half;
            row = Vector256.Ceiling(Vector256.Min(Vector256.Max(row, Vector256<double>.Zero), Vector256.Create((double)height)));
            Avx.ConvertToVector128Int32WithTruncation(column + row).CopyTo(found[i..]);
            step += Vector256.Create(4.0 * Upsampling);
            column += Vector256.Create(4.0 * height);
        }

        return i;
    }

    // Sorts crossings by counting them per column, since a column has few; a crossing below the last row of a column is
    // still one of that column. Frees the columns.
    private static void SortByColumn(ref RunBuilder crossings, ref RunBuilder columns, int width)
    {
        Span<int> positions = crossings.Runs, columnOf = columns.Runs;
        if (positions.Length < width / 8 || positions.Length < 32)
        {
            positions.Sort();
            columns.Free();
            return;
        }

        int[] buffer = ArrayPool<int>.Shared.Rent(width);
        Span<int> ends = buffer.AsSpan(0, width);
        ends.Clear();
        for (int i = 0; i < columnOf.Length; i++) ends[columnOf[i]]++;
        int sum = 0;
        for (int column = 0; column < ends.Length; column++)
        {
            int count = ends[column];
            ends[column] = sum;
            sum += count;
        }

        var sorted = new RunBuilder(positions.Length);
        Span<int> destination = sorted.GetSpan(positions.Length)[..positions.Length];
        for (int i = 0; i < positions.Length; i++) destination[ends[columnOf[i]]++] = positions[i];
        sorted.Advance(positions.Length);

        // Each column's crossings now end at its entry.
        int start = 0;
        for (int column = 0; column < ends.Length; column++)
        {
            int end = ends[column];
            if (end - start == 2)
            {
                int a = destination[start], b = destination[start + 1];
                destination[start] = Math.Min(a, b);
                destination[start + 1] = Math.Max(a, b);
            }
            else if (end - start > 2)
            {
                destination[start..end].Sort();
            }

            start = end;
        }

        ArrayPool<int>.Shared.Return(buffer);
        crossings.Free();
        columns.Free();
        crossings = sorted;
    }

    // Runs that change at each of the sorted positions; two at one place cancel out. Frees the builder.
    private static int[] RunsBetween(ref RunBuilder crossings, int pixels)
    {
        ReadOnlySpan<int> sorted = crossings.Runs;
        if (AreChanges(sorted, pixels))
        {
            int[] differences = DifferencesOf(sorted, pixels);
            crossings.Free();
            return differences;
        }

        var runs = new RunBuilder(sorted.Length + 1);
        int position = 0;
        for (int i = 0; i < sorted.Length; i++)
        {
            runs.AddStretch(sorted[i] - position, (i & 1) != 0);
            position = sorted[i];
        }

        runs.AddStretch(pixels - position, (sorted.Length & 1) != 0);
        crossings.Free();
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
