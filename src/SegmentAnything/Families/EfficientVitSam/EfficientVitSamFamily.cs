using System.Collections.Immutable;
using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;
using SegmentAnything.Graphs;

namespace SegmentAnything.Families.EfficientVitSam;

/// <summary>EfficientViT-SAM: an image encoder of convolutions and linear attention before SAM's prompt encoder and mask decoder.</summary>
internal sealed class EfficientVitSamFamily : ModelFamily
{
    public override string Name => "EfficientViT-SAM";

    public override ImmutableArray<SamVariant> Published => EfficientVitSamModel.Variants;

    public override FamilyModel? Recognise(StateDict weights, ModelSpecification? specification = null)
    {
        if (!EfficientVitLayout.Fits(weights)) return null;
        EfficientVitLayout encoder = EfficientVitLayout.Of(weights, specification?.ImageSize ?? EfficientVitLayout.DefaultFrameSize);
        CheckpointShapes.CheckAll(weights, EfficientVitLayout.Prefix, encoder.Tensors());
        return EfficientVitSamModel.Of(weights, encoder);
    }
}

/// <summary>A model of EfficientViT-SAM's family, as its weights' shapes tell it.</summary>
internal sealed class EfficientVitSamModel(EfficientVitLayout encoder, DecoderLayout decoder)
    : SamDecoderModel(ModelFrame.Padded(encoder.FrameSize) with { EncoderSide = encoder.ImageSize }, encoder.Grid, decoder)
{
    /// <summary>The published models, the smallest first.</summary>
    public static ImmutableArray<SamVariant> Variants { get; } = [.. new[] { "L0", "L1", "L2", "XL0", "XL1" }.Select(Variant)];

    public static EfficientVitSamModel Of(StateDict weights, EfficientVitLayout encoder)
    {
        // The ε of the encoder's norms was set in the decoder's transformer as well.
        DecoderLayout decoder = DecoderLayout.Of(weights, DecoderHeads, EfficientVitEncoderGraph.NormEpsilon);
        CheckChannels(weights, encoder.OutputChannels, decoder);
        return new EfficientVitSamModel(encoder, decoder) { Weights = weights };
    }

    public override SamVariant? Published => (encoder.Grid, encoder.NeckHidden, encoder.NeckDepth) switch
    {
        (64, 256, 4) => Variants[0],
        (64, 256, 8) => Variants[1],
        (64, 256, 12) => Variants[2],
        (64, 1024, 6) => Variants[3],
        (64, 1024, 12) => Variants[4],
        _ => null,
    };

    public override string EncoderKey => $"-{encoder.FrameSize}";

    public override string Description =>
        $"EfficientViT-SAM, {encoder.Stages.Length} stages with up to {encoder.Stages[^1].Channels} channels, a neck of {encoder.NeckDepth} blocks";

    public override GraphBuilder BuildEncoder(
        WeightOptions options, EncoderForm form, IProgress<float>? progress = null, CancellationToken cancellationToken = default) =>
        EfficientVitEncoderGraph.Build(Weights, encoder, options, form);

    // The files' hashes are not known here, so they are never downloaded.
    private static SamVariant Variant(string size) => new()
    {
        Name = $"efficientvit-sam-{size.ToLowerInvariant()}",
        DisplayName = $"EfficientViT-SAM {size}",
        License = "Apache-2.0",
        Source = new Uri("https://huggingface.co/mit-han-lab/efficientvit-sam"),
        Files = [new ModelFile(ModelFileRole.Checkpoint, $"efficientvit_sam_{size.ToLowerInvariant()}.pth")],
    };
}
