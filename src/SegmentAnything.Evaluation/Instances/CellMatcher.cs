using System.Runtime.InteropServices;
using SegmentAnything.Rle;

namespace SegmentAnything.Evaluation;

/// <summary>Matches the detections of one category in one image with its objects, greedily, best score first.</summary>
/// <remarks>
/// A detection takes the free object of the highest ratio, the later one of two that are equal; only when there is none does it
/// take an object that is ignored. Crowds are never taken. Source: COCO API, COCOeval.evaluateImg.
/// </remarks>
internal sealed class CellMatcher
{
    private readonly InstanceEvaluationOptions _options;
    private readonly IReadOnlyList<GroundTruth> _truths;
    private readonly IReadOnlyList<Detection> _detections;
    private readonly double[] _thresholds;

    public CellMatcher(InstanceEvaluationOptions options, IReadOnlyList<GroundTruth> truths, IReadOnlyList<Detection> detections)
    {
        _options = options;
        _truths = truths;
        _detections = detections;
        // The official code lets a perfect match pass a threshold of 1.
        _thresholds = [.. options.IouThresholds.Select(threshold => Math.Min(threshold, 1 - 1e-10))];
    }

    /// <summary>Matches.</summary>
    /// <param name="category">The category's place, or 0 when categories count for nothing.</param>
    /// <param name="detections">Places of the detections, by falling score.</param>
    /// <param name="truths">Places of the objects.</param>
    /// <param name="notExhaustive">Categories of which a detection that matches nothing is not counted.</param>
    public MatchedCell Match(int category, int[] detections, int[] truths, IReadOnlyList<long> notExhaustive)
    {
        double[,] ratios = Compare(detections, truths);
        var candidates = FindCandidates(ratios);
        int ranges = _options.AreaRanges.Count;
        var cell = new MatchedCell
        {
            Category = category,
            Detections = detections,
            Scores = [.. detections.Select(d => _detections[d].Score)],
            GroundTruths = truths,
            Matched = new ulong[ranges][],
            Ignored = new ulong[ranges][],
            Wanted = new int[ranges],
            Partners = new int[_thresholds.Length][],
        };
        bool[] ignored = new bool[truths.Length];
        ulong[] takenAt = new ulong[truths.Length];
        for (int range = 0; range < ranges; range++)
        {
            AreaRange area = _options.AreaRanges[range];
            for (int g = 0; g < truths.Length; g++)
            {
                GroundTruth truth = _truths[truths[g]];
                ignored[g] = IsIgnored(truth) || !area.Contains(truth.ComparedArea);
            }

            cell.Wanted[range] = ignored.AsSpan().Count(false);
            Array.Clear(takenAt);
            (cell.Matched[range], cell.Ignored[range]) =
                MatchRange(detections, truths, candidates, ratios, ignored, takenAt, range == 0 ? cell.Partners : null);
            SetAside(detections, area, notExhaustive, cell.Matched[range], cell.Ignored[range]);
        }

        return cell;
    }

    private bool IsIgnored(GroundTruth truth) =>
        _options.Rules == EvaluationRules.Coco ? truth.IsCrowd : truth.IsIgnored;

    private bool IsCrowd(GroundTruth truth) => _options.Rules == EvaluationRules.Coco && truth.IsCrowd;

    private (ulong[] Matched, ulong[] Ignored) MatchRange(
        int[] detections, int[] truths, int[][] candidates, double[,] ratios, bool[] ignored, ulong[] takenAt, int[][]? partners)
    {
        var matched = new ulong[detections.Length];
        var aside = new ulong[detections.Length];
        for (int t = 0; t < _thresholds.Length; t++)
        {
            ulong bit = 1UL << t;
            if (partners is not null)
            {
                partners[t] = new int[detections.Length];
                Array.Fill(partners[t], -1);
            }

            for (int d = 0; d < detections.Length; d++)
            {
                int partner = Best(d, _thresholds[t], bit, wantIgnored: false);
                if (partner < 0) partner = Best(d, _thresholds[t], bit, wantIgnored: true);
                if (partner < 0) continue;
                matched[d] |= bit;
                if (ignored[partner]) aside[d] |= bit;
                takenAt[partner] |= bit;
                if (partners is not null) partners[t][d] = partner;
            }
        }

        return (matched, aside);

        int Best(int detection, double threshold, ulong bit, bool wantIgnored)
        {
            int best = -1;
            double ratio = threshold;
            foreach (int g in candidates[detection])
            {
                if (ignored[g] != wantIgnored || ratios[detection, g] < ratio) continue;
                if ((takenAt[g] & bit) != 0 && !IsCrowd(_truths[truths[g]])) continue;
                best = g;
                ratio = ratios[detection, g];
            }

            return best;
        }
    }

    // A detection that matches nothing is not held against a model where its size is not asked for, or where not every object
    // of its category was annotated.
    private void SetAside(int[] detections, AreaRange area, IReadOnlyList<long> notExhaustive, ulong[] matched, ulong[] ignored)
    {
        for (int d = 0; d < detections.Length; d++)
        {
            Detection detection = _detections[detections[d]];
            if (!area.Contains(detection.Area) || notExhaustive.Contains(detection.CategoryId)) ignored[d] |= ~matched[d];
        }
    }

    // Places of the objects that reach the lowest threshold, in order: all others can match nothing.
    private int[][] FindCandidates(double[,] ratios)
    {
        var candidates = new int[ratios.GetLength(0)][];
        var found = new List<int>();
        for (int d = 0; d < candidates.Length; d++)
        {
            found.Clear();
            for (int g = 0; g < ratios.GetLength(1); g++)
            {
                if (ratios[d, g] >= _thresholds[0]) found.Add(g);
            }

            candidates[d] = [.. found];
        }

        return candidates;
    }

    private double[,] Compare(int[] detections, int[] truths)
    {
        if (detections.Length == 0 || truths.Length == 0) return new double[detections.Length, truths.Length];
        bool[] crowd = [.. truths.Select(g => IsCrowd(_truths[g]))];
        if (_options.Shape == ComparedShape.Box)
        {
            return IouMatrix.Boxes(
                Coordinates([.. detections.Select(d => _detections[d].ComparedBox)]),
                Coordinates([.. truths.Select(g => _truths[g].ComparedBox)]),
                crowd);
        }

        RleMask[] found = [.. detections.Select(d => _detections[d].Mask!)];
        RleMask[] wanted = [.. truths.Select(g => _truths[g].Mask!)];
        double[,] ratios = IouMatrix.Masks(found, wanted, crowd);
        if (_options.Shape == ComparedShape.Mask) return ratios;
        double[,] borders = IouMatrix.Boundaries(found, wanted, crowd, _options.BoundaryDilationRatio);
        for (int d = 0; d < found.Length; d++)
        {
            for (int g = 0; g < wanted.Length; g++) ratios[d, g] = Math.Min(ratios[d, g], borders[d, g]);
        }

        return ratios;
    }

    private static ReadOnlySpan<double> Coordinates(ObjectBox[] boxes) => MemoryMarshal.Cast<ObjectBox, double>(boxes);
}
