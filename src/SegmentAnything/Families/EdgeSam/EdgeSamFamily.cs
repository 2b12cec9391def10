using System.Collections.Immutable;
using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;
using SegmentAnything.Graphs;

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
        return EdgeSamModel.Of(weights, encoder);
    }
}

/// <summary>A model of EdgeSAM's family, as its weights' shapes tell it.</summary>
internal sealed class EdgeSamModel(RepVitLayout encoder, DecoderLayout decoder)
    : SamDecoderModel(ModelFrame.Padded(encoder.ImageSize), encoder.Grid, decoder)
{
    private const string License = "LicenseRef-S-Lab-1.0";

    /// <summary>The published models. Both have the same sizes: which one a file is cannot be told.</summary>
    public static ImmutableArray<SamVariant> Variants { get; } =
    [
        new SamVariant
        {
            Name = "edge-sam",
            DisplayName = "EdgeSAM",
            License = License,
            Source = new Uri("https://github.com/chongzhou96/EdgeSAM"),
            // Nothing downloads it: who uses it has to have agreed to its licence, which excludes commercial use.
            Files = [new ModelFile(ModelFileRole.Checkpoint, "edge_sam_3x.pth")],
        },
    ];

    public static EdgeSamModel Of(StateDict weights, RepVitLayout encoder)
    {
        DecoderLayout decoder = DecoderLayout.Of(weights, DecoderHeads, SamNormEpsilon);
        CheckChannels(weights, encoder.OutputChannels, decoder);
        return new EdgeSamModel(encoder, decoder) { Weights = weights };
    }

    public override SamVariant? Published =>
        encoder is { Grid: 64, Blocks: [{ Channels: 48 }, ..] } && encoder.Blocks[^1].Channels == 384 ? Variants[0] : null;

    public override string EncoderKey => $"-{encoder.ImageSize}";

    public override string Description => $"EdgeSAM, RepViT of {encoder.Blocks.Length} blocks with up to {encoder.Blocks[^1].Channels} channels";

    public override GraphBuilder BuildEncoder(
        WeightOptions options, EncoderForm form, IProgress<float>? progress = null, CancellationToken cancellationToken = default) =>
        RepVitEncoderGraph.Build(Weights, encoder, options, form);
}
