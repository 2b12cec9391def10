using SegmentAnything.Checkpoints;
using SegmentAnything.Families.Sam2;

namespace SegmentAnything.Tests.Families.Sam2;

/// <summary>Random weights of a SAM 2 of any size.</summary>
internal static class RandomSam2
{
    /// <summary>All tensors that image prompts need, under the library's names.</summary>
    public static InMemoryStateDict Weights(Sam2Spec spec, int positionGrid, int channels, int highRes0, int highRes1, bool valuesNeeded = true) =>
        new("random weights", Tensors(spec, positionGrid, channels, highRes0, highRes1, valuesNeeded));

    public static Dictionary<string, (int[] Shape, float[] Values)> Tensors(
        Sam2Spec spec, int positionGrid, int channels, int highRes0, int highRes1, bool valuesNeeded = true)
    {
        Dictionary<string, (int[] Shape, float[] Values)> tensors = [];
        List<HieraBlock> blocks = [];
        for (int stage = 0; stage < 4; stage++)
        {
            for (int i = 0; i < spec.BlocksPerStage[stage]; i++)
            {
                int width = spec.EmbedWidth << stage;
                blocks.Add(new HieraBlock(blocks.Count, stage, i == 0 && stage > 0 ? width / 2 : width, width, spec.Heads!.Value << stage, 0, 1, i == 0 && stage > 0, false));
            }
        }

        Sam2Layout layout = new(spec, [.. blocks], 4, positionGrid, spec.Windows[0], channels, highRes0, highRes1, false, false);
        foreach ((string name, int[] shape) in layout.EncoderTensors().Concat(layout.DecoderTensors(channels)).Concat(Sam1Tensors(channels, highRes0, highRes1)))
            tensors[name] = (shape, valuesNeeded ? Values(name, shape) : []);
        return tensors;
    }

    /// <summary>Prompt encoder and mask decoder, as far as SAM 1 has them too.</summary>
    public static IEnumerable<(string Name, int[] Shape)> Sam1Tensors(int channels, int highRes0, int highRes1)
    {
        const string prompts = "prompt_encoder.", decoder = "mask_decoder.", transformer = decoder + "transformer.";
        int inner = channels / 2, mlp = 8 * channels;
        List<(string, int[])> list =
        [
            (prompts + "pe_layer.positional_encoding_gaussian_matrix", [2, channels / 2]),
            (prompts + "not_a_point_embed.weight", [1, channels]), (prompts + "no_mask_embed.weight", [1, channels]),
            (decoder + "iou_token.weight", [1, channels]), (decoder + "mask_tokens.weight", [4, channels]),
            (decoder + "output_upscaling.0.weight", [channels, highRes1, 2, 2]), (decoder + "output_upscaling.0.bias", [highRes1]),
            (decoder + "output_upscaling.3.weight", [highRes1, highRes0, 2, 2]), (decoder + "output_upscaling.3.bias", [highRes0]),
        ];
        for (int i = 0; i < 4; i++) list.Add(($"{prompts}point_embeddings.{i}.weight", [1, channels]));
        Both(prompts + "mask_downscaling.0", 4, 1, 2, 2);
        Both(prompts + "mask_downscaling.1", 4);
        Both(prompts + "mask_downscaling.3", 16, 4, 2, 2);
        Both(prompts + "mask_downscaling.4", 16);
        Both(prompts + "mask_downscaling.6", channels, 16, 1, 1);
        Both(decoder + "output_upscaling.1", highRes1);
        for (int layer = 0; layer < 2; layer++)
        {
            string name = $"{transformer}layers.{layer}.";
            Attention(name + "self_attn", channels);
            Attention(name + "cross_attn_token_to_image", inner);
            Attention(name + "cross_attn_image_to_token", inner);
            for (int norm = 1; norm <= 4; norm++) Both($"{name}norm{norm}", channels);
            Both(name + "mlp.lin1", mlp, channels);
            Both(name + "mlp.lin2", channels, mlp);
        }

        Attention(transformer + "final_attn_token_to_image", inner);
        Both(transformer + "norm_final_attn", channels);
        for (int mask = 0; mask < 4; mask++) Mlp($"{decoder}output_hypernetworks_mlps.{mask}", highRes0);
        Mlp(decoder + "iou_prediction_head", 4);
        return list;

        void Both(string name, params int[] shape)
        {
            list.Add((name + ".weight", shape));
            list.Add((name + ".bias", [shape[0]]));
        }

        void Attention(string name, int width)
        {
            foreach (string projection in new[] { "q_proj", "k_proj", "v_proj" }) Both($"{name}.{projection}", width, channels);
            Both(name + ".out_proj", channels, width);
        }

        void Mlp(string name, int outputs)
        {
            for (int layer = 0; layer < 3; layer++) Both($"{name}.layers.{layer}", layer == 2 ? outputs : channels, channels);
        }
    }

    /// <summary>A tensor: norms are near one, the rest is small enough that activations stay in bounds through any depth.</summary>
    public static float[] Values(string name, int[] shape)
    {
        float[] values = new float[shape.Aggregate(1, (a, b) => a * b)];
        bool scale = shape.Length == 1 && name.EndsWith(".weight", StringComparison.Ordinal);
        float middle = scale ? 1 : 0, width = shape.Length > 1 && !name.Contains("token", StringComparison.Ordinal) ? MathF.Sqrt(3f * shape[0] / values.Length) : 0.1f;
        if (name.Contains("gaussian", StringComparison.Ordinal) || name.Contains("embed.", StringComparison.Ordinal)) width = 1;
        uint state = 2463534242;
        foreach (char letter in name) state = state * 31 + letter;
        for (int i = 0; i < values.Length; i++)
        {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            values[i] = middle + width * ((int)state * (1f / int.MaxValue));
        }

        return values;
    }
}
