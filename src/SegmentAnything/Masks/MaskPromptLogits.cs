using SegmentAnything.Rle;

namespace SegmentAnything.Masks;

/// <summary>From a binary mask to the low-resolution logits that a mask prompt is.</summary>
internal static class MaskPromptLogits
{
    /// <summary>The logit of a pixel that is all foreground; that of one that is all background is its negative.</summary>
    /// <remarks>Chosen by experiment: docs/mask-prompts.md.</remarks>
    public const float LargestLogit = 100;

    /// <summary>The logits of a mask: from all background to all foreground in proportion to how much of a pixel is foreground.</summary>
    /// <param name="mask">A mask of the whole image, of any size.</param>
    /// <param name="frame">Where the image lies in the model's frame.</param>
    /// <param name="side">The side of the low-resolution logits, which cover the frame.</param>
    /// <returns>side x side values, row-major; the padding is background.</returns>
    /// <remarks>
    /// So the edge lies, within a low-resolution pixel, where it lies in the mask: bilinear interpolation finds it there again.
    /// </remarks>
    public static float[] Of(RleMask mask, in ImageFrame frame, int side)
    {
        float[] logits = Coverage(mask, frame, side);
        for (int i = 0; i < logits.Length; i++) logits[i] = LargestLogit * ((2 * logits[i]) - 1);
        return logits;
    }

    /// <summary>How much of each low-resolution pixel is foreground, 0 to 1.</summary>
    /// <param name="mask">A mask of the whole image, of any size.</param>
    /// <param name="frame">Where the image lies in the model's frame.</param>
    /// <param name="side">The side of the low-resolution logits, which cover the frame.</param>
    /// <returns>side x side values, row-major; 0 in the padding. Pixels that are partly padding are measured without it.</returns>
    internal static float[] Coverage(RleMask mask, in ImageFrame frame, int side)
    {
        double width = (double)frame.ResizedSize.Width * side / frame.ModelSize, height = (double)frame.ResizedSize.Height * side / frame.ModelSize;
        var coverage = new float[side * side];
        double scaleX = width / mask.Width, scaleY = height / mask.Height;
        int position = 0;
        for (int i = 0; i < mask.Counts.Length; position += mask.Counts[i++])
        {
            if ((i & 1) == 0) continue;
            int end = position + mask.Counts[i];
            for (int start = position; start < end;)
            {
                int column = start / mask.Height, top = start - (column * mask.Height), bottom = Math.Min(mask.Height, top + end - start);
                Add(column, top, bottom);
                start += bottom - top;
            }
        }

        // Sums of rounded parts.
        for (int i = 0; i < coverage.Length; i++) coverage[i] = Math.Min(coverage[i], 1);
        return coverage;

        void Add(int column, int top, int bottom)
        {
            double left = column * scaleX, right = (column + 1) * scaleX, upper = top * scaleY, lower = bottom * scaleY;
            for (int x = (int)left; x < Math.Min(side, right); x++)
            {
                double across = (Math.Min(right, x + 1) - Math.Max(left, x)) / (Math.Min(width, x + 1) - x);
                for (int y = (int)upper; y < Math.Min(side, lower); y++)
                    coverage[(y * side) + x] += (float)(across * (Math.Min(lower, y + 1) - Math.Max(upper, y)) / (Math.Min(height, y + 1) - y));
            }
        }
    }
}
