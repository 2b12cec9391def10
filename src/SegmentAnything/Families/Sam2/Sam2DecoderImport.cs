using SegmentAnything.Checkpoints;
using SegmentAnything.Graphs;
using SegmentAnything.Onnx;

namespace SegmentAnything.Families.Sam2;

/// <summary>
/// Gets the weights of prompt encoder and mask decoder back from <see cref="Sam2DecoderGraph.BuildExport"/>'s file, whose
/// constants have names that tell what they are. Exports of others are not read.
/// </summary>
internal static class Sam2DecoderImport
{
    private const string Prompts = "prompt_encoder.";
    private const string Decoder = "mask_decoder.";
    private const string PlainDecoderTokens = "output_tokens";

    /// <summary>The inputs that the export has.</summary>
    public const string ExpectedInputs = "image_embed, high_res_feats_0, high_res_feats_1, point_coords, point_labels, mask_input, has_mask_input (SAM 2)";

    /// <summary>Whether the model takes the maps of a SAM 2, and points.</summary>
    public static bool Fits(ModelProto model) =>
        model.Graph.Input.Any(i => i.Name == "high_res_feats_0") && model.Graph.Input.Any(i => i.Name == "point_coords");

    /// <summary>Recovers the weights under the library's names.</summary>
    /// <exception cref="CheckpointException">The file was made by another exporter.</exception>
    public static StateDict Read(ModelProto model, string source)
    {
        Dictionary<string, (int[] Shape, float[] Values)> found = [];
        foreach (TensorProto tensor in model.Graph.Initializer)
        {
            int[] shape = [.. tensor.Dims.Select(d => checked((int)d))];
            if (OnnxFile.ReadFloats(tensor, source) is not { } values) continue;
            string name = tensor.Name;
            if (Rest("matrix/") is { } matrix && shape.Length == 2) found[matrix + ".weight"] = ([shape[1], shape[0]], Matrices.Transpose(values, shape[0], shape[1]));
            else if (Rest("scale/") is { } scale) found[scale + ".weight"] = ([shape[0]], values);
            else if (Rest("shift/") is { } shift) found[shift + ".bias"] = ([shape[0]], values);
            else if (name == "no_mask") found[Prompts + "no_mask_embed.weight"] = ([1, shape[1]], values);
            else if (name == PlainDecoderTokens && shape is [1, > 2, _]) TakeTokens(shape[1], shape[2], values);
            else if (name.StartsWith(Prompts, StringComparison.Ordinal) || name.StartsWith(Decoder, StringComparison.Ordinal)) found[name] = (shape, values);

            string? Rest(string start) => name.StartsWith(start, StringComparison.Ordinal) ? name[start.Length..] : null;
        }

        return found.ContainsKey(Decoder + "mask_tokens.weight")
            ? new InMemoryStateDict(source, found)
            : throw new CheckpointException(
                $"{source}: a mask decoder of SAM 2 from another exporter, whose weights have no names that are known here. Load the checkpoint that it was exported from.");

        void TakeTokens(int count, int channels, float[] values)
        {
            found[Decoder + "obj_score_token.weight"] = ([1, channels], values[..channels]);
            found[Decoder + "iou_token.weight"] = ([1, channels], values[channels..(2 * channels)]);
            found[Decoder + "mask_tokens.weight"] = ([count - 2, channels], values[(2 * channels)..]);
        }
    }
}
