namespace SegmentAnything.Rle;

/// <summary>A binary mask in COCO's run-length form.</summary>
public sealed partial class RleMask;
