using System.Collections.Immutable;
using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;
using SegmentAnything.Families.Sam1;
using SegmentAnything.Graphs;
using SegmentAnything.Onnx;

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
        DecoderLayout decoder = EfficientVitSamModel.LayoutOf(weights);
        SamDecoderModel.CheckChannels(weights, encoder.OutputChannels, decoder);
        return new EfficientVitSamModel(encoder.FrameSize, encoder.ImageSize, encoder.Grid, decoder) { Weights = weights, Encoder = encoder };
    }

    // Its decoder has SAM's names: the file that was exported here is known by its graph's.
    public override FamilyModel? RecogniseOnnxDecoder(ModelProto model, SamVariant variant, string source)
    {
        if (model.Graph.Name != EfficientVitSamModel.DecoderGraphName) return null;
        StateDict weights = OnnxDecoderImport.Read(model, source);
        return new EfficientVitSamModel(
            variant.EmbeddingGrid * EfficientVitLayout.EmbeddingStride, variant.ImageSize, variant.EmbeddingGrid, EfficientVitSamModel.LayoutOf(weights))
        { Weights = weights };
    }

    public override string? DescribeOnnxDecoder(ModelProto model) => model.Graph.Name == EfficientVitSamModel.DecoderGraphName ? "ONNX, converted from a checkpoint" : null;

    public override string? DescribeOnnxEncoder(ModelProto model) => model.Graph.Name == EfficientVitEncoderGraph.GraphName ? Name : null;
}

/// <summary>A model of EfficientViT-SAM's family, as its weights' shapes tell it.</summary>
/// <param name="frameSize">The side of the frame that prompts and masks refer to, in pixels.</param>
/// <param name="imageSize">The side of the square that the image encoder takes, in pixels.</param>
/// <param name="grid">The side of the embedding.</param>
/// <param name="decoder">The sizes of prompt encoder and mask decoder.</param>
internal sealed class EfficientVitSamModel(int frameSize, int imageSize, int grid, DecoderLayout decoder)
    : SamDecoderModel(ModelFrame.Padded(frameSize) with { EncoderSide = imageSize }, grid, decoder)
{
    /// <summary>The name of the decoder's graph, by which an ONNX file that was built here is known.</summary>
    public const string DecoderGraphName = "efficientvit_sam_decoder";

    /// <summary>Its image encoder; null where the weights are a mask decoder's alone.</summary>
    public EfficientVitLayout? Encoder { get; init; }

    /// <summary>The published models, the smallest first.</summary>
    public static ImmutableArray<SamVariant> Variants { get; } = [.. new[] { "L0", "L1", "L2", "XL0", "XL1" }.Select(Variant)];

    /// <summary>Reads the decoder's sizes. The ε of the encoder's norms was set in its transformer as well.</summary>
    public static DecoderLayout LayoutOf(StateDict weights) => DecoderLayout.Of(weights, DecoderHeads, EfficientVitEncoderGraph.NormEpsilon);

    public override SamVariant? Published => (Encoder?.Grid, Encoder?.NeckHidden, Encoder?.NeckDepth) switch
    {
        (64, 256, 4) => Variants[0],
        (64, 256, 8) => Variants[1],
        (64, 256, 12) => Variants[2],
        (64, 1024, 6) => Variants[3],
        (64, 1024, 12) => Variants[4],
        _ => null,
    };

    public override string EncoderKey => $"-{Frame.Side}";

    public override string Description => Encoder is null ? "EfficientViT-SAM"
        : $"EfficientViT-SAM, {Encoder.Stages.Length} stages with up to {Encoder.Stages[^1].Channels} channels, a neck of {Encoder.NeckDepth} blocks";

    public override GraphBuilder BuildEncoder(
        WeightOptions options, EncoderForm form, IProgress<float>? progress = null, CancellationToken cancellationToken = default) =>
        EfficientVitEncoderGraph.Build(Weights, Encoder ?? throw NoEncoder(), options, form);

    public override GraphBuilder BuildOfficialDecoder() => OfficialDecoderGraph.Build(Weights, Decoder, Grid, Frame.Side, DecoderGraphName);

    // The files' hashes are not known here, so they are never downloaded.
    private static SamVariant Variant(string size) => new()
    {
        Name = $"efficientvit-sam-{size.ToLowerInvariant()}",
        DisplayName = $"EfficientViT-SAM {size}",
        Description = size switch
        {
            "L0" => "near ViT-H's quality in about MobileSAM's time",
            "L1" or "L2" => "a little better than the one before",
            "XL0" => "pictures of 1024 pixels: small things, too",
            _ => "the best by boxes, say its authors",
        },
        License = "Apache-2.0",
        Source = new Uri("https://huggingface.co/mit-han-lab/efficientvit-sam"),
        Files = [new ModelFile(ModelFileRole.Checkpoint, $"efficientvit_sam_{size.ToLowerInvariant()}.pth")],
    };
}
