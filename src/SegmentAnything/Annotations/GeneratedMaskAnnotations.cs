using SegmentAnything.Annotations;
using SegmentAnything.Rle;

namespace SegmentAnything;

/// <summary>Masks of the automatic generator as annotations.</summary>
public static class GeneratedMaskAnnotations
{
    /// <summary>Describes a mask, with its scores, its point and its crop.</summary>
    /// <param name="mask">The mask.</param>
    /// <param name="id">Its number; null lets the writer choose.</param>
    /// <param name="imageId">The number of its image.</param>
    /// <param name="categoryId">The number of its category; the generator knows none.</param>
    public static Annotation ToAnnotation(this GeneratedMask mask, long? id = null, long imageId = 0, long? categoryId = null)
    {
        ArgumentNullException.ThrowIfNull(mask);
        Box box = mask.Box;
        return new Annotation
        {
            Id = id,
            ImageId = imageId,
            CategoryId = categoryId,
            Mask = mask.Mask,
            Area = mask.Area,
            // The generator's box ends in the last column and row, an annotation's counts them.
            Box = mask.Mask.IsEmpty ? default : new PixelRectangle(box.X0, box.Y0, (double)box.X1 - box.X0 + 1, (double)box.Y1 - box.Y0 + 1),
            PredictedIou = Known(mask.PredictedIou),
            StabilityScore = Known(mask.StabilityScore),
            Points = [new MaskPoint(mask.PointX, mask.PointY)],
            CropBox = new PixelRectangle(mask.CropBox.X0, mask.CropBox.Y0, (double)mask.CropBox.X1 - mask.CropBox.X0, (double)mask.CropBox.Y1 - mask.CropBox.Y0),
        };
    }

    /// <summary>Adds a mask; its number is one more than the largest so far.</summary>
    /// <param name="writer">Where to.</param>
    /// <param name="mask">The mask.</param>
    /// <exception cref="ArgumentException">The mask is not of the image's size.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Add(this Sa1bWriter writer, GeneratedMask mask)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.Add(mask.ToAnnotation());
    }

    private static double? Known(float score) => float.IsFinite(score) ? score : null;
}
