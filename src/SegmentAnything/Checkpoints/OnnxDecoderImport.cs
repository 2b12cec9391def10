using SegmentAnything.Graphs;
using SegmentAnything.Graphs.Onnx;

namespace SegmentAnything.Checkpoints;

/// <summary>
/// Gets the named weights of the prompt encoder and the mask decoder back from an ONNX file of the official export.
/// </summary>
/// <remarks>
/// The exporter keeps the PyTorch names of biases, norms, convolutions and embeddings. What it renames is found by what
/// is done with it:
/// a matrix weight by the named bias that is added to its product (or by its place in a Gemm); the scales and shifts of
/// the three channel LayerNorms by their shape (C, 1, 1), in graph order: two of mask downscaling, one of output
/// upscaling; the IoU token and the mask tokens by their shape (1, 1 + masks, C); the no-mask embedding by (1, C, 1, 1).
/// Source of the layout: Segment Anything, utils/onnx.py.
/// </remarks>
internal static class OnnxDecoderImport
{
    private static readonly string[] ChannelNorms =
        ["prompt_encoder.mask_downscaling.1", "prompt_encoder.mask_downscaling.4", "mask_decoder.output_upscaling.1"];

    /// <summary>The inputs that an official export has, whatever the model.</summary>
    private static readonly string[] OfficialInputs =
        ["image_embeddings", "point_coords", "point_labels", "mask_input", "has_mask_input"];

    /// <summary>Whether the model has the inputs of the official export.</summary>
    public static bool IsOfficialLayout(ModelProto model)
    {
        HashSet<string> inputs = [.. model.Graph.Input.Select(i => i.Name)];
        return OfficialInputs.All(inputs.Contains);
    }

    /// <summary>Recovers the weights under their official names.</summary>
    /// <exception cref="CheckpointException">The file is not of the official layout; the message lists what it has.</exception>
    public static StateDict Read(ModelProto model, string source)
    {
        if (!IsOfficialLayout(model))
        {
            throw new CheckpointException(
                $"{source}: not a mask decoder of the official export: its inputs are "
                + $"{string.Join(", ", model.Graph.Input.Select(i => i.Name))}; expected {string.Join(", ", OfficialInputs)}.");
        }

        Importer importer = new(model.Graph, source);
        importer.TakeNamed();
        importer.TakeMatrices();
        importer.TakeChannelNorms();
        importer.TakeTokens();
        InMemoryStateDict weights = new(source, importer.Found);
        // Fails with the first weight that is missing or of another shape.
        _ = DecoderLayout.Of(weights);
        return weights;
    }

    private sealed class Importer
    {
        private readonly string _source;
        private readonly GraphProto _graph;
        private readonly Dictionary<string, TensorProto> _constants;
        private readonly Dictionary<string, NodeProto> _producers;

        public Importer(GraphProto graph, string source)
        {
            _graph = graph;
            _source = source;
            _constants = OnnxFile.Constants(graph);
            _producers = OnnxFile.Producers(graph);
        }

        public Dictionary<string, (int[] Shape, float[] Values)> Found { get; } = [];

        public void TakeNamed()
        {
            foreach (TensorProto tensor in _graph.Initializer)
            {
                if (OfficialName(tensor.Name) is { } name) Take(name, tensor, Shape(tensor));
            }
        }

        public void TakeMatrices()
        {
            foreach (NodeProto node in _graph.Node)
            {
                if (node.OpType == "Add" && node.Input.Count == 2)
                {
                    TakeMatrix(node.Input[0], node.Input[1]);
                    TakeMatrix(node.Input[1], node.Input[0]);
                }
                else if (node.OpType == "Gemm" && node.Input.Count == 3 && LayerOf(node.Input[2]) is { } layer
                    && _constants.TryGetValue(node.Input[1], out TensorProto? weight))
                {
                    bool transposed = node.Attribute.Any(a => a.Name == "transB" && a.I != 0);
                    TakeWeight(layer, weight, transposed);
                }
            }
        }

        public void TakeChannelNorms()
        {
            int next = 0;
            foreach (NodeProto node in _graph.Node)
            {
                if (node.OpType != "Add" || next == ChannelNorms.Length) continue;
                (TensorProto? shift, string? scaled) = SplitChannelConstant(node);
                if (shift is null || !_producers.TryGetValue(scaled!, out NodeProto? product) || product.OpType != "Mul") continue;
                (TensorProto? scale, _) = SplitChannelConstant(product);
                if (scale is null) continue;
                string name = ChannelNorms[next++];
                Take(name + ".weight", scale, [(int)scale.Dims[0]]);
                Take(name + ".bias", shift, [(int)shift.Dims[0]]);
            }
        }

        public void TakeTokens()
        {
            const string iouToken = "mask_decoder.iou_token.weight";
            const string maskTokens = "mask_decoder.mask_tokens.weight";
            const string noMask = "prompt_encoder.no_mask_embed.weight";
            int channels = Found.TryGetValue("mask_decoder.transformer.norm_final_attn.bias", out var norm) ? norm.Values.Length : 0;
            foreach (TensorProto tensor in _constants.Values)
            {
                int[] shape = Shape(tensor);
                if (shape is [1, > 2, _] && shape[2] == channels && !Found.ContainsKey(iouToken) && Floats(tensor) is { } tokens)
                {
                    Found[iouToken] = ([1, channels], tokens[..channels]);
                    Found[maskTokens] = ([shape[1] - 1, channels], tokens[channels..]);
                }
                else if (shape is [1, _, 1, 1] && shape[1] == channels && !Found.ContainsKey(noMask))
                {
                    Take(noMask, tensor, [1, channels]);
                }
            }
        }

        private static int[] Shape(TensorProto tensor) => [.. tensor.Dims.Select(d => checked((int)d))];

        /// <summary>The PyTorch name within an initialiser's name, whatever a wrapper put before it.</summary>
        private static string? OfficialName(string name)
        {
            foreach (string part in (ReadOnlySpan<string>)["mask_decoder.", "prompt_encoder."])
            {
                int start = name.IndexOf(part, StringComparison.Ordinal);
                if (start == 0 || (start > 0 && name[start - 1] == '.')) return name[start..];
            }

            return null;
        }

        /// <summary>The layer that a value is the bias of, or null.</summary>
        private static string? LayerOf(string value)
        {
            const string ending = ".bias";
            return OfficialName(value) is { } name && name.EndsWith(ending, StringComparison.Ordinal) ? name[..^ending.Length] : null;
        }

        private float[]? Floats(TensorProto tensor) => OnnxFile.ReadFloats(tensor, _source);

        private void TakeMatrix(string bias, string product)
        {
            if (LayerOf(bias) is { } layer
                && _producers.TryGetValue(product, out NodeProto? node) && node.OpType == "MatMul"
                && _constants.TryGetValue(node.Input[1], out TensorProto? weight))
            {
                TakeWeight(layer, weight, transposed: false);
            }
        }

        private void TakeWeight(string layer, TensorProto weight, bool transposed)
        {
            string name = layer + ".weight";
            if (Found.ContainsKey(name) || Shape(weight) is not [int rows, int columns] || Floats(weight) is not { } values) return;
            Found[name] = transposed
                ? ([rows, columns], values)
                : ([columns, rows], Matrices.Transpose(values, rows, columns));
        }

        /// <summary>Splits a node's two inputs into a constant of shape (C, 1, 1) and the other one.</summary>
        private (TensorProto? Constant, string? Other) SplitChannelConstant(NodeProto node)
        {
            for (int i = 0; i < 2; i++)
            {
                if (_constants.TryGetValue(node.Input[i], out TensorProto? tensor) && Shape(tensor) is [> 1, 1, 1])
                    return (tensor, node.Input[1 - i]);
            }

            return (null, null);
        }

        private void Take(string name, TensorProto tensor, int[] shape)
        {
            if (!Found.ContainsKey(name) && Floats(tensor) is { } values) Found[name] = (shape, values);
        }
    }
}
