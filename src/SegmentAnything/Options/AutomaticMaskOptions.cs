namespace SegmentAnything;

/// <summary>How the automatic generator looks for objects. The names and defaults are the reference's.</summary>
/// <remarks>Source: Segment Anything, automatic_mask_generator.py (SamAutomaticMaskGenerator).</remarks>
public sealed record AutomaticMaskOptions
{
    /// <summary>The reference's defaults: a grid of 32 x 32 points over the whole image, no crops.</summary>
    public static AutomaticMaskOptions Default { get; } = new();

    /// <summary>
    /// The settings that made SA-1B: a grid of 32 x 32 points over the image, 2 x 2 crops with 16 x 16 and 4 x 4 crops
    /// with 8 x 8 points each, islands and holes under 100 pixels cleaned away, masks over 95 % of the image dropped.
    /// About twenty times the encoding and three times the decoding of <see cref="Default"/>.
    /// </summary>
    /// <remarks>Source: Kirillov et al., Segment Anything (2023), appendix B.</remarks>
    public static AutomaticMaskOptions Paper { get; } = new()
    {
        CropLayers = 2,
        CropPointsDownscaleFactor = 2,
        MinMaskRegionArea = 100,
        MaxMaskAreaFraction = 0.95,
    };

    /// <summary>Points along one side of the whole image's grid. Default 32, so 1024 points.</summary>
    public int PointsPerSide { get; init; } = 32;

    /// <summary>
    /// Points to use instead of regular grids: one list for the whole image and one for each layer of crops; x and y from
    /// 0 to 1, as parts of the width and the height. Default null.
    /// </summary>
    public IReadOnlyList<IReadOnlyList<(double X, double Y)>>? PointGrids { get; init; }

    /// <summary>
    /// The part of each grid's points that is prompted, more than 0 to 1. Default 1: all of them, as the reference does.
    /// </summary>
    /// <remarks>
    /// Most points of a grid find what others have found. With less than 1, points are prompted in an order from coarse to
    /// fine: next is the one that the image encoder sees as least like those that were prompted, points within stable masks
    /// that were found counting as more alike; when the part is used up, the rest is left out. With a third, 97 % of the whole
    /// grid's masks were found again on photographs, in less than half of the time; which are lost, nobody can know.
    /// </remarks>
    public double PromptFraction { get; init; } = 1;

    /// <summary>Points decoded in one call. More is faster up to a point and takes 786 kB each. Default 64.</summary>
    public int PointsPerBatch { get; init; } = 64;

    /// <summary>Masks must have a predicted IoU above this, 0 to 1; 0 keeps all. Default 0.88.</summary>
    public float PredIouThreshold { get; init; } = 0.88f;

    /// <summary>Masks must have at least this stability score, 0 to 1; 0 keeps all. Default 0.95.</summary>
    public float StabilityScoreThreshold { get; init; } = 0.95f;

    /// <summary>How far above and below the cut-off the logits are cut to measure stability. Default 1.</summary>
    public float StabilityScoreOffset { get; init; } = 1;

    /// <summary>Masks of one crop whose boxes overlap by more than this IoU are duplicates. Default 0.7.</summary>
    public double BoxNmsThreshold { get; init; } = 0.7;

    /// <summary>Layers of crops beside the whole image; layer i has 4^i crops, each encoded by itself. Default 0.</summary>
    public int CropLayers { get; init; }

    /// <summary>Masks of different crops whose boxes overlap by more than this IoU are duplicates. Default 0.7.</summary>
    public double CropNmsThreshold { get; init; } = 0.7;

    /// <summary>By how much crops overlap in the first layer, as a part of the shorter side. Default 512 / 1500.</summary>
    public double CropOverlapRatio { get; init; } = 512.0 / 1500;

    /// <summary>The points per side in layer i are divided by this to the power of i. Default 1.</summary>
    public int CropPointsDownscaleFactor { get; init; } = 1;

    /// <summary>Holes and islands of fewer pixels are filled and removed; 0 leaves masks as they are. Default 0.</summary>
    public int MinMaskRegionArea { get; init; }

    /// <summary>
    /// Each mask is refined once before it is judged: the model is prompted with its point and the mask itself, and the single
    /// mask that comes back takes its place. Every mask of every point is decoded again, which takes many times as long.
    /// Default false.
    /// </summary>
    /// <remarks>Source: SAM 2, automatic_mask_generator.py (use_m2m).</remarks>
    public bool RefineMasks { get; init; }

    /// <summary>Masks over more than this part of the image are dropped. Default 1: none is.</summary>
    public double MaxMaskAreaFraction { get; init; } = 1;

    /// <summary>How many points of a grid are prompted.</summary>
    internal int PromptCount(int points) => (int)Math.Ceiling(points * PromptFraction);

    /// <summary>Checks that every value makes sense. The generator does it too.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of range; the message gives the range.</exception>
    /// <exception cref="ArgumentException">There are not as many point grids as layers.</exception>
    public void Validate()
    {
        const int MaxCropLayers = 6; // 4096 crops
        const int MaxPointsPerSide = 4096;
        CheckRange(PointsPerSide, 1, MaxPointsPerSide, nameof(PointsPerSide));
        CheckRange(PointsPerBatch, 1, 2048, nameof(PointsPerBatch));
        CheckRange(CropLayers, 0, MaxCropLayers, nameof(CropLayers));
        CheckRange(CropPointsDownscaleFactor, 1, MaxPointsPerSide, nameof(CropPointsDownscaleFactor));
        CheckRange(MinMaskRegionArea, 0, int.MaxValue, nameof(MinMaskRegionArea));
        CheckRange(BoxNmsThreshold, 0, 1, nameof(BoxNmsThreshold));
        CheckRange(CropNmsThreshold, 0, 1, nameof(CropNmsThreshold));
        CheckRange(CropOverlapRatio, 0, 1, nameof(CropOverlapRatio));
        CheckRange(MaxMaskAreaFraction, 0, 1, nameof(MaxMaskAreaFraction));
        CheckRange(StabilityScoreOffset, 0, float.MaxValue, nameof(StabilityScoreOffset));
        if (!(PromptFraction > 0 && PromptFraction <= 1))
            throw new ArgumentOutOfRangeException(nameof(PromptFraction), PromptFraction, "PromptFraction is more than 0 and at most 1.");
        if (float.IsNaN(PredIouThreshold)) throw new ArgumentOutOfRangeException(nameof(PredIouThreshold), "A threshold must be a number.");
        if (float.IsNaN(StabilityScoreThreshold)) throw new ArgumentOutOfRangeException(nameof(StabilityScoreThreshold), "A threshold must be a number.");
        if (PointGrids is null) return;
        if (PointGrids.Count != CropLayers + 1)
        {
            throw new ArgumentException(
                $"There are {PointGrids.Count} point grids; {CropLayers} crop layers need {CropLayers + 1}: one for the whole image and one a layer.",
                nameof(PointGrids));
        }

        foreach ((double x, double y) in PointGrids.SelectMany(grid => grid))
        {
            if (!(x >= 0 && x <= 1 && y >= 0 && y <= 1))
                throw new ArgumentOutOfRangeException(nameof(PointGrids), (x, y), "A point of a grid has x and y from 0 to 1: parts of the width and the height.");
        }
    }

    private static void CheckRange<T>(T value, T least, T most, string name) where T : IComparable<T>
    {
        // NaN compares as less than every number.
        if (value.CompareTo(least) < 0 || value.CompareTo(most) > 0)
            throw new ArgumentOutOfRangeException(name, value, $"{name} is {least} to {most}.");
    }
}
