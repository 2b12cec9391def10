namespace SegmentAnything.Automatic;

/// <summary>Tells which masks of a crop nothing that is still to come can take away.</summary>
/// <remarks>
/// <para>
/// Between crops the mask of the smaller one stays, and suppression takes masks in that order. With the smallest crops first, a
/// mask can be suppressed only by those that were kept before it: what passes is certain, and comes in the order of the result.
/// Within a crop nothing is certain before its last point: the score there is the predicted IoU, which has no upper bound.
/// </para>
/// <para>
/// Cleaning suppresses once more and prefers masks that needed no change; of these, again, the earlier one. So the unchanged are
/// certain, and the changed wait until the end, where they also stand in the result.
/// </para>
/// <para>Source: Segment Anything, automatic_mask_generator.py (_generate_masks, postprocess_small_regions), in another order of work.</para>
/// </remarks>
/// <param name="options">Thresholds, and whether to clean.</param>
/// <param name="betweenCrops">Whether there are several crops.</param>
/// <param name="threads">Threads to clean with, the caller's included.</param>
internal sealed class CertainMasks(AutomaticMaskOptions options, bool betweenCrops, int threads)
{
    private readonly List<Candidate> _kept = [];
    private readonly List<Candidate> _unchanged = [];
    private readonly List<Candidate> _changed = [];

    private double CleaningThreshold => Math.Max(options.BoxNmsThreshold, options.CropNmsThreshold);

    /// <summary>The order in which crops are to come: the smallest first, those of one size as they are.</summary>
    /// <returns>Indices.</returns>
    public static int[] OrderOfWork(IReadOnlyList<CropBox> crops) =>
        [.. Enumerable.Range(0, crops.Count).OrderByDescending(i => (float)(1 / crops[i].Area))]; // float: crops that the reference takes for equal

    /// <summary>Takes what is left of the next crop.</summary>
    /// <param name="candidates">In the frame of the image, best first.</param>
    /// <param name="cancellationToken">Looked at between masks.</param>
    /// <returns>Those that are certain now, in the order of the result.</returns>
    public List<Candidate> Add(List<Candidate> candidates, CancellationToken cancellationToken)
    {
        if (betweenCrops) candidates = Keep(_kept, candidates, options.CropNmsThreshold);
        if (options.MinMaskRegionArea == 0) return candidates;
        List<Candidate> unchanged = [];
        foreach ((Candidate cleaned, bool isChanged) in CandidateFilter.RemoveSmallRegions(candidates, options.MinMaskRegionArea, threads, cancellationToken))
            (isChanged ? _changed : unchanged).Add(cleaned);
        return Keep(_unchanged, unchanged, CleaningThreshold);
    }

    /// <summary>What had to wait for the last crop.</summary>
    public List<Candidate> Complete() => Keep(_unchanged, _changed, CleaningThreshold);

    // Those that neither a kept one nor an earlier one of themselves overlaps by more than the threshold; they are kept now, too.
    private static List<Candidate> Keep(List<Candidate> kept, List<Candidate> candidates, double threshold)
    {
        if (candidates.Count == 0) return candidates;
        (float x0, float y0) = (candidates.Min(c => c.Box.X0), candidates.Min(c => c.Box.Y0));
        (float x1, float y1) = (candidates.Max(c => c.Box.X1), candidates.Max(c => c.Box.Y1));
        List<Candidate> near = kept.FindAll(k => k.Box.X0 <= x1 && k.Box.X1 >= x0 && k.Box.Y0 <= y1 && k.Box.Y1 >= y0);
        // Equal scores are taken in the order given: the kept first, and all of them stay.
        List<Candidate> passing = CandidateFilter.Suppress([.. near, .. candidates], _ => 1, threshold)[near.Count..];
        kept.AddRange(passing);
        return passing;
    }
}
