using SegmentAnything.Rle;

namespace SegmentAnything.Annotations;

/// <summary>A mask as polygons of fewer points, and how near they come to it.</summary>
/// <param name="Polygons">Outer contours, each followed by its holes.</param>
/// <param name="IntersectionOverUnion">Of the mask and what the polygons enclose: 1 where nothing is lost.</param>
public sealed record SimplifiedMask(IReadOnlyList<MaskPolygon> Polygons, double IntersectionOverUnion)
{
    /// <summary>Whether one of the polygons is a hole.</summary>
    public bool HasHoles => Polygons.Any(p => p.IsHole);
}

/// <summary>Leaves points out of polygons that hardly change them.</summary>
public static class PolygonSimplification
{
    /// <summary>Makes polygons of a mask: its contours, without the points that lie near the line between others.</summary>
    /// <param name="mask">The mask.</param>
    /// <param name="tolerance">How far a left-out point may lie from the polygon, in pixels; 0 leaves out none and loses nothing.</param>
    /// <param name="cancellationToken">Looked at within contours.</param>
    /// <returns>
    /// The polygons. No region and no hole disappears: where fewer than three points would be left, the contour stays as it is.
    /// </returns>
    /// <exception cref="ArgumentException">The tolerance is negative, NaN or infinite.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <remarks>Source: Douglas and Peucker, Algorithms for the reduction of the number of points (1973).</remarks>
    public static SimplifiedMask Simplify(RleMask mask, double tolerance, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(mask);
        if (!(tolerance >= 0) || !double.IsFinite(tolerance)) throw new ArgumentException($"The tolerance is {tolerance}; 0 or more pixels were expected.", nameof(tolerance));
        IReadOnlyList<MaskPolygon> contours = mask.ToPolygons();
        if (tolerance == 0) return new SimplifiedMask(contours, 1);
        var simple = new MaskPolygon[contours.Count];
        for (int i = 0; i < simple.Length; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            simple[i] = new MaskPolygon(Simplify(contours[i].Coordinates, tolerance, cancellationToken), contours[i].IsHole);
        }

        // Two empty masks are equal.
        double iou = mask.IsEmpty ? 1 : RleMask.FromContours(simple, mask.Width, mask.Height, cancellationToken).IntersectionOverUnion(mask);
        return new SimplifiedMask(simple, iou);
    }

    /// <summary>Leaves out the points of a closed polygon that lie near the line between others.</summary>
    /// <param name="polygon">x0, y0, x1, y1, ... in pixels.</param>
    /// <param name="tolerance">How far a left-out point may lie from the polygon, in pixels.</param>
    /// <returns>The points that stay; all of them where fewer than three would.</returns>
    /// <exception cref="ArgumentException">The polygon has an odd number of coordinates, or the tolerance is negative, NaN or infinite.</exception>
    public static double[] Simplify(ReadOnlySpan<double> polygon, double tolerance) => Simplify(polygon, tolerance, CancellationToken.None);

    private static double[] Simplify(ReadOnlySpan<double> polygon, double tolerance, CancellationToken cancellation)
    {
        if (polygon.Length % 2 != 0) throw new ArgumentException($"The polygon has {polygon.Length} coordinates, an odd number.", nameof(polygon));
        if (!(tolerance >= 0) || !double.IsFinite(tolerance)) throw new ArgumentException($"The tolerance is {tolerance}; 0 or more pixels were expected.", nameof(tolerance));
        int points = polygon.Length / 2;
        if (points <= 3) return polygon.ToArray();

        // A closed line has no ends: it is cut at its first point and at the point farthest from that.
        int far = 0;
        double farthest = -1;
        for (int i = 1; i < points; i++)
        {
            double distance = Squared(polygon[2 * i] - polygon[0]) + Squared(polygon[(2 * i) + 1] - polygon[1]);
            if (distance > farthest) (farthest, far) = (distance, i);
        }

        bool[] stays = new bool[points];
        stays[0] = stays[far] = true;
        var stretches = new Stack<(int From, int To)>();
        stretches.Push((0, far));
        stretches.Push((far, points)); // the point behind the last is the first
        while (stretches.TryPop(out (int From, int To) stretch))
        {
            cancellation.ThrowIfCancellationRequested(); // a spiral takes time with the square of its points
            (int from, int to) = stretch;
            int split = -1;
            double most = tolerance * tolerance;
            for (int i = from + 1; i < to; i++)
            {
                double distance = DistanceSquared(polygon, i, from, to % points);
                if (distance > most) (most, split) = (distance, i);
            }

            if (split < 0) continue;
            stays[split] = true;
            stretches.Push((from, split));
            stretches.Push((split, to));
        }

        List<double> kept = [];
        for (int i = 0; i < points; i++)
        {
            if (!stays[i]) continue;
            kept.Add(polygon[2 * i]);
            kept.Add(polygon[(2 * i) + 1]);
        }

        return kept.Count < 6 ? polygon.ToArray() : [.. kept];
    }

    /// <summary>Counts what simpler polygons lose.</summary>
    internal static void AddLossOf(this AnnotationLosses losses, SimplifiedMask simple)
    {
        if (simple.IntersectionOverUnion < 1) losses.Add($"masks whose polygons are {Band(simple.IntersectionOverUnion)}");
    }

    private static string Band(double iou) => iou switch
    {
        >= 0.99 => "simpler, IoU 0.99 to 1",
        >= 0.95 => "simpler, IoU 0.95 to 0.99",
        >= 0.9 => "simpler, IoU 0.9 to 0.95",
        _ => "simpler, IoU below 0.9",
    };

    private static double Squared(double value) => value * value;

    // From a point to the stretch between two others.
    private static double DistanceSquared(ReadOnlySpan<double> polygon, int point, int from, int to)
    {
        double x = polygon[2 * point] - polygon[2 * from], y = polygon[(2 * point) + 1] - polygon[(2 * from) + 1];
        double dx = polygon[2 * to] - polygon[2 * from], dy = polygon[(2 * to) + 1] - polygon[(2 * from) + 1];
        double length = Squared(dx) + Squared(dy);
        double along = length == 0 ? 0 : Math.Clamp(((x * dx) + (y * dy)) / length, 0, 1);
        return Squared(x - (along * dx)) + Squared(y - (along * dy));
    }
}
