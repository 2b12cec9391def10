using System.Collections.ObjectModel;
using System.Text.Json;
using SegmentAnything.Rle;

namespace SegmentAnything.Annotations;

/// <summary>One object of a picture, whatever the format it comes from or goes to. What is null is unknown.</summary>
public sealed record Annotation
{
    /// <summary>Its number. A writer gives one to an annotation without: one more than the largest so far.</summary>
    public long? Id { get; init; }

    /// <summary>The number of its picture.</summary>
    public long ImageId { get; init; }

    /// <summary>The number of its category.</summary>
    public long? CategoryId { get; init; }

    /// <summary>Its pixels, at the size of the picture; null where there is only a box, or nothing.</summary>
    public RleMask? Mask { get; init; }

    /// <summary>
    /// The polygons that <see cref="Mask"/> was drawn from, each x0, y0, x1, y1, ... in pixels, the mask being their union; null
    /// where it was not drawn from polygons.
    /// </summary>
    public IReadOnlyList<double[]>? Polygons { get; init; }

    /// <summary>Its box as the file has it. Boxes that leave out the last column and row in the file (SA-1B) count them here.</summary>
    public PixelRectangle? Box { get; init; }

    /// <summary>Its area in pixels as the file has it; files made from polygons hold fractions.</summary>
    public double? Area { get; init; }

    /// <summary>Whether it is a crowd of objects that were not told apart.</summary>
    public bool IsCrowd { get; init; }

    /// <summary>How certain a detector is of it.</summary>
    public double? Score { get; init; }

    /// <summary>The model's own guess of the mask's quality.</summary>
    public double? PredictedIou { get; init; }

    /// <summary>How firm the mask's edge is.</summary>
    public double? StabilityScore { get; init; }

    /// <summary>The points that prompted for it, in pixels.</summary>
    public IReadOnlyList<MaskPoint> Points { get; init; } = [];

    /// <summary>The crop of the picture that it was found in.</summary>
    public PixelRectangle? CropBox { get; init; }

    /// <summary>What the file says of it beyond this, by name; written again by the formats that are JSON.</summary>
    public IReadOnlyDictionary<string, JsonElement> Other { get; init; } = ReadOnlyDictionary<string, JsonElement>.Empty;

    /// <summary>Describes a mask; area and box are the mask's.</summary>
    /// <param name="mask">The mask, at the size of its picture.</param>
    /// <param name="id">The object's number; null lets the writer choose.</param>
    /// <param name="imageId">The picture's number.</param>
    /// <param name="categoryId">The category's number.</param>
    /// <exception cref="ArgumentNullException">The mask is null.</exception>
    public static Annotation From(RleMask mask, long? id = null, long imageId = 0, long? categoryId = null)
    {
        ArgumentNullException.ThrowIfNull(mask);
        return new Annotation
        {
            Id = id,
            ImageId = imageId,
            CategoryId = categoryId,
            Mask = mask,
            Area = mask.Area,
            Box = PixelRectangle.From(mask.BoundingBox),
        };
    }

    /// <summary>The box of the file, or else that of the mask.</summary>
    internal PixelRectangle? BoxOrMaskBox => Box ?? (Mask is null ? null : PixelRectangle.From(Mask.BoundingBox));

    /// <summary>The area of the file, or else that of the mask or the box.</summary>
    internal double AreaOrMaskArea => Area ?? Mask?.Area ?? (Box is { } box ? box.Width * box.Height : 0);

    /// <summary>How the annotation is called in messages.</summary>
    internal string Title => Id is { } id ? $"annotation {id}" : "an annotation without a number";
}
