using SegmentAnything.Rle;

namespace SegmentAnything.Evaluation;

/// <summary>An object that people annotated.</summary>
/// <param name="Id">Its number in the set's file.</param>
/// <param name="ImageId">The image it is in.</param>
/// <param name="CategoryId">Its category.</param>
public sealed record GroundTruth(long Id, long ImageId, long CategoryId)
{
    /// <summary>Its mask, of the image's size; null where only boxes are compared.</summary>
    public RleMask? Mask { get; init; }

    /// <summary>Its box, as the file states it; null when it states none and the mask's is to be taken.</summary>
    public ObjectBox? Box { get; init; }

    /// <summary>
    /// The area by which it is small, medium or large, in pixels, as the file states it: COCO's differ from the masks' a
    /// little. Null when the mask's is to be taken, or the box's where there is no mask.
    /// </summary>
    public double? Area { get; init; }

    /// <summary>Whether it is a region of many objects, which may be found any number of times and need not be (COCO, iscrowd).</summary>
    public bool IsCrowd { get; init; }

    /// <summary>Whether it need not be found (LVIS, ignore). COCO's own code overwrites such a field by iscrowd, so it says nothing there.</summary>
    public bool IsIgnored { get; init; }

    internal ObjectBox ComparedBox => Box ?? Boxes.Of(Mask);

    internal double ComparedArea => Area ?? Mask?.Area ?? ComparedBox.Area;
}

/// <summary>An object that a model found.</summary>
/// <param name="ImageId">The image it is in.</param>
/// <param name="CategoryId">Its category; any number in a comparison without categories, if the set has it.</param>
/// <param name="Score">How sure the model is; only the order counts.</param>
public sealed record Detection(long ImageId, long CategoryId, double Score)
{
    /// <summary>Its mask, of the image's size; null where only boxes are compared.</summary>
    public RleMask? Mask { get; init; }

    /// <summary>Its box, as a results file states it; null when it states none and the mask's is to be taken.</summary>
    public ObjectBox? Box { get; init; }

    /// <summary>
    /// The area by which a detection that matches nothing is small, medium or large: the box's where a box is stated, else the
    /// mask's. Source: COCO API, loadRes.
    /// </summary>
    public double Area => Box?.Area ?? Mask?.Area ?? 0;

    internal ObjectBox ComparedBox => Box ?? Boxes.Of(Mask);
}

internal static class Boxes
{
    public static ObjectBox Of(RleMask? mask)
    {
        if (mask is null) return default;
        MaskBox box = mask.BoundingBox;
        return new ObjectBox(box.X, box.Y, box.Width, box.Height);
    }
}
