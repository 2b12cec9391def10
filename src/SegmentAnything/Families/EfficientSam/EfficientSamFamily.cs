using System.Collections.Immutable;
using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;
using SegmentAnything.Graphs;

namespace SegmentAnything.Families.EfficientSam;

/// <summary>EfficientSAM: a plain ViT with a prompt encoder and a mask decoder of its own.</summary>
internal sealed class EfficientSamFamily : ModelFamily
{
    public override string Name => "EfficientSAM";

    public override ImmutableArray<SamVariant> Published => EfficientSamModel.Variants;

    public override FamilyModel? Recognise(StateDict weights, ModelSpecification? specification = null)
    {
        if (!EfficientSamLayout.Fits(weights)) return null;
        EfficientSamLayout encoder = EfficientSamLayout.Of(
            weights, specification?.ImageSize ?? EfficientSamLayout.DefaultImageSize, specification?.Heads ?? 0);
        CheckpointShapes.CheckAll(weights, EfficientSamLayout.Prefix, encoder.Tensors());
        EfficientSamDecoderLayout decoder = EfficientSamDecoderLayout.Of(weights);
        return encoder.OutputChannels == decoder.Channels
            ? new EfficientSamModel(encoder, decoder) { Weights = weights }
            : throw new CheckpointException(
                $"{weights.Source}: the image encoder gives {encoder.OutputChannels} channels, but the mask decoder takes {decoder.Channels}.");
    }
}

/// <summary>A model of EfficientSAM's family, as its weights' shapes tell it.</summary>
internal sealed class EfficientSamModel(EfficientSamLayout encoder, EfficientSamDecoderLayout decoder) : FamilyModel
{
    /// <summary>The published models, the smallest first.</summary>
    public static ImmutableArray<SamVariant> Variants { get; } =
    [
        Variant("efficient-sam-ti", "EfficientSAM-Ti", "efficient_sam_vitt.pt"),
        Variant("efficient-sam-s", "EfficientSAM-S", "efficient_sam_vits.pt.zip"),
    ];

    public override SamVariant? Published => encoder switch
    {
        { Channels: 192, Depth: 12, Grid: 64 } => Variants[0],
        { Channels: 384, Depth: 12, Grid: 64 } => Variants[1],
        _ => null,
    };

    public override string EncoderKey => $"-{encoder.ImageSize}-{encoder.Heads}";

    public override string Description => $"EfficientSAM, ViT of {encoder.Depth} blocks with {encoder.Channels} channels";

    public override ModelFrame Frame =>
        new(encoder.ImageSize, encoder.ImageSize, PictureFit.Squash, PictureResize.FloatsWithoutAntialias, MaskResize.DirectBicubic);

    public override ImmutableArray<FeatureMapShape> Features => [new FeatureMapShape(FeatureMapShape.Embedding, decoder.Channels, encoder.Grid)];

    public override ModelCapabilities Capabilities => new()
    {
        NegativePoints = false,
        MaskPrompts = false,
        MostPoints = EfficientSamDecoderLayout.Points,
        MultipleMasks = decoder.MaskTokens - 1,
    };

    public override MaskRules Masks => new(decoder.MaskTokens);

    public override int LowResSize => DecoderLayout.Upscaling * encoder.Grid;

    public override PromptTokens ReadPromptTokens() => EfficientSamPrompts.Read(Weights, decoder, encoder.ImageSize);

    // Nothing is added where there is no mask prompt, and there never is one.
    public override float[] ReadWithoutMask() => new float[decoder.Channels];

    public override byte[]? BuildMaskPrompt() => null;

    public override (IMaskDecoderEngine Engine, ExecutionProvider Provider) CreateDecoder(SamOptions options, WorkSplitter splitter)
    {
        GraphMaskDecoder graphs = new(EfficientSamDecoderGraph.Build(Weights, decoder, encoder.Grid), Features, LowResSize, options.Execution);
        return (graphs, graphs.Provider);
    }

    public override GraphBuilder BuildEncoder(
        WeightOptions options, EncoderForm form, IProgress<float>? progress = null, CancellationToken cancellationToken = default) =>
        EfficientSamEncoderGraph.Build(Weights, encoder, options, form);

    public override GraphBuilder BuildOfficialDecoder() =>
        throw new NotSupportedException("EfficientSAM is run from its checkpoint; it is not converted.");

    // The files' hashes are not known here, so they are never downloaded.
    private static SamVariant Variant(string name, string displayName, string file) => new()
    {
        Name = name,
        DisplayName = displayName,
        License = "Apache-2.0",
        Source = new Uri("https://github.com/yformer/EfficientSAM"),
        Fit = PictureFit.Squash,
        Files = [new ModelFile(ModelFileRole.Checkpoint, file)],
    };
}
