using SegmentAnything.Rle;

namespace SegmentAnything.Masks;

/// <summary>From a binary mask to the low-resolution logits that a mask prompt is.</summary>
/// <remarks>What was tried, and what the models answer to it: docs/mask-prompts.md. Measured by: mask-prompts.</remarks>
internal static class MaskPromptLogits
{
    /// <summary>
    /// The logit of a low-resolution pixel that is all foreground; that of one that is all background is its negative. The models'
    /// own logits are smaller, ±30 at most, but to these they hold more firmly.
    /// </summary>
    public const float LargestLogit = 100;

    // Each round takes away most of what is wrong at corners and in thin parts; more of them gain nothing that an answer shows.
    private const int Rounds = 3;

    /// <summary>Logits that are the mask again when they are brought to the size of the image and cut at 0.</summary>
    /// <param name="mask">A mask of the whole image, of any size.</param>
    /// <param name="frame">Where the image lies in the model's frame.</param>
    /// <param name="side">The side of the low-resolution logits, which cover the frame.</param>
    /// <param name="upscaler">From low-resolution logits to masks of the image's size.</param>
    /// <param name="cancellationToken">Looked at between rounds.</param>
    /// <returns>side x side values, row-major; the padding is background.</returns>
    /// <remarks>
    /// First they are in proportion to how much of each low-resolution pixel is foreground, which puts straight edges where they are.
    /// Then the mask that they give is measured in the same way, and what it has too much or too little is taken away or added.
    /// </remarks>
    public static float[] Of(RleMask mask, in ImageFrame frame, int side, IMaskUpscaler upscaler, CancellationToken cancellationToken = default)
    {
        float[] wanted = Coverage(mask, frame, side);
        float[] logits = [.. wanted.Select(part => LargestLogit * ((2 * part) - 1))];
        for (int round = 0; round < Rounds; round++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            float[] given = Coverage(upscaler.Measure(logits, MaskMeasurement.Threshold, 0).Mask, frame, side);
            for (int i = 0; i < logits.Length; i++) logits[i] += 2 * LargestLogit * (wanted[i] - given[i]);
        }

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
        double scaleX = width / mask.Width, scaleY = height / mask.Height;
        var coverage = new float[side * side];
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
