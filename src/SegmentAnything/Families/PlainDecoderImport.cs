using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;
using SegmentAnything.Graphs;
using SegmentAnything.Onnx;

namespace SegmentAnything.Families;

/// <summary>
/// Gets the weights of prompt encoder and mask decoder back from an ONNX file that <see cref="PlainDecoder"/> built, whose
/// constants have names that tell what they are.
/// </summary>
internal static class PlainDecoderImport
{
    private const string Prompts = "prompt_encoder.";
    private const string Decoder = "mask_decoder.";

    /// <summary>Recovers the weights under their official names.</summary>
    /// <param name="model">The file.</param>
    /// <param name="source">Where it is from, for messages.</param>
    /// <param name="tokens">
    /// The output tokens' weights in their order, and how many tokens each has; one of them may have as many as are left: 0.
    /// </param>
    /// <exception cref="CheckpointException">The file was made by another exporter.</exception>
    public static StateDict Read(ModelProto model, string source, params ReadOnlySpan<(string Name, int Rows)> tokens)
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
            else if (name == "output_tokens" && shape is [1, _, _]) TakeTokens(shape[1], shape[2], values, tokens);
            else if (name.StartsWith(Prompts, StringComparison.Ordinal) || name.StartsWith(Decoder, StringComparison.Ordinal)) found[name] = (shape, values);

            string? Rest(string start) => name.StartsWith(start, StringComparison.Ordinal) ? name[start.Length..] : null;
        }

        return found.ContainsKey(Decoder + "mask_tokens.weight")
            ? new InMemoryStateDict(source, found)
            : throw new CheckpointException(
                $"{source}: a mask decoder from another exporter, whose weights have no names that are known here. Load the checkpoint that it was exported from.");

        void TakeTokens(int count, int channels, float[] values, ReadOnlySpan<(string Name, int Rows)> names)
        {
            int named = 0, at = 0;
            foreach ((_, int rows) in names) named += rows;
            if (count <= named) return;
            foreach ((string name, int given) in names)
            {
                int rows = given > 0 ? given : count - named;
                found[name] = ([rows, channels], values.AsSpan(at * channels, rows * channels).ToArray());
                at += rows;
            }
        }
    }
}
