using System.Globalization;
using SegmentAnything.Checkpoints;

namespace SegmentAnything.Families.Sam1;

/// <summary>
/// The names that SAM's weights have in Hugging Face Transformers (<c>SamModel</c>), and the official ones.
/// </summary>
/// <remarks>Source: Hugging Face Transformers, models/sam (modeling_sam.py and the conversion script), read backwards.</remarks>
internal static class HuggingFaceNames
{
    // In the order in which they are tried; the first that fits at the start of what is left of the name is taken.
    private static readonly (string HuggingFace, string Official)[] Prefixes =
    [
        ("vision_encoder.patch_embed.projection.", "image_encoder.patch_embed.proj."),
        ("vision_encoder.neck.conv1.", "image_encoder.neck.0."),
        ("vision_encoder.neck.layer_norm1.", "image_encoder.neck.1."),
        ("vision_encoder.neck.conv2.", "image_encoder.neck.2."),
        ("vision_encoder.neck.layer_norm2.", "image_encoder.neck.3."),
        ("vision_encoder.layers.", "image_encoder.blocks."),
        ("vision_encoder.", "image_encoder."),
        ("prompt_encoder.shared_embedding.positional_embedding", "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"),
        ("prompt_encoder.mask_embed.conv1.", "prompt_encoder.mask_downscaling.0."),
        ("prompt_encoder.mask_embed.layer_norm1.", "prompt_encoder.mask_downscaling.1."),
        ("prompt_encoder.mask_embed.conv2.", "prompt_encoder.mask_downscaling.3."),
        ("prompt_encoder.mask_embed.layer_norm2.", "prompt_encoder.mask_downscaling.4."),
        ("prompt_encoder.mask_embed.conv3.", "prompt_encoder.mask_downscaling.6."),
        ("prompt_encoder.point_embed.", "prompt_encoder.point_embeddings."),
        ("mask_decoder.upscale_conv1.", "mask_decoder.output_upscaling.0."),
        ("mask_decoder.upscale_layer_norm.", "mask_decoder.output_upscaling.1."),
        ("mask_decoder.upscale_conv2.", "mask_decoder.output_upscaling.3."),
        ("mask_decoder.transformer.layer_norm_final_attn.", "mask_decoder.transformer.norm_final_attn."),
        // HQ-SAM's.
        ("mask_decoder.hq_token.", "mask_decoder.hf_token."),
        ("mask_decoder.compress_vit_conv1.", "mask_decoder.compress_vit_feat.0."),
        ("mask_decoder.compress_vit_norm.", "mask_decoder.compress_vit_feat.1."),
        ("mask_decoder.compress_vit_conv2.", "mask_decoder.compress_vit_feat.3."),
        ("mask_decoder.encoder_conv1.", "mask_decoder.embedding_encoder.0."),
        ("mask_decoder.encoder_norm.", "mask_decoder.embedding_encoder.1."),
        ("mask_decoder.encoder_conv2.", "mask_decoder.embedding_encoder.3."),
        ("mask_decoder.mask_conv1.", "mask_decoder.embedding_maskfeature.0."),
        ("mask_decoder.mask_norm.", "mask_decoder.embedding_maskfeature.1."),
        ("mask_decoder.mask_conv2.", "mask_decoder.embedding_maskfeature.3."),
    ];

    // MLPs, whose layers are counted in another way.
    private static readonly (string HuggingFace, string Official)[] Mlps =
    [
        ("mask_decoder.iou_prediction_head.", "mask_decoder.iou_prediction_head."),
        ("mask_decoder.output_hypernetworks_mlps.", "mask_decoder.output_hypernetworks_mlps."),
        ("mask_decoder.hq_mask_mlp.", "mask_decoder.hf_mlp."),
    ];

    // A copy of the prompt encoder's matrix beside it.
    private const string SharedPositions = "shared_image_embedding.positional_embedding";
    private const string OfficialPositions = "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix";

    /// <summary>Whether these are Hugging Face's names.</summary>
    public static bool AreHuggingFace(IEnumerable<string> names) => names.Any(name =>
        name.StartsWith("vision_encoder.", StringComparison.Ordinal)
        || name == SharedPositions
        || name.StartsWith("mask_decoder.upscale_conv1.", StringComparison.Ordinal)
        || name.StartsWith("prompt_encoder.point_embed.", StringComparison.Ordinal));

    /// <summary>The same weights under their official names.</summary>
    public static StateDict ToOfficial(StateDict weights)
    {
        if (!AreHuggingFace(weights.Tensors.Keys)) return weights;
        string[] names = [.. weights.Tensors.Keys];
        return new RenamedStateDict(weights, ToOfficial(names).Zip(names, (official, name) => (official, new RenamedStateDict.Origin(name))));
    }

    /// <summary>The official name of each tensor, in the same order.</summary>
    public static IReadOnlyList<string> ToOfficial(IReadOnlyList<string> names)
    {
        // MLPs are proj_in, layers.0 .. layers.(n-1), proj_out there, and layers.0 .. layers.(n+1) here.
        Dictionary<string, int> hiddenLayers = [];
        foreach (string name in names)
        {
            if (SplitMlp(name) is ({ } mlp, "layers", { } rest))
                hiddenLayers[mlp] = Math.Max(hiddenLayers.GetValueOrDefault(mlp), Index(rest) + 1);
        }

        bool hasPromptEncoderPositions = names.Any(name => name == Prefixes[7].HuggingFace);
        return [.. names.Select(name => name == SharedPositions
            ? hasPromptEncoderPositions ? name : OfficialPositions
            : ToOfficial(name, hiddenLayers))];
    }

    private static string ToOfficial(string name, Dictionary<string, int> hiddenLayers)
    {
        if (SplitMlp(name) is ({ } mlp, { } part, { } rest))
        {
            int hidden = hiddenLayers.GetValueOrDefault(mlp);
            return part switch
            {
                "proj_in" => $"{mlp}layers.0.{rest}",
                "proj_out" => $"{mlp}layers.{hidden + 1}.{rest}",
                _ => $"{mlp}layers.{Index(rest) + 1}{rest[rest.IndexOf('.', StringComparison.Ordinal)..]}",
            };
        }

        foreach ((string huggingFace, string official) in Prefixes)
        {
            if (!name.StartsWith(huggingFace, StringComparison.Ordinal)) continue;
            name = official + name[huggingFace.Length..];
            break;
        }

        // The numbered norms of encoder blocks and decoder layers.
        return name.Replace(".layer_norm", ".norm", StringComparison.Ordinal);
    }

    // "mask_decoder.iou_prediction_head.layers.0.weight" -> (up to the part, "layers", "0.weight").
    private static (string? Mlp, string? Part, string? Tail) SplitMlp(string name)
    {
        (string huggingFace, string official) = Mlps.FirstOrDefault(mlp => name.StartsWith(mlp.HuggingFace, StringComparison.Ordinal));
        if (huggingFace is null) return default;
        name = official + name[huggingFace.Length..];
        foreach (string part in new[] { "proj_in", "proj_out", "layers" })
        {
            int at = name.IndexOf($".{part}.", StringComparison.Ordinal);
            if (at < 0) continue;
            string rest = name[(at + part.Length + 2)..];
            if (part == "layers" && Index(rest) < 0) continue;
            return (name[..(at + 1)], part, rest);
        }

        return default;
    }

    // The number at the start, or -1.
    private static int Index(string text)
    {
        int dot = text.IndexOf('.', StringComparison.Ordinal);
        return dot > 0 && int.TryParse(text.AsSpan(0, dot), NumberStyles.None, CultureInfo.InvariantCulture, out int index) && index < 100 ? index : -1;
    }
}
