using System.Text.Json.Serialization;
using SegmentAnything.Rle;

namespace SegmentAnything;

/// <summary>One mask of a file of the SA-1B data set.</summary>
public sealed record Sa1bAnnotation
{
    /// <summary>The box: x, y, and the differences of the last and the first column and row.</summary>
    [JsonPropertyName("bbox")]
    [JsonPropertyOrder(1)]
    public PixelRectangle BoundingBox { get; init; }

    /// <summary>Pixels of the mask.</summary>
    [JsonPropertyName("area")]
    [JsonPropertyOrder(2)]
    public long Area { get; init; }

    /// <summary>The mask; in the file as <c>{"size":[height,width],"counts":"..."}</c>.</summary>
    [JsonPropertyName("segmentation")]
    [JsonPropertyOrder(3)]
    [JsonRequired]
    public required RleMask Segmentation { get; init; }

    /// <summary>The model's own guess of the mask's quality.</summary>
    [JsonPropertyName("predicted_iou")]
    [JsonPropertyOrder(4)]
    public double PredictedIou { get; init; }

    /// <summary>The points that prompted for it, in pixels.</summary>
    [JsonPropertyName("point_coords")]
    [JsonPropertyOrder(5)]
    public IReadOnlyList<IReadOnlyList<double>> PointCoordinates { get; init; } = [];

    /// <summary>The crop it was found in.</summary>
    [JsonPropertyName("crop_box")]
    [JsonPropertyOrder(6)]
    public PixelRectangle CropBox { get; init; }

    /// <summary>Its number.</summary>
    [JsonPropertyName("id")]
    [JsonPropertyOrder(7)]
    public long Id { get; init; }

    /// <summary>How firm the mask's edge is.</summary>
    [JsonPropertyName("stability_score")]
    [JsonPropertyOrder(8)]
    public double StabilityScore { get; init; }

    /// <summary>Describes a mask that the automatic generator found.</summary>
    /// <param name="mask">The mask.</param>
    /// <param name="id">Its number.</param>
    public static Sa1bAnnotation From(GeneratedMask mask, long id)
    {
        ArgumentNullException.ThrowIfNull(mask);
        return new Sa1bAnnotation
        {
            BoundingBox = PixelRectangle.From(mask.Box),
            Area = mask.Area,
            Segmentation = mask.Mask,
            PredictedIou = mask.PredictedIou,
            PointCoordinates = [[mask.PointX, mask.PointY]],
            CropBox = PixelRectangle.From(mask.CropBox),
            Id = id,
            StabilityScore = mask.StabilityScore,
        };
    }
}
