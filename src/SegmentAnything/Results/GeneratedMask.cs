using SegmentAnything.Rle;

namespace SegmentAnything;

/// <summary>One object that the automatic generator found.</summary>
public sealed class GeneratedMask
{
    /// <summary>Makes a mask that was found elsewhere, such as in a test.</summary>
    /// <param name="mask">The mask at the size of the source image.</param>
    /// <param name="predictedIou">How well it is held to fit.</param>
    /// <param name="stabilityScore">How firm its edge is.</param>
    /// <param name="pointX">The column of the point that found it, in source-image pixels.</param>
    /// <param name="pointY">The row of that point.</param>
    /// <param name="cropBox">The crop that it was found in; by default the whole image.</param>
    public GeneratedMask(RleMask mask, float predictedIou, float stabilityScore, double pointX, double pointY, Box? cropBox = null)
        : this(
            mask ?? throw new ArgumentNullException(nameof(mask)), mask.Area, InclusiveBox(mask), predictedIou, stabilityScore, pointX, pointY,
            cropBox ?? new Box(0, 0, mask.Width, mask.Height))
    {
    }

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

    private static Box InclusiveBox(RleMask mask)
    {
        MaskBox box = mask.BoundingBox;
        return box.IsEmpty ? default : new Box(box.X, box.Y, box.Right - 1, box.Bottom - 1);
    }
}
