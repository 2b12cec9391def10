using SegmentAnything.Execution;
using SegmentAnything.Graphs;
using SegmentAnything.Graphs.Onnx;

namespace SegmentAnything.Models;

/// <summary>What an image encoder takes and gives, checked against the variant when it is loaded.</summary>
/// <param name="InputName">Its only input: (1, 3, S, S), whatever its name.</param>
/// <param name="OutputName">Its embedding: (1, C, G, G).</param>
/// <param name="Mean">What is subtracted from red, green and blue; zeros where the graph does it.</param>
/// <param name="Std">What they are divided by; ones where the graph does it.</param>
internal sealed record EncoderContract(string InputName, string OutputName, float[] Mean, float[] Std)
{
    /// <summary>Reads the contract from a session.</summary>
    /// <exception cref="ModelContractException">The model is not an encoder of this variant's sizes.</exception>
    public static EncoderContract Of(ModelSession session, ReadOnlyMemory<byte> model, SamVariant variant)
    {
        SessionContract.Check(session, $"the image encoder of {variant.Name}",
            [TensorContract.Float(null, 1, 3, variant.ImageSize, variant.ImageSize)],
            [TensorContract.Float(null, 1, variant.EmbeddingChannels, variant.EmbeddingGrid, variant.EmbeddingGrid)]);
        string input = session.Inputs.Keys.Single();
        string output = session.Outputs.Keys.Single();
        return NormalisesItself(OnnxFile.Parse(model.Span, session.Source).Graph, input)
            ? new EncoderContract(input, output, [0, 0, 0], [1, 1, 1])
            : new EncoderContract(input, output, [.. variant.PixelMean], [.. variant.PixelStd]);
    }

    /// <summary>
    /// Whether the first thing the graph does with its input is arithmetic with three constants: then it takes pixels
    /// as they are, 0 to 255.
    /// </summary>
    internal static bool NormalisesItself(GraphProto graph, string input)
    {
        Dictionary<string, TensorProto> constants = OnnxFile.Constants(graph);
        return graph.Node.Any(node => node.OpType is "Sub" or "Div" or "Mul"
            && node.Input.Contains(input)
            && node.Input.Any(name => constants.TryGetValue(name, out TensorProto? t) && t.Dims.Aggregate(1L, (a, b) => a * b) == 3));
    }
}
