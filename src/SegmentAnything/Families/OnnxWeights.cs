using SegmentAnything.Graphs;
using SegmentAnything.Onnx;

namespace SegmentAnything.Families;

/// <summary>
/// What every way back from an ONNX file to named weights needs: the constants of a graph, what each value was made by, and
/// the weights that were found so far.
/// </summary>
/// <param name="graph">The graph.</param>
/// <param name="source">What it is of, for messages.</param>
internal abstract class OnnxWeights(GraphProto graph, string source)
{
    /// <summary>The weights that were found, by their official names.</summary>
    public Dictionary<string, (int[] Shape, float[] Values)> Found { get; } = [];

    protected GraphProto Graph => graph;

    protected string Source => source;

    protected Dictionary<string, TensorProto> Constants { get; } = OnnxFile.Constants(graph);

    protected Dictionary<string, NodeProto> Producers { get; } = OnnxFile.Producers(graph);

    protected static int[] Shape(TensorProto tensor) => [.. tensor.Dims.Select(d => checked((int)d))];

    /// <summary>Null where it holds another type, or keeps its values in another file.</summary>
    protected float[]? Floats(TensorProto tensor) => OnnxFile.ReadFloats(tensor, source);

    /// <summary>Notes a weight, unless it was found before.</summary>
    protected void Take(string name, TensorProto tensor, int[] shape)
    {
        if (!Found.ContainsKey(name) && Floats(tensor) is { } values) Found[name] = (shape, values);
    }

    /// <summary>Notes the matrix of a linear layer, as a checkpoint has it: outputs x inputs.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="matrix">What the graph multiplies with.</param>
    /// <param name="transposed">It is outputs x inputs in the graph, too.</param>
    protected void TakeMatrix(string name, TensorProto matrix, bool transposed)
    {
        if (Found.ContainsKey(name) || Shape(matrix) is not [int rows, int columns] || Floats(matrix) is not { } values) return;
        Found[name] = transposed ? ([rows, columns], values) : ([columns, rows], Matrices.Transpose(values, rows, columns));
    }

    /// <summary>The two inputs of a sum, each as the bias of the other: (what is added, what it is added to).</summary>
    protected static IEnumerable<(string Bias, string Product)> Sums(NodeProto node) =>
        node.OpType == "Add" && node.Input.Count == 2 ? [(node.Input[0], node.Input[1]), (node.Input[1], node.Input[0])] : [];

    /// <summary>The matrix that a product with a constant is taken of; null where the value is no such product.</summary>
    protected TensorProto? MatrixOf(string product) =>
        Producers.TryGetValue(product, out NodeProto? node) && node.OpType == "MatMul" ? Constants.GetValueOrDefault(node.Input[1]) : null;

    /// <summary>
    /// The scales and shifts of LayerNorms over channels, in the order of the graph: a sum with a constant (C, 1, 1) of a
    /// product with one.
    /// </summary>
    protected IEnumerable<(TensorProto Scale, TensorProto Shift)> ChannelNorms()
    {
        foreach (NodeProto node in graph.Node)
        {
            if (node.OpType != "Add" || ChannelConstant(node) is not ({ } shift, { } scaled)) continue;
            if (Producers.TryGetValue(scaled, out NodeProto? product) && product.OpType == "Mul" && ChannelConstant(product).Constant is { } scale)
                yield return (scale, shift);
        }
    }

    /// <summary>Notes the scales and shifts of LayerNorms over channels under names that are given in the order of the graph.</summary>
    public void TakeChannelNorms(IEnumerable<string> names)
    {
        foreach ((string name, (TensorProto scale, TensorProto shift)) in names.Zip(ChannelNorms()))
        {
            Take(name + ".weight", scale, [Shape(scale)[0]]);
            Take(name + ".bias", shift, [Shape(shift)[0]]);
        }
    }

    // Splits a node's two inputs into a constant of shape (C, 1, 1) and the other one.
    private (TensorProto? Constant, string? Other) ChannelConstant(NodeProto node)
    {
        for (int i = 0; i < 2; i++)
        {
            if (Constants.TryGetValue(node.Input[i], out TensorProto? tensor) && Shape(tensor) is [> 1, 1, 1]) return (tensor, node.Input[1 - i]);
        }

        return (null, null);
    }
}
