using SegmentAnything.Rle;

namespace SegmentAnything.Automatic;

/// <summary>The decisions of the automatic generator, one method each.</summary>
/// <remarks>Source: Segment Anything, automatic_mask_generator.py and utils/amg.py.</remarks>
internal static class CandidateFilter
{
    /// <summary>How near to an inner edge of a crop a mask may not come, in pixels.</summary>
    public const int EdgeTolerance = 20;

    /// <summary>Above the threshold; NaN never is. A threshold of 0 or less lets everything pass.</summary>
    public static bool PassesPredictedIou(float predictedIou, float threshold) => threshold <= 0 || predictedIou > threshold;

    /// <summary>
    /// Whether a mask was probably cut off by its crop: a side of its box lies within <see cref="EdgeTolerance"/> of the
    /// same side of the crop, and not of the image.
    /// </summary>
    /// <param name="box">In the frame of the crop.</param>
    /// <param name="crop">Where the crop lies.</param>
    /// <param name="image">The size of the image.</param>
    /// <remarks>Source: utils/amg.py (is_box_near_crop_edge).</remarks>
    public static bool IsNearCropEdge(Box box, CropBox crop, ImageSize image)
    {
        Box inImage = box.Offset(crop.X, crop.Y);
        return IsCut(inImage.X0, crop.X, 0)
            || IsCut(inImage.Y0, crop.Y, 0)
            || IsCut(inImage.X1, crop.X + crop.Width, image.Width)
            || IsCut(inImage.Y1, crop.Y + crop.Height, image.Height);

        static bool IsCut(float side, int cropSide, int imageSide) =>
            Math.Abs(side - cropSide) <= EdgeTolerance && Math.Abs(side - imageSide) > EdgeTolerance;
    }

    /// <summary>Of candidates whose boxes overlap by more than the threshold, the one with the highest score stays.</summary>
    /// <returns>Those that stay, best first; equal scores in the order given.</returns>
    public static List<Candidate> Suppress(List<Candidate> candidates, Func<Candidate, float> score, double threshold)
    {
        float[] boxes = new float[4 * candidates.Count];
        float[] scores = new float[candidates.Count];
        for (int i = 0; i < candidates.Count; i++)
        {
            Box box = candidates[i].Box;
            (boxes[4 * i], boxes[(4 * i) + 1], boxes[(4 * i) + 2], boxes[(4 * i) + 3]) = (box.X0, box.Y0, box.X1, box.Y1);
            scores[i] = score(candidates[i]);
        }

        List<Candidate> kept = [];
        foreach (int index in NonMaximumSuppression.Boxes(boxes, scores, threshold)) kept.Add(candidates[index]);
        return kept;
    }

    /// <summary>Within a crop: the highest predicted IoU stays.</summary>
    public static List<Candidate> SuppressWithinCrop(List<Candidate> candidates, double threshold) =>
        Suppress(candidates, candidate => candidate.PredictedIou, threshold);

    /// <summary>Fills small holes and removes small islands.</summary>
    /// <param name="candidates">In the frame of the image.</param>
    /// <param name="minArea">The least number of pixels of a hole or an island that stays.</param>
    /// <param name="threads">Threads to work with, the caller's included.</param>
    /// <param name="cancellationToken">Looked at between masks.</param>
    /// <returns>The candidates in their order, and whether there was something to clean.</returns>
    /// <remarks>Source: automatic_mask_generator.py (postprocess_small_regions).</remarks>
    public static (Candidate Cleaned, bool IsChanged)[] RemoveSmallRegions(
        List<Candidate> candidates, int minArea, int threads, CancellationToken cancellationToken)
    {
        var cleaned = new (Candidate, bool)[candidates.Count];
        WorkSplitter.RunOnPool(
            threads,
            cleaned.Length,
            i =>
            {
                (RleMask filled, bool holes) = candidates[i].Mask.FillSmallHoles(minArea);
                (RleMask mask, bool islands) = filled.RemoveSmallRegions(minArea);
                cleaned[i] = holes || islands
                    ? (candidates[i] with { Mask = mask, Area = mask.Area, Box = BoxOf(mask) }, true)
                    : (candidates[i], false);
            },
            cancellationToken);
        return cleaned;
    }

    /// <summary>The box of a mask with inclusive maxima; all zero for an empty mask.</summary>
    public static Box BoxOf(RleMask mask) => mask.BoundingBox is { IsEmpty: false } box
        ? new Box(box.X, box.Y, box.Right - 1, box.Bottom - 1)
        : default;
}
