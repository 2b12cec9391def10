using SegmentAnything.Evaluation;

namespace SegmentAnything.Tasks;

/// <summary>Object proposals: as many masks as may hold an object, the likeliest first.</summary>
/// <remarks>Source: Kirillov et al. 2023, sections 7.3 and D.3; the ranking is the authors' answer to a question about it.</remarks>
public static class ObjectProposals
{
    /// <summary>How many proposals of an image are kept.</summary>
    public const int MostProposals = 1000;

    /// <summary>The paper's settings: a grid of 64 x 64 points, no crops, no filter of quality, duplicates above 0.9.</summary>
    public static AutomaticMaskOptions Options { get; } = new()
    {
        PointsPerSide = 64,
        PredIouThreshold = 0,
        StabilityScoreThreshold = 0,
        BoxNmsThreshold = 0.9,
    };

    /// <summary>Ranks generated masks as proposals: by the mean of predicted IoU and stability score, the best thousand.</summary>
    /// <param name="masks">The masks of one image.</param>
    /// <param name="imageId">The image's number.</param>
    /// <param name="categoryId">The category that all of them get: proposals have none, but files need one.</param>
    public static IReadOnlyList<Detection> Rank(IEnumerable<GeneratedMask> masks, long imageId, long categoryId = 1)
    {
        ArgumentNullException.ThrowIfNull(masks);
        return
        [
            .. masks.Select(mask => new Detection(imageId, categoryId, ((double)mask.PredictedIou + mask.StabilityScore) / 2) { Mask = mask.Mask })
                .OrderByDescending(detection => detection.Score).Take(MostProposals),
        ];
    }
}
