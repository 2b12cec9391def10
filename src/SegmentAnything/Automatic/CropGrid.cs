using SegmentAnything.Rle;

namespace SegmentAnything.Automatic;

/// <summary>A crop and the points that it is prompted with.</summary>
/// <param name="Crop">Where the crop lies.</param>
/// <param name="Points">As parts of the crop's width and height.</param>
internal sealed record CropGrid(CropBox Crop, (double X, double Y)[] Points)
{
    /// <summary>The crops of an image and their points, as far as an area goes.</summary>
    /// <param name="image">The size of the image.</param>
    /// <param name="grids">The grid of each layer.</param>
    /// <param name="options">Layers and their overlap.</param>
    /// <param name="area">Fits the image.</param>
    /// <remarks>
    /// With a region, the whole image is still the first crop: what is in it is seen with what is around it. Its grid lies over the
    /// region, and smaller crops divide the region.
    /// </remarks>
    public static List<CropGrid> Of(ImageSize image, (double X, double Y)[][] grids, AutomaticMaskOptions options, SearchArea area)
    {
        if (area.Region is not { } region)
            return [.. CropBoxes.Generate(image, options.CropLayers, options.CropOverlapRatio).Select(crop => new CropGrid(crop, Without(area.Excluded, crop, grids[crop.Layer])))];

        int left = (int)region.X0, top = (int)region.Y0;
        var pixels = new ImageSize((int)Math.Ceiling(region.X1) - left, (int)Math.Ceiling(region.Y1) - top);
        var whole = new CropBox(0, 0, image.Width, image.Height, 0);
        (double X, double Y)[] inRegion = [.. grids[0].Select(point =>
            ((region.X0 + (point.X * region.Width)) / image.Width, (region.Y0 + (point.Y * region.Height)) / image.Height))];
        return [
            new CropGrid(whole, Without(area.Excluded, whole, inRegion)),
            .. CropBoxes.Generate(pixels, options.CropLayers, options.CropOverlapRatio).Skip(1)
                .Select(crop => crop with { X = crop.X + left, Y = crop.Y + top })
                .Select(crop => new CropGrid(crop, Without(area.Excluded, crop, grids[crop.Layer])))];
    }

    // The points that do not lie on a mask.
    private static (double X, double Y)[] Without(RleMask? excluded, CropBox crop, (double X, double Y)[] points)
    {
        if (excluded is null || excluded.IsEmpty || points.Length == 0) return points;
        // In the order of the runs, which are walked through once.
        int[] pixels = [.. points.Select(point =>
        {
            int x = crop.X + Math.Min((int)(point.X * crop.Width), crop.Width - 1), y = crop.Y + Math.Min((int)(point.Y * crop.Height), crop.Height - 1);
            return (x * excluded.Height) + y;
        })];
        int[] order = [.. Enumerable.Range(0, points.Length)];
        Array.Sort((int[])pixels.Clone(), order);
        bool[] isExcluded = new bool[points.Length];
        int run = 0;
        long end = excluded.Counts[0];
        foreach (int index in order)
        {
            while (pixels[index] >= end) end += excluded.Counts[++run];
            isExcluded[index] = (run & 1) != 0;
        }

        return [.. points.Where((_, i) => !isExcluded[i])];
    }
}
