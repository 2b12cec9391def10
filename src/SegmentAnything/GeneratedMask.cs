using SegmentAnything.Rle;

namespace SegmentAnything;

/// <summary>One object that the automatic generator found.</summary>
public sealed class GeneratedMask
{
    internal GeneratedMask(RleMask mask, long area, Box box, float predictedIou, float stabilityScore, double pointX, double pointY, Box cropBox)
    {
        Mask = mask;
        Area = area;
        Box = box;
        PredictedIou = predictedIou;
        StabilityScore = stabilityScore;
        PointX = pointX;
        PointY = pointY;
        CropBox = cropBox;
    }

    /// <summary>The mask at the size of the source image.</summary>
    public RleMask Mask { get; }

    /// <summary>Its pixels.</summary>
    public long Area { get; }

    /// <summary>
    /// The first and the last column and row that hold mask, in source-image pixels. As in the reference, the width is
    /// one less than the number of columns; <see cref="RleMask.BoundingBox"/> of <see cref="Mask"/> counts columns.
    /// </summary>
    public Box Box { get; }

    /// <summary>The model's own guess of how well the mask fits an object: intersection over union, 0 to about 1.</summary>
    public float PredictedIou { get; }

    /// <summary>Intersection over union of the masks cut at a higher and a lower logit: near 1 for masks with a firm edge.</summary>
    public float StabilityScore { get; }

    /// <summary>The column of the point that found it, in source-image pixels.</summary>
    public double PointX { get; }

    /// <summary>The row of the point that found it, in source-image pixels.</summary>
    public double PointY { get; }

    /// <summary>The crop it was found in: left, top, right, bottom in source-image pixels, right and bottom being one past the last.</summary>
    public Box CropBox { get; }
}
