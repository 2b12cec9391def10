using System.Collections.Immutable;
using SegmentAnything.Checkpoints;
using SegmentAnything.Onnx;

namespace SegmentAnything.Families;

/// <summary>
/// A family of models: how its weights are recognised and which were published. One object for each family stands in
/// <see cref="ModelFamilies"/>; all else of a family is what <see cref="FamilyModel"/> asks for.
/// </summary>
internal abstract class ModelFamily
{
    /// <summary>Its name in prose.</summary>
    public abstract string Name { get; }

    /// <summary>How it takes images. Default: <see cref="PictureFit.Pad"/>.</summary>
    public virtual PictureFit Fit => PictureFit.Pad;

    /// <summary>The published models, the smallest first.</summary>
    public abstract ImmutableArray<SamVariant> Published { get; }

    /// <summary>It has use for a specification of this kind.</summary>
    public virtual bool Takes(ModelSpecification specification) => specification.GetType() == typeof(ModelSpecification);

    /// <summary>Recognises the weights of a whole model, by names and shapes alone.</summary>
    /// <param name="weights">Names as the file has them, without a wrapper's prefix; the result's may be others.</param>
    /// <param name="specification">What shapes do not tell; null for what the published models have.</param>
    /// <returns>Null where they are of another family.</returns>
    /// <exception cref="CheckpointException">They are of this family, but a tensor is missing or does not fit the others.</exception>
    public abstract FamilyModel? Recognise(StateDict weights, ModelSpecification? specification = null);

    /// <summary>Recognises prompt encoder and mask decoder alone, whose image encoder is an ONNX file.</summary>
    /// <param name="weights">As <see cref="ReadOnnxDecoder"/> gives them, or as a checkpoint of the decoder has them.</param>
    /// <param name="variant">What the image encoder's sizes are.</param>
    /// <returns>Null where they are of another family.</returns>
    /// <exception cref="CheckpointException">They are of this family, but a tensor is missing or does not fit the others.</exception>
    public virtual FamilyModel? RecogniseDecoder(StateDict weights, SamVariant variant) => null;

    /// <summary>Gets the weights of prompt encoder and mask decoder back from an ONNX export of them.</summary>
    /// <returns>Null where the export is of another family.</returns>
    /// <exception cref="CheckpointException">It is of this family, but a weight was not found.</exception>
    public virtual StateDict? ReadOnnxDecoder(ModelProto model, string source) => null;

    /// <summary>Recognises prompt encoder and mask decoder in an ONNX export of them.</summary>
    /// <param name="model">The export.</param>
    /// <param name="variant">What the image encoder's sizes are.</param>
    /// <param name="source">Where it is from, for messages.</param>
    /// <returns>Null where the export is of another family.</returns>
    /// <exception cref="CheckpointException">It is of this family, but a weight was not found or does not fit.</exception>
    public virtual FamilyModel? RecogniseOnnxDecoder(ModelProto model, SamVariant variant, string source) =>
        ReadOnnxDecoder(model, source) is { } weights ? RecogniseDecoder(weights, variant) : null;

    /// <summary>What a decoder's ONNX export is called, for people; null where it is of another family.</summary>
    public virtual string? DescribeOnnxDecoder(ModelProto model) => null;

    /// <summary>The inputs of the ONNX exports that <see cref="ReadOnnxDecoder"/> understands, for messages.</summary>
    public virtual string? OnnxDecoderInputs => null;

    /// <summary>What an encoder's ONNX export is of, for people; null where it cannot be told to be of this family.</summary>
    public virtual string? DescribeOnnxEncoder(ModelProto model) => null;

    /// <summary>
    /// Gets the image encoder back from an ONNX export of it whose own arrangement is slower than ours. Its <c>Build...</c>
    /// methods alone are used.
    /// </summary>
    /// <returns>Null where the export is of another family, or differs from the published network in any way.</returns>
    public virtual FamilyModel? ReadOnnxEncoder(ModelProto model, SamVariant variant, string source) => null;
}
