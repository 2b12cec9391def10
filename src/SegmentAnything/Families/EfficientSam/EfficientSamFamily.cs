using System.Collections.Immutable;
using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;
using SegmentAnything.Graphs;
using SegmentAnything.Onnx;

namespace SegmentAnything.Families.EfficientSam;

/// <summary>EfficientSAM: a plain ViT with a prompt encoder and a mask decoder of its own.</summary>
internal sealed class EfficientSamFamily : ModelFamily
{
    public override string Name => "EfficientSAM";

    public override PictureFit Fit => PictureFit.Squash;

    public override ImmutableArray<SamVariant> Published => EfficientSamModel.Variants;

    public override FamilyModel? RecogniseOnnxDecoder(ModelProto model, SamVariant variant, string source)
    {
        if (model.Graph.Name != EfficientSamDecoderGraph.ExportName) return null;
        StateDict weights = PlainDecoderImport.Read(model, source, (PlainDecoder.IouToken, 1), (PlainDecoder.MaskTokens, 0));
        return new EfficientSamModel(variant.ImageSize, variant.EmbeddingGrid, EfficientSamDecoderLayout.Of(weights)) { Weights = weights };
    }

    public override string? DescribeOnnxDecoder(ModelProto model) => model.Graph.Name == EfficientSamDecoderGraph.ExportName ? "ONNX, converted from a checkpoint" : null;

    public override string? DescribeOnnxEncoder(ModelProto model) => model.Graph.Name == EfficientSamEncoderGraph.GraphName ? Name : null;

    public override FamilyModel? Recognise(StateDict weights, ModelSpecification? specification = null)
    {
        if (!EfficientSamLayout.Fits(weights)) return null;
        EfficientSamLayout encoder = EfficientSamLayout.Of(
            weights, specification?.ImageSize ?? EfficientSamLayout.DefaultImageSize, specification?.Heads ?? 0);
        CheckpointShapes.CheckAll(weights, EfficientSamLayout.Prefix, encoder.Tensors());
        EfficientSamDecoderLayout decoder = EfficientSamDecoderLayout.Of(weights);
        return encoder.OutputChannels == decoder.Channels
            ? new EfficientSamModel(encoder.ImageSize, encoder.Grid, decoder) { Weights = weights, Encoder = encoder }
            : throw new CheckpointException(
                $"{weights.Source}: the image encoder gives {encoder.OutputChannels} channels, but the mask decoder takes {decoder.Channels}.");
    }
}

/// <summary>A model of EfficientSAM's family, as its weights' shapes tell it.</summary>
/// <param name="imageSize">The side of the square that images are brought to, in pixels.</param>
/// <param name="grid">The side of the embedding.</param>
/// <param name="decoder">The sizes of prompt encoder and mask decoder.</param>
internal sealed class EfficientSamModel(int imageSize, int grid, EfficientSamDecoderLayout decoder) : FamilyModel
{
    /// <summary>Its image encoder; null where the weights are a mask decoder's alone.</summary>
    public EfficientSamLayout? Encoder { get; init; }

    /// <summary>The published models, the smallest first.</summary>
    public static ImmutableArray<SamVariant> Variants { get; } =
    [
        Variant("efficient-sam-ti", "EfficientSAM-Ti", "efficient_sam_vitt.pt"),
        Variant("efficient-sam-s", "EfficientSAM-S", "efficient_sam_vits.pt.zip"),
    ];

    public override SamVariant? Published => Encoder switch
    {
        { Channels: 192, Depth: 12, Grid: 64 } => Variants[0],
        { Channels: 384, Depth: 12, Grid: 64 } => Variants[1],
        _ => null,
    };

    public override string EncoderKey => $"-{imageSize}-{Encoder?.Heads}";

    public override string Description => Encoder is null ? "EfficientSAM" : $"EfficientSAM, ViT of {Encoder.Depth} blocks with {Encoder.Channels} channels";

    public override ModelFrame Frame =>
        new(imageSize, imageSize, PictureFit.Squash, PictureResize.FloatsWithoutAntialias, MaskResize.DirectBicubic);

    public override ImmutableArray<FeatureMapShape> Features => [new FeatureMapShape(FeatureMapShape.Embedding, decoder.Channels, grid)];

    public override ModelCapabilities Capabilities => new()
    {
        NegativePoints = false,
        MaskPrompts = false,
        MostPoints = EfficientSamDecoderLayout.Points,
        MultipleMasks = decoder.MaskTokens - 1,
    };

    public override MaskRules Masks => new(decoder.MaskTokens);

    public override int LowResSize => DecoderLayout.Upscaling * grid;

    public override PromptTokens ReadPromptTokens() => EfficientSamPrompts.Read(Weights, decoder, imageSize);

    // Nothing is added where there is no mask prompt, and there never is one.
    public override float[] ReadWithoutMask() => new float[decoder.Channels];

    public override MaskPromptNetwork? ReadMaskPrompt() => null;

    public override (IMaskDecoderEngine Engine, ExecutionProvider Provider) CreateDecoder(SamOptions options, WorkSplitter splitter)
    {
        GraphMaskDecoder graphs = new(EfficientSamDecoderGraph.Build(Weights, decoder, grid), Features, LowResSize, options.Execution);
        return (graphs, graphs.Provider);
    }

    public override GraphBuilder BuildEncoder(
        WeightOptions options, EncoderForm form, IProgress<float>? progress = null, CancellationToken cancellationToken = default) =>
        EfficientSamEncoderGraph.Build(Weights, Encoder ?? throw new InvalidOperationException("These are the weights of a mask decoder alone."), options, form);

    public override GraphBuilder BuildOfficialDecoder() => EfficientSamDecoderGraph.BuildExport(Weights, decoder, grid, imageSize);

    // The files' hashes are not known here, so they are never downloaded.
    private static SamVariant Variant(string name, string displayName, string file) => new()
    {
        Name = name,
        DisplayName = displayName,
        Description = "points on the object and boxes alone, six points at most",
        License = "Apache-2.0",
        Source = new Uri("https://github.com/yformer/EfficientSAM"),
        Fit = PictureFit.Squash,
        Files = [new ModelFile(ModelFileRole.Checkpoint, file)],
    };
}
