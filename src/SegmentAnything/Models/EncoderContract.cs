using SegmentAnything.Execution;
using SegmentAnything.Graphs;
using SegmentAnything.Graphs.Onnx;

namespace SegmentAnything;

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
        if (session.Inputs.Count != 1)
        {
            throw new ModelContractException(
                $"The image encoder of {variant.Name} should have one input, and this model has {session.Inputs.Count}: "
                + $"{string.Join(", ", session.Inputs.Keys)}. Is this the decoder?");
        }

        TensorContract input = session.Inputs.Values.Single();
        Check(input, variant, 3, variant.ImageSize);
        TensorContract output = session.Outputs.Values.First();
        Check(output, variant, variant.EmbeddingChannels, variant.EmbeddingGrid);
        bool normalisesItself = NormalisesItself(OnnxFile.Parse(model.Span, "encoder").Graph, input.Name);
        return normalisesItself
            ? new EncoderContract(input.Name, output.Name, [0, 0, 0], [1, 1, 1])
            : new EncoderContract(input.Name, output.Name, [.. variant.PixelMean], [.. variant.PixelStd]);
    }

    /// <summary>
    /// Whether the first thing the graph does with its input is arithmetic with three constants: then it takes pixels
    /// as they are, 0 to 255.
    /// </summary>
    internal static bool NormalisesItself(GraphProto graph, string input)
    {
        Dictionary<string, TensorProto> constants = graph.Initializer.ToDictionary(t => t.Name);
        foreach (NodeProto node in graph.Node)
        {
            if (node.OpType == "Constant" && node.Attribute.FirstOrDefault(a => a.Name == "value")?.T is { } value)
                constants[node.Output[0]] = value;
        }

        return graph.Node.Any(node => node.OpType is "Sub" or "Div" or "Mul"
            && node.Input.Contains(input)
            && node.Input.Any(name => constants.TryGetValue(name, out TensorProto? t) && t.Dims.Aggregate(1L, (a, b) => a * b) == 3));
    }

    private static void Check(TensorContract tensor, SamVariant variant, int channels, int side)
    {
        ReadOnlySpan<long> expected = [1, channels, side, side];
        bool fits = tensor.Dimensions.Length == 4;
        for (int i = 0; fits && i < 4; i++) fits = tensor.Dimensions[i] < 0 || tensor.Dimensions[i] == expected[i];
        if (!fits)
        {
            throw new ModelContractException(
                $"Tensor '{tensor.Name}' of the image encoder of {variant.Name}: expected {string.Join("x", expected.ToArray())}, "
                + $"found {string.Join("x", tensor.Dimensions)}. Is this a file of another model?");
        }
    }
}
