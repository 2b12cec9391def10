namespace SegmentAnything.Rle;

/// <summary>Masks that were found to be one object, and their union.</summary>
public sealed class MergedMask
{
    internal MergedMask(RleMask mask, int[] members)
    {
        Mask = mask;
        Members = members;
    }

    /// <summary>The union of the members.</summary>
    public RleMask Mask { get; }

    /// <summary>Indices of the masks that were merged, in the order of their scores: the first is the best, whose score and category stand for all.</summary>
    public IReadOnlyList<int> Members { get; }
}
