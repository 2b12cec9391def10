using SegmentAnything.Rle.Kernels;

namespace SegmentAnything.Rle;

/// <content>How much two masks have in common.</content>
public sealed partial class RleMask
{
    /// <summary>Number of pixels that are foreground in both masks.</summary>
    /// <param name="other">A mask of the same size.</param>
    /// <exception cref="ArgumentNullException">The other mask is null.</exception>
    /// <exception cref="RleFormatException">The sizes differ.</exception>
    public long IntersectionArea(RleMask other)
    {
        ArgumentNullException.ThrowIfNull(other);
        ThrowHelper.CheckSameSize(this, other);
        return RleKernels.IntersectionArea(_counts, other._counts, Width * Height);
    }

    /// <summary>Intersection over union of two masks: the pixels in both divided by the pixels in either, 0 to 1.</summary>
    /// <param name="other">A mask of the same size.</param>
    /// <param name="otherIsCrowd">
    /// Whether the other mask is a crowd, as COCO calls a region of many objects: the intersection is then divided by
    /// the area of this mask alone.
    /// </param>
    /// <returns>The ratio; 0 when nothing is in common, two empty masks included.</returns>
    /// <exception cref="ArgumentNullException">The other mask is null.</exception>
    /// <exception cref="RleFormatException">The sizes differ.</exception>
    /// <remarks>Source: COCO API, maskApi.c (rleIou).</remarks>
    public double IntersectionOverUnion(RleMask other, bool otherIsCrowd = false)
    {
        long intersection = IntersectionArea(other);
        if (intersection == 0) return 0;
        long area = Area;
        return intersection / (double)(otherIsCrowd ? area : area + other.Area - intersection);
    }

    /// <summary>The Dice coefficient of two masks: twice the pixels in both, divided by the sum of the areas; 0 to 1.</summary>
    /// <param name="other">A mask of the same size.</param>
    /// <returns>The ratio; 0 when nothing is in common, two empty masks included.</returns>
    /// <exception cref="ArgumentNullException">The other mask is null.</exception>
    /// <exception cref="RleFormatException">The sizes differ.</exception>
    /// <remarks>The F1 score of the pixels: 2 IoU / (1 + IoU).</remarks>
    public double Dice(RleMask other)
    {
        long intersection = IntersectionArea(other);
        return intersection == 0 ? 0 : 2 * intersection / (double)(Area + other.Area);
    }

    /// <summary>The pixels in both masks, divided by the area of the smaller one; 0 to 1, and 1 where one holds the other.</summary>
    /// <param name="other">A mask of the same size.</param>
    /// <returns>The ratio; 0 when nothing is in common, an empty mask included.</returns>
    /// <exception cref="ArgumentNullException">The other mask is null.</exception>
    /// <exception cref="RleFormatException">The sizes differ.</exception>
    /// <remarks>The overlap coefficient; SAHI's metric "IOS".</remarks>
    public double IntersectionOverSmaller(RleMask other)
    {
        long intersection = IntersectionArea(other);
        return intersection == 0 ? 0 : intersection / (double)Math.Min(Area, other.Area);
    }
}
