namespace SegmentAnything;

/// <summary>What the masks of HQ-SAM are made of.</summary>
/// <remarks>Source: HQ-SAM, segment_anything/modeling/mask_decoder_hq.py (hq_token_only).</remarks>
public enum HqMask
{
    /// <summary>The logits of SAM's own mask plus those of the high-quality mask: for several objects, and where prompts are vague.</summary>
    Sum,

    /// <summary>
    /// The high-quality mask alone: for one clear object. There is one for a prompt, whatever masks are asked for; its predicted
    /// IoU is the best of SAM's own.
    /// </summary>
    HighQualityOnly,
}
