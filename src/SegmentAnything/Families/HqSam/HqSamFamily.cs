using System.Collections.Immutable;
using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;
using SegmentAnything.Families.Sam1;
using SegmentAnything.Graphs;
using SegmentAnything.Networks;
using SegmentAnything.Onnx;

namespace SegmentAnything.Families.HqSam;

/// <summary>HQ-SAM: SAM, or MobileSAM (Light HQ-SAM), with one more mask of high quality.</summary>
internal sealed class HqSamFamily : ModelFamily
{
    public override string Name => "HQ-SAM";

    public override ImmutableArray<SamVariant> Published => HqSamVariants.All;

    public override FamilyModel? Recognise(StateDict weights, ModelSpecification? specification = null)
    {
        weights = HuggingFaceNames.ToOfficial(weights);
        if (!HqSamLayout.Fits(weights)) return null;
        VitLayout? vit = VitLayout.Fits(weights) ? VitLayout.Of(weights) : null;
        TinyVitLayout? tiny = vit is null && TinyVitLayout.Fits(weights) ? TinyVitLayout.Of(weights, specification?.ImageSize ?? TinyVitLayout.DefaultImageSize) : null;
        if (vit is null && tiny is null) return null;
        vit?.Check(weights);
        tiny?.Check(weights);
        DecoderLayout decoder = Sam1Model.LayoutOf(weights);
        SamDecoderModel.CheckChannels(weights, vit?.OutputChannels ?? tiny!.OutputChannels, decoder);
        HqSamLayout layout = HqSamLayout.Of(weights, decoder);
        int early = vit?.Channels ?? tiny!.Stages[Math.Min(2, tiny.Stages.Length - 1)].Channels;
        if (vit is not null && !vit.GlobalBlocks.Any())
            throw new CheckpointException($"{weights.Source}: no block of the image encoder has global attention, whose feature HQ-SAM's mask decoder reads.");
        if (early != layout.EarlyChannels)
        {
            throw new CheckpointException(
                $"{weights.Source}: tensor '{HqSamLayout.Compress}0.weight' takes {layout.EarlyChannels} channels, expected {early}: those of the image encoder's early feature.");
        }

        return new HqSamModel(vit?.ImageSize ?? tiny!.ImageSize, vit?.Grid ?? tiny!.Grid, decoder, layout) { Weights = weights, Vit = vit, TinyVit = tiny };
    }

    public override FamilyModel? RecogniseOnnxDecoder(ModelProto model, SamVariant variant, string source)
    {
        if (model.Graph.Name != HqSamModel.DecoderGraphName) return null;
        StateDict weights = PlainDecoderImport.Read(model, source, (PlainDecoder.IouToken, 1), (PlainDecoder.MaskTokens, 0), (HqSamLayout.Token, 1));
        DecoderLayout decoder = Sam1Model.LayoutOf(weights);
        return new HqSamModel(variant.ImageSize, variant.EmbeddingGrid, decoder, HqSamLayout.Of(weights, decoder)) { Weights = weights };
    }

    public override string? DescribeOnnxDecoder(ModelProto model) => model.Graph.Name == HqSamModel.DecoderGraphName ? "ONNX, converted from a checkpoint" : null;
}

/// <summary>A model of HQ-SAM's family, as its weights' shapes tell it.</summary>
internal sealed class HqSamModel(int imageSize, int grid, DecoderLayout decoder, HqSamLayout layout) : SamDecoderModel(ModelFrame.Padded(imageSize), grid, decoder)
{
    /// <summary>The name of the decoder's graph, by which an ONNX file that was built here is known.</summary>
    public const string DecoderGraphName = "hq_sam_decoder";

    /// <summary>Its image encoder, if that is a ViT.</summary>
    public VitLayout? Vit { get; init; }

    /// <summary>Its image encoder, if that is a TinyViT.</summary>
    public TinyVitLayout? TinyVit { get; init; }

    public override SamVariant? Published => HqSamVariants.Of(Vit, TinyVit);

    public override string EncoderKey => TinyVit is null ? "" : $"-{TinyVit.ImageSize}";

    public override string Description => Vit is { } vit
        ? $"HQ-SAM, ViT of {vit.Depth} blocks with {vit.Channels} channels"
        : TinyVit is { } tiny ? $"Light HQ-SAM, TinyViT of {tiny.Stages.Length} stages with up to {tiny.Stages[^1].Channels} channels"
        : "HQ-SAM";

    public override ImmutableArray<FeatureMapShape> Features =>
        [new(FeatureMapShape.Embedding, Decoder.Channels, Grid), new(VitEncoderGraph.EarlyFeature, layout.EarlyChannels, Grid)];

    public override (IMaskDecoderEngine Engine, ExecutionProvider Provider) CreateDecoder(SamOptions options, WorkSplitter splitter)
    {
        HqSamAddition addition = new(Weights, layout, Decoder, Grid, options.HqMask == HqMask.HighQualityOnly);
        return MaskDecoderEngines.Create(
            Weights, Decoder, Features, options, splitter, layout.Refinement(options.HqMask == HqMask.HighQualityOnly), addition);
    }

    public override MaskRules MasksFor(SamOptions options) => options.HqMask == HqMask.HighQualityOnly ? new HighQualityOnlyRules(Decoder.MaskTokens) : Masks;

    public override GraphBuilder BuildEncoder(
        WeightOptions options, EncoderForm form, IProgress<float>? progress = null, CancellationToken cancellationToken = default) => Vit is not null
        ? VitEncoderGraph.Build(Weights, options, form, progress, early: true, cancellationToken)
        : TinyVitEncoderGraph.Build(Weights, options, form, (TinyVit ?? throw NoEncoder()).ImageSize, early: true);

    public override EncoderNetwork? BuildEncoderNetwork(CancellationToken cancellationToken = default) =>
        Vit is not null ? VitNetwork.Build(Weights, Vit, early: true, TileOperations.WidthHere, cancellationToken)
        : TinyVit is not null ? TinyVitNetwork.TryBuild(Weights, TinyVit, early: true)
        : null;

    public override GraphBuilder BuildOfficialDecoder() => HqSamAddition.BuildExport(Weights, layout, Decoder, Grid, Frame.Side);

    // Every mask is the same: the one with the best predicted IoU is given.
    private sealed class HighQualityOnlyRules(int tokens) : MaskRules(tokens)
    {
        public override int? Choose(MaskSelection selection, ReadOnlySpan<float> logits, ReadOnlySpan<float> predictedIou) =>
            selection == MaskSelection.Multiple ? System.Numerics.Tensors.TensorPrimitives.IndexOfMax(predictedIou) : null;
    }
}
