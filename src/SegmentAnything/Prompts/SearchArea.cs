using SegmentAnything.Rle;

namespace SegmentAnything;

/// <summary>Where in an image the automatic generator looks for objects. Without anything set, everywhere.</summary>
public sealed record SearchArea
{
    /// <summary>The whole image.</summary>
    public static SearchArea Everywhere { get; } = new();

    /// <summary>
    /// The part of the image that grids of points are laid over, in source-image pixels; null for all of it. A grid keeps its number
    /// of points, so that they lie closer. What is found may reach out of the region; crops, if there are any, lie within it.
    /// </summary>
    public Box? Region { get; init; }

    /// <summary>
    /// Where nothing is looked for, at the size of the image: no point on its foreground is prompted, and what is found and lies on
    /// it by more than half is left out. With the union of the masks that are known, the generator finds the rest. Null for nothing.
    /// </summary>
    public RleMask? Excluded { get; init; }

    /// <summary>Checks that the area fits an image.</summary>
    /// <param name="image">The size of the image.</param>
    /// <exception cref="ArgumentException">The region holds no pixel of the image, or the excluded mask has another size.</exception>
    public void Validate(ImageSize image)
    {
        if (Region is { } region && !(region.X0 >= 0 && region.Y0 >= 0 && region.X1 <= image.Width && region.Y1 <= image.Height
            && region.X0 < region.X1 && region.Y0 < region.Y1))
        {
            throw new ArgumentException(
                $"The region {region} does not lie within the image of {image} pixels, or is empty: give left, top, right, bottom from (0, 0) to ({image.Width}, {image.Height}).",
                nameof(image));
        }

        if (Excluded is { } excluded && (excluded.Width != image.Width || excluded.Height != image.Height))
        {
            throw new ArgumentException(
                $"The excluded mask has {excluded.Width}x{excluded.Height} pixels, the image {image}: resize it first (RleMask.Resize).", nameof(image));
        }
    }
}
