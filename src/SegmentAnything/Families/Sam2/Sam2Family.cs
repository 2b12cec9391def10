using System.Collections.Immutable;
using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;
using SegmentAnything.Onnx;

namespace SegmentAnything.Families.Sam2;

/// <summary>SAM 2 and SAM 2.1, for images: Hiera before SAM's mask decoder with two more maps and an object score.</summary>
internal sealed class Sam2Family : ModelFamily
{
    // Shapes tell neither. Source: SAM 2, modeling/sam2_base.py (_build_sam_heads); PyTorch's default of LayerNorm.
    private const int Heads = 8;
    private const float NormEpsilon = 1e-5f;

    public override string Name => "SAM 2";

    public override PictureFit Fit => PictureFit.Squash;

    public override ImmutableArray<SamVariant> Published => Sam2Variants.All;

    public override bool Takes(ModelSpecification specification) => specification is Sam2Spec || base.Takes(specification);

    public override FamilyModel? Recognise(StateDict weights, ModelSpecification? specification = null)
    {
        if (!Sam2Names.Are(weights.Tensors.Keys)) return null;
        weights = Sam2Names.View(weights);
        Sam2Layout layout = Sam2Layout.Of(weights, specification);
        DecoderLayout decoder = LayoutOf(weights, layout);
        return layout.Channels == decoder.Channels && layout.HighRes1 == decoder.UpscaleChannels1 && layout.HighRes0 == decoder.UpscaleChannels2
            ? new Sam2Model(layout, decoder) { Weights = weights }
            : throw new CheckpointException(
                $"{weights.Source}: the image encoder gives maps of {layout.Channels}, {layout.HighRes1} and {layout.HighRes0} channels, but the mask decoder takes {decoder.Channels}, {decoder.UpscaleChannels1} and {decoder.UpscaleChannels2}.");
    }

    public override FamilyModel? RecogniseDecoder(StateDict weights, SamVariant variant)
    {
        if (!weights.Contains("mask_decoder.obj_score_token.weight")) return null;
        Sam2Layout layout = Sam2Layout.OfDecoder(weights, variant.ImageSize);
        return new Sam2Model(layout, LayoutOf(weights, layout)) { Weights = weights };
    }

    public override StateDict? ReadOnnxDecoder(ModelProto model, string source) => Sam2DecoderImport.Fits(model) ? Sam2DecoderImport.Read(model, source) : null;

    // Weights that are found are run by our own kernels; other files are run as they are.
    public override FamilyModel? RecogniseOnnxDecoder(ModelProto model, SamVariant variant, string source) =>
        base.RecogniseOnnxDecoder(model, variant, source)
        ?? (Sam2Exports.IsPlain(model) || Sam2Exports.IsHuggingFace(model) ? Sam2Exports.Read(model, variant, source) : null);

    public override string? DescribeOnnxDecoder(ModelProto model) =>
        Sam2Exports.IsPlain(model) ? "ONNX, SAM 2's mask decoder"
        : Sam2Exports.IsHuggingFace(model) ? "ONNX, Hugging Face export of SAM 2 (prompt_encoder_mask_decoder)"
        : null;

    public override string? OnnxDecoderInputs => Sam2Exports.ExpectedInputs;

    public override string? DescribeOnnxEncoder(ModelProto model) =>
        model.Graph.Name == HieraEncoderGraph.GraphName ? "SAM 2, Hiera" : Sam2Exports.IsEncoder(model) ? "SAM 2" : null;

    /// <summary>Reads the sizes of prompt encoder and mask decoder, and checks every weight.</summary>
    internal static DecoderLayout LayoutOf(StateDict weights, Sam2Layout layout) => DecoderLayout.Of(weights, Heads, NormEpsilon) with
    {
        ScoreLayers = Sam2Layout.ScoreLayers,
        HasSigmoidIou = true,
        AfterFirstStep = Sam2Model.HighRes1Of(layout),
        AfterSecondStep = Sam2Model.HighRes0Of(layout),
    };
}
