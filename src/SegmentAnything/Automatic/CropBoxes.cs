namespace SegmentAnything.Automatic;

/// <summary>A part of the image that is encoded and prompted by itself.</summary>
/// <param name="X">First column.</param>
/// <param name="Y">First row.</param>
/// <param name="Width">Columns.</param>
/// <param name="Height">Rows.</param>
/// <param name="Layer">0 is the whole image; layer i has 2^i crops a side.</param>
internal readonly record struct CropBox(int X, int Y, int Width, int Height, int Layer)
{
    public ImageSize Size => new(Width, Height);

    public double Area => (double)Width * Height;
}

/// <summary>Divides an image into overlapping crops.</summary>
/// <remarks>Source: Segment Anything, utils/amg.py (generate_crop_boxes).</remarks>
internal static class CropBoxes
{
    /// <summary>The whole image, then the crops of each layer: columns of crops from the left, each from the top.</summary>
    /// <param name="image">The size of the image.</param>
    /// <param name="layers">How many layers of crops there are beside the whole image.</param>
    /// <param name="overlapRatio">By how much crops of layer 1 overlap, as a part of the shorter side; halved with each layer.</param>
    /// <remarks>Crops without pixels, which images of a few pixels lead to, are left out.</remarks>
    public static List<CropBox> Generate(ImageSize image, int layers, double overlapRatio)
    {
        int shortSide = Math.Min(image.Width, image.Height);
        List<CropBox> boxes = [new CropBox(0, 0, image.Width, image.Height, 0)];
        for (int layer = 1; layer <= layers; layer++)
        {
            int perSide = 1 << layer;
            int overlap = (int)(overlapRatio * shortSide * (2.0 / perSide));
            int width = CropLength(image.Width, perSide, overlap);
            int height = CropLength(image.Height, perSide, overlap);
            for (int column = 0; column < perSide; column++)
            {
                for (int row = 0; row < perSide; row++)
                {
                    int x = (width - overlap) * column;
                    int y = (height - overlap) * row;
                    var box = new CropBox(x, y, Math.Min(width, image.Width - x), Math.Min(height, image.Height - y), layer);
                    if (box.Width > 0 && box.Height > 0) boxes.Add(box);
                }
            }
        }

        return boxes;
    }

    private static int CropLength(int length, int crops, int overlap) =>
        (int)Math.Ceiling(((overlap * (crops - 1)) + length) / (double)crops);
}
