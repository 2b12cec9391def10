namespace SegmentAnything.Families;

/// <summary>
/// Which of a decoder's masks answer a prompt. This is SAM 1's rule; another family derives its own.
/// Source: Segment Anything, modeling/mask_decoder.py (multimask_output).
/// </summary>
/// <param name="tokens">Masks that the decoder can compute: token 0 for the single mask, the others for the multiple ones.</param>
internal class MaskRules(int tokens)
{
    /// <summary>Masks that the decoder can compute.</summary>
    public int Tokens { get; } = tokens;

    /// <summary>
    /// Low-resolution logits are limited to this magnitude when they are handed out, after masks were made of them; infinity
    /// for no limit.
    /// </summary>
    public virtual float LogitLimit => float.PositiveInfinity;

    /// <summary>The tokens that are computed for a choice, next to each other.</summary>
    /// <param name="selection">Not <see cref="MaskSelection.Auto"/>.</param>
    public virtual (int First, int Count) Computed(MaskSelection selection) => selection switch
    {
        MaskSelection.Single => (0, 1),
        MaskSelection.Multiple => (1, Tokens - 1),
        MaskSelection.All => (0, Tokens),
        _ => throw new ArgumentOutOfRangeException(nameof(selection), selection, "Give Single, Multiple or All."),
    };

    /// <summary>
    /// The one that is given, of those that were computed for a prompt; null where all are. It depends on what was computed
    /// where a family falls back from one mask to another.
    /// </summary>
    /// <param name="selection">As above.</param>
    /// <param name="logits">Computed masks x side x side values.</param>
    /// <param name="predictedIou">One a computed mask.</param>
    public virtual int? Choose(MaskSelection selection, ReadOnlySpan<float> logits, ReadOnlySpan<float> predictedIou) => null;
}
