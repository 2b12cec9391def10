using SegmentAnything.Rle;

namespace SegmentAnything.Masks;

/// <summary>What is known of a mask after its logits were resized and cut.</summary>
/// <param name="Mask">Where the resized logits are above the cut-off, at source size.</param>
/// <param name="LowerArea">Pixels above the cut-off less the stability offset.</param>
/// <param name="Area">Pixels above the cut-off.</param>
/// <param name="UpperArea">Pixels above the cut-off plus the stability offset.</param>
internal readonly record struct MaskMeasurement(RleMask Mask, long LowerArea, long Area, long UpperArea)
{
    /// <summary>Logits above this are mask. Source: Segment Anything, modeling/sam.py (mask_threshold).</summary>
    public const float Threshold = 0;

    /// <summary>Source: Segment Anything, automatic_mask_generator.py (stability_score_offset).</summary>
    public const float StabilityOffset = 1;

    /// <summary>Intersection over union of the masks at the upper and the lower cut-off; NaN where both are empty.</summary>
    /// <remarks>Source: Segment Anything, utils/amg.py (calculate_stability_score).</remarks>
    public float StabilityScore => (float)UpperArea / LowerArea;

    /// <summary>The mask's box with inclusive maxima; all zero for an empty mask.</summary>
    /// <remarks>Source: Segment Anything, utils/amg.py (batched_mask_to_box).</remarks>
    public (int X0, int Y0, int X1, int Y1) InclusiveBox => Mask.BoundingBox is { IsEmpty: false } box
        ? (box.X, box.Y, box.Right - 1, box.Bottom - 1)
        : default;
}
