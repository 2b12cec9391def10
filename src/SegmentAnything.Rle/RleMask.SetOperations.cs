using SegmentAnything.Rle.Kernels;

namespace SegmentAnything.Rle;

/// <content>Pixelwise combination of masks of one size.</content>
public sealed partial class RleMask
{
    /// <summary>The pixels that are foreground in either mask.</summary>
    /// <param name="other">A mask of the same size.</param>
    /// <returns>The union.</returns>
    /// <exception cref="ArgumentNullException">The other mask is null.</exception>
    /// <exception cref="RleFormatException">The sizes differ.</exception>
    /// <remarks>Source: COCO API, maskApi.c (rleMerge).</remarks>
    public RleMask Union(RleMask other) => Combine(other, BooleanOperation.Union);

    /// <summary>The pixels that are foreground in both masks.</summary>
    /// <param name="other">A mask of the same size.</param>
    /// <returns>The intersection.</returns>
    /// <exception cref="ArgumentNullException">The other mask is null.</exception>
    /// <exception cref="RleFormatException">The sizes differ.</exception>
    /// <remarks>Source: COCO API, maskApi.c (rleMerge with intersect).</remarks>
    public RleMask Intersection(RleMask other) => Combine(other, BooleanOperation.Intersection);

    /// <summary>The pixels that are foreground in this mask and not in the other.</summary>
    /// <param name="other">A mask of the same size.</param>
    /// <returns>The difference.</returns>
    /// <exception cref="ArgumentNullException">The other mask is null.</exception>
    /// <exception cref="RleFormatException">The sizes differ.</exception>
    public RleMask Difference(RleMask other) => Combine(other, BooleanOperation.Difference);

    /// <summary>The pixels that are foreground in exactly one of the two masks.</summary>
    /// <param name="other">A mask of the same size.</param>
    /// <returns>The symmetric difference.</returns>
    /// <exception cref="ArgumentNullException">The other mask is null.</exception>
    /// <exception cref="RleFormatException">The sizes differ.</exception>
    public RleMask SymmetricDifference(RleMask other) => Combine(other, BooleanOperation.SymmetricDifference);

    /// <summary>The pixels that are background in this mask.</summary>
    /// <returns>The complement, of the same size.</returns>
    public RleMask Complement() => new(RleKernels.Complement(_counts), Width, Height);

    /// <summary>The pixels that are foreground in any of the masks.</summary>
    /// <param name="masks">At least one mask, all of one size.</param>
    /// <returns>The union.</returns>
    /// <exception cref="ArgumentNullException">The list or a mask is null.</exception>
    /// <exception cref="RleFormatException">
    /// There is no mask, or the sizes differ; the position is the index of the mask.
    /// </exception>
    /// <remarks>Source: COCO API, maskApi.c (rleMerge).</remarks>
    public static RleMask Union(IReadOnlyList<RleMask> masks) => Merge(masks, BooleanOperation.Union);

    /// <summary>The pixels that are foreground in all of the masks.</summary>
    /// <param name="masks">At least one mask, all of one size.</param>
    /// <returns>The intersection.</returns>
    /// <exception cref="ArgumentNullException">The list or a mask is null.</exception>
    /// <exception cref="RleFormatException">
    /// There is no mask, or the sizes differ; the position is the index of the mask.
    /// </exception>
    /// <remarks>Source: COCO API, maskApi.c (rleMerge with intersect).</remarks>
    public static RleMask Intersection(IReadOnlyList<RleMask> masks) => Merge(masks, BooleanOperation.Intersection);

    private RleMask Combine(RleMask other, BooleanOperation operation)
    {
        ArgumentNullException.ThrowIfNull(other);
        ThrowHelper.CheckSameSize(this, other);
        return new RleMask(RleKernels.Combine(_counts, other._counts, Width * Height, operation), Width, Height);
    }

    private static RleMask Merge(IReadOnlyList<RleMask> masks, BooleanOperation operation)
    {
        ArgumentNullException.ThrowIfNull(masks);
        if (masks.Count == 0) ThrowHelper.Format("there are no masks to merge, and so no size; give at least one", -1);
        for (int i = 0; i < masks.Count; i++)
        {
            if (masks[i] is null) throw new ArgumentNullException(nameof(masks), $"Mask {i} is null.");
            ThrowHelper.CheckSameSize(masks[0], masks[i], i);
        }

        // In pairs, then pairs of pairs: each run is copied log(n) times instead of n times.
        var round = new List<RleMask>(masks);
        while (round.Count > 1)
        {
            var next = new List<RleMask>((round.Count + 1) / 2);
            for (int i = 0; i + 1 < round.Count; i += 2) next.Add(round[i].Combine(round[i + 1], operation));
            if ((round.Count & 1) != 0) next.Add(round[^1]);
            round = next;
        }

        return round[0];
    }
}
