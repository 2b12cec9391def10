using SegmentAnything.Checkpoints;

namespace SegmentAnything.Decoding;

/// <summary>
/// The sizes of a SAM prompt encoder and mask decoder, read from the shapes of its weights. Making one checks that every
/// weight is there and fits the others.
/// </summary>
/// <param name="Channels">Width of tokens and image embedding; 256 in the published models.</param>
/// <param name="AttentionChannels">Width inside cross attention: half of it.</param>
/// <param name="MlpChannels">Width inside the transformer's MLP; 2048.</param>
/// <param name="MaskTokens">One for the single mask and the others for the multiple masks; 4.</param>
/// <param name="UpscaleChannels1">Channels after the first upscaling; 64.</param>
/// <param name="UpscaleChannels2">Channels after the second, which the hypernetworks' outputs are multiplied with; 32.</param>
/// <param name="HyperLayers">Layers of each hypernetwork; 3.</param>
/// <param name="IouLayers">Layers of the IoU head; 3.</param>
internal sealed record DecoderLayout(
    int Channels,
    int AttentionChannels,
    int MlpChannels,
    int MaskTokens,
    int UpscaleChannels1,
    int UpscaleChannels2,
    int HyperLayers,
    int IouLayers)
{
    /// <summary>There are embeddings for the corners of a box. Exports for points alone lack them.</summary>
    public bool TakesBoxes { get; private init; }

    /// <summary>There are weights that encode a mask prompt. Exports for points alone lack them.</summary>
    public bool TakesMasks { get; private init; }

    /// <summary>Attention heads. Shapes do not tell: the family does.</summary>
    public required int Heads { get; init; }

    /// <summary>What is added to the variance in the transformer's LayerNorms. The family tells.</summary>
    public required float NormEpsilon { get; init; }

    /// <summary>Layers of the two-way transformer; 2.</summary>
    public required int Layers { get; init; }

    /// <summary>Layers of the head that tells whether there is an object at all; 0 where there is none. The family tells.</summary>
    public int ScoreLayers { get; init; }

    /// <summary>A sigmoid follows the IoU head. The family tells.</summary>
    public bool HasSigmoidIou { get; init; }

    /// <summary>The map of the image that is added after the first upscaling, before its norm; null where there is none.</summary>
    public FeatureMapShape? AfterFirstStep { get; init; }

    /// <summary>The map of the image that is added after the second upscaling, before its activation; null where there is none.</summary>
    public FeatureMapShape? AfterSecondStep { get; init; }

    /// <summary>Tokens whose outputs are read: of the IoU, of the masks, and of the object score where there is one.</summary>
    public int OutputTokens => 1 + MaskTokens + (ScoreLayers > 0 ? 1 : 0);

    /// <summary>What is added to the variance of the norms over channels, in upscaling and mask downscaling, in every family.</summary>
    public const float ChannelNormEpsilon = 1e-6f;

    /// <summary>By how much the upscaling enlarges the embedding's grid.</summary>
    public const int Upscaling = 4;

    public const string Transformer = "mask_decoder.transformer.";

    // Where a tensor that is not expected belongs to another network than this. Families add others beside them.
    private static readonly string[] OwnParts =
    [
        Transformer, "mask_decoder.output_upscaling.", "mask_decoder.output_hypernetworks_mlps.", "mask_decoder.iou_prediction_head.",
        "prompt_encoder.point_embeddings.", "prompt_encoder.mask_downscaling.",
    ];

    /// <summary>Reads the sizes and checks every weight.</summary>
    /// <param name="weights">Under SAM 1's official names.</param>
    /// <param name="heads">Attention heads.</param>
    /// <param name="normEpsilon">Of the transformer's LayerNorms.</param>
    /// <exception cref="CheckpointException">A weight is missing or does not fit; the message names it.</exception>
    public static DecoderLayout Of(StateDict weights, int heads, float normEpsilon)
    {
        int channels = Dimension(weights, "mask_decoder.iou_token.weight", 2, 1);
        DecoderLayout layout = new(
            channels,
            Dimension(weights, Transformer + "layers.0.cross_attn_token_to_image.q_proj.weight", 2, 0),
            Dimension(weights, Transformer + "layers.0.mlp.lin1.weight", 2, 0),
            Dimension(weights, "mask_decoder.mask_tokens.weight", 2, 0),
            Dimension(weights, "mask_decoder.output_upscaling.0.weight", 4, 1),
            Dimension(weights, "mask_decoder.output_upscaling.3.weight", 4, 1),
            CountLayers(weights, "mask_decoder.output_hypernetworks_mlps.0.layers."),
            CountLayers(weights, "mask_decoder.iou_prediction_head.layers."))
        {
            Heads = heads,
            NormEpsilon = normEpsilon,
            Layers = CountLayers(weights, Transformer + "layers."),
            // Half of a part is a damaged file, none of it is a model without the part.
            TakesBoxes = weights.Contains("prompt_encoder.point_embeddings.2.weight") || weights.Contains("prompt_encoder.point_embeddings.3.weight"),
            TakesMasks = weights.Tensors.Keys.Any(name => name.StartsWith("prompt_encoder.mask_downscaling.", StringComparison.Ordinal)),
        };
        layout.Check(weights);
        return layout;
    }

    private static int Dimension(StateDict weights, string name, int rank, int axis)
    {
        var shape = weights.ShapeOf(name);
        return shape.Length == rank
            ? shape[axis]
            : throw new CheckpointException(
                $"{weights.Source}: tensor '{name}' has shape [{string.Join(", ", shape)}], expected {rank} dimensions. Is this a decoder of another family?");
    }

    private static int CountLayers(StateDict weights, string prefix)
    {
        int count = CheckpointShapes.CountParts(weights, prefix);
        return count > 0
            ? count
            : throw new CheckpointException($"{weights.Source}: no tensor named '{prefix}0.weight'. Is this a decoder of another family?");
    }

    private void Check(StateDict weights)
    {
        if (Channels % (2 * Heads) != 0 || AttentionChannels % Heads != 0)
        {
            throw new CheckpointException(
                $"{weights.Source}: {Channels} channels and {AttentionChannels} attention channels do not divide among {Heads} heads.");
        }

        List<(string Name, int[] Shape)> tensors = [];
        for (int layer = 0; layer < Layers; layer++)
        {
            string prefix = $"{Transformer}layers.{layer}.";
            Attention(prefix + "self_attn", Channels);
            Attention(prefix + "cross_attn_token_to_image", AttentionChannels);
            Attention(prefix + "cross_attn_image_to_token", AttentionChannels);
            for (int norm = 1; norm <= 4; norm++) Norm($"{prefix}norm{norm}", Channels);
            Linear(prefix + "mlp.lin1", MlpChannels, Channels);
            Linear(prefix + "mlp.lin2", Channels, MlpChannels);
        }

        Attention(Transformer + "final_attn_token_to_image", AttentionChannels);
        Norm(Transformer + "norm_final_attn", Channels);

        Add("mask_decoder.iou_token.weight", 1, Channels);
        Add("mask_decoder.mask_tokens.weight", MaskTokens, Channels);
        Add("mask_decoder.output_upscaling.0.weight", Channels, UpscaleChannels1, 2, 2);
        Add("mask_decoder.output_upscaling.0.bias", UpscaleChannels1);
        Norm("mask_decoder.output_upscaling.1", UpscaleChannels1);
        Add("mask_decoder.output_upscaling.3.weight", UpscaleChannels1, UpscaleChannels2, 2, 2);
        Add("mask_decoder.output_upscaling.3.bias", UpscaleChannels2);
        for (int mask = 0; mask < MaskTokens; mask++)
            Mlp($"mask_decoder.output_hypernetworks_mlps.{mask}", HyperLayers, Channels, UpscaleChannels2);
        Mlp("mask_decoder.iou_prediction_head", IouLayers, 0, MaskTokens);

        Add("prompt_encoder.pe_layer.positional_encoding_gaussian_matrix", 2, Channels / 2);
        for (int label = 0; label < (TakesBoxes ? 4 : 2); label++) Add($"prompt_encoder.point_embeddings.{label}.weight", 1, Channels);
        Add("prompt_encoder.not_a_point_embed.weight", 1, Channels);
        Add("prompt_encoder.no_mask_embed.weight", 1, Channels);
        if (TakesMasks)
        {
            int quarter = Dimension(weights, "prompt_encoder.mask_downscaling.0.weight", 4, 0);
            int full = Dimension(weights, "prompt_encoder.mask_downscaling.3.weight", 4, 0);
            Add("prompt_encoder.mask_downscaling.0.weight", quarter, 1, 2, 2);
            Add("prompt_encoder.mask_downscaling.0.bias", quarter);
            Norm("prompt_encoder.mask_downscaling.1", quarter);
            Add("prompt_encoder.mask_downscaling.3.weight", full, quarter, 2, 2);
            Add("prompt_encoder.mask_downscaling.3.bias", full);
            Norm("prompt_encoder.mask_downscaling.4", full);
            Add("prompt_encoder.mask_downscaling.6.weight", Channels, full, 1, 1);
            Add("prompt_encoder.mask_downscaling.6.bias", Channels);
        }

        CheckpointShapes.Check(weights, tensors);
        foreach (string part in OwnParts) CheckpointShapes.RefuseOthers(weights, part, tensors);

        void Add(string name, params int[] shape) => tensors.Add((name, shape));

        void Norm(string name, int channels)
        {
            Add(name + ".weight", channels);
            Add(name + ".bias", channels);
        }

        void Linear(string name, int outputs, int inputs)
        {
            Add(name + ".weight", outputs, inputs);
            Add(name + ".bias", outputs);
        }

        void Attention(string name, int inside)
        {
            foreach (string projection in (ReadOnlySpan<string>)["q_proj", "k_proj", "v_proj"]) Linear($"{name}.{projection}", inside, Channels);
            Linear(name + ".out_proj", Channels, inside);
        }

        // A chain of linear layers; a width of 0 takes what the first layer has.
        void Mlp(string name, int layers, int width, int outputs)
        {
            if (width == 0 && layers > 1) width = Dimension(weights, name + ".layers.0.weight", 2, 0);
            for (int layer = 0; layer < layers; layer++) Linear($"{name}.layers.{layer}", layer == layers - 1 ? outputs : width, layer == 0 ? Channels : width);
        }
    }
}
