namespace SegmentAnything;

/// <summary>Which of the decoder's four masks are wanted.</summary>
/// <remarks>
/// The decoder has one mask token for prompts that leave no doubt and three for whole, part and subpart.
/// Source: Segment Anything, modeling/mask_decoder.py (multimask_output).
/// </remarks>
public enum MaskSelection
{
    /// <summary>Three masks for a prompt of one point alone, which is ambiguous; one for every other prompt.</summary>
    Auto,

    /// <summary>The single mask (token 0; multimask_output=False).</summary>
    Single,

    /// <summary>The three masks (tokens 1 to 3; multimask_output=True).</summary>
    Multiple,

    /// <summary>All four.</summary>
    All,
}
