namespace SegmentAnything.Rle.Kernels;

/// <summary>A mask prepared to be compared with many others: its area, its box, and where its foreground runs lie.</summary>
internal sealed class IndexedRuns
{
    private readonly int[] _starts;
    private readonly int[] _ends;

    public IndexedRuns(RleMask mask)
    {
        ReadOnlySpan<int> counts = mask.Counts;
        int runs = counts.Length / 2;
        _starts = new int[runs];
        _ends = new int[runs];
        int position = 0;
        for (int i = 0; i < runs; i++)
        {
            _starts[i] = position += counts[2 * i];
            _ends[i] = position += counts[(2 * i) + 1];
        }

        Area = RleKernels.Area(counts);
        Box = mask.BoundingBox;
    }

    /// <summary>Number of foreground pixels.</summary>
    public long Area { get; }

    /// <summary>The smallest box around them.</summary>
    public MaskBox Box { get; }

    /// <summary>As <see cref="RleMask.IntersectionOverUnion"/>, after a look at the boxes.</summary>
    public double IntersectionOverUnion(IndexedRuns other, bool otherIsCrowd)
    {
        MaskBox a = Box, b = other.Box;
        if (a.X >= b.Right || b.X >= a.Right || a.Y >= b.Bottom || b.Y >= a.Bottom) return 0;
        long intersection = IntersectionArea(other);
        if (intersection == 0) return 0;
        return intersection / (double)(otherIsCrowd ? Area : Area + other.Area - intersection);
    }

    /// <summary>Pixels in both: only where both have runs.</summary>
    public long IntersectionArea(IndexedRuns other)
    {
        int[] startsA = _starts, endsA = _ends, startsB = other._starts, endsB = other._ends;
        if (startsA.Length == 0 || startsB.Length == 0) return 0;
        // The first run of each that ends after the other's first start.
        int i = FirstEndAfter(endsA, startsB[0]), j = FirstEndAfter(endsB, startsA[0]);
        long area = 0;
        while (i < startsA.Length && j < startsB.Length)
        {
            int endA = endsA[i], endB = endsB[j];
            area += Math.Max(0, Math.Min(endA, endB) - Math.Max(startsA[i], startsB[j]));
            if (endA <= endB) i++;
            if (endB <= endA) j++;
        }

        return area;
    }

    private static int FirstEndAfter(int[] ends, int position)
    {
        int index = Array.BinarySearch(ends, position);
        return index >= 0 ? index + 1 : ~index;
    }
}
