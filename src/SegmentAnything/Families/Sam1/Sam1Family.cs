using System.Collections.Immutable;
using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;
using SegmentAnything.Onnx;

namespace SegmentAnything.Families.Sam1;

/// <summary>
/// Segment Anything as published first: a ViT, or TinyViT (MobileSAM), before SAM's prompt encoder and mask decoder. All
/// widths come from shapes, so that pruned models (SlimSAM) and fine-tunes of any size are the same family.
/// </summary>
internal sealed class Sam1Family : ModelFamily
{
    public override string Name => "SAM";

    public override ImmutableArray<SamVariant> Published => Sam1Variants.All;

    public override FamilyModel? Recognise(StateDict weights, ModelSpecification? specification = null)
    {
        weights = HuggingFaceNames.ToOfficial(weights);
        VitLayout? vit = VitLayout.Fits(weights) ? VitLayout.Of(weights) : null;
        TinyVitLayout? tinyVit = vit is null && TinyVitLayout.Fits(weights) ? TinyVitLayout.Of(weights, specification?.ImageSize ?? TinyVitLayout.DefaultImageSize) : null;
        if (vit is null && tinyVit is null) return null;
        vit?.Check(weights);
        tinyVit?.Check(weights);
        DecoderLayout decoder = Sam1Model.LayoutOf(weights);
        int channels = vit?.OutputChannels ?? tinyVit!.OutputChannels;
        return channels == decoder.Channels
            ? new Sam1Model(vit?.ImageSize ?? tinyVit!.ImageSize, vit?.Grid ?? tinyVit!.Grid, decoder) { Weights = weights, Vit = vit, TinyVit = tinyVit }
            : throw new CheckpointException($"{weights.Source}: the image encoder gives {channels} channels, but the mask decoder takes {decoder.Channels}.");
    }

    public override FamilyModel? RecogniseDecoder(StateDict weights, SamVariant variant)
    {
        weights = HuggingFaceNames.ToOfficial(weights);
        return new Sam1Model(variant.ImageSize, variant.EmbeddingGrid, Sam1Model.LayoutOf(weights)) { Weights = weights };
    }

    public override StateDict? ReadOnnxDecoder(ModelProto model, string source) =>
        OnnxDecoderImport.IsOfficialLayout(model) || OnnxDecoderImport.IsHuggingFaceLayout(model) ? OnnxDecoderImport.Read(model, source) : null;

    public override string? DescribeOnnxDecoder(ModelProto model) =>
        OnnxDecoderImport.IsOfficialLayout(model) ? "ONNX, official export"
        : OnnxDecoderImport.IsHuggingFaceLayout(model) ? "ONNX, Hugging Face export (prompt_encoder_mask_decoder)"
        : null;

    public override string? OnnxDecoderInputs => OnnxDecoderImport.ExpectedInputs;

    public override string? DescribeOnnxEncoder(ModelProto model) =>
        TinyVitOnnxImport.Fits(model) ? Sam1Variants.MobileSam.DisplayName : model.Graph.Name == VitEncoderGraph.GraphName ? "SAM, ViT" : null;

    public override FamilyModel? ReadOnnxEncoder(ModelProto model, SamVariant variant, string source)
    {
        if (variant.ImageSize != TinyVitLayout.DefaultImageSize || !TinyVitOnnxImport.Fits(model)) return null;
        try
        {
            StateDict weights = TinyVitOnnxImport.Read(model, source);
            return new Sam1Model(variant.ImageSize, variant.EmbeddingGrid, null) { Weights = weights, TinyVit = TinyVitLayout.Of(weights) };
        }
        catch (CheckpointException)
        {
            // It differs from the published network: it is run as it is.
            return null;
        }
    }
}
