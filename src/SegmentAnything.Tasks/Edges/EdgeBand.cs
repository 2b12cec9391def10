using SegmentAnything.Rle;

namespace SegmentAnything.Tasks;

/// <summary>The gradient of one mask's probability where the mask ends: two pixels wide, one on each side.</summary>
/// <param name="band">The pixels.</param>
/// <param name="strengths">The gradient at each of them, in the order of the band's runs: down the columns.</param>
/// <param name="box">The mask's box.</param>
/// <param name="predictedIou">The model's own guess of the mask's quality.</param>
internal sealed class EdgeBand(RleMask band, float[] strengths, MaskBox box, float predictedIou)
{
    public MaskBox Box => box;

    public float PredictedIou => predictedIou;

    /// <summary>Computes the band of a mask.</summary>
    /// <param name="mask">The mask: where the logits are above 0.</param>
    /// <param name="logits">Its logits, row-major, of its size.</param>
    /// <param name="predictedIou">The model's own guess of its quality.</param>
    public static EdgeBand Of(RleMask mask, ReadOnlySpan<float> logits, float predictedIou)
    {
        RleMask outside = mask.Dilate(1).Difference(mask);
        RleMask band = outside.Dilate(1).Intersection(mask).Union(outside);
        float[] strengths = new float[band.Area];
        int place = 0, position = 0;
        bool foreground = false;
        foreach (int run in band.Counts)
        {
            for (int pixel = position; foreground && pixel < position + run; pixel++)
                strengths[place++] = Gradient(logits, pixel / mask.Height, pixel % mask.Height, mask.Width, mask.Height);
            position += run;
            foreground = !foreground;
        }

        return new EdgeBand(band, strengths, mask.BoundingBox, predictedIou);
    }

    /// <summary>Raises the pixels of a row-major image to what they are here, where that is more.</summary>
    public void RaiseTo(Span<float> image)
    {
        int place = 0, position = 0;
        bool foreground = false;
        foreach (int run in band.Counts)
        {
            for (int pixel = position; foreground && pixel < position + run; pixel++)
            {
                ref float there = ref image[(pixel % band.Height * band.Width) + (pixel / band.Height)];
                there = Math.Max(there, strengths[place++]);
            }

            position += run;
            foreground = !foreground;
        }
    }

    // Sobel. The pixels at the image's border go on beyond it: zeros would be an edge all around.
    private static float Gradient(ReadOnlySpan<float> logits, int x, int y, int width, int height)
    {
        int above = Math.Max(y - 1, 0) * width, here = y * width, below = Math.Min(y + 1, height - 1) * width;
        int left = Math.Max(x - 1, 0), right = Math.Min(x + 1, width - 1);
        float topLeft = Probability(logits[above + left]), topRight = Probability(logits[above + right]);
        float bottomLeft = Probability(logits[below + left]), bottomRight = Probability(logits[below + right]);
        float gx = topRight + bottomRight - topLeft - bottomLeft + (2 * (Probability(logits[here + right]) - Probability(logits[here + left])));
        float gy = bottomLeft + bottomRight - topLeft - topRight + (2 * (Probability(logits[below + x]) - Probability(logits[above + x])));
        return MathF.Sqrt((gx * gx) + (gy * gy));
    }

    private static float Probability(float logit) => 1 / (1 + MathF.Exp(-logit));
}
