using System.Diagnostics;
using SegmentAnything.Masks;
using SegmentAnything.Rle;

namespace SegmentAnything.Automatic;

/// <summary>Prompts one encoded crop with its grid and keeps the candidates that pass every filter of the crop.</summary>
/// <remarks>
/// A batch of points is decoded, then its masks are measured by all threads, and only run-length masks stay: memory is one
/// batch of low-resolution logits. Source: Segment Anything, automatic_mask_generator.py (_process_crop, _process_batch).
/// </remarks>
/// <param name="options">What is looked for.</param>
/// <param name="image">The size of the image.</param>
/// <param name="excluded">Masks that lie on it by more than half are left out; of the image's size, or null.</param>
/// <param name="threads">Threads to work with, the caller's included.</param>
internal sealed class CropProcessor(AutomaticMaskOptions options, ImageSize image, RleMask? excluded, int threads)
{
    // What of a mask may lie where nothing is looked for.
    private const double LargestExcludedPart = 0.5;

    // Where points are chosen by what was found before: the sooner that is known, the better the choice; fewer would leave
    // threads idle.
    private const int PlannedBatch = 32;

    private float[] _logits = [];
    private float[] _predictedIou = [];
    private RleMask? _excludedInCrop;

    /// <summary>Called after each batch with the number of points it had.</summary>
    public Action<int>? BatchDone { get; init; }

    /// <summary>The candidates that are left after suppression within the crop, best first, in the frame of the image.</summary>
    /// <param name="crop">Where the crop lies.</param>
    /// <param name="encoded">The crop.</param>
    /// <param name="grid">Points as parts of the crop's width and height.</param>
    /// <param name="statistics">Counts and times are added.</param>
    /// <param name="cancellationToken">Looked at between masks.</param>
    public List<Candidate> Process(
        CropBox crop, IEncodedCrop encoded, ReadOnlySpan<(double X, double Y)> grid, CropStatistics statistics, CancellationToken cancellationToken)
    {
        List<Candidate> candidates = [];
        _excludedInCrop = excluded is null || crop.Size == image ? excluded : excluded.Crop(new MaskBox(crop.X, crop.Y, crop.Width, crop.Height));
        var points = new (double X, double Y)[grid.Length];
        for (int i = 0; i < points.Length; i++) points[i] = (grid[i].X * crop.Width, grid[i].Y * crop.Height);
        if (options.PromptCount(points.Length) is int prompts && prompts < points.Length)
        {
            ProcessPlanned(crop, encoded, points, prompts, candidates, statistics, cancellationToken);
        }
        else
        {
            int[] batch = new int[Math.Min(options.PointsPerBatch, points.Length)];
            for (int start = 0; start < points.Length; start += batch.Length)
            {
                int count = Math.Min(batch.Length, points.Length - start);
                for (int i = 0; i < count; i++) batch[i] = start + i;
                ProcessBatch(crop, encoded, points, batch.AsSpan(0, count), null, candidates, statistics, cancellationToken);
            }
        }

        long before = Stopwatch.GetTimestamp();
        List<Candidate> kept = CandidateFilter.SuppressWithinCrop(candidates, options.BoxNmsThreshold);
        statistics.AfterSuppression = kept.Count;
        for (int i = 0; i < kept.Count; i++) kept[i] = kept[i].Uncrop(image);
        statistics.SuppressionTime += Stopwatch.GetElapsedTime(before);
        return kept;
    }

    private void ProcessPlanned(
        CropBox crop,
        IEncodedCrop encoded,
        (double X, double Y)[] points,
        int prompts,
        List<Candidate> candidates,
        CropStatistics statistics,
        CancellationToken cancellationToken)
    {
        PromptPlan plan = new(encoded, points, prompts);
        int[] batch = new int[Math.Min(options.PointsPerBatch, PlannedBatch)];
        while (plan.Next(batch) is int count and > 0)
            ProcessBatch(crop, encoded, points, batch.AsSpan(0, count), plan, candidates, statistics, cancellationToken);

        // In the order of the grid: of equal scores, suppression keeps the first.
        candidates.Sort((a, b) => a.Index.CompareTo(b.Index));
    }

    private void ProcessBatch(
        CropBox crop,
        IEncodedCrop encoded,
        ReadOnlySpan<(double X, double Y)> grid,
        ReadOnlySpan<int> batch,
        PromptPlan? plan,
        List<Candidate> candidates,
        CropStatistics statistics,
        CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var points = new (double X, double Y)[batch.Length];
        for (int i = 0; i < points.Length; i++) points[i] = grid[batch[i]];
        int masksPerPoint = encoded.MasksPerPoint;
        int masks = points.Length * masksPerPoint;
        int maskValues = encoded.LowResSize * encoded.LowResSize;
        if (_logits.Length < masks * maskValues) _logits = GC.AllocateUninitializedArray<float>(checked(masks * maskValues));
        if (_predictedIou.Length < masks) _predictedIou = new float[masks];

        long before = Stopwatch.GetTimestamp();
        // Where masks are refined, what was predicted before says nothing, and the prompt that a mask becomes is the whole frame.
        float? least = options.RefineMasks ? null : options.PredIouThreshold > 0 ? options.PredIouThreshold : float.NegativeInfinity;
        encoded.Decode(points, least, _logits.AsSpan(0, masks * maskValues), _predictedIou.AsSpan(0, masks), cancellationToken);
        for (int i = 0; options.RefineMasks && i < masks; i++)
            _predictedIou[i] = encoded.Refine(points[i / masksPerPoint], _logits.AsSpan(i * maskValues, maskValues), cancellationToken);
        long decoded = Stopwatch.GetTimestamp();
        statistics.DecodeTime += Stopwatch.GetElapsedTime(before, decoded);
        statistics.Candidates += masks;

        int[] passing = [.. Enumerable.Range(0, masks).Where(i => CandidateFilter.PassesPredictedIou(_predictedIou[i], options.PredIouThreshold))];
        statistics.AfterPredictedIou += passing.Length;

        MaskMeasurement?[] measured = new MaskMeasurement?[passing.Length];
        IMaskUpscaler upscaler = encoded.Upscaler;
        WorkSplitter.RunOnPool(
            threads,
            passing.Length,
            i =>
            {
                if (TryMeasure(upscaler, _logits.AsSpan(passing[i] * maskValues, maskValues), out MaskMeasurement measurement))
                    measured[i] = measurement;
            },
            cancellationToken);

        for (int i = 0; i < passing.Length; i++)
        {
            if (measured[i] is not { } measurement) continue;
            statistics.AfterStability++;
            int point = batch[passing[i] / masksPerPoint];
            plan?.AddStableMask(point, _logits.AsSpan(passing[i] * maskValues, maskValues));
            if (measurement.Area > options.MaxMaskAreaFraction * image.Width * image.Height) continue;
            (int x0, int y0, int x1, int y1) = measurement.InclusiveBox;
            Box box = new(x0, y0, x1, y1);
            if (CandidateFilter.IsNearCropEdge(box, crop, image)) continue;
            if (_excludedInCrop is not null && measurement.Mask.IntersectionArea(_excludedInCrop) > LargestExcludedPart * measurement.Area) continue;
            (double x, double y) = grid[point];
            candidates.Add(new Candidate(
                (point * masksPerPoint) + (passing[i] % masksPerPoint), measurement.Mask, measurement.Area, box, _predictedIou[passing[i]],
                measurement.StabilityScore, x + crop.X, y + crop.Y, crop));
            statistics.AfterEdge++;
        }

        statistics.MaskTime += Stopwatch.GetElapsedTime(decoded);
        BatchDone?.Invoke(batch.Length);
    }

    private bool TryMeasure(IMaskUpscaler upscaler, ReadOnlySpan<float> logits, out MaskMeasurement measurement)
    {
        const float Cutoff = MaskMeasurement.Threshold;
        if (options.StabilityScoreThreshold > 0)
            return upscaler.TryMeasure(logits, Cutoff, options.StabilityScoreOffset, options.StabilityScoreThreshold, out measurement);
        measurement = upscaler.Measure(logits, Cutoff, options.StabilityScoreOffset);
        return true;
    }
}
