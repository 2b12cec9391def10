namespace SegmentAnything;

/// <summary>
/// Where an image lies in a model's square frame, and the way between both. Image size, points and boxes go through the same
/// value, so that they cannot disagree.
/// </summary>
/// <remarks>
/// <see cref="PictureFit.Pad"/>: the longer side becomes the frame's, the shorter one follows, and the rest on the right or
/// at the bottom is padding. The resized size is rounded to whole pixels first; points are then scaled by resized / source
/// size, on each axis by its own ratio. Source: Segment Anything, utils/transforms.py (ResizeLongestSide).
/// <see cref="PictureFit.Squash"/>: both sides become the frame's. Source: SAM 2, utils/transforms.py (SAM2Transforms).
/// </remarks>
public readonly record struct ImageFrame
{
    /// <summary>Places an image in a frame.</summary>
    /// <param name="sourceSize">The size of the image, in pixels.</param>
    /// <param name="modelSize">The side of the frame, in pixels.</param>
    /// <param name="fit">Pad or squash.</param>
    /// <exception cref="ArgumentOutOfRangeException">A side is less than 1, or the fit is neither.</exception>
    public ImageFrame(ImageSize sourceSize, int modelSize, PictureFit fit = PictureFit.Pad)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(sourceSize.Width, 1, nameof(sourceSize));
        ArgumentOutOfRangeException.ThrowIfLessThan(sourceSize.Height, 1, nameof(sourceSize));
        ArgumentOutOfRangeException.ThrowIfLessThan(modelSize, 1);
        if (fit is not (PictureFit.Pad or PictureFit.Squash)) throw new ArgumentOutOfRangeException(nameof(fit), fit, "Give Pad or Squash.");
        SourceSize = sourceSize;
        ModelSize = modelSize;
        Fit = fit;
        if (fit == PictureFit.Squash)
        {
            ResizedSize = new ImageSize(modelSize, modelSize);
            return;
        }

        // In double, as in the reference. A side that would vanish (a strip 3000 times as long as wide) keeps one pixel.
        double scale = modelSize * 1.0 / Math.Max(sourceSize.Width, sourceSize.Height);
        ResizedSize = new ImageSize(
            Math.Max((int)((sourceSize.Width * scale) + 0.5), 1),
            Math.Max((int)((sourceSize.Height * scale) + 0.5), 1));
    }

    /// <summary>The size of the image, in pixels.</summary>
    public ImageSize SourceSize { get; }

    /// <summary>The side of the frame, in pixels.</summary>
    public int ModelSize { get; }

    /// <summary>How the image is brought to the frame.</summary>
    public PictureFit Fit { get; }

    /// <summary>The size of the image in the frame, before padding on the right and at the bottom.</summary>
    public ImageSize ResizedSize { get; }

    /// <summary>Takes a point from source-image pixels to the frame.</summary>
    /// <param name="x">To the right.</param>
    /// <param name="y">Down.</param>
    public (double X, double Y) ToModel(double x, double y) =>
        (x * ((double)ResizedSize.Width / SourceSize.Width), y * ((double)ResizedSize.Height / SourceSize.Height));

    /// <summary>Takes a box from source-image pixels to the frame.</summary>
    /// <param name="boxInSource">The box.</param>
    public Box ToModel(Box boxInSource)
    {
        (double x0, double y0) = ToModel(boxInSource.X0, boxInSource.Y0);
        (double x1, double y1) = ToModel(boxInSource.X1, boxInSource.Y1);
        return new Box((float)x0, (float)y0, (float)x1, (float)y1);
    }
}
