namespace SegmentAnything.Rle.Kernels;

/// <content>Area and bounding box from the runs alone.</content>
internal static partial class RleKernels
{
    /// <summary>Sum of the foreground runs.</summary>
    public static long Area(ReadOnlySpan<int> counts) => AreaScalar(counts);

    // The definition.
    internal static long AreaScalar(ReadOnlySpan<int> counts)
    {
        long area = 0;
        for (int i = 1; i < counts.Length; i += 2) area += counts[i];
        return area;
    }

    /// <summary>The smallest box around the foreground; 0, 0, 0, 0 when there is none.</summary>
    /// <remarks>
    /// A run that goes on in the next column covers the last row of the one and the first of the other.
    /// Source: COCO API, maskApi.c (rleToBbox).
    /// </remarks>
    public static MaskBox BoundingBox(ReadOnlySpan<int> counts, int height) => BoundingBoxScalar(counts, height);

    // The definition.
    internal static MaskBox BoundingBoxScalar(ReadOnlySpan<int> counts, int height)
    {
        int left = int.MaxValue, right = -1, top = int.MaxValue, bottom = -1, position = 0;
        for (int i = 0; i + 1 < counts.Length; i += 2)
        {
            int first = position + counts[i];
            int last = first + counts[i + 1] - 1;
            position = last + 1;
            if (last < first) continue;
            int x0 = first / height, y0 = first - (x0 * height);
            int x1 = last / height, y1 = last - (x1 * height);
            left = Math.Min(left, x0);
            right = x1;
            if (x0 < x1)
            {
                top = 0;
                bottom = height - 1;
            }
            else
            {
                top = Math.Min(top, y0);
                bottom = Math.Max(bottom, y1);
            }
        }

        return right < 0 ? default : new MaskBox(left, top, right - left + 1, bottom - top + 1);
    }
}
