using SegmentAnything.Kernels;

namespace SegmentAnything.Families.Sam2;

/// <summary>
/// The single mask that SAM 2 gives: the first of the four, unless it is unstable; then the one of the others that is
/// expected to be best.
/// </summary>
/// <remarks>Source: SAM 2, modeling/sam/mask_decoder.py (_dynamic_multimask_via_stability), with the values of build_sam.py.</remarks>
internal static class StableMask
{
    /// <summary>Low-resolution logits are limited to this magnitude when they are handed out, after masks were made of them.</summary>
    public const float LogitLimit = 32;

    // Of the mask at these logits, as much is stable as is left of it when the cut-off rises from one to the other.
    private const float StabilityOffset = 0.05f;
    private const float LeastStability = 0.98f;

    /// <summary>Chooses for one prompt.</summary>
    /// <param name="logits">The low-resolution logits of all masks, one mask after the other.</param>
    /// <param name="predictedIou">One for each mask.</param>
    /// <returns>The number of the mask: 0, or that of the largest predicted IoU of the others, of several the first.</returns>
    public static int Choose(ReadOnlySpan<float> logits, ReadOnlySpan<float> predictedIou)
    {
        ReadOnlySpan<float> single = logits[..(logits.Length / predictedIou.Length)];
        int outer = MaskKernels.CountAbove(single, -StabilityOffset);
        float stability = outer > 0 ? (float)MaskKernels.CountAbove(single, StabilityOffset) / outer : 1;
        if (stability >= LeastStability) return 0;
        int best = 1;
        for (int i = 2; i < predictedIou.Length; i++)
        {
            if (predictedIou[i] > predictedIou[best]) best = i;
        }

        return best;
    }
}
