using System.Collections.Immutable;
using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;
using SegmentAnything.Graphs;
using SegmentAnything.Networks;

namespace SegmentAnything.Families.Sam1;

/// <summary>A model of SAM 1's family, as its weights' shapes tell it.</summary>
/// <param name="imageSize">The side of the square picture, in pixels.</param>
/// <param name="grid">The side of the embedding.</param>
/// <param name="decoder">The sizes of prompt encoder and mask decoder; null where the weights are an image encoder's alone.</param>
internal sealed class Sam1Model(int imageSize, int grid, DecoderLayout? decoder) : FamilyModel
{
    // Shapes tell neither. Source: Segment Anything, build_sam.py; PyTorch's default of LayerNorm.
    private const int Heads = 8;
    private const float NormEpsilon = 1e-5f;

    /// <summary>Its image encoder, if that is a ViT.</summary>
    public VitLayout? Vit { get; init; }

    /// <summary>Its image encoder, if that is a TinyViT.</summary>
    public TinyVitLayout? TinyVit { get; init; }

    public override SamVariant? Published => Sam1Variants.Of(Vit, TinyVit);

    public override string EncoderKey => TinyVit is null or { ImageSize: TinyVitLayout.DefaultImageSize } ? "" : $"-{TinyVit.ImageSize}";

    public override string Description => Vit is { } vit
        ? $"SAM, ViT of {vit.Depth} blocks with {vit.Channels} channels"
        : TinyVit is { } tiny ? $"SAM, TinyViT of {tiny.Stages.Length} stages with up to {tiny.Stages[^1].Channels} channels" : "SAM";

    public override ModelFrame Frame { get; } = ModelFrame.Padded(imageSize);

    public override ImmutableArray<FeatureMapShape> Features =>
        [new FeatureMapShape(FeatureMapShape.Embedding, Vit?.OutputChannels ?? TinyVit?.OutputChannels ?? Decoder.Channels, grid)];

    public override ModelCapabilities Capabilities => new()
    {
        Boxes = Decoder.TakesBoxes,
        MaskPrompts = Decoder.TakesMasks,
        MultipleMasks = Decoder.MaskTokens - 1,
    };

    public override MaskRules Masks => new(Decoder.MaskTokens);

    public override int LowResSize => DecoderLayout.Upscaling * grid;

    private DecoderLayout Decoder => decoder ?? throw new InvalidOperationException("These are the weights of an image encoder alone.");

    /// <summary>Reads the sizes of prompt encoder and mask decoder, and checks every weight.</summary>
    public static DecoderLayout LayoutOf(StateDict weights) => DecoderLayout.Of(weights, Heads, NormEpsilon);

    public override PromptTokens ReadPromptTokens() => new()
    {
        GaussianMatrix = Weights.ReadAny(PositionalEncoding.MatrixName),
        Labels = [.. Enumerable.Range(0, Decoder.TakesBoxes ? 4 : 2).Select(i => Weights.ReadAny($"prompt_encoder.point_embeddings.{i}.weight"))],
        Nothing = Weights.ReadAny("prompt_encoder.not_a_point_embed.weight"),
    };

    public override float[] ReadWithoutMask() => Weights.ReadAny("prompt_encoder.no_mask_embed.weight");

    public override byte[]? BuildMaskPrompt() => Decoder.TakesMasks ? DecoderGraphs.BuildMaskPrompt(Weights, Decoder, grid) : null;

    public override (IMaskDecoderEngine Engine, ExecutionProvider Provider) CreateDecoder(SamOptions options, WorkSplitter splitter) =>
        MaskDecoderEngines.Create(Weights, Decoder, Features, options, splitter);

    public override GraphBuilder BuildEncoder(
        WeightOptions options, EncoderForm form, IProgress<float>? progress = null, CancellationToken cancellationToken = default) =>
        Vit is not null ? VitEncoderGraph.Build(Weights, options, form, progress, cancellationToken: cancellationToken)
        : TinyVit is not null ? TinyVitEncoderGraph.Build(Weights, options, form, TinyVit.ImageSize)
        : throw new InvalidOperationException("These are the weights of a mask decoder alone.");

    public override EncoderNetwork? BuildEncoderNetwork(CancellationToken cancellationToken = default) =>
        Vit is not null ? VitNetwork.Build(Weights, Vit, early: false, TileOperations.WidthHere, cancellationToken)
        : TinyVit is not null ? TinyVitNetwork.TryBuild(Weights, TinyVit, early: false)
        : null;

    public override GraphBuilder BuildOfficialDecoder() => OfficialDecoderGraph.Build(Weights, Decoder, grid, imageSize);
}
