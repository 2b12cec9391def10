using System.Collections.Immutable;
using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;

namespace SegmentAnything.Families.EfficientSam;

/// <summary>
/// The sizes of EfficientSAM's prompt encoder and mask decoder, read from the shapes of its weights. Making one checks that
/// every weight is there and fits the others.
/// </summary>
/// <param name="Channels">Width of tokens and image embedding.</param>
/// <param name="AttentionChannels">Width inside cross attention.</param>
/// <param name="MlpChannels">Width inside the transformer's MLP.</param>
/// <param name="MaskTokens">One for the single mask and the others for the multiple masks.</param>
/// <param name="UpscaleChannels1">Channels after the first upscaling.</param>
/// <param name="UpscaleChannels2">Channels after the second, which the masks' weights are multiplied with.</param>
/// <param name="HyperLayers">Layers of each hypernetwork, the last included.</param>
/// <param name="IouChannels">Width inside the IoU head.</param>
/// <param name="IouLayers">Layers of the IoU head, the last included.</param>
internal sealed record EfficientSamDecoderLayout(
    int Channels, int AttentionChannels, int MlpChannels, int MaskTokens, int UpscaleChannels1, int UpscaleChannels2,
    int HyperLayers, int IouChannels, int IouLayers)
{
    public const string Prompts = "prompt_encoder.";
    public const string Decoder = "mask_decoder.";
    public const string Upscaling = Decoder + "final_output_upscaling_layers.";

    /// <summary>Attention heads. Shapes do not tell. Source: EfficientSAM, efficient_sam/efficient_sam.py (build_efficient_sam).</summary>
    public const int Heads = 8;

    /// <summary>Layers of the two-way transformer.</summary>
    public const int Layers = 2;

    /// <summary>Tokens of every prompt: longer ones are cut, shorter ones padded.</summary>
    public const int Points = 6;

    /// <summary>Reads the sizes and checks every weight.</summary>
    /// <exception cref="CheckpointException">A weight is missing or does not fit; the message names it.</exception>
    public static EfficientSamDecoderLayout Of(StateDict weights)
    {
        EfficientSamDecoderLayout layout = new(
            Dimension(Decoder + "iou_token.weight", 2, 1),
            Dimension(DecoderLayout.Transformer + "layers.0.cross_attn_token_to_image.q_proj.weight", 2, 0),
            Dimension(DecoderLayout.Transformer + "layers.0.mlp.layers.0.0.weight", 2, 0),
            Dimension(Decoder + "mask_tokens.weight", 2, 0),
            Dimension(Upscaling + "0.0.weight", 4, 1),
            Dimension(Upscaling + "1.0.weight", 4, 1),
            CountLayers(Decoder + "output_hypernetworks_mlps.0."),
            Dimension(Decoder + "iou_prediction_head.layers.0.0.weight", 2, 0),
            CountLayers(Decoder + "iou_prediction_head."));
        if (layout.Channels % (2 * Heads) != 0 || layout.AttentionChannels % Heads != 0)
        {
            throw new CheckpointException(
                $"{weights.Source}: {layout.Channels} channels and {layout.AttentionChannels} attention channels do not divide among {Heads} heads.");
        }

        CheckpointShapes.CheckAll(weights, Decoder, layout.Tensors());
        return layout;

        int CountLayers(string name) => CheckpointShapes.CountParts(weights, name + "layers.") + 1;

        int Dimension(string name, int rank, int axis)
        {
            ImmutableArray<int> shape = weights.ShapeOf(name);
            return shape.Length == rank
                ? shape[axis]
                : throw new CheckpointException($"{weights.Source}: tensor '{name}' has shape [{string.Join(", ", shape)}], expected {rank} dimensions.");
        }
    }

    /// <summary>Every weight, and its shape.</summary>
    public IEnumerable<(string Name, int[] Shape)> Tensors()
    {
        List<(string, int[])> tensors = [(Prompts + "pe_layer.positional_encoding_gaussian_matrix", [2, Channels / 2])];
        foreach (string table in (string[])["invalid_points", "point_embeddings", "bbox_top_left_embeddings", "bbox_bottom_right_embeddings"])
            tensors.Add(($"{Prompts}{table}.weight", [1, Channels]));
        for (int i = 0; i < Layers; i++)
        {
            string name = $"{DecoderLayout.Transformer}layers.{i}.";
            Attention(name + "self_attn", Channels);
            Attention(name + "cross_attn_token_to_image", AttentionChannels);
            Attention(name + "cross_attn_image_to_token", AttentionChannels);
            for (int norm = 1; norm <= 4; norm++) Norm($"{name}norm{norm}", Channels);
            Linear(name + "mlp.layers.0.0", MlpChannels, Channels);
            Linear(name + "mlp.fc", Channels, MlpChannels);
        }

        Attention(DecoderLayout.Transformer + "final_attn_token_to_image", AttentionChannels);
        Norm(DecoderLayout.Transformer + "norm_final_attn", Channels);
        tensors.Add((Decoder + "iou_token.weight", [1, Channels]));
        tensors.Add((Decoder + "mask_tokens.weight", [MaskTokens, Channels]));
        tensors.Add((Upscaling + "0.0.weight", [Channels, UpscaleChannels1, 2, 2]));
        tensors.Add((Upscaling + "0.0.bias", [UpscaleChannels1]));
        Norm(Upscaling + "0.1", UpscaleChannels1);
        tensors.Add((Upscaling + "1.0.weight", [UpscaleChannels1, UpscaleChannels2, 2, 2]));
        tensors.Add((Upscaling + "1.0.bias", [UpscaleChannels2]));
        for (int mask = 0; mask < MaskTokens; mask++) Mlp($"{Decoder}output_hypernetworks_mlps.{mask}.", HyperLayers, Channels, UpscaleChannels2);
        Mlp(Decoder + "iou_prediction_head.", IouLayers, IouChannels, MaskTokens);
        return tensors;

        void Attention(string name, int inside)
        {
            foreach (string projection in (string[])["q_proj", "k_proj", "v_proj"]) Linear($"{name}.{projection}", inside, Channels);
            Linear(name + ".out_proj", Channels, inside);
        }

        void Mlp(string name, int layers, int width, int outputs)
        {
            for (int i = 0; i < layers - 1; i++) Linear($"{name}layers.{i}.0", width, i == 0 ? Channels : width);
            Linear(name + "fc", outputs, layers == 1 ? Channels : width);
        }

        void Norm(string name, int width)
        {
            tensors.Add((name + ".weight", [width]));
            tensors.Add((name + ".bias", [width]));
        }

        void Linear(string name, int outputs, int inputs)
        {
            tensors.Add((name + ".weight", [outputs, inputs]));
            tensors.Add((name + ".bias", [outputs]));
        }
    }
}
