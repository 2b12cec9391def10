using SegmentAnything.Kernels;

namespace SegmentAnything.Families.Sam2;

/// <summary>
/// SAM 2's choice of masks. Its single mask is the first of the four, unless that is unstable; then it is the one of the others
/// that is expected to be best.
/// </summary>
/// <param name="tokens">Masks that the decoder can compute.</param>
/// <remarks>
/// Source: SAM 2, modeling/sam/mask_decoder.py (_dynamic_multimask_via_stability), with the values of build_sam.py;
/// sam2_image_predictor.py (predict).
/// </remarks>
internal sealed class Sam2MaskRules(int tokens) : MaskRules(tokens)
{
    // Of the mask at these logits, as much is stable as is left of it when the cut-off rises from one to the other.
    private const float StabilityOffset = 0.05f;
    private const float LeastStability = 0.98f;

    public override float LogitLimit => 32;

    // The single mask may be any of them.
    public override (int First, int Count) Computed(MaskSelection selection) =>
        selection == MaskSelection.Single ? (0, Tokens) : base.Computed(selection);

    public override int? Choose(MaskSelection selection, ReadOnlySpan<float> logits, ReadOnlySpan<float> predictedIou) =>
        selection == MaskSelection.Single ? Choose(logits, predictedIou) : null;

    /// <summary>Chooses the single mask of one prompt.</summary>
    /// <param name="logits">The low-resolution logits of all masks, one mask after the other.</param>
    /// <param name="predictedIou">One for each mask.</param>
    /// <returns>The number of the mask: 0, or that of the largest predicted IoU of the others, of several the first.</returns>
    internal static int Choose(ReadOnlySpan<float> logits, ReadOnlySpan<float> predictedIou)
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
