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

    private sealed class Importer(GraphProto graph, string source) : OnnxWeights(graph, source)
    {
        public void TakeNamed()
        {
            foreach (TensorProto tensor in Graph.Initializer)
            {
                if (Official(tensor.Name) is { } name) Take(name, tensor, Shape(tensor));
            }
        }

        public void TakeLinear()
        {
            foreach ((string bias, string product) in Graph.Node.SelectMany(Sums))
            {
                if (Official(bias) is { } name && MatrixOf(product) is { } weight)
                    TakeMatrix(name[..name.LastIndexOf('.')] + ".weight", weight, transposed: false);
            }
        }

        public void TakeConvolutions()
        {
            NodeProto[] found = [.. Graph.Node.Where(n => n.OpType == "Conv" && n.Input.Count == 3)];
            string[] expected = [.. ConvolutionNames()];
            if (found.Length != expected.Length)
                throw new CheckpointException($"{Source}: {found.Length} convolutions with a bias were found, {expected.Length} expected.");
            foreach ((NodeProto node, string name) in found.Zip(expected))
            {
                if (!Constants.TryGetValue(node.Input[1], out TensorProto? weight) || !Constants.TryGetValue(node.Input[2], out TensorProto? bias))
                    throw new CheckpointException($"{Source}: the weights of convolution '{node.Name}' are not constants.");
                Take(name + ".c.weight", weight, Shape(weight));
                Take(name + ".c.bias", bias, Shape(bias));
            }
        }

        // The table (heads, tokens, tokens) is added to the scores; its first row has every distance once, in order.
        public void TakeRelativeBiases()
        {
            Queue<string> blocks = new(AttentionNames());
            foreach (NodeProto node in Graph.Node)
            {
                if (node.OpType != "Softmax" || !Producers.TryGetValue(node.Input[0], out NodeProto? sum) || sum.OpType != "Add") continue;
                foreach (string input in sum.Input)
                {
                    if (!Constants.TryGetValue(input, out TensorProto? table) || Floats(table) is not { } values) continue;
                    int[] shape = Shape(table);
                    if (shape.Length < 3 || shape[^1] != shape[^2] || values.Length != shape[^3] * shape[^2] * shape[^1] || !blocks.TryDequeue(out string? name)) continue;
                    (int heads, int tokens) = (shape[^3], shape[^1]);
                    float[] biases = new float[heads * tokens];
                    for (int h = 0; h < heads; h++) values.AsSpan(h * tokens * tokens, tokens).CopyTo(biases.AsSpan(h * tokens));
                    Found[name] = ([heads, tokens], biases);
                }
            }

            if (blocks.TryPeek(out string? missing)) throw new CheckpointException($"{Source}: '{missing}' was not found: no such table is added before a Softmax.");
        }

        public void TakeNeckNorms() => TakeChannelNorms([TinyVitLayout.Prefix + "neck.1", TinyVitLayout.Prefix + "neck.3"]);

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
            int blocks = (Graph.Node.Count(n => n.OpType == "Conv" && n.Input.Count == 3) - others) / 3;
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
    }
}
