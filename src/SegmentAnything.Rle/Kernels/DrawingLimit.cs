namespace SegmentAnything.Rle.Kernels;

/// <summary>How much may still be drawn for one mask, and whether it is still wanted.</summary>
internal sealed class DrawingLimit(CancellationToken cancellationToken)
{
    /// <summary>
    /// Crossings of outlines with columns that one mask is drawn of. Each becomes the end of a run: 128 MB of them in all. A polygon
    /// of some kB has 250 million where it runs from one side of a large mask to the other and back again.
    /// </summary>
    public const int MaxCrossings = 1 << 25;

    private long _left = MaxCrossings;

    public CancellationToken CancellationToken { get; } = cancellationToken;

    /// <summary>Whether so many are certainly not too many.</summary>
    public bool Allows(long most) => most <= _left;

    /// <summary>Takes note of crossings; throws where they are too many.</summary>
    public void Add(long crossings)
    {
        if (crossings > _left)
        {
            ThrowHelper.Format(
                $"the outlines cross the columns of the mask {MaxCrossings - _left + crossings} times; at most {MaxCrossings} crossings are drawn. "
                + "Simplify the outlines, or draw them on a smaller mask", -1);
        }

        _left -= crossings;
    }
}
