using SegmentAnything.Rle;

namespace SegmentAnything.Masks;

/// <summary>Fills small holes and removes small sprinkles of low-resolution logits, before they are made a mask.</summary>
/// <remarks>
/// Regions hang together at corners, too, and those at the border count as any other. Both kinds are found in the mask as
/// it was given: an island in a hole that is filled is judged on its own.
/// Source: SAM 2, utils/transforms.py (postprocess_masks).
/// </remarks>
internal static class SmallRegions
{
    // How far from the cut-off a logit is put.
    private const float Margin = 10;

    /// <summary>Changes logits in place.</summary>
    /// <param name="logits">One plane of width x height values, row-major.</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <param name="cutoff">Logits above this are mask.</param>
    /// <param name="largestHole">Regions of background of at most so many values become mask; 0 leaves all.</param>
    /// <param name="largestSprinkle">Regions of mask of at most so many values become background; 0 leaves all.</param>
    public static void Clean(Span<float> logits, int width, int height, float cutoff, int largestHole, int largestSprinkle)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(largestHole);
        ArgumentOutOfRangeException.ThrowIfNegative(largestSprinkle);
        if (largestHole == 0 && largestSprinkle == 0) return;
        RleMask mask = RleMask.FromLogits(logits, width, height, cutoff);
        (RleMask filled, bool hasHoles) = largestHole > 0 ? mask.FillSmallHoles(largestHole + 1L) : (mask, false);
        RleMask inverse = mask.Complement();
        // A sprinkle is a hole of what is not the mask.
        (RleMask removed, bool hasSprinkles) = largestSprinkle > 0 ? inverse.FillSmallHoles(largestSprinkle + 1L) : (inverse, false);
        if (hasHoles) Set(logits, width, filled.Difference(mask), cutoff + Margin);
        if (hasSprinkles) Set(logits, width, removed.Difference(inverse), cutoff - Margin);
    }

    private static void Set(Span<float> logits, int width, RleMask where, float value)
    {
        int height = where.Height, position = 0;
        bool foreground = false;
        foreach (int count in where.Counts)
        {
            if (foreground)
            {
                for (int i = position; i < position + count; i++) logits[(i % height * width) + (i / height)] = value;
            }

            position += count;
            foreground = !foreground;
        }
    }
}
