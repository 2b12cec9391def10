namespace SegmentAnything.Evaluation;

/// <summary>Recall, precision and their harmonic mean at a threshold.</summary>
/// <param name="Threshold">The threshold; NaN where every image has its own.</param>
/// <param name="Recall">Part of what people drew that is found.</param>
/// <param name="Precision">Part of what is found that a person drew.</param>
public readonly record struct EdgeScore(double Threshold, double Recall, double Precision)
{
    /// <summary>2 R P / (R + P); 0 when both are 0.</summary>
    public double F => Recall + Precision == 0 ? 0 : 2 * Precision * Recall / (Precision + Recall);
}

/// <summary>The numbers of an edge benchmark.</summary>
/// <remarks>Source: BSDS500, bench (collect_eval_bdry); R50 as pdollar/edges defines it.</remarks>
public sealed class EdgeScores
{
    // Points between two thresholds at which the best F is looked for.
    private const int Between = 100;

    internal EdgeScores(IReadOnlyList<EdgeCounts> images)
    {
        IReadOnlyList<double> thresholds = images[0].Thresholds;
        int count = thresholds.Count;
        var total = new Counts[count];
        var best = default(Counts);
        var perImage = new List<EdgeScore>();
        foreach (EdgeCounts image in images)
        {
            Counts[] own = [.. Enumerable.Range(0, count).Select(k => Counts.At(image, k))];
            int top = 0;
            for (int k = 0; k < count; k++)
            {
                total[k] += own[k];
                // The last of several that are equally good.
                if (own[k].Score(thresholds[k]).F >= own[top].Score(thresholds[top]).F) top = k;
            }

            best += own[top];
            perImage.Add(BestBetween([.. own.Select((counts, k) => counts.Score(thresholds[k]))]));
        }

        Curve = [.. total.Select((counts, k) => counts.Score(thresholds[k]))];
        PerImage = perImage;
        DataSetScale = BestBetween(Curve);
        ImageScale = best.Score(double.NaN);
        (AveragePrecision, SampledRecalls) = Area(Curve);
        RecallAtHalf = RecallAtPrecision(Curve);
    }

    /// <summary>Recall and precision at each threshold, of all images together.</summary>
    public IReadOnlyList<EdgeScore> Curve { get; }

    /// <summary>Each image's own best, in the order given.</summary>
    public IReadOnlyList<EdgeScore> PerImage { get; }

    /// <summary>ODS: the best F with one threshold for all images.</summary>
    public EdgeScore DataSetScale { get; }

    /// <summary>OIS: F with each image's own best threshold.</summary>
    public EdgeScore ImageScale { get; }

    /// <summary>
    /// AP: the area under the curve of precision over recall, from the lowest recall to the highest, as the sum over recalls
    /// 0, 0.01 .. 1 divided by 100.
    /// </summary>
    public double AveragePrecision { get; }

    /// <summary>How many of these recalls the curve reaches.</summary>
    public int SampledRecalls { get; }

    /// <summary>R50: the recall at a precision of one half, or at the lowest precision where that is more.</summary>
    public double RecallAtHalf { get; }

    // The best F on the straight lines between neighbouring thresholds.
    private static EdgeScore BestBetween(IReadOnlyList<EdgeScore> curve)
    {
        EdgeScore best = curve[0];
        for (int k = 1; k < curve.Count; k++)
        {
            for (int i = 0; i < Between; i++)
            {
                double d = i == Between - 1 ? 1 : i * (1.0 / (Between - 1));
                var score = new EdgeScore(
                    (curve[k].Threshold * d) + (curve[k - 1].Threshold * (1 - d)),
                    (curve[k].Recall * d) + (curve[k - 1].Recall * (1 - d)),
                    (curve[k].Precision * d) + (curve[k - 1].Precision * (1 - d)));
                if (score.F > best.F) best = score;
            }
        }

        return best;
    }

    private static (double Area, int Samples) Area(IReadOnlyList<EdgeScore> curve)
    {
        (double X, double Y)[] points = Unique(curve.Select(score => (score.Recall, score.Precision)));
        if (points.Length < 2) return (0, 0);
        double sum = 0;
        int samples = 0;
        for (int i = 0; i <= 100; i++)
        {
            if (Interpolate(points, i * 0.01) is not { } precision) continue;
            sum += precision;
            samples++;
        }

        return (sum * 0.01, samples);
    }

    private static double RecallAtPrecision(IReadOnlyList<EdgeScore> curve)
    {
        (double X, double Y)[] points = Unique(curve.Select(score => (score.Precision, score.Recall)));
        if (points.Length < 2) return 0;
        return Interpolate(points, Math.Max(points[0].X, 0.5)) ?? 0;
    }

    // By rising x; of several with one x the first.
    private static (double X, double Y)[] Unique(IEnumerable<(double X, double Y)> points) =>
        [.. points.DistinctBy(point => point.X).OrderBy(point => point.X)];

    private static double? Interpolate((double X, double Y)[] points, double x)
    {
        if (x < points[0].X || x > points[^1].X) return null;
        int i = 1;
        while (points[i].X < x) i++;
        (double x0, double y0) = points[i - 1];
        (double x1, double y1) = points[i];
        return y0 + ((x - x0) / (x1 - x0) * (y1 - y0));
    }

    private readonly record struct Counts(long MatchedHuman, long Human, long MatchedEdges, long Edges)
    {
        public static Counts At(EdgeCounts image, int k) =>
            new(image.MatchedHuman[k], image.Human[k], image.MatchedEdges[k], image.Edges[k]);

        public static Counts operator +(Counts a, Counts b) =>
            new(a.MatchedHuman + b.MatchedHuman, a.Human + b.Human, a.MatchedEdges + b.MatchedEdges, a.Edges + b.Edges);

        public EdgeScore Score(double threshold) => new(
            threshold, MatchedHuman / (double)Math.Max(Human, 1), MatchedEdges / (double)Math.Max(Edges, 1));
    }
}
