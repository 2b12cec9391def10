using System.Collections.Immutable;
using System.Globalization;
using SegmentAnything.Checkpoints;

namespace SegmentAnything.Families.Sam2;

/// <summary>
/// The names of SAM 2's weights: those of the official code and of Hugging Face Transformers, brought to one form. Prompt
/// encoder and mask decoder have SAM 1's official names, since they are the same modules; all else has SAM 2's.
/// </summary>
/// <remarks>
/// Sources: SAM 2, modeling/sam2_base.py; Hugging Face Transformers, models/sam2_video (the conversion script, read backwards).
/// </remarks>
internal static class Sam2Names
{
    public const string Trunk = "image_encoder.trunk.";
    public const string Neck = "image_encoder.neck.convs.";
    public const string NoMemory = "no_mem_embed";

    private const string OfficialMark = Trunk + "pos_embed_window";
    private const string HuggingFaceTrunk = "vision_encoder.backbone.";
    private const string HuggingFaceMark = HuggingFaceTrunk + "pos_embed_window";
    private const string StackedPoints = "prompt_encoder.point_embed.weight";

    // A copy of the prompt encoder's matrix.
    private const string SharedPositions = "shared_image_embedding.positional_embedding";

    // The first that stands at the start of a name is replaced.
    private static readonly ImmutableArray<(string From, string To)> OfficialStarts =
    [
        ("sam_prompt_encoder.", "prompt_encoder."),
        ("sam_mask_decoder.", "mask_decoder."),
    ];

    private static readonly ImmutableArray<(string From, string To)> HuggingFaceStarts =
    [
        ("vision_encoder.backbone.patch_embed.projection.", Trunk + "patch_embed.proj."),
        ("vision_encoder.backbone.", Trunk),
        ("prompt_encoder.shared_embedding.positional_embedding", "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"),
        ("prompt_encoder.mask_embed.conv1.", "prompt_encoder.mask_downscaling.0."),
        ("prompt_encoder.mask_embed.layer_norm1.", "prompt_encoder.mask_downscaling.1."),
        ("prompt_encoder.mask_embed.conv2.", "prompt_encoder.mask_downscaling.3."),
        ("prompt_encoder.mask_embed.layer_norm2.", "prompt_encoder.mask_downscaling.4."),
        ("prompt_encoder.mask_embed.conv3.", "prompt_encoder.mask_downscaling.6."),
        ("mask_decoder.upscale_conv1.", "mask_decoder.output_upscaling.0."),
        ("mask_decoder.upscale_layer_norm.", "mask_decoder.output_upscaling.1."),
        ("mask_decoder.upscale_conv2.", "mask_decoder.output_upscaling.3."),
        ("mask_decoder.transformer.layer_norm_final_attn.", "mask_decoder.transformer.norm_final_attn."),
        ("no_memory_embedding", NoMemory),
        ("no_memory_positional_encoding", "no_mem_pos_enc"),
        ("memory_temporal_positional_encoding", "maskmem_tpos_enc"),
        ("no_object_pointer", "no_obj_ptr"),
        ("object_pointer_proj.", "obj_ptr_proj."),
        ("occlusion_spatial_embedding_parameter", "no_obj_embed_spatial"),
        ("temporal_positional_encoding_projection_layer.", "obj_ptr_tpos_proj."),
    ];

    /// <summary>Whether these are the names of a SAM 2.</summary>
    public static bool Are(IEnumerable<string> names) => names.Any(name => name is OfficialMark or HuggingFaceMark
        || name.StartsWith(Trunk + "blocks.", StringComparison.Ordinal) || name.StartsWith(HuggingFaceTrunk, StringComparison.Ordinal));

    /// <summary>The same weights under the names that this library uses.</summary>
    /// <param name="weights">Under the official names or Hugging Face's; the view reads from them.</param>
    public static StateDict View(StateDict weights)
    {
        bool huggingFace = weights.Tensors.Keys.Any(name => name.StartsWith(HuggingFaceTrunk, StringComparison.Ordinal));
        List<(string, RenamedStateDict.Origin)> names = [];
        foreach (TensorInfo tensor in weights.Tensors.Values)
        {
            if (!huggingFace)
            {
                names.Add((OfMlp(Start(tensor.Name, OfficialStarts)), new(tensor.Name)));
            }
            else if (tensor.Name == StackedPoints && tensor.Shape.Length == 2)
            {
                for (int i = 0; i < tensor.Shape[0]; i++) names.Add(($"prompt_encoder.point_embeddings.{i}.weight", new(tensor.Name, i)));
            }
            else if (tensor.Name != SharedPositions)
            {
                names.Add((FromHuggingFace(tensor.Name), new(tensor.Name)));
            }
        }

        return new RenamedStateDict(weights, names);
    }

    private static string FromHuggingFace(string name)
    {
        name = Start(name, HuggingFaceStarts);
        const string neck = "vision_encoder.neck.convs.";
        if (name.StartsWith(neck, StringComparison.Ordinal))
        {
            string rest = name[neck.Length..];
            int dot = rest.IndexOf('.', StringComparison.Ordinal);
            return dot < 0 ? name : $"{Neck}{rest[..dot]}.conv{rest[dot..]}";
        }

        name = name.Replace(".o_proj.", ".out_proj.", StringComparison.Ordinal).Replace(".layer_norm", ".norm", StringComparison.Ordinal);
        // MLPs of two layers are proj_in and proj_out; those of three have layers.0 between them.
        bool three = name.StartsWith("mask_decoder.output_hypernetworks_mlps.", StringComparison.Ordinal)
            || name.StartsWith("mask_decoder.iou_prediction_head.", StringComparison.Ordinal)
            || name.StartsWith("mask_decoder.pred_obj_score_head.", StringComparison.Ordinal)
            || name.StartsWith("obj_ptr_proj.", StringComparison.Ordinal);
        if (three && Number(name, ".layers.") is { } layer) name = name.Replace($".layers.{layer}.", $".layers.{layer + 1}.", StringComparison.Ordinal);
        // The name of the second projection depends on how many layers there are; the published models have three.
        return OfMlp(name.Replace(".proj_in.", ".layers.0.", StringComparison.Ordinal)
            .Replace(".proj_out.", three ? ".layers.2." : ".layers.1.", StringComparison.Ordinal));
    }

    // The transformer's MLPs are numbered here and named in SAM 1.
    private static string OfMlp(string name) => name.StartsWith("mask_decoder.transformer.", StringComparison.Ordinal)
        ? name.Replace(".mlp.layers.0.", ".mlp.lin1.", StringComparison.Ordinal).Replace(".mlp.layers.1.", ".mlp.lin2.", StringComparison.Ordinal)
        : name;

    private static string Start(string name, ImmutableArray<(string From, string To)> starts)
    {
        foreach ((string from, string to) in starts)
        {
            if (name.StartsWith(from, StringComparison.Ordinal)) return to + name[from.Length..];
        }

        return name;
    }

    private static int? Number(string name, string before)
    {
        int start = name.IndexOf(before, StringComparison.Ordinal);
        if (start < 0) return null;
        start += before.Length;
        int end = name.IndexOf('.', start);
        return end > start && int.TryParse(name.AsSpan(start, end - start), NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : null;
    }
}
