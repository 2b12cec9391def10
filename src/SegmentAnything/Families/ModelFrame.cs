using SegmentAnything.Masks;

namespace SegmentAnything.Families;

/// <summary>How an image becomes what an image encoder takes.</summary>
internal enum PictureResize
{
    /// <summary>
    /// Pillow's bilinear, which is antialiased and rounds to bytes; padding is zero after normalisation.
    /// Source: Segment Anything, utils/transforms.py (apply_image).
    /// </summary>
    Bytes,

    /// <summary>
    /// PyTorch's bilinear on values of 0 to 1, which is antialiased and rounds nothing. Source: SAM 2, utils/transforms.py
    /// (SAM2Transforms).
    /// </summary>
    Floats,

    /// <summary>
    /// The same without antialiasing: between the four nearest pixels. Source: EfficientSAM, efficient_sam/efficient_sam.py
    /// (preprocess).
    /// </summary>
    FloatsWithoutAntialias,
}

/// <summary>How low-resolution logits become a mask of the source's size.</summary>
internal enum MaskResize
{
    /// <summary>To the frame, without its padding, then to the source. Source: Segment Anything, modeling/sam.py (postprocess_masks).</summary>
    ThroughFrame,

    /// <summary>At once from the low resolution to the source. Source: SAM 2, utils/transforms.py (postprocess_masks).</summary>
    Direct,

    /// <summary>The same with a bicubic filter. Source: EfficientSAM, efficient_sam/efficient_sam.py (predict_masks).</summary>
    DirectBicubic,
}

/// <summary>The way into a model and out of it.</summary>
/// <param name="Side">The side of the frame that points, boxes and mask prompts are in, in pixels.</param>
/// <param name="EncoderSide">The side of the square that the image encoder takes, in pixels: in most families the same.</param>
/// <param name="Fit">Pad or squash.</param>
/// <param name="Resize">How pixels are resized.</param>
/// <param name="Masks">How masks come back.</param>
internal sealed record ModelFrame(int Side, int EncoderSide, PictureFit Fit, PictureResize Resize, MaskResize Masks)
{
    /// <summary>SAM 1's: padded, through the frame, the encoder's square being the frame.</summary>
    public static ModelFrame Padded(int side) => new(side, side, PictureFit.Pad, PictureResize.Bytes, MaskResize.ThroughFrame);

    /// <summary>That of a model whose image encoder is an ONNX file, of which nothing else is known.</summary>
    public static ModelFrame Of(SamVariant variant) => variant.Fit == PictureFit.Pad
        ? Padded(variant.ImageSize)
        : throw new ModelContractException(
            $"{variant.Name}: pictures are brought to the model's square by {variant.Fit}; image encoders in ONNX files are run with {PictureFit.Pad} alone. Load the checkpoint.");

    /// <summary>Places an image.</summary>
    public ImageFrame Of(ImageSize source) => new(source, Side, Fit);

    /// <summary>The way from low-resolution logits to masks of an image's size.</summary>
    /// <param name="frame">Where the image lies.</param>
    /// <param name="lowResSize">The side of the logits.</param>
    public IMaskUpscaler CreateUpscaler(ImageFrame frame, int lowResSize) => Masks switch
    {
        MaskResize.Direct => new MaskUpscaler(new ImageSize(lowResSize, lowResSize), frame.SourceSize, lowResSize, lowResSize),
        MaskResize.DirectBicubic => new BicubicMaskUpscaler(lowResSize, frame.SourceSize),
        _ => new MaskUpscaler(frame.ResizedSize, frame.SourceSize, lowResSize, frame.ModelSize),
    };
}
