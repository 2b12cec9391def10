using SegmentAnything.Rle;

namespace SegmentAnything.Automatic;

/// <summary>A mask that passed the filters of its batch.</summary>
/// <param name="Index">point * masks per point + mask, within its crop.</param>
/// <param name="Mask">In the frame of the crop, later of the image.</param>
/// <param name="Area">Its pixels.</param>
/// <param name="Box">In the same frame.</param>
/// <param name="PredictedIou">The model's own guess.</param>
/// <param name="StabilityScore">How firm its edge is.</param>
/// <param name="X">The point that was prompted with, in the frame of the image.</param>
/// <param name="Y">The point that was prompted with, in the frame of the image.</param>
/// <param name="Crop">The crop it was found in.</param>
internal sealed record Candidate(
    int Index, RleMask Mask, long Area, Box Box, float PredictedIou, float StabilityScore, double X, double Y, CropBox Crop)
{
    /// <summary>The candidate in the frame of the image. Source: Segment Anything, utils/amg.py (uncrop_masks, uncrop_boxes_xyxy).</summary>
    public Candidate Uncrop(ImageSize image)
    {
        if (Crop.Size == image) return this;
        RleMask mask = Mask.Pad(Crop.X, Crop.Y, image.Width - Crop.X - Crop.Width, image.Height - Crop.Y - Crop.Height);
        return this with { Mask = mask, Box = Box.Offset(Crop.X, Crop.Y) };
    }
}
