using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;

namespace SegmentAnything.Tests.Fakes;

/// <summary>Random weights with the official names and shapes of SAM's prompt encoder and mask decoder, of any size.</summary>
internal static class RandomDecoder
{
    private static readonly string[] Attentions = ["self_attn", "cross_attn_token_to_image", "cross_attn_image_to_token"];

    /// <summary>The sizes of such weights, or of a published decoder.</summary>
    public static DecoderLayout LayoutOf(StateDict weights, int heads = 8) => DecoderLayout.Of(weights, heads, normEpsilon: 1e-5f);

    public static StateDict Weights(int channels, int mlp, int iouHidden, int iouDepth, int seed, double attentionGain = 1, int masks = 4)
    {
        var random = new Random(seed);
        var tensors = new Dictionary<string, (int[] Shape, float[] Values)>();
        const string Decoder = "mask_decoder.";
        const string Transformer = Decoder + "transformer.";
        for (int layer = 0; layer < 2; layer++)
        {
            string prefix = $"{Transformer}layers.{layer}.";
            foreach (string attention in Attentions)
                Attention($"{prefix}{attention}.", attention == "self_attn" ? channels : channels / 2);
            for (int norm = 1; norm <= 4; norm++) Norm($"{prefix}norm{norm}.", channels);
            Linear(prefix + "mlp.lin1.", mlp, channels);
            Linear(prefix + "mlp.lin2.", channels, mlp);
        }

        Attention(Transformer + "final_attn_token_to_image.", channels / 2);
        Norm(Transformer + "norm_final_attn.", channels);
        Add(Decoder + "iou_token.weight", 1, 1, channels);
        Add(Decoder + "mask_tokens.weight", 1, masks, channels);
        Add(Decoder + "output_upscaling.0.weight", 1.5 / Math.Sqrt(channels), channels, channels / 4, 2, 2);
        Add(Decoder + "output_upscaling.0.bias", 0.1, channels / 4);
        Norm(Decoder + "output_upscaling.1.", channels / 4);
        Add(Decoder + "output_upscaling.3.weight", 3 / Math.Sqrt(channels), channels / 4, channels / 8, 2, 2);
        Add(Decoder + "output_upscaling.3.bias", 0.1, channels / 8);
        for (int mask = 0; mask < masks; mask++)
        {
            string prefix = $"{Decoder}output_hypernetworks_mlps.{mask}.layers.";
            Linear(prefix + "0.", channels, channels);
            Linear(prefix + "1.", channels, channels);
            Linear(prefix + "2.", channels / 8, channels);
        }

        for (int layer = 0; layer < iouDepth; layer++)
        {
            Linear(
                $"{Decoder}iou_prediction_head.layers.{layer}.",
                layer == iouDepth - 1 ? masks : iouHidden,
                layer == 0 ? channels : iouHidden);
        }

        Add("prompt_encoder.pe_layer.positional_encoding_gaussian_matrix", 1, 2, channels / 2);
        for (int label = 0; label < 4; label++) Add($"prompt_encoder.point_embeddings.{label}.weight", 1, 1, channels);
        Add("prompt_encoder.not_a_point_embed.weight", 1, 1, channels);
        Add("prompt_encoder.no_mask_embed.weight", 1, 1, channels);
        Add("prompt_encoder.mask_downscaling.0.weight", 1, 4, 1, 2, 2);
        Add("prompt_encoder.mask_downscaling.0.bias", 0.1, 4);
        Norm("prompt_encoder.mask_downscaling.1.", 4);
        Add("prompt_encoder.mask_downscaling.3.weight", 1, 16, 4, 2, 2);
        Add("prompt_encoder.mask_downscaling.3.bias", 0.1, 16);
        Norm("prompt_encoder.mask_downscaling.4.", 16);
        Add("prompt_encoder.mask_downscaling.6.weight", 1, channels, 16, 1, 1);
        Add("prompt_encoder.mask_downscaling.6.bias", 0.1, channels);
        return new InMemoryStateDict($"random decoder, seed {seed}", tensors);

        void Attention(string name, int inner)
        {
            Linear(name + "q_proj.", inner, channels, attentionGain);
            Linear(name + "k_proj.", inner, channels);
            Linear(name + "v_proj.", inner, channels);
            Linear(name + "out_proj.", channels, inner);
        }

        void Linear(string name, int outputs, int inputs, double gain = 1)
        {
            Add(name + "weight", gain * 1.4 / Math.Sqrt(inputs), outputs, inputs);
            Add(name + "bias", 0.2, outputs);
        }

        void Norm(string name, int width)
        {
            Add(name + "weight", 0.2, width);
            float[] weight = tensors[name + "weight"].Values;
            for (int i = 0; i < width; i++) weight[i] += 1;
            Add(name + "bias", 0.2, width);
        }

        void Add(string name, double deviation, params int[] shape)
        {
            float[] values = Values(random, shape.Aggregate(1, (product, length) => product * length), deviation);
            tensors.Add(name, (shape, values));
        }
    }

    /// <summary>Normally distributed values.</summary>
    public static float[] Values(Random random, int count, double deviation = 1)
    {
        float[] values = new float[count];
        for (int i = 0; i < count; i++)
        {
            double radius = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble()));
            values[i] = (float)(deviation * radius * Math.Cos(2 * Math.PI * random.NextDouble()));
        }

        return values;
    }
}
