using System.Text.RegularExpressions;
using SegmentAnything.Checkpoints;
using SegmentAnything.Graphs;
using SegmentAnything.Onnx;

namespace SegmentAnything.Families.Sam1;

/// <summary>Gets the named weights of MobileSAM's image encoder back from an ONNX export of it.</summary>
/// <remarks>
/// The exporter keeps the names of LayerNorms and of Linear layers' biases. What it renames is found by what is done with
/// it: a Linear weight by the named bias that is added to its product; the convolutions, into which it folded batch
/// normalisation, by their order, which is that of the network; the relative biases by the MatMul and Softmax around
/// them, in order; the neck's channel LayerNorms by their shape (C, 1, 1), in order. Folded convolutions become
/// <c>NAME.c.weight</c> and <c>NAME.c.bias</c>, which <see cref="TinyVitEncoderGraph"/> reads as well.
/// </remarks>
internal static partial class TinyVitOnnxImport
{
    /// <summary>Whether the model looks like an export of MobileSAM's encoder: one picture in, names of a TinyViT inside.</summary>
    public static bool Fits(ModelProto model) =>
        model.Graph.Initializer.Any(t => t.Name.EndsWith("layers.1.blocks.0.attn.qkv.bias", StringComparison.Ordinal));

    /// <summary>Recovers the weights under their official names.</summary>
    /// <exception cref="CheckpointException">A weight was not found, or has an unexpected shape.</exception>
    public static StateDict Read(ModelProto model, string source)
    {
        if (!Fits(model))
            throw new CheckpointException($"{source}: not an export of MobileSAM's image encoder: no bias named 'layers.1.blocks.0.attn.qkv.bias' was found.");
        var importer = new Importer(model.Graph, source);
        importer.TakeNamed();
        importer.TakeLinear();
        importer.TakeConvolutions();
        importer.TakeRelativeBiases();
        importer.TakeNeckNorms();
        InMemoryStateDict weights = new(source, importer.Found);
        // Fails with the first weight that is missing or of another shape.
        _ = TinyVitLayout.Of(weights);
        return weights;
    }

    [GeneratedRegex(@"(?:^|\.)((?:patch_embed|layers\.\d+|neck\.\d+)\..+)$")]
    private static partial Regex OfficialName();

    private sealed class Importer
    {
        private readonly GraphProto _graph;
        private readonly string _source;
        private readonly Dictionary<string, TensorProto> _constants;
        private readonly Dictionary<string, NodeProto> _producers;

        public Importer(GraphProto graph, string source)
        {
            (_graph, _source) = (graph, source);
            _constants = OnnxFile.Constants(graph);
            _producers = OnnxFile.Producers(graph);
        }

        public Dictionary<string, (int[] Shape, float[] Values)> Found { get; } = [];

        public void TakeNamed()
        {
            foreach (TensorProto tensor in _graph.Initializer)
            {
                if (Official(tensor.Name) is { } name) Take(name, tensor, Shape(tensor));
            }
        }

        public void TakeLinear()
        {
            foreach (NodeProto node in _graph.Node)
            {
                if (node.OpType != "Add") continue;
                foreach ((string bias, string product) in new[] { (node.Input[0], node.Input[1]), (node.Input[1], node.Input[0]) })
                {
                    if (Official(bias) is not { } name || !_producers.TryGetValue(product, out NodeProto? matMul) || matMul.OpType != "MatMul"
                        || !_constants.TryGetValue(matMul.Input[1], out TensorProto? weight) || Shape(weight) is not [int inputs, int outputs])
                    {
                        continue;
                    }

                    name = name[..name.LastIndexOf('.')] + ".weight";
                    if (Floats(weight) is { } values) Found[name] = ([outputs, inputs], Matrices.Transpose(values, inputs, outputs));
                }
            }
        }

        public void TakeConvolutions()
        {
            NodeProto[] found = [.. _graph.Node.Where(n => n.OpType == "Conv" && n.Input.Count == 3)];
            string[] expected = [.. ConvolutionNames()];
            if (found.Length != expected.Length)
                throw new CheckpointException($"{_source}: {found.Length} convolutions with a bias were found, {expected.Length} expected.");
            foreach ((NodeProto node, string name) in found.Zip(expected))
            {
                if (!_constants.TryGetValue(node.Input[1], out TensorProto? weight) || !_constants.TryGetValue(node.Input[2], out TensorProto? bias))
                    throw new CheckpointException($"{_source}: the weights of convolution '{node.Name}' are not constants.");
                Take(name + ".c.weight", weight, Shape(weight));
                Take(name + ".c.bias", bias, Shape(bias));
            }
        }

        // The table (heads, tokens, tokens) is added to the scores; its first row has every distance once, in order.
        public void TakeRelativeBiases()
        {
            Queue<string> blocks = new(AttentionNames());
            foreach (NodeProto node in _graph.Node)
            {
                if (node.OpType != "Softmax" || !_producers.TryGetValue(node.Input[0], out NodeProto? sum) || sum.OpType != "Add") continue;
                foreach (string input in sum.Input)
                {
                    if (!_constants.TryGetValue(input, out TensorProto? table) || Floats(table) is not { } values) continue;
                    int[] shape = Shape(table);
                    if (shape.Length < 3 || shape[^1] != shape[^2] || values.Length != shape[^3] * shape[^2] * shape[^1] || !blocks.TryDequeue(out string? name)) continue;
                    (int heads, int tokens) = (shape[^3], shape[^1]);
                    float[] biases = new float[heads * tokens];
                    for (int h = 0; h < heads; h++) values.AsSpan(h * tokens * tokens, tokens).CopyTo(biases.AsSpan(h * tokens));
                    Found[name] = ([heads, tokens], biases);
                }
            }

            if (blocks.TryPeek(out string? missing)) throw new CheckpointException($"{_source}: '{missing}' was not found: no such table is added before a Softmax.");
        }

        public void TakeNeckNorms()
        {
            Queue<string> names = new(["neck.1", "neck.3"]);
            foreach (NodeProto node in _graph.Node)
            {
                if (node.OpType != "Add" || ChannelConstant(node) is not ({ } shift, { } scaled)) continue;
                if (!_producers.TryGetValue(scaled, out NodeProto? product) || product.OpType != "Mul" || ChannelConstant(product).Constant is not { } scale) continue;
                if (!names.TryDequeue(out string? name)) break;
                Take(TinyVitLayout.Prefix + name + ".weight", scale, [Shape(scale)[0]]);
                Take(TinyVitLayout.Prefix + name + ".bias", shift, [Shape(shift)[0]]);
            }
        }

        private static string? Official(string name) =>
            OfficialName().Match(name) is { Success: true } match ? TinyVitLayout.Prefix + match.Groups[1].Value : null;

        // The order in which the network applies them.
        private IEnumerable<string> ConvolutionNames()
        {
            yield return TinyVitLayout.Prefix + "patch_embed.seq.0";
            yield return TinyVitLayout.Prefix + "patch_embed.seq.2";
            int stages = Stages();
            // How many blocks the first stage has is what the other convolutions leave.
            int others = 2 + 3 * (stages - 1) + Enumerable.Range(1, stages - 1).Sum(Depth);
            int blocks = (_graph.Node.Count(n => n.OpType == "Conv" && n.Input.Count == 3) - others) / 3;
            for (int b = 0; b < blocks; b++)
            {
                for (int c = 1; c <= 3; c++) yield return $"{TinyVitLayout.Prefix}layers.0.blocks.{b}.conv{c}";
            }

            for (int s = 0; s < stages; s++)
            {
                for (int b = 0; s > 0 && b < Depth(s); b++) yield return $"{TinyVitLayout.Prefix}layers.{s}.blocks.{b}.local_conv";
                for (int c = 1; s < stages - 1 && c <= 3; c++) yield return $"{TinyVitLayout.Prefix}layers.{s}.downsample.conv{c}";
            }
        }

        private IEnumerable<string> AttentionNames() =>
            from s in Enumerable.Range(1, Stages() - 1)
            from b in Enumerable.Range(0, Depth(s))
            select $"{TinyVitLayout.Prefix}layers.{s}.blocks.{b}.attn.attention_biases";

        private int Stages()
        {
            int stages = 1;
            while (Depth(stages) > 0) stages++;
            return stages;
        }

        private int Depth(int stage)
        {
            int depth = 0;
            while (Found.ContainsKey($"{TinyVitLayout.Prefix}layers.{stage}.blocks.{depth}.attn.qkv.bias")) depth++;
            return depth;
        }

        private (TensorProto? Constant, string? Other) ChannelConstant(NodeProto node)
        {
            for (int i = 0; i < 2; i++)
            {
                if (_constants.TryGetValue(node.Input[i], out TensorProto? tensor) && Shape(tensor) is [> 1, 1, 1]) return (tensor, node.Input[1 - i]);
            }

            return (null, null);
        }

        private static int[] Shape(TensorProto tensor) => [.. tensor.Dims.Select(d => checked((int)d))];

        private float[]? Floats(TensorProto tensor) => OnnxFile.ReadFloats(tensor, _source);

        private void Take(string name, TensorProto tensor, int[] shape)
        {
            if (!Found.ContainsKey(name) && Floats(tensor) is { } values) Found[name] = (shape, values);
        }
    }
}
