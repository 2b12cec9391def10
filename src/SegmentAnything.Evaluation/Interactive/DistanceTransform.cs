using SegmentAnything.Rle;

namespace SegmentAnything.Evaluation;

/// <summary>The exact squared distance of every pixel of a mask to the nearest pixel outside of it.</summary>
/// <remarks>
/// First down the columns, then along the rows by the lower envelope of parabolas. Outside the image all is outside the mask.
/// Source: Felzenszwalb and Huttenlocher, Distance transforms of sampled functions (2012).
/// </remarks>
internal static class DistanceTransform
{
    /// <summary>Squared distances, row-major, within the mask's box.</summary>
    public static long[] Squared(RleMask mask, MaskBox box)
    {
        byte[] inside = mask.Crop(box).ToBitmap();
        int width = box.Width, height = box.Height;
        long[] squared = new long[inside.Length];
        for (int x = 0; x < width; x++)
        {
            long above = 0;
            for (int y = 0; y < height; y++)
            {
                above = inside[(y * width) + x] == 0 ? 0 : above + 1;
                squared[(y * width) + x] = above;
            }

            long below = 0;
            for (int y = height - 1; y >= 0; y--)
            {
                ref long here = ref squared[(y * width) + x];
                below = here == 0 ? 0 : below + 1;
                here = Math.Min(here, below);
                here *= here;
            }
        }

        // One column of zeros on either side: beyond the box nothing is inside the mask.
        long[] row = new long[width + 2];
        int[] vertex = new int[width + 2];
        double[] start = new double[width + 3];
        for (int y = 0; y < height; y++)
        {
            squared.AsSpan(y * width, width).CopyTo(row.AsSpan(1));
            Envelope(row, vertex, start, squared.AsSpan(y * width, width));
        }

        return squared;
    }

    private static void Envelope(long[] row, int[] vertex, double[] start, Span<long> nearest)
    {
        int last = 0;
        vertex[0] = 0;
        start[0] = double.NegativeInfinity;
        start[1] = double.PositiveInfinity;
        for (int q = 1; q < row.Length; q++)
        {
            double crossing = Crossing(q, vertex[last]);
            while (crossing <= start[last]) crossing = Crossing(q, vertex[--last]);
            vertex[++last] = q;
            start[last] = crossing;
            start[last + 1] = double.PositiveInfinity;
        }

        int k = 0;
        for (int q = 1; q <= nearest.Length; q++)
        {
            while (start[k + 1] < q) k++;
            long apart = q - vertex[k];
            nearest[q - 1] = (apart * apart) + row[vertex[k]];
        }

        double Crossing(int q, int p) => (row[q] + ((long)q * q) - row[p] - ((long)p * p)) / (2.0 * (q - p));
    }
}
