namespace SegmentAnything.Geometry;

/// <summary>
/// From the source frame to the model frame: the longer side becomes the model's, the shorter one follows. Image size,
/// points and boxes are transformed by the same object, so that they cannot disagree.
/// </summary>
/// <remarks>
/// The resized size is rounded to whole pixels first; points are then scaled by resized / source size, on each axis by
/// its own ratio. Source: Segment Anything, utils/transforms.py (ResizeLongestSide).
/// </remarks>
internal readonly record struct LongestSideTransform
{
    public LongestSideTransform(ImageSize sourceSize, int modelSize)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(sourceSize.Width, 1, nameof(sourceSize));
        ArgumentOutOfRangeException.ThrowIfLessThan(sourceSize.Height, 1, nameof(sourceSize));
        ArgumentOutOfRangeException.ThrowIfLessThan(modelSize, 1);
        SourceSize = sourceSize;
        ModelSize = modelSize;

        // In double, as in the reference. A side that would vanish (a strip 3000 times as long as wide) keeps one pixel.
        double scale = modelSize * 1.0 / Math.Max(sourceSize.Width, sourceSize.Height);
        ResizedSize = new ImageSize(
            Math.Max((int)((sourceSize.Width * scale) + 0.5), 1),
            Math.Max((int)((sourceSize.Height * scale) + 0.5), 1));
    }

    /// <summary>The size of the image as it was given.</summary>
    public ImageSize SourceSize { get; }

    /// <summary>The side of the model's square input.</summary>
    public int ModelSize { get; }

    /// <summary>The size of the image in the model's frame, before padding on the right and at the bottom.</summary>
    public ImageSize ResizedSize { get; }

    /// <summary>Takes a point from source-image pixels to the model frame.</summary>
    public (double X, double Y) ToModel(double x, double y) =>
        (x * ((double)ResizedSize.Width / SourceSize.Width), y * ((double)ResizedSize.Height / SourceSize.Height));

    /// <summary>Takes a box from source-image pixels to the model frame.</summary>
    public Box ToModel(Box boxInSource)
    {
        (double x0, double y0) = ToModel(boxInSource.X0, boxInSource.Y0);
        (double x1, double y1) = ToModel(boxInSource.X1, boxInSource.Y1);
        return new Box((float)x0, (float)y0, (float)x1, (float)y1);
    }
}
