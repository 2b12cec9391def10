namespace SegmentAnything.Tasks;

/// <summary>Makes edges one pixel thin: keeps what is strongest along the normal of the edge.</summary>
/// <remarks>
/// Canny (1986) suppresses along the gradient. Here the image is that of edges already, and on the crest of one its gradient is nil: the
/// normal is the direction in which the smoothed strength bends the most, by its second derivatives, as in structured edge detection
/// (Dollár and Zitnick 2013).
/// </remarks>
internal static class EdgeThinner
{
    /// <summary>The width of the Gaussian that strengths are smoothed with, in pixels.</summary>
    public const double Sigma = 1;

    // For the direction, which is a matter of a wider neighbourhood.
    private const double DirectionSigma = 2;

    // A pixel as strong as its neighbour stays: on a crest of two pixels there would be none.
    private const float Tie = 1.01f;

    // What is near the image's border has no neighbours to be compared with.
    private const int Border = 5;

    /// <summary>Suppresses what is weaker than its neighbours across the edge.</summary>
    public static float[] Thin(float[] strengths, int width, int height)
    {
        float[] smooth = Smooth(strengths, width, height, DirectionSigma), thin = new float[strengths.Length];
        Parallel.For(0, height, y =>
        {
            for (int x = 0; x < width; x++)
            {
                float strength = strengths[(y * width) + x];
                if (strength <= 0) continue;
                (float dx, float dy) = Normal(smooth, x, y, width, height);
                float limit = strength * Tie;
                if (At(strengths, x + dx, y + dy, width, height) > limit || At(strengths, x - dx, y - dy, width, height) > limit) continue;
                int inset = Math.Min(Math.Min(x, width - 1 - x), Math.Min(y, height - 1 - y));
                thin[(y * width) + x] = inset < Border ? strength * inset / Border : strength;
            }
        });
        return thin;
    }

    /// <summary>A Gaussian; pixels at the image's border go on beyond it.</summary>
    public static float[] Smooth(float[] values, int width, int height, double sigma)
    {
        int radius = (int)Math.Ceiling(3 * sigma);
        double[] weights = [.. Enumerable.Range(-radius, (2 * radius) + 1).Select(i => Math.Exp(-i * i / (2 * sigma * sigma)))];
        float[] kernel = [.. weights.Select(weight => (float)(weight / weights.Sum()))];
        float[] rows = new float[values.Length], result = new float[values.Length];
        Parallel.For(0, height, y =>
        {
            for (int x = 0; x < width; x++)
            {
                float sum = 0;
                for (int k = -radius; k <= radius; k++) sum += kernel[k + radius] * values[(y * width) + Math.Clamp(x + k, 0, width - 1)];
                rows[(y * width) + x] = sum;
            }
        });
        Parallel.For(0, height, y =>
        {
            Span<float> row = result.AsSpan(y * width, width);
            for (int k = -radius; k <= radius; k++)
            {
                ReadOnlySpan<float> source = rows.AsSpan(Math.Clamp(y + k, 0, height - 1) * width, width);
                for (int x = 0; x < width; x++) row[x] += kernel[k + radius] * source[x];
            }
        });
        return result;
    }

    private static (float X, float Y) Normal(float[] values, int x, int y, int width, int height)
    {
        int above = Math.Max(y - 1, 0) * width, here = y * width, below = Math.Min(y + 1, height - 1) * width;
        int left = Math.Max(x - 1, 0), right = Math.Min(x + 1, width - 1);
        float xx = values[here + right] + values[here + left] - (2 * values[here + x]);
        float yy = values[below + x] + values[above + x] - (2 * values[here + x]);
        float xy = (values[below + right] + values[above + left] - values[below + left] - values[above + right]) / 4;
        // The eigenvector of [xx xy; xy yy] whose eigenvalue is the greater by size: across the edge, on its crest, where the strength
        // bends down, and at its foot, where it bends up.
        (float sin, float cos) = MathF.SinCos(0.5f * MathF.Atan2(2 * xy, xx - yy));
        return xx + yy > 0 ? (cos, sin) : (-sin, cos);
    }

    private static float At(float[] values, float x, float y, int width, int height)
    {
        (x, y) = (Math.Clamp(x, 0, width - 1), Math.Clamp(y, 0, height - 1));
        (int x0, int y0) = ((int)x, (int)y);
        (int x1, int y1) = (Math.Min(x0 + 1, width - 1), Math.Min(y0 + 1, height - 1));
        (float fx, float fy) = (x - x0, y - y0);
        float upper = values[(y0 * width) + x0] + (fx * (values[(y0 * width) + x1] - values[(y0 * width) + x0]));
        float lower = values[(y1 * width) + x0] + (fx * (values[(y1 * width) + x1] - values[(y1 * width) + x0]));
        return upper + (fy * (lower - upper));
    }
}
