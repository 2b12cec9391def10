using System.Numerics.Tensors;
using SegmentAnything.Checkpoints;
using SegmentAnything.Kernels;

namespace SegmentAnything.Decoding;

/// <summary>A linear layer for token rows: its transposed weights in blocks of columns.</summary>
internal unsafe struct PackedLinear
{
    /// <summary>Columns of a block: two vectors of 16.</summary>
    public const int BlockColumns = 32;

    /// <summary>[block of 32 outputs][input][32 outputs]; outputs that do not exist are zero.</summary>
    public float* Weight;

    /// <summary>[output], zero where there is none.</summary>
    public float* Bias;

    public int Inputs;

    public int Outputs;

    /// <summary>Outputs with those that fill the last block: the width of a result row.</summary>
    public readonly int PaddedOutputs => DecoderMath.RoundUp(Outputs, BlockColumns);
}

/// <summary>The weight and bias of a layer normalisation.</summary>
internal unsafe struct PackedNorm
{
    public float* Weight;
    public float* Bias;
}

/// <summary>The tokens' part of a token-to-image attention. The image's keys and values are in <see cref="ImageMaps"/>.</summary>
internal struct PackedTokenToImage
{
    /// <summary>Queries, scaled by log2(e) / sqrt(head width): scores come to the base 2.</summary>
    public PackedLinear Query;

    public PackedLinear Output;
}

/// <summary>The tokens' part of an image-to-token attention. The image's queries and the output are in <see cref="ImageMaps"/>.</summary>
internal struct PackedImageToToken
{
    /// <summary>Keys, scaled by log2(e) / sqrt(head width).</summary>
    public PackedLinear Key;

    /// <summary>Values without their bias, which is in <see cref="ImageMaps.Constant"/>.</summary>
    public PackedLinear Value;
}

/// <summary>One of the two layers.</summary>
internal unsafe struct PackedLayer
{
    /// <summary>Self attention; queries are scaled as above.</summary>
    public PackedLinear SelfQuery, SelfKey, SelfValue, SelfOutput;

    public PackedTokenToImage TokenToImage;
    public PackedImageToToken ImageToToken;
    public PackedLinear Mlp1, Mlp2;
    public PackedNorm Norm1, Norm2, Norm3, Norm4;
}

/// <summary>Small arithmetic of the tiled decoder.</summary>
internal static class DecoderMath
{
    public static int RoundUp(int value, int multiple) => (value + multiple - 1) / multiple * multiple;
}

/// <summary>The decoder's weights in the layouts that the tiled passes read.</summary>
internal sealed unsafe class TiledDecoderWeights : PackedWeights
{
    private const string Decoder = "mask_decoder.";
    private const string Transformer = Decoder + "transformer.";
    private const string Final = Transformer + "final_attn_token_to_image.";
    private const string Upscaling = Decoder + "output_upscaling.";
    private const string Gaussian = "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix";

    private readonly StateDict _source;
    private readonly int _refinedValues;

    /// <exception cref="CheckpointException">A tensor is missing, or its shape does not fit.</exception>
    public TiledDecoderWeights(StateDict source, DecoderLayout layout, MaskRefinement? refinement = null)
    {
        NormEpsilon = layout.NormEpsilon;
        Heads = layout.Heads;
        MaskTokens = layout.MaskTokens;
        _source = source;
        Channels = source.ShapeOf(Decoder + "iou_token.weight")[^1];
        Inner = source.ShapeOf(Final + "q_proj.weight")[0];
        SelfInner = source.ShapeOf(Transformer + "layers.0.self_attn.q_proj.weight")[0];
        MlpWidth = source.ShapeOf(Transformer + "layers.0.mlp.lin1.weight")[0];
        WithoutMask = Pack(source.Read("prompt_encoder.no_mask_embed.weight", 1, Channels));
        GaussianMatrix = source.Read(Gaussian, 2, Channels / 2);
        Layers = [ReadLayer(0), ReadLayer(1)];
        FinalAttention = ReadTokenToImage(Final);
        FinalNorm = ReadNorm(Transformer + "norm_final_attn.", Channels);
        OutputTokenRows = Pack([
            .. source.Read(Decoder + "iou_token.weight", 1, Channels),
            .. source.Read(Decoder + "mask_tokens.weight", MaskTokens, Channels),
            .. layout.ScoreLayers > 0 ? source.Read(Decoder + "obj_score_token.weight", 1, Channels) : [],
            .. refinement is null ? [] : source.Read(refinement.Token, 1, Channels)]);
        OutputTokens = layout.OutputTokens + (refinement is null ? 0 : 1);
        HasSigmoidIou = layout.HasSigmoidIou;
        HasHighRes = layout.AfterFirstStep is not null;

        float[] upscale = TransposedConvolution(source.Read(Upscaling + "0.weight", Channels, Channels / 4, 2, 2), Channels, Channels / 4);
        Maps = new ImageMaps(source, Channels, Inner, Heads, ValueHeadStride, upscale, RepeatFourTimes(source.Read(Upscaling + "0.bias", Channels / 4)));
        UpscaleNorm = ReadNorm(Upscaling + "1.", Channels / 4);
        float[] upscale2 = TransposedConvolution(source.Read(Upscaling + "3.weight", Channels / 4, Channels / 8, 2, 2), Channels / 4, Channels / 8);
        Upscale2Panels = PackPanels(upscale2, Channels / 2, Channels / 4);
        Upscale2Bias = Pack(RepeatFourTimes(source.Read(Upscaling + "3.bias", Channels / 8)));
        GeluTable = Pack(DecoderKernels.GeluTable);

        Hyper = new PackedLinear[MaskTokens][];
        for (int mask = 0; mask < MaskTokens; mask++)
        {
            string name = $"{Decoder}output_hypernetworks_mlps.{mask}.layers.";
            Hyper[mask] = [
                ReadLinear(name + "0.", Channels, Channels),
                ReadLinear(name + "1.", Channels, Channels),
                ReadLinear(name + "2.", Channels / 8, Channels)];
        }

        IouHead = ReadHead("iou_prediction_head", layout.IouLayers, MaskTokens);
        ScoreHead = ReadHead("pred_obj_score_head", layout.ScoreLayers, 1);
        RefinementHead = [];
        if (refinement is null) return;
        RefinementHead = ReadHead(refinement.Head, refinement.HeadLayers, Channels / 8);
        RefinedAlone = refinement.Alone;
        Refinement = new TiledRefinementWeights(source, refinement, Channels / 8);
        foreach (EnlargedFeature feature in refinement.Features.Skip(1)) _refinedValues += feature.Channels;
    }

    /// <summary>Attention heads: 8 in every published model.</summary>
    public int Heads { get; }

    /// <summary>One for the single mask and the others for the multiple masks: 4 in every published model.</summary>
    public int MaskTokens { get; }

    /// <summary>Channels of image and tokens: 256 in every published model.</summary>
    public int Channels { get; }

    /// <summary>Channels inside of the attentions between tokens and image, all heads together: 128.</summary>
    public int Inner { get; }

    /// <summary>Channels inside of self attention: 256.</summary>
    public int SelfInner { get; }

    public int MlpWidth { get; }

    /// <summary>Of the transformer's LayerNorms.</summary>
    public float NormEpsilon { get; }

    public int HeadWidth => Inner / Heads;

    /// <summary>A head's columns in <see cref="ImageMaps.ValueColumns"/>: whole vectors of any width.</summary>
    public int ValueHeadStride => DecoderMath.RoundUp(HeadWidth, 16);

    public PackedLayer[] Layers { get; }

    public PackedTokenToImage FinalAttention { get; }

    public PackedNorm FinalNorm { get; }

    /// <summary>[output token][channel]: the IoU token, then the mask tokens, then that of the object score if there is one.</summary>
    public float* OutputTokenRows { get; }

    /// <summary>Output tokens: one for the predicted IoU, one a mask, and one for the object score if there is one.</summary>
    public int OutputTokens { get; }

    /// <summary>A sigmoid follows the IoU head.</summary>
    public bool HasSigmoidIou { get; }

    /// <summary>Two more maps of the image are added while it is upscaled.</summary>
    public bool HasHighRes { get; }

    /// <summary>
    /// Values of all maps of an image for each position of the grid: those of the embedding, and then those of a map that is
    /// four times and of one that is twice as fine, or those that a refinement takes.
    /// </summary>
    public int ValuesPerPosition => Channels + (HasHighRes ? (16 * (Channels / 8)) + (4 * (Channels / 4)) : 0) + _refinedValues;

    /// <summary>The linear maps of image tokens, from the first layer's keys to the first transposed convolution.</summary>
    public ImageMaps Maps { get; }

    /// <summary>Rows of a tile's maps: those of <see cref="ImageMaps.ImageRows"/>, then what is added after the first upscaling.</summary>
    public int MapRows => Maps.ImageRows + (HasHighRes ? Channels : 0);

    public PackedNorm UpscaleNorm { get; }

    /// <summary>Rows ordered (sy, sx, output channel): [panel][input channel][8].</summary>
    public float* Upscale2Panels { get; }

    public float* Upscale2Bias { get; }

    /// <summary><see cref="DecoderKernels.GeluTable"/>, aligned.</summary>
    public float* GeluTable { get; }

    /// <summary>[mask][layer].</summary>
    public PackedLinear[][] Hyper { get; }

    public PackedLinear[] IouHead { get; }

    /// <summary>Of the object score; empty where there is none.</summary>
    public PackedLinear[] ScoreHead { get; }

    /// <summary>Of the refinement; empty where there is none.</summary>
    public PackedLinear[] RefinementHead { get; }

    /// <summary>Of a mask beside the others; null where there is none.</summary>
    public TiledRefinementWeights? Refinement { get; }

    /// <summary>That mask takes the place of the others.</summary>
    public bool RefinedAlone { get; }

    /// <summary>What is added at every position of an image where there is no mask prompt: channels.</summary>
    public float* WithoutMask { get; }

    /// <summary>2 x channels/2: the frequencies of the positional encoding, for x and for y.</summary>
    public float[] GaussianMatrix { get; }

    /// <summary>
    /// Can the tiled decoder run weights of these sizes? They must be SAM's decoder with channels in whole blocks, and so must be what
    /// all heads have together.
    /// </summary>
    public static bool Supports(DecoderLayout layout, MaskRefinement? refinement = null) =>
        layout is { MaskTokens: >= 1 and <= DecoderKernels.MostMasks, Layers: 2, HyperLayers: 3 }
        && layout.Heads % DecoderKernels.BlockRows == 0 && layout.Channels % 32 == 0
        && layout.Channels % layout.Heads == 0 && layout.AttentionChannels % layout.Heads == 0 && layout.AttentionChannels % DecoderKernels.BlockRows == 0
        && layout.UpscaleChannels1 == layout.Channels / 4 && layout.UpscaleChannels2 == layout.Channels / 8
        && (layout.AfterFirstStep is null) == (layout.AfterSecondStep is null)
        && (refinement is null || (refinement.Channels % DecoderKernels.BlockRows == 0 && layout.ScoreLayers == 0 && layout.AfterFirstStep is null
            && refinement.Features.All(f => f.InsideChannels % 2 == 0) && refinement.Features[0].Channels == layout.Channels));

    public override void Dispose()
    {
        Maps.Dispose();
        Refinement?.Dispose();
        base.Dispose();
    }

    private PackedLinear[] ReadHead(string name, int layers, int outputs)
    {
        PackedLinear[] head = new PackedLinear[layers];
        for (int layer = 0, inputs = Channels; layer < layers; layer++)
        {
            string prefix = $"{Decoder}{name}.layers.{layer}.";
            int width = layer == layers - 1 ? outputs : _source.ShapeOf(prefix + "weight")[0];
            head[layer] = ReadLinear(prefix, width, inputs);
            inputs = width;
        }

        return head;
    }

    private PackedLayer ReadLayer(int index)
    {
        string name = $"{Transformer}layers.{index}.";
        string self = name + "self_attn.";
        return new PackedLayer
        {
            SelfQuery = ReadLinear(self + "q_proj.", SelfInner, Channels, ScoreScale(SelfInner)),
            SelfKey = ReadLinear(self + "k_proj.", SelfInner, Channels),
            SelfValue = ReadLinear(self + "v_proj.", SelfInner, Channels),
            SelfOutput = ReadLinear(self + "out_proj.", Channels, SelfInner),
            TokenToImage = ReadTokenToImage(name + "cross_attn_token_to_image."),
            ImageToToken = ReadImageToToken(name + "cross_attn_image_to_token."),
            Mlp1 = ReadLinear(name + "mlp.lin1.", MlpWidth, Channels),
            Mlp2 = ReadLinear(name + "mlp.lin2.", Channels, MlpWidth),
            Norm1 = ReadNorm(name + "norm1.", Channels),
            Norm2 = ReadNorm(name + "norm2.", Channels),
            Norm3 = ReadNorm(name + "norm3.", Channels),
            Norm4 = ReadNorm(name + "norm4.", Channels),
        };
    }

    private PackedTokenToImage ReadTokenToImage(string name) => new()
    {
        Query = ReadLinear(name + "q_proj.", Inner, Channels, ScoreScale(Inner)),
        Output = ReadLinear(name + "out_proj.", Channels, Inner),
    };

    private PackedImageToToken ReadImageToToken(string name)
    {
        PackedImageToToken attention = new()
        {
            Key = ReadLinear(name + "k_proj.", Inner, Channels, ScoreScale(Inner)),
            Value = ReadLinear(name + "v_proj.", Inner, Channels),
        };
        new Span<float>(attention.Value.Bias, attention.Value.PaddedOutputs).Clear();
        return attention;
    }

    private PackedNorm ReadNorm(string name, int width) => new()
    {
        Weight = Pack(_source.Read(name + "weight", width)),
        Bias = Pack(_source.Read(name + "bias", width)),
    };

    private PackedLinear ReadLinear(string name, int outputs, int inputs, float scale = 1)
    {
        float[] weight = _source.Read(name + "weight", outputs, inputs);
        float[] bias = _source.Read(name + "bias", outputs);
        PackedLinear linear = new() { Inputs = inputs, Outputs = outputs };
        linear.Weight = Allocate((long)linear.PaddedOutputs * inputs);
        linear.Bias = Allocate(linear.PaddedOutputs);
        if (scale != 1) TensorPrimitives.Multiply(weight, scale, weight);
        fixed (float* source = weight)
        {
            float* target = linear.Weight;
            for (int first = 0; first < linear.PaddedOutputs; first += PackedLinear.BlockColumns, target += PackedLinear.BlockColumns * inputs)
            {
                int there = Math.Min(outputs - first, PackedLinear.BlockColumns);
                DecoderKernels.Transpose(source + (first * (nint)inputs), inputs, there, inputs, target, PackedLinear.BlockColumns);
            }
        }

        for (int o = 0; o < linear.PaddedOutputs; o++) linear.Bias[o] = o < outputs ? bias[o] * scale : 0;
        return linear;
    }

    // log2(e), because the kernels' softmax takes powers of two.
    private float ScoreScale(int inner) => (float)(Math.Log2(Math.E) / Math.Sqrt(inner / Heads));

    // inputs x outputs x 2 x 2 -> rows (sy, sx, output) of inputs.
    internal static float[] TransposedConvolution(float[] weight, int inputs, int outputs)
    {
        float[] rows = new float[4 * outputs * inputs];
        for (int i = 0; i < inputs; i++)
        {
            for (int o = 0; o < outputs; o++)
            {
                for (int s = 0; s < 4; s++) rows[(((s * outputs) + o) * inputs) + i] = weight[(((i * outputs) + o) * 4) + s];
            }
        }

        return rows;
    }

    internal static float[] RepeatFourTimes(float[] values) => [.. values, .. values, .. values, .. values];
}
