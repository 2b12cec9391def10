using System.Globalization;
using System.Text;

namespace SegmentAnything.Tests.Families;

/// <summary>
/// Names and shapes of published checkpoints: those of the specifications' lists, and others made from the widths that the
/// families' papers and code give.
/// </summary>
internal static class PublishedLayouts
{
    private const int Channels = 256, Grid = 64;

    /// <summary>What each layout is to be called, and how its list is made.</summary>
    public static IReadOnlyDictionary<string, Func<List<(string Name, int[] Shape)>>> All { get; } = new Dictionary<string, Func<List<(string, int[])>>>
    {
        ["MobileSAM"] = () => [.. TinyVit(), .. SamDecoder()],
        ["SlimSAM-77"] = () => [.. Vit(168, 12, 12, 696, 2, 5, 8, 11), .. SamDecoder()],
        ["SlimSAM-50"] = () => [.. Vit(384, 12, 12, 1536, 2, 5, 8, 11), .. SamDecoder()],
        ["SAM ViT-B"] = () => [.. Vit(768, 12, 12, 3072, 2, 5, 8, 11), .. SamDecoder()],
        ["SAM ViT-L"] = () => [.. Vit(1024, 24, 16, 4096, 5, 11, 17, 23), .. SamDecoder()],
        ["SAM ViT-H"] = () => [.. Vit(1280, 32, 16, 5120, 7, 15, 23, 31), .. SamDecoder()],
        ["SAM 2.1 Hiera tiny"] = () => Listed("keys_sam2.1_tiny.txt"),
        ["SAM 2.1 Hiera small"] = () => Listed("keys_sam2.1_small.txt"),
        ["SAM 2.1 Hiera base plus"] = () => Listed("keys_sam2.1_base_plus.txt"),
        ["SAM 2.1 Hiera large"] = () => Listed("keys_sam2.1_large.txt"),
        ["SAM 2 Hiera tiny"] = () => Listed("keys_sam2_tiny.txt"),
        ["SAM 2 Hiera small"] = () => Listed("keys_sam2_small.txt"),
        ["SAM 2 Hiera base plus"] = () => Listed("keys_sam2_base_plus.txt"),
        ["SAM 2 Hiera large"] = () => Listed("keys_sam2_large.txt"),
        ["HQ-SAM ViT-B"] = () => [.. Vit(768, 12, 12, 3072, 2, 5, 8, 11), .. SamDecoder(), .. HighQuality(768)],
        ["HQ-SAM ViT-L"] = () => [.. Vit(1024, 24, 16, 4096, 5, 11, 17, 23), .. SamDecoder(), .. HighQuality(1024)],
        ["HQ-SAM ViT-H"] = () => [.. Vit(1280, 32, 16, 5120, 7, 15, 23, 31), .. SamDecoder(), .. HighQuality(1280)],
        ["Light HQ-SAM"] = () => [.. TinyVit(), .. SamDecoder(), .. HighQuality(160)],
        ["EfficientSAM-Ti"] = () => EfficientSam(192),
        ["EfficientSAM-S"] = () => EfficientSam(384),
        ["EfficientViT-SAM L0"] = () => Listed("keys_efficientvit_sam_l0.txt"),
        ["EfficientViT-SAM L1"] = () => Listed("keys_efficientvit_sam_l1.txt"),
        ["EfficientViT-SAM L2"] = () => Listed("keys_efficientvit_sam_l2.txt"),
        ["EfficientViT-SAM XL0"] = () => Listed("keys_efficientvit_sam_xl0.txt"),
        ["EfficientViT-SAM XL1"] = () => Listed("keys_efficientvit_sam_xl1.txt"),
        ["EdgeSAM"] = () => [.. Listed("keys_edgesam_encoder.txt"), .. SamDecoder()],
    };

    /// <summary>Writes a checkpoint.</summary>
    /// <param name="tensors">What is in it.</param>
    /// <param name="path">Where.</param>
    /// <param name="values">The bytes of a tensor; by default zeros, which take no room on the disk.</param>
    public static void Write(IReadOnlyList<(string Name, int[] Shape)> tensors, string path, Func<string, int[], byte[]>? values = null)
    {
        StringBuilder header = new("{");
        long offset = 0;
        foreach ((string name, int[] shape) in tensors)
        {
            long end = offset + (sizeof(float) * shape.Aggregate(1L, (product, length) => product * length));
            header.Append(CultureInfo.InvariantCulture, $"{(header.Length > 1 ? "," : "")}\"{name}\":{{\"dtype\":\"F32\",\"shape\":[{string.Join(',', shape)}],\"data_offsets\":[{offset},{end}]}}");
            offset = end;
        }

        byte[] json = Encoding.UTF8.GetBytes(header.Append('}').ToString());
        using FileStream file = File.Create(path);
        file.Write(BitConverter.GetBytes((long)json.Length));
        file.Write(json);
        file.SetLength(file.Position + offset);
        if (values is null) return;
        foreach ((string name, int[] shape) in tensors) file.Write(values(name, shape));
    }

    // A list of the specifications: a name and a shape a line.
    private static List<(string, int[])> Listed(string file)
    {
        return [.. File.ReadLines(KeyLists.PathOf(file)).Where(line => line.Contains('[', StringComparison.Ordinal)).Select(line =>
        {
            int at = line.IndexOf('[', StringComparison.Ordinal);
            string[] sizes = line[(at + 1)..line.IndexOf(']', at)].Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            return (line[..at].Trim(), sizes.Select(s => int.Parse(s, CultureInfo.InvariantCulture)).ToArray());
        })];
    }

    private static List<(string, int[])> Vit(int width, int depth, int heads, int hidden, params int[] global)
    {
        List<(string, int[])> tensors =
        [
            ("image_encoder.pos_embed", [1, Grid, Grid, width]),
            ("image_encoder.patch_embed.proj.weight", [width, 3, 16, 16]), ("image_encoder.patch_embed.proj.bias", [width]),
        ];
        for (int i = 0; i < depth; i++)
        {
            string name = $"image_encoder.blocks.{i}.";
            int relative = 2 * (global.Contains(i) ? Grid : 14) - 1;
            tensors.AddRange([(name + "attn.rel_pos_h", [relative, width / heads]), (name + "attn.rel_pos_w", [relative, width / heads])]);
            Norm(tensors, name + "norm1", width);
            Norm(tensors, name + "norm2", width);
            Linear(tensors, name + "attn.qkv", 3 * width, width);
            Linear(tensors, name + "attn.proj", width, width);
            Linear(tensors, name + "mlp.lin1", hidden, width);
            Linear(tensors, name + "mlp.lin2", width, hidden);
        }

        Neck(tensors, width);
        return tensors;
    }

    private static List<(string, int[])> TinyVit()
    {
        int[] widths = [64, 128, 160, 320], depths = [2, 2, 6, 2], heads = [2, 4, 5, 10], windows = [7, 7, 14, 7];
        List<(string, int[])> tensors = [];
        Pair("patch_embed.seq.0", 32, 3, 3);
        Pair("patch_embed.seq.2", 64, 32, 3);
        for (int s = 0; s < 4; s++)
        {
            int width = widths[s];
            for (int b = 0; b < depths[s]; b++)
            {
                string name = $"layers.{s}.blocks.{b}.";
                if (s == 0)
                {
                    Pair(name + "conv1", 4 * width, width, 1);
                    Pair(name + "conv2", 4 * width, 1, 3);
                    Pair(name + "conv3", width, 4 * width, 1);
                    continue;
                }

                name = "image_encoder." + name;
                tensors.Add((name + "attn.attention_biases", [heads[s], windows[s] * windows[s]]));
                Norm(tensors, name + "attn.norm", width);
                Linear(tensors, name + "attn.qkv", 3 * width, width);
                Linear(tensors, name + "attn.proj", width, width);
                Norm(tensors, name + "mlp.norm", width);
                Linear(tensors, name + "mlp.fc1", 4 * width, width);
                Linear(tensors, name + "mlp.fc2", width, 4 * width);
                Pair($"layers.{s}.blocks.{b}.local_conv", width, 1, 3);
            }

            if (s == 3) continue;
            Pair($"layers.{s}.downsample.conv1", widths[s + 1], width, 1);
            Pair($"layers.{s}.downsample.conv2", widths[s + 1], 1, 3);
            Pair($"layers.{s}.downsample.conv3", widths[s + 1], widths[s + 1], 1);
        }

        Norm(tensors, "image_encoder.norm_head", 320);
        Linear(tensors, "image_encoder.head", 1000, 320);
        Neck(tensors, 320);
        return tensors;

        void Pair(string name, int outputs, int inputs, int kernel)
        {
            tensors.Add(($"image_encoder.{name}.c.weight", [outputs, inputs, kernel, kernel]));
            foreach (string part in (string[])["weight", "bias", "running_mean", "running_var"]) tensors.Add(($"image_encoder.{name}.bn.{part}", [outputs]));
            tensors.Add(($"image_encoder.{name}.bn.num_batches_tracked", []));
        }
    }

    private static List<(string, int[])> EfficientSam(int width)
    {
        List<(string, int[])> tensors =
        [
            ("image_encoder.pos_embed", [1, 197, width]),
            ("image_encoder.patch_embed.proj.weight", [width, 3, 16, 16]), ("image_encoder.patch_embed.proj.bias", [width]),
            ("prompt_encoder.pe_layer.positional_encoding_gaussian_matrix", [2, Channels / 2]),
            ("prompt_encoder.invalid_points.weight", [1, Channels]), ("prompt_encoder.point_embeddings.weight", [1, Channels]),
            ("prompt_encoder.bbox_top_left_embeddings.weight", [1, Channels]), ("prompt_encoder.bbox_bottom_right_embeddings.weight", [1, Channels]),
        ];
        for (int i = 0; i < 12; i++)
        {
            string name = $"image_encoder.blocks.{i}.";
            Norm(tensors, name + "norm1", width);
            Norm(tensors, name + "norm2", width);
            Linear(tensors, name + "attn.qkv", 3 * width, width);
            Linear(tensors, name + "attn.proj", width, width);
            Linear(tensors, name + "mlp.fc1", 4 * width, width);
            Linear(tensors, name + "mlp.fc2", width, 4 * width);
        }

        Neck(tensors, width);
        Transformer(tensors, "mlp.layers.0.0", "mlp.fc");
        Upscaling(tensors, "mask_decoder.final_output_upscaling_layers.", "0.0", "0.1", "1.0");
        for (int mask = 0; mask < 4; mask++) Chain($"mask_decoder.output_hypernetworks_mlps.{mask}.", 32);
        Chain("mask_decoder.iou_prediction_head.", 4);
        return tensors;

        void Chain(string name, int outputs)
        {
            Linear(tensors, name + "layers.0.0", Channels, Channels);
            Linear(tensors, name + "layers.1.0", Channels, Channels);
            Linear(tensors, name + "fc", outputs, Channels);
        }
    }

    private static List<(string, int[])> SamDecoder()
    {
        List<(string, int[])> tensors = [("prompt_encoder.pe_layer.positional_encoding_gaussian_matrix", [2, Channels / 2])];
        for (int i = 0; i < 4; i++) tensors.Add(($"prompt_encoder.point_embeddings.{i}.weight", [1, Channels]));
        tensors.AddRange([("prompt_encoder.not_a_point_embed.weight", [1, Channels]), ("prompt_encoder.no_mask_embed.weight", [1, Channels])]);
        foreach ((string layer, int[] shape) in ((string, int[])[])[("0", [4, 1, 2, 2]), ("3", [16, 4, 2, 2]), ("6", [Channels, 16, 1, 1])])
            tensors.AddRange([($"prompt_encoder.mask_downscaling.{layer}.weight", shape), ($"prompt_encoder.mask_downscaling.{layer}.bias", [shape[0]])]);
        Norm(tensors, "prompt_encoder.mask_downscaling.1", 4);
        Norm(tensors, "prompt_encoder.mask_downscaling.4", 16);
        Transformer(tensors, "mlp.lin1", "mlp.lin2");
        Upscaling(tensors, "mask_decoder.output_upscaling.", "0", "1", "3");
        for (int mask = 0; mask < 4; mask++) Chain($"mask_decoder.output_hypernetworks_mlps.{mask}.layers.", 32);
        Chain("mask_decoder.iou_prediction_head.layers.", 4);
        return tensors;

        void Chain(string name, int outputs)
        {
            Linear(tensors, name + "0", Channels, Channels);
            Linear(tensors, name + "1", Channels, Channels);
            Linear(tensors, name + "2", outputs, Channels);
        }
    }

    private static List<(string, int[])> HighQuality(int early)
    {
        const string decoder = "mask_decoder.";
        List<(string, int[])> tensors = [(decoder + "hf_token.weight", [1, Channels])];
        Linear(tensors, decoder + "hf_mlp.layers.0", Channels, Channels);
        Linear(tensors, decoder + "hf_mlp.layers.1", Channels, Channels);
        Linear(tensors, decoder + "hf_mlp.layers.2", 32, Channels);
        foreach ((string name, int[] first, int[] second, int inside, int outputs) in ((string, int[], int[], int, int)[])[
            ("compress_vit_feat", [early, 256, 2, 2], [256, 32, 2, 2], 256, 32),
            ("embedding_encoder", [256, 64, 2, 2], [64, 32, 2, 2], 64, 32),
            ("embedding_maskfeature", [64, 32, 3, 3], [32, 64, 3, 3], 64, 32)])
        {
            tensors.AddRange([($"{decoder}{name}.0.weight", first), ($"{decoder}{name}.0.bias", [inside]), ($"{decoder}{name}.3.weight", second), ($"{decoder}{name}.3.bias", [outputs])]);
            Norm(tensors, $"{decoder}{name}.1", inside);
        }

        return tensors;
    }

    private static void Transformer(List<(string, int[])> tensors, string widen, string narrow)
    {
        const string transformer = "mask_decoder.transformer.";
        tensors.AddRange([("mask_decoder.iou_token.weight", [1, Channels]), ("mask_decoder.mask_tokens.weight", [4, Channels])]);
        for (int i = 0; i < 2; i++)
        {
            string name = $"{transformer}layers.{i}.";
            Attention(name + "self_attn", Channels);
            Attention(name + "cross_attn_token_to_image", Channels / 2);
            Attention(name + "cross_attn_image_to_token", Channels / 2);
            for (int norm = 1; norm <= 4; norm++) Norm(tensors, $"{name}norm{norm}", Channels);
            Linear(tensors, name + widen, 2048, Channels);
            Linear(tensors, name + narrow, Channels, 2048);
        }

        Attention(transformer + "final_attn_token_to_image", Channels / 2);
        Norm(tensors, transformer + "norm_final_attn", Channels);

        void Attention(string name, int inside)
        {
            foreach (string projection in (string[])["q_proj", "k_proj", "v_proj"]) Linear(tensors, $"{name}.{projection}", inside, Channels);
            Linear(tensors, name + ".out_proj", Channels, inside);
        }
    }

    private static void Upscaling(List<(string, int[])> tensors, string name, string first, string norm, string second)
    {
        tensors.AddRange([(name + first + ".weight", [Channels, 64, 2, 2]), (name + first + ".bias", [64]), (name + second + ".weight", [64, 32, 2, 2]), (name + second + ".bias", [32])]);
        Norm(tensors, name + norm, 64);
    }

    private static void Neck(List<(string, int[])> tensors, int width)
    {
        tensors.AddRange([("image_encoder.neck.0.weight", [Channels, width, 1, 1]), ("image_encoder.neck.2.weight", [Channels, Channels, 3, 3])]);
        Norm(tensors, "image_encoder.neck.1", Channels);
        Norm(tensors, "image_encoder.neck.3", Channels);
    }

    private static void Norm(List<(string, int[])> tensors, string name, int width) => tensors.AddRange([(name + ".weight", [width]), (name + ".bias", [width])]);

    private static void Linear(List<(string, int[])> tensors, string name, int outputs, int inputs) =>
        tensors.AddRange([(name + ".weight", [outputs, inputs]), (name + ".bias", [outputs])]);
}
