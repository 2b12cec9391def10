using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;
using SegmentAnything.Graphs;
using SegmentAnything.Networks;

namespace SegmentAnything.Families.Sam2;

/// <summary>A SAM 2, as its weights' shapes and its specification tell it.</summary>
/// <param name="layout">The image encoder's sizes.</param>
/// <param name="decoder">Those of prompt encoder and mask decoder.</param>
internal sealed class Sam2Model(Sam2Layout layout, DecoderLayout decoder) : FamilyModel
{
    public Sam2Layout Layout => layout;

    public override SamVariant? Published => Sam2Variants.Of(layout);

    public override string Description => layout.Blocks.IsEmpty ? "SAM 2" : $"SAM 2{(layout.Is21 ? ".1" : "")}, Hiera of {layout.Blocks.Length} blocks with {layout.Spec.EmbedWidth} to {layout.Blocks[^1].Channels} channels";

    // Heads, windows and global blocks change what is built of the same weights.
    public override string EncoderKey => layout.PublishedName is null
        ? "-" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join(' ',
            layout.Spec.Heads, layout.ImageSize, string.Join(',', layout.Spec.GlobalBlocks), string.Join(',', layout.Spec.Windows)))))[..8]
        : "";

    public override ModelFrame Frame { get; } =
        new(layout.ImageSize, layout.ImageSize, PictureFit.Squash, PictureResize.Floats, MaskResize.Direct);

    // In the order that the tiled decoder reads: the finest after the embedding.
    public override ImmutableArray<FeatureMapShape> Features { get; } =
        [new FeatureMapShape(FeatureMapShape.Embedding, layout.Channels, layout.Grid), HighRes0Of(layout), HighRes1Of(layout)];

    public override ModelCapabilities Capabilities => new() { MultipleMasks = decoder.MaskTokens - 1, ObjectScores = true };

    public override MaskRules Masks => new Sam2MaskRules(decoder.MaskTokens);

    public override int LowResSize => DecoderLayout.Upscaling * layout.Grid;

    // Source: SAM 2, automatic_mask_generator.py.
    public override AutomaticMaskOptions AutomaticDefaults => AutomaticMaskOptions.Default with { PredIouThreshold = 0.8f };

    /// <summary>The map of a quarter of the input's side.</summary>
    public static FeatureMapShape HighRes0Of(Sam2Layout layout) => new(HieraEncoderGraph.HighRes0, layout.HighRes0, 4 * layout.Grid);

    /// <summary>The map of an eighth.</summary>
    public static FeatureMapShape HighRes1Of(Sam2Layout layout) => new(HieraEncoderGraph.HighRes1, layout.HighRes1, 2 * layout.Grid);

    public override PromptTokens ReadPromptTokens() => new()
    {
        GaussianMatrix = Weights.ReadAny(PositionalEncoding.MatrixName),
        Labels = [.. Enumerable.Range(0, 4).Select(i => Weights.ReadAny($"prompt_encoder.point_embeddings.{i}.weight"))],
        Nothing = Weights.ReadAny("prompt_encoder.not_a_point_embed.weight"),
        Padding = TokenPadding.Always,
    };

    public override float[] ReadWithoutMask() => Weights.ReadAny("prompt_encoder.no_mask_embed.weight");

    public override MaskPromptNetwork? ReadMaskPrompt() => new MaskDownscaling(Weights, layout.Grid);

    public override (IMaskDecoderEngine Engine, ExecutionProvider Provider) CreateDecoder(SamOptions options, WorkSplitter splitter) =>
        MaskDecoderEngines.Create(Weights, decoder, Features, options, splitter);

    public override GraphBuilder BuildEncoder(
        WeightOptions options, EncoderForm form, IProgress<float>? progress = null, CancellationToken cancellationToken = default) =>
        HieraEncoderGraph.Build(Weights, layout, options, form, progress, cancellationToken);

    public override EncoderNetwork? BuildEncoderNetwork(CancellationToken cancellationToken = default) =>
        layout.Blocks.IsEmpty ? null : HieraNetwork.Build(Weights, layout, TileOperations.WidthHere, cancellationToken);

    public override GraphBuilder BuildOfficialDecoder() => Sam2DecoderGraph.BuildExport(Weights, layout, decoder);
}
