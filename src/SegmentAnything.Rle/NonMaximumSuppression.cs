using System.Buffers;
using SegmentAnything.Rle.Kernels;

namespace SegmentAnything.Rle;

/// <summary>Keeps the best of overlapping detections.</summary>
/// <remarks>
/// Greedy: detections are taken in order of falling score, equal scores in the order given; each one taken suppresses the
/// later ones that overlap it by more than the threshold.
/// </remarks>
public static partial class NonMaximumSuppression
{
    /// <summary>Suppresses overlapping boxes.</summary>
    /// <param name="boxesXyxy">
    /// Four numbers a box: left, top, right, bottom, in any unit, right and bottom being the coordinates of the far edge
    /// (the width is right - left).
    /// </param>
    /// <param name="scores">One a box; greater is better. NaN counts as greater than every number.</param>
    /// <param name="iouThreshold">
    /// A box is suppressed when its intersection over union with a better one is greater than this, 0 to 1.
    /// </param>
    /// <returns>The indices of the boxes that are kept, best first.</returns>
    /// <exception cref="ArgumentException">There are not four times as many coordinates as scores.</exception>
    /// <remarks>
    /// The ratio is computed in single precision; that of two boxes without area is NaN and suppresses nothing.
    /// Source: torchvision, ops/boxes.py (nms).
    /// </remarks>
    public static int[] Boxes(ReadOnlySpan<float> boxesXyxy, ReadOnlySpan<float> scores, double iouThreshold)
    {
        if (boxesXyxy.Length != 4L * scores.Length)
        {
            throw new ArgumentException(
                $"There are {boxesXyxy.Length} coordinates for {scores.Length} scores; a box has 4.", nameof(boxesXyxy));
        }

        return SuppressBoxes(boxesXyxy, OrderByScore(scores), RoundDown(iouThreshold));
    }

    /// <summary>Suppresses overlapping boxes, each category by itself.</summary>
    /// <param name="boxesXyxy">Four numbers a box: left, top, right, bottom.</param>
    /// <param name="scores">One a box; greater is better. NaN counts as greater than every number.</param>
    /// <param name="categories">One a box; boxes suppress only boxes of their own category.</param>
    /// <param name="iouThreshold">
    /// A box is suppressed when its intersection over union with a better one is greater than this, 0 to 1.
    /// </param>
    /// <returns>The indices of the boxes that are kept, best first over all categories.</returns>
    /// <exception cref="ArgumentException">The lengths do not fit together.</exception>
    /// <remarks>
    /// Source: torchvision, ops/boxes.py (batched_nms), the way it takes for many boxes; for few it moves the categories
    /// apart by an offset, which rounds the coordinates.
    /// </remarks>
    public static int[] Boxes(
        ReadOnlySpan<float> boxesXyxy, ReadOnlySpan<float> scores, ReadOnlySpan<int> categories, double iouThreshold)
    {
        if (boxesXyxy.Length != 4L * scores.Length || categories.Length != scores.Length)
        {
            throw new ArgumentException(
                $"There are {boxesXyxy.Length} coordinates and {categories.Length} categories for {scores.Length} scores; "
                + "a box has 4 and 1.", nameof(boxesXyxy));
        }

        int[] order = OrderByScore(scores);
        float threshold = RoundDown(iouThreshold);
        int[] keys = categories.ToArray();
        var byCategory = new Dictionary<int, List<int>>();
        foreach (int index in order)
        {
            if (!byCategory.TryGetValue(keys[index], out List<int>? members)) byCategory.Add(keys[index], members = []);
            members.Add(index);
        }

        var keep = new bool[scores.Length];
        foreach (List<int> members in byCategory.Values)
            foreach (int index in SuppressBoxes(boxesXyxy, [.. members], threshold))
                keep[index] = true;
        return Array.FindAll(order, index => keep[index]);
    }

    /// <summary>Suppresses overlapping masks.</summary>
    /// <param name="masks">Masks of one size.</param>
    /// <param name="scores">One a mask; greater is better. NaN counts as greater than every number.</param>
    /// <param name="iouThreshold">
    /// A mask is suppressed when its intersection over union with a better one is greater than this, 0 to 1.
    /// </param>
    /// <returns>The indices of the masks that are kept, best first.</returns>
    /// <exception cref="ArgumentNullException">The list or a mask is null.</exception>
    /// <exception cref="ArgumentException">There are not as many scores as masks.</exception>
    /// <exception cref="RleFormatException">The sizes of two masks differ; the position is the mask's index.</exception>
    /// <remarks>Source: COCO API, maskApi.c (rleNms), which expects the masks in order of score.</remarks>
    public static int[] Masks(IReadOnlyList<RleMask> masks, ReadOnlySpan<float> scores, double iouThreshold) =>
        Masks(masks, scores, default, iouThreshold);

    /// <summary>Suppresses overlapping masks, each category by itself.</summary>
    /// <param name="masks">Masks of one size.</param>
    /// <param name="scores">One a mask; greater is better. NaN counts as greater than every number.</param>
    /// <param name="categories">One a mask; masks suppress only masks of their own category. Empty: all are of one.</param>
    /// <param name="threshold">A mask is suppressed when it overlaps a better one by more than this, 0 to 1.</param>
    /// <param name="overlap">How the overlap is measured.</param>
    /// <returns>The indices of the masks that are kept, best first over all categories.</returns>
    /// <exception cref="ArgumentNullException">The list or a mask is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The overlap is none of the two.</exception>
    /// <exception cref="ArgumentException">There are not as many scores, or categories, as masks.</exception>
    /// <exception cref="RleFormatException">The sizes of two masks differ; the position is the mask's index.</exception>
    public static int[] Masks(
        IReadOnlyList<RleMask> masks,
        ReadOnlySpan<float> scores,
        ReadOnlySpan<int> categories,
        double threshold,
        MaskOverlap overlap = MaskOverlap.IntersectionOverUnion)
    {
        CheckMasks(masks, scores, overlap, categories);
        return [.. GroupMasks(masks, scores, threshold, overlap, categories, keepMembers: false).Select(group => group.Members[0])];
    }

    /// <summary>Throws unless lists of masks, scores and categories fit together.</summary>
    internal static void CheckMasks(IReadOnlyList<RleMask> masks, ReadOnlySpan<float> scores, MaskOverlap overlap, ReadOnlySpan<int> categories)
    {
        ArgumentNullException.ThrowIfNull(masks);
        if (masks.Count != scores.Length)
            throw new ArgumentException($"There are {scores.Length} scores for {masks.Count} masks.", nameof(scores));
        if (!categories.IsEmpty && masks.Count != categories.Length)
            throw new ArgumentException($"There are {categories.Length} categories for {masks.Count} masks.", nameof(categories));
        if (overlap is not (MaskOverlap.IntersectionOverUnion or MaskOverlap.IntersectionOverSmaller))
            throw new ArgumentOutOfRangeException(nameof(overlap), overlap, "Give IntersectionOverUnion or IntersectionOverSmaller.");
        RleMask? first = null;
        IouMatrix.CheckList(masks, nameof(masks), ref first);
    }

    /// <summary>
    /// Best first, each mask that no better one overlaps, and with it, if wanted, those that it overlaps: all that suppression and
    /// merging have in common.
    /// </summary>
    internal static List<Group> GroupMasks(
        IReadOnlyList<RleMask> masks, ReadOnlySpan<float> scores, double threshold, MaskOverlap overlap, ReadOnlySpan<int> categories, bool keepMembers)
    {
        var groups = new List<Group>();
        var byCategory = new Dictionary<int, List<Group>>();
        foreach (int index in OrderByScore(scores))
        {
            int category = categories.IsEmpty ? 0 : categories[index];
            if (!byCategory.TryGetValue(category, out List<Group>? better)) byCategory.Add(category, better = []);
            var runs = new IndexedRuns(masks[index]);
            if (better.Find(group => group.Best.Overlap(runs, overlap) > threshold) is { } found)
            {
                if (keepMembers) found.Members.Add(index);
                continue;
            }

            var alone = new Group(runs, [index]);
            groups.Add(alone);
            better.Add(alone);
        }

        return groups;
    }

    /// <summary>A mask that is kept, and the indices of it and of those that it overlaps.</summary>
    internal sealed record Group(IndexedRuns Best, List<int> Members);

    /// <summary>Indices by falling score; equal scores keep their order.</summary>
    internal static int[] OrderByScore(ReadOnlySpan<float> scores)
    {
        // The key of a score grows as the score falls; adding 0 makes -0 equal to +0. Keys are sorted by their bytes, from
        // the lowest to the highest, and each pass keeps the order of equal ones.
        int count = scores.Length;
        ulong[] keys = ArrayPool<ulong>.Shared.Rent(count), sorted = ArrayPool<ulong>.Shared.Rent(count);
        Span<int> places = stackalloc int[4 * 256];
        places.Clear();
        for (int i = 0; i < count; i++)
        {
            uint bits = float.IsNaN(scores[i]) ? 0x7fffffffu : BitConverter.SingleToUInt32Bits(scores[i] + 0f);
            uint falling = (bits & 0x80000000u) != 0 ? bits : ~bits & 0x7fffffffu;
            keys[i] = ((ulong)falling << 32) | (uint)i;
            for (int k = 0; k < 4; k++) places[(256 * k) + (byte)(falling >> (8 * k))]++;
        }

        for (int k = 0; k < 4; k++)
        {
            int shift = 32 + (8 * k), sum = 0;
            Span<int> place = places.Slice(256 * k, 256);
            if (count == 0 || place[(byte)(keys[0] >> shift)] == count) continue;
            foreach (ref int next in place) (next, sum) = (sum, sum + next);
            for (int i = 0; i < count; i++) sorted[place[(byte)(keys[i] >> shift)]++] = keys[i];
            (keys, sorted) = (sorted, keys);
        }

        var order = new int[count];
        for (int i = 0; i < count; i++) order[i] = (int)(uint)keys[i];
        ArrayPool<ulong>.Shared.Return(keys);
        ArrayPool<ulong>.Shared.Return(sorted);
        return order;
    }

    // Ratios are single precision, thresholds double as in torchvision: ratio > threshold is the same as ratio > the
    // greatest single that is not above the threshold.
    private static float RoundDown(double threshold)
    {
        float single = (float)threshold;
        return single > threshold ? MathF.BitDecrement(single) : single;
    }

    private static int[] SuppressBoxes(ReadOnlySpan<float> boxes, int[] order, float threshold)
    {
        int[] places = BoxKernels.Suppress(boxes, order, threshold);
        for (int i = 0; i < places.Length; i++) places[i] = order[places[i]];
        return places;
    }
}
