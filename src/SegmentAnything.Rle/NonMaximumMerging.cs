namespace SegmentAnything.Rle;

/// <summary>Joins overlapping detections, as where an image was searched in tiles and each found a part of an object.</summary>
/// <remarks>
/// Greedy: masks are taken in order of falling score, equal scores in the order given. Each one that belongs to no other yet takes
/// in all later ones that overlap it by more than the threshold and belong to no other yet. They are compared with it as it was
/// given, not with what it has become: so a chain of masks does not run together. Source: SAHI, postprocess/combine.py
/// (greedy_nmm), without the second comparison that it makes while it merges.
/// </remarks>
public static class NonMaximumMerging
{
    /// <summary>Merges overlapping masks.</summary>
    /// <param name="masks">Masks of one size.</param>
    /// <param name="scores">One a mask; greater is better. NaN counts as greater than every number.</param>
    /// <param name="threshold">Masks that overlap by more than this are one, 0 to 1.</param>
    /// <param name="overlap">How the overlap is measured.</param>
    /// <param name="categories">One a mask: only masks of one category are merged. Empty: all are of one.</param>
    /// <returns>One for each object, best score first; each mask belongs to exactly one.</returns>
    /// <exception cref="ArgumentNullException">The list or a mask is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The overlap is none of the two.</exception>
    /// <exception cref="ArgumentException">There are not as many scores, or categories, as masks.</exception>
    /// <exception cref="RleFormatException">The sizes of two masks differ; the position is the mask's index.</exception>
    public static MergedMask[] Masks(
        IReadOnlyList<RleMask> masks,
        ReadOnlySpan<float> scores,
        double threshold,
        MaskOverlap overlap = MaskOverlap.IntersectionOverSmaller,
        ReadOnlySpan<int> categories = default)
    {
        NonMaximumSuppression.CheckMasks(masks, scores, overlap, categories);
        List<NonMaximumSuppression.Group> groups = NonMaximumSuppression.GroupMasks(masks, scores, threshold, overlap, categories, keepMembers: true);
        return [.. groups.Select(group => new MergedMask(
            group.Members is [int only] ? masks[only] : RleMask.Union([.. group.Members.Select(index => masks[index])]), [.. group.Members]))];
    }
}
