namespace SegmentAnything.Rle.Kernels;

/// <content>Walks two lists of runs together.</content>
internal static partial class RleKernels
{
    /// <summary>Pixels that are foreground in both lists of runs, which cover the same number of pixels.</summary>
    public static long IntersectionArea(ReadOnlySpan<int> a, ReadOnlySpan<int> b) => IntersectionAreaScalar(a, b);

    // The definition: cut both lists at every run end of either.
    internal static long IntersectionAreaScalar(ReadOnlySpan<int> a, ReadOnlySpan<int> b)
    {
        long area = 0;
        int i = 0, j = 0, leftA = a[0], leftB = b[0];
        while (true)
        {
            while (leftA == 0 && ++i < a.Length) leftA = a[i];
            while (leftB == 0 && ++j < b.Length) leftB = b[j];
            if (i >= a.Length || j >= b.Length) return area;
            int step = Math.Min(leftA, leftB);
            if ((i & j & 1) != 0) area += step;
            leftA -= step;
            leftB -= step;
        }
    }
}
