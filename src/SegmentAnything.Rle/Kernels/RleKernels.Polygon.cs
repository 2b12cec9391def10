using System.Buffers;

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
        foreach (double[] polygon in polygons) AddCrossings(polygon, width, height, ref crossings);
        return ParityRuns(ref crossings, width * height, height);
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

    // The crossings of one polygon, as column-major positions in no order.
    private static void AddCrossings(ReadOnlySpan<double> polygon, int width, int height, ref RunBuilder crossings)
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
            Span<int> found = crossings.GetSpan(last - first + 1);
            int dx = xe - xs, dy = Math.Abs(ye - ys);
            if (dx >= dy)
            {
                double slope = (double)(ye - ys) / dx;
                for (int column = first; column <= last; column++)
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

            crossings.Advance(last - first + 1);
        }
    }

    // ceil((y + .5) / 5 - .5), within the mask.
    private static int ToRow(int y, int height) => Math.Clamp(CeilingOfFifth(y - 2), 0, height);

    private static int FloorOfFifth(int value) => value >= 0 ? value / Upsampling : -((Upsampling - 1 - value) / Upsampling);

    private static int CeilingOfFifth(int value) => value >= 0 ? (value + Upsampling - 1) / Upsampling : -(-value / Upsampling);

    // Sorts crossings by counting them per column, since a column has few. Frees the builder.
    private static int[] ParityRuns(ref RunBuilder crossings, int pixels, int height)
    {
        Span<int> positions = crossings.Runs;
        int columns = (pixels / height) + 1;
        if (positions.Length < columns / 8 || positions.Length < 32)
        {
            positions.Sort();
            return RunsBetween(ref crossings, pixels);
        }

        // A crossing below the last row of a column is at the first place of the next; there is one column more for that.
        int[] next = ArrayPool<int>.Shared.Rent(columns);
        int[] columnOf = ArrayPool<int>.Shared.Rent(positions.Length);
        Span<int> ends = next.AsSpan(0, columns);
        ends.Clear();
        for (int i = 0; i < positions.Length; i++)
        {
            int column = (int)((uint)positions[i] / (uint)height);
            columnOf[i] = column;
            ends[column]++;
        }

        int sum = 0;
        for (int column = 0; column < columns; column++)
        {
            int count = ends[column];
            ends[column] = sum;
            sum += count;
        }

        var sorted = new RunBuilder(positions.Length);
        Span<int> destination = sorted.GetSpan(positions.Length);
        for (int i = 0; i < positions.Length; i++) destination[ends[columnOf[i]]++] = positions[i];
        sorted.Advance(positions.Length);

        // Each column's crossings now end at its entry.
        int start = 0;
        for (int column = 0; column < columns; column++)
        {
            int end = ends[column];
            if (end - start == 2)
            {
                if (destination[start] > destination[start + 1])
                    (destination[start], destination[start + 1]) = (destination[start + 1], destination[start]);
            }
            else if (end - start > 2)
            {
                destination[start..end].Sort();
            }

            start = end;
        }

        ArrayPool<int>.Shared.Return(next);
        ArrayPool<int>.Shared.Return(columnOf);
        crossings.Free();
        return RunsBetween(ref sorted, pixels);
    }

    // Runs that change at each of the sorted positions; two at one place cancel out. Frees the builder.
    private static int[] RunsBetween(ref RunBuilder crossings, int pixels)
    {
        ReadOnlySpan<int> sorted = crossings.Runs;
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
}
