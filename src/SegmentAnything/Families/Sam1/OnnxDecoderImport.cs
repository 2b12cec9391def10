using SegmentAnything.Checkpoints;
using SegmentAnything.Graphs;
using SegmentAnything.Onnx;

namespace SegmentAnything.Families.Sam1;

/// <summary>
/// Gets the named weights of the prompt encoder and the mask decoder back from an ONNX file: the official export, or Hugging
/// Face's <c>prompt_encoder_mask_decoder</c>, which takes points only and has no weights for anything else.
/// </summary>
/// <remarks>
/// The exporter keeps the PyTorch names of biases, norms, convolutions and embeddings. What it renames is found by what
/// is done with it:
/// a matrix weight by the named bias that is added to its product (or by its place in a Gemm); the scales and shifts of
/// the three channel LayerNorms by their shape (C, 1, 1), in graph order: two of mask downscaling, one of output
/// upscaling; the IoU token and the mask tokens by their shape (1 + masks, C); the no-mask embedding by (1, C, 1, 1); the
/// embeddings of labels by the comparison that decides where they are added.
/// Source of the layouts: Segment Anything, utils/onnx.py; Hugging Face Optimum, exporters/onnx (SamOnnxConfig).
/// </remarks>
internal static class OnnxDecoderImport
{
    private static readonly string[] ChannelNorms =
        ["prompt_encoder.mask_downscaling.1", "prompt_encoder.mask_downscaling.4", "mask_decoder.output_upscaling.1"];

    /// <summary>The inputs that an official export has, whatever the model.</summary>
    private static readonly string[] OfficialInputs =
        ["image_embeddings", "point_coords", "point_labels", "mask_input", "has_mask_input"];

    private static readonly string[] HuggingFaceInputs = ["input_points", "image_embeddings"];

    /// <summary>The inputs of both layouts, for messages.</summary>
    public static string ExpectedInputs { get; } = $"{string.Join(", ", OfficialInputs)}, or, for Hugging Face's, {string.Join(", ", HuggingFaceInputs)}";

    /// <summary>Whether the model has the inputs of the official export.</summary>
    public static bool IsOfficialLayout(ModelProto model)
    {
        HashSet<string> inputs = [.. model.Graph.Input.Select(i => i.Name)];
        return OfficialInputs.All(inputs.Contains);
    }

    /// <summary>Whether the model has the inputs of Hugging Face's export.</summary>
    public static bool IsHuggingFaceLayout(ModelProto model)
    {
        HashSet<string> inputs = [.. model.Graph.Input.Select(i => i.Name)];
        return HuggingFaceInputs.All(inputs.Contains);
    }

    /// <summary>Recovers the weights under their official names.</summary>
    /// <exception cref="CheckpointException">The file is of neither layout, or lacks a weight; the message lists what it has.</exception>
    public static StateDict Read(ModelProto model, string source)
    {
        bool huggingFace = IsHuggingFaceLayout(model);
        if (!huggingFace && !IsOfficialLayout(model))
        {
            throw new CheckpointException(
                $"{source}: not a mask decoder of the official export: its inputs are "
                + $"{string.Join(", ", model.Graph.Input.Select(i => i.Name))}; expected {ExpectedInputs}.");
        }

        if (model.Graph.Initializer.Any(t => t.DataType is (int)TensorProto.Types.DataType.Int8 or (int)TensorProto.Types.DataType.Uint8 && t.Dims.Count == 2))
        {
            throw new CheckpointException(
                $"{source}: its weights are quantised to 8 bits, which is not read here. Use the export in float32 or float16.");
        }

        Importer importer = new(model.Graph, source, huggingFace);
        importer.TakeNamed();
        importer.TakeMatrices();
        importer.CheckMatrices();
        importer.TakeChannelNorms(huggingFace ? ChannelNorms[^1..] : ChannelNorms);
        importer.TakeTokens();
        importer.TakeLabels();
        InMemoryStateDict weights = new(source, importer.Found);
        // Fails with the first weight that is missing or of another shape.
        _ = Sam1Model.LayoutOf(weights);
        return weights;
    }

    private sealed class Importer : OnnxWeights
    {
        // The IoU token and the mask tokens: five in every model that is known.
        private const int MostTokens = 16;

        private readonly Dictionary<string, string> _officialNames;
        private readonly HashSet<string> _operands;
        private readonly HashSet<string> _taken = [];

        public Importer(GraphProto graph, string source, bool huggingFace)
            : base(graph, source)
        {
            _operands = [.. graph.Node.Where(n => n.OpType is "MatMul" or "Gemm" or "Add").SelectMany(n => n.Input)];
            string[] files = [.. graph.Initializer.Select(t => t.Name).Where(name => WithoutWrapper(name) is not null)];
            IReadOnlyList<string> names = [.. files.Select(name => WithoutWrapper(name)!)];
            if (huggingFace) names = HuggingFaceNames.ToOfficial(names);
            _officialNames = files.Zip(names).ToDictionary(pair => pair.First, pair => pair.Second);
        }

        public void TakeNamed()
        {
            foreach (TensorProto tensor in Graph.Initializer)
            {
                if (OfficialName(tensor.Name) is { } name) Take(name, tensor, Shape(tensor));
            }
        }

        public void TakeMatrices()
        {
            foreach (NodeProto node in Graph.Node)
            {
                foreach ((string bias, string product) in Sums(node))
                {
                    if (LayerOf(bias) is { } layer && MatrixOf(product) is { } weight) TakeWeight(layer, weight, transposed: false);
                }

                if (node.OpType == "Gemm" && node.Input.Count == 3 && LayerOf(node.Input[2]) is { } gemm
                    && Constants.TryGetValue(node.Input[1], out TensorProto? matrix))
                {
                    TakeWeight(gemm, matrix, transposed: node.Attribute.Any(a => a.Name == "transB" && a.I != 0));
                }
            }
        }

        // A matrix that no bias names is a layer that would be left out without anybody noticing.
        public void CheckMatrices()
        {
            foreach (NodeProto node in Graph.Node.Where(n => n.OpType is "MatMul" or "Gemm"))
            {
                if (Constants.TryGetValue(node.Input[1], out TensorProto? weight) && Shape(weight).Length == 2
                    && !_taken.Contains(weight.Name) && !_officialNames.ContainsKey(weight.Name))
                {
                    throw new CheckpointException($"{Source}: the product with '{weight.Name}' of shape [{string.Join(", ", weight.Dims)}] belongs to no layer that is known.");
                }
            }
        }

        public void TakeTokens()
        {
            const string iouToken = "mask_decoder.iou_token.weight";
            const string maskTokens = "mask_decoder.mask_tokens.weight";
            const string noMask = "prompt_encoder.no_mask_embed.weight";
            int channels = Found.TryGetValue("mask_decoder.transformer.norm_final_attn.bias", out var norm) ? norm.Values.Length : 0;
            foreach ((string name, TensorProto tensor) in Constants)
            {
                if (_officialNames.ContainsKey(name)) continue;
                int[] shape = Shape(tensor);
                // Repeated for each prompt, or joined to the others: not multiplied with, nor added to anything.
                if (shape is [.., > 2 and <= MostTokens, _] && shape[^1] == channels && shape[..^2].All(d => d == 1)
                    && !_operands.Contains(name) && !Found.ContainsKey(iouToken) && Floats(tensor) is { } tokens)
                {
                    Found[iouToken] = ([1, channels], tokens[..channels]);
                    Found[maskTokens] = ([shape[^2] - 1, channels], tokens[channels..]);
                }
                else if (shape is [1, _, 1, 1] && shape[1] == channels && !Found.ContainsKey(noMask))
                {
                    Take(noMask, tensor, [1, channels]);
                }
            }
        }

        // Where(label == k, token + embedding, token), however the comparison is brought to the token's shape.
        public void TakeLabels()
        {
            foreach (NodeProto node in Graph.Node)
            {
                if (node.OpType != "Where" || LabelOf(node.Input[0]) is not { } label) continue;
                string chosen = node.Input[1];
                string? name = label switch
                {
                    -1 => "prompt_encoder.not_a_point_embed.weight",
                    >= 0 and < 4 => $"prompt_encoder.point_embeddings.{label}.weight",
                    _ => null,
                };
                TensorProto? embedding = label == -1
                    ? Constants.GetValueOrDefault(chosen)
                    : Producers.TryGetValue(chosen, out NodeProto? sum) && sum.OpType == "Add"
                        ? sum.Input.Select(i => Constants.GetValueOrDefault(i)).FirstOrDefault(t => t is not null)
                        : null;
                if (name is not null && embedding is not null && Shape(embedding) is [.., var channels] && Shape(embedding)[..^1].All(d => d == 1))
                    Take(name, embedding, [1, channels]);
            }
        }

        // The number that something is compared with, or null.
        private int? LabelOf(string condition)
        {
            // Parsing refuses circles; that this ends does not depend on it.
            HashSet<string> visited = [];
            while (visited.Add(condition) && Producers.TryGetValue(condition, out NodeProto? node))
            {
                if (node.OpType == "Equal")
                {
                    TensorProto? scalar = node.Input.Select(i => Constants.GetValueOrDefault(i)).FirstOrDefault(t => t is not null);
                    return scalar is not null ? OnnxFile.ReadScalar(scalar) : null;
                }

                if (node.OpType is not ("Unsqueeze" or "Reshape" or "Cast" or "Expand" or "Identity")) return null;
                condition = node.Input[0];
            }

            return null;
        }

        /// <summary>The PyTorch name within an initialiser's name, whatever a wrapper put before it.</summary>
        private static string? WithoutWrapper(string name)
        {
            foreach (string part in (ReadOnlySpan<string>)["mask_decoder.", "prompt_encoder.", "shared_image_embedding."])
            {
                int start = name.IndexOf(part, StringComparison.Ordinal);
                if (start == 0 || (start > 0 && name[start - 1] == '.')) return name[start..];
            }

            return null;
        }

        private string? OfficialName(string name) => _officialNames.GetValueOrDefault(name);

        /// <summary>The layer that a value is the bias of, or null.</summary>
        private string? LayerOf(string value)
        {
            const string ending = ".bias";
            return OfficialName(value) is { } name && name.EndsWith(ending, StringComparison.Ordinal) ? name[..^ending.Length] : null;
        }

        private void TakeWeight(string layer, TensorProto weight, bool transposed)
        {
            _taken.Add(weight.Name);
            TakeMatrix(layer + ".weight", weight, transposed);
        }
    }
}
