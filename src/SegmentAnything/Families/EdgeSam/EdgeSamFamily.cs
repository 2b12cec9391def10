using System.Collections.Immutable;
using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;
using SegmentAnything.Families.Sam1;
using SegmentAnything.Graphs;
using SegmentAnything.Onnx;

namespace SegmentAnything.Families.EdgeSam;

/// <summary>EdgeSAM: a convolutional image encoder (RepViT) before SAM's prompt encoder and mask decoder.</summary>
/// <remarks>Its published weights may not be used commercially.</remarks>
internal sealed class EdgeSamFamily : ModelFamily
{
    public override string Name => "EdgeSAM";

    public override ImmutableArray<SamVariant> Published => EdgeSamModel.Variants;

    public override FamilyModel? Recognise(StateDict weights, ModelSpecification? specification = null)
    {
        if (!RepVitLayout.Fits(weights) || !RepVitLayout.IsFused(weights)) return null;
        RepVitLayout encoder = RepVitLayout.Of(weights, specification?.ImageSize ?? RepVitLayout.DefaultImageSize);
        CheckpointShapes.CheckAll(weights, RepVitLayout.Prefix, encoder.Tensors());
        DecoderLayout decoder = EdgeSamModel.LayoutOf(weights);
        SamDecoderModel.CheckChannels(weights, encoder.OutputChannels, decoder);
        return new EdgeSamModel(encoder.ImageSize, encoder.Grid, decoder) { Weights = weights, Encoder = encoder };
    }

    // Its decoder has SAM's names: the file that was exported here is known by its graph's.
    public override FamilyModel? RecogniseOnnxDecoder(ModelProto model, SamVariant variant, string source)
    {
        if (model.Graph.Name != EdgeSamModel.DecoderGraphName) return null;
        StateDict weights = OnnxDecoderImport.Read(model, source);
        return new EdgeSamModel(variant.ImageSize, variant.EmbeddingGrid, EdgeSamModel.LayoutOf(weights)) { Weights = weights };
    }

    public override string? DescribeOnnxDecoder(ModelProto model) => model.Graph.Name == EdgeSamModel.DecoderGraphName ? "ONNX, converted from a checkpoint" : null;

    public override string? DescribeOnnxEncoder(ModelProto model) => model.Graph.Name == RepVitEncoderGraph.GraphName ? Name : null;
}

/// <summary>A model of EdgeSAM's family, as its weights' shapes tell it.</summary>
internal sealed class EdgeSamModel(int imageSize, int grid, DecoderLayout decoder) : SamDecoderModel(ModelFrame.Padded(imageSize), grid, decoder)
{
    /// <summary>The name of the decoder's graph, by which an ONNX file that was built here is known.</summary>
    public const string DecoderGraphName = "edge_sam_decoder";

    private const string License = "LicenseRef-S-Lab-1.0";

    /// <summary>The published models. Both have the same sizes: which one a file is cannot be told.</summary>
    public static ImmutableArray<SamVariant> Variants { get; } =
    [
        new SamVariant
        {
            Name = "edge-sam",
            DisplayName = "EdgeSAM",
            Description = "the fastest encoder; not for commercial use",
            License = License,
            Source = new Uri("https://github.com/chongzhou96/EdgeSAM"),
            // Nothing downloads it: who uses it has to have agreed to its licence, which excludes commercial use.
            Files = [new ModelFile(ModelFileRole.Checkpoint, "edge_sam_3x.pth")],
        },
    ];

    /// <summary>Its image encoder; null where the weights are a mask decoder's alone.</summary>
    public RepVitLayout? Encoder { get; init; }

    /// <summary>Reads the decoder's sizes.</summary>
    public static DecoderLayout LayoutOf(StateDict weights) => DecoderLayout.Of(weights, DecoderHeads, SamNormEpsilon);

    public override SamVariant? Published =>
        Encoder is { Grid: 64, Blocks: [{ Channels: 48 }, .., { Channels: 384 }] } ? Variants[0] : null;

    public override string EncoderKey => $"-{Frame.Side}";

    public override string Description => Encoder is null ? "EdgeSAM" : $"EdgeSAM, RepViT of {Encoder.Blocks.Length} blocks with up to {Encoder.Blocks[^1].Channels} channels";

    public override GraphBuilder BuildEncoder(
        WeightOptions options, EncoderForm form, IProgress<float>? progress = null, CancellationToken cancellationToken = default) =>
        RepVitEncoderGraph.Build(Weights, Encoder ?? throw NoEncoder(), options, form);

    public override GraphBuilder BuildOfficialDecoder() => OfficialDecoderGraph.Build(Weights, Decoder, Grid, Frame.Side, DecoderGraphName);
}
