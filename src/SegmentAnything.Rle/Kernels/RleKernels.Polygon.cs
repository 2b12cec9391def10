using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

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
    /// <param name="limit">How much may be drawn.</param>
    /// <remarks>
    /// The COCO rule: corners are moved to a grid of five steps a pixel; each edge is drawn there, one point a step along
    /// its longer side; where the drawn line goes from step 5c + 2 to 5c + 3 it crosses the middle of column c, at the
    /// smaller y of the two points; these crossings, in order, are where the runs change. Its code draws all points; here
    /// only those at the crossings are computed, with the same arithmetic. Exactness: equals
    /// <see cref="FillPolygonsScalar"/>. Source: COCO API, maskApi.c (rleFrPoly). Measured by: PolygonBenchmarks.
    /// </remarks>
    public static int[] FillPolygons(ReadOnlySpan<double[]> polygons, int width, int height, DrawingLimit limit)
    {
        int room = Outlines.RoomAtEnd;
        foreach (double[] polygon in polygons) room = checked(room + Outlines.RoomFor(polygon));
        var outlines = new Outlines(room);
        foreach (double[] polygon in polygons) outlines.Add(polygon);
        int[] runs = FillOutlines(ref outlines, width, height, limit);
        outlines.Free();
        return runs;
    }

    /// <summary>As for several, of one.</summary>
    public static int[] FillPolygon(ReadOnlySpan<double> polygon, int width, int height, DrawingLimit limit)
    {
        var outlines = new Outlines(Outlines.RoomFor(polygon) + Outlines.RoomAtEnd);
        outlines.Add(polygon);
        int[] runs = FillOutlines(ref outlines, width, height, limit);
        outlines.Free();
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
        int i = 0;
        if (Vector256.IsHardwareAccelerated)
        {
            Vector256<double> most = Vector256.Create(MaxCoordinate);
            ref double first = ref MemoryMarshal.GetReference(polygon);
            while (i <= polygon.Length - 4 && Vector256.LessThanOrEqualAll(Vector256.Abs(Vector256.LoadUnsafe(ref first, (nuint)i)), most)) i += 4;
        }

        for (; i < polygon.Length; i++)
        {
            // NaN fails this comparison too.
            if (!(Math.Abs(polygon[i]) <= MaxCoordinate))
                ThrowHelper.Format($"coordinate {i} is {polygon[i]}; numbers from -1e8 to 1e8 can be drawn", i);
        }
    }

    private static int ToGrid(double coordinate) => (int)((Upsampling * coordinate) + .5);

    // Runs that change at each of the sorted positions; two at one place cancel out.
    private static int[] RunsBetween(ReadOnlySpan<int> sorted, int pixels)
    {
        // As a rule there are no two, and none at the end of the mask: then no run but the first has length 0.
        int[] differences = DifferencesOf(sorted, pixels);
        if (!differences.AsSpan(1).Contains(0)) return differences;
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
}
