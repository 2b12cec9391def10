namespace SegmentAnything.Evaluation;

/// <summary>From matches to precision and recall.</summary>
/// <remarks>Source: COCO API, COCOeval.accumulate.</remarks>
internal static class PrecisionRecall
{
    // What the official code adds to a denominator: numpy.spacing(1).
    private const double Epsilon = 2.220446049250313e-16;

    public static InstanceScores Gather(
        EvaluationSet set, MatchedCell[][] cells, InstanceEvaluationOptions options, long[] categories, CancellationToken cancellationToken)
    {
        int places = options.UseCategories ? categories.Length : 1;
        var cellsOf = new List<MatchedCell>[places];
        for (int c = 0; c < places; c++) cellsOf[c] = [];
        foreach (MatchedCell cell in cells.SelectMany(image => image)) cellsOf[cell.Category].Add(cell);

        var scores = new InstanceScores(set, options, options.UseCategories ? categories : [], cells);
        Parallel.For(0, places, options.Parallelism(cancellationToken), c => GatherCategory(c, cellsOf[c], scores));
        return scores;
    }

    private static void GatherCategory(int category, List<MatchedCell> cells, InstanceScores scores)
    {
        InstanceEvaluationOptions options = scores.Options;
        (int Cell, int Rank)[] order = [.. cells.SelectMany((cell, c) => Enumerable.Range(0, cell.Scores.Length).Select(rank => (Cell: c, Rank: rank)))
            .OrderByDescending(entry => cells[entry.Cell].Scores[entry.Rank])];
        double[] precision = new double[order.Length], recall = new double[order.Length], score = new double[order.Length];
        for (int range = 0; range < options.AreaRanges.Count; range++)
        {
            int wanted = cells.Sum(cell => cell.Wanted[range]);
            if (wanted == 0) continue;
            for (int m = 0; m < options.MaxDetections.Count; m++)
            {
                for (int t = 0; t < options.IouThresholds.Count; t++)
                {
                    ulong bit = 1UL << t;
                    double right = 0, wrong = 0;
                    int count = 0;
                    foreach ((int c, int rank) in order)
                    {
                        // By LVIS' rules the number of detections was cut for the whole image already.
                        if (rank >= options.MaxDetections[m] && options.Rules == EvaluationRules.Coco) continue;
                        MatchedCell cell = cells[c];
                        if ((cell.Ignored[range][rank] & bit) == 0)
                        {
                            if ((cell.Matched[range][rank] & bit) != 0) right++;
                            else wrong++;
                        }

                        recall[count] = right / wanted;
                        precision[count] = right / (wrong + right + Epsilon);
                        score[count++] = cell.Scores[rank];
                    }

                    Sample(recall.AsSpan(0, count), precision.AsSpan(0, count), score, scores, new Cell(t, category, range, m));
                }
            }
        }
    }

    // Precision at each recall: the best that any recall from there on has.
    private static void Sample(
        ReadOnlySpan<double> recall, Span<double> precision, double[] score, InstanceScores scores, Cell cell)
    {
        for (int i = precision.Length - 1; i > 0; i--) precision[i - 1] = Math.Max(precision[i - 1], precision[i]);
        scores.SetRecall(cell, recall.IsEmpty ? 0 : recall[^1]);
        Span<double> sampled = scores.PrecisionOf(cell), sampledScores = scores.ScoresOf(cell);
        sampled.Clear();
        sampledScores.Clear();
        int place = 0;
        for (int r = 0; r < sampled.Length; r++)
        {
            while (place < recall.Length && recall[place] < scores.Options.RecallThresholds[r]) place++;
            if (place == recall.Length) break;
            sampled[r] = precision[place];
            sampledScores[r] = score[place];
        }
    }
}
