using System.Collections.Immutable;
using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;
using SegmentAnything.Graphs;
using SegmentAnything.Networks;

namespace SegmentAnything.Families.Sam1;

/// <summary>A model of SAM 1's family, as its weights' shapes tell it.</summary>
/// <param name="imageSize">The side of the square image, in pixels.</param>
/// <param name="grid">The side of the embedding.</param>
/// <param name="decoder">The sizes of prompt encoder and mask decoder; null where the weights are an image encoder's alone.</param>
internal sealed class Sam1Model(int imageSize, int grid, DecoderLayout? decoder) : SamDecoderModel(ModelFrame.Padded(imageSize), grid, decoder)
{
    /// <summary>Its image encoder, if that is a ViT.</summary>
    public VitLayout? Vit { get; init; }

    /// <summary>Its image encoder, if that is a TinyViT.</summary>
    public TinyVitLayout? TinyVit { get; init; }

    public override SamVariant? Published => Sam1Variants.Of(Vit, TinyVit);

    public override string EncoderKey => TinyVit is null or { ImageSize: TinyVitLayout.DefaultImageSize } ? "" : $"-{TinyVit.ImageSize}";

    public override string Description => Vit is { } vit
        ? $"SAM, ViT of {vit.Depth} blocks with {vit.Channels} channels"
        : TinyVit is { } tiny ? $"SAM, TinyViT of {tiny.Stages.Length} stages with up to {tiny.Stages[^1].Channels} channels" : "SAM";

    public override ImmutableArray<FeatureMapShape> Features =>
        [new FeatureMapShape(FeatureMapShape.Embedding, Vit?.OutputChannels ?? TinyVit?.OutputChannels ?? Decoder.Channels, Grid)];

    /// <summary>Reads the sizes of prompt encoder and mask decoder, and checks every weight.</summary>
    public static DecoderLayout LayoutOf(StateDict weights) => DecoderLayout.Of(weights, DecoderHeads, SamNormEpsilon);

    public override GraphBuilder BuildEncoder(
        WeightOptions options, EncoderForm form, IProgress<float>? progress = null, CancellationToken cancellationToken = default) =>
        Vit is not null ? VitEncoderGraph.Build(Weights, options, form, progress, cancellationToken: cancellationToken)
        : TinyVit is not null ? TinyVitEncoderGraph.Build(Weights, options, form, TinyVit.ImageSize)
        : throw NoEncoder();

    public override EncoderNetwork? BuildEncoderNetwork(CancellationToken cancellationToken = default) =>
        Vit is not null ? VitNetwork.Build(Weights, Vit, early: false, TileOperations.WidthHere, cancellationToken)
        : TinyVit is not null ? TinyVitNetwork.TryBuild(Weights, TinyVit, early: false)
        : null;
}
