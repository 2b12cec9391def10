using System.Collections.Immutable;
using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;

namespace SegmentAnything.Families;

/// <summary>A model whose prompt encoder and mask decoder are SAM's, behind whatever image encoder.</summary>
/// <param name="frame">How images go in and masks come out.</param>
/// <param name="grid">The side of the embedding.</param>
/// <param name="decoder">The sizes of prompt encoder and mask decoder; null where the weights are an image encoder's alone.</param>
internal abstract class SamDecoderModel(ModelFrame frame, int grid, DecoderLayout? decoder) : FamilyModel
{
    /// <summary>Attention heads of every SAM decoder. Shapes do not tell. Source: Segment Anything, build_sam.py.</summary>
    protected const int DecoderHeads = 8;

    /// <summary>Of the transformer's norms in SAM: PyTorch's default.</summary>
    protected const float SamNormEpsilon = 1e-5f;

    public override ModelFrame Frame => frame;

    public override ImmutableArray<FeatureMapShape> Features => [new FeatureMapShape(FeatureMapShape.Embedding, Decoder.Channels, grid)];

    public override ModelCapabilities Capabilities => new()
    {
        Boxes = Decoder.TakesBoxes,
        MaskPrompts = Decoder.TakesMasks,
        MultipleMasks = Decoder.MaskTokens - 1,
    };

    public override MaskRules Masks => new(Decoder.MaskTokens);

    public override int LowResSize => DecoderLayout.Upscaling * grid;

    protected DecoderLayout Decoder => decoder ?? throw new InvalidOperationException("These are the weights of an image encoder alone.");

    protected int Grid => grid;

    /// <summary>What asking a mask decoder's weights for an image encoder gives.</summary>
    protected static InvalidOperationException NoEncoder() => new("These are the weights of a mask decoder alone.");

    /// <summary>Refuses an image encoder that does not give what the mask decoder takes.</summary>
    public static void CheckChannels(StateDict weights, int encoder, DecoderLayout decoder)
    {
        if (encoder != decoder.Channels)
            throw new CheckpointException($"{weights.Source}: the image encoder gives {encoder} channels, but the mask decoder takes {decoder.Channels}.");
    }

    public override PromptTokens ReadPromptTokens() => new()
    {
        GaussianMatrix = Weights.ReadAny(PositionalEncoding.MatrixName),
        Labels = [.. Enumerable.Range(0, Decoder.TakesBoxes ? 4 : 2).Select(i => Weights.ReadAny($"prompt_encoder.point_embeddings.{i}.weight"))],
        Nothing = Weights.ReadAny("prompt_encoder.not_a_point_embed.weight"),
    };

    public override float[] ReadWithoutMask() => Weights.ReadAny("prompt_encoder.no_mask_embed.weight");

    public override MaskPromptNetwork? ReadMaskPrompt() => Decoder.TakesMasks ? new MaskDownscaling(Weights, grid) : null;

    public override (IMaskDecoderEngine Engine, ExecutionProvider Provider) CreateDecoder(SamOptions options, WorkSplitter splitter) =>
        MaskDecoderEngines.Create(Weights, Decoder, Features, options, splitter);

    public override SegmentAnything.Graphs.GraphBuilder BuildOfficialDecoder() => OfficialDecoderGraph.Build(Weights, Decoder, grid, frame.Side);
}
