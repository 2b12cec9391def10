using System.Collections.Immutable;
using SegmentAnything.Checkpoints;

namespace SegmentAnything.Graphs;

/// <summary>What follows a convolution.</summary>
internal enum Activation
{
    None,

    /// <summary>With the error function.</summary>
    Gelu,

    /// <summary>With the hyperbolic tangent: another function, by up to 5e-4.</summary>
    TanhGelu,
}

/// <summary>
/// Adds convolutions on channel planes to a graph, each with the batch normalisation that follows it folded in, which
/// changes nothing but rounding: norm(x) = (x - mean) · s + shift with s = scale / sqrt(variance + ε) is linear.
/// </summary>
/// <param name="g">The graph.</param>
/// <param name="weights">Under their official names.</param>
/// <param name="prefix">What their names begin with.</param>
/// <param name="names">What a pair of convolution and norm calls the two, such as <c>conv</c> and <c>norm</c>.</param>
/// <param name="epsilon">The ε of all norms.</param>
internal sealed class Convolutions(
    GraphBuilder g, StateDict weights, string prefix, (string Convolution, string Norm) names, float epsilon)
{
    /// <summary>A convolution with as much padding as keeps the size, its norm if it has one, and its activation.</summary>
    /// <param name="x">(1, inputs, rows, columns).</param>
    /// <param name="name">Of the pair.</param>
    /// <param name="activation">What follows.</param>
    /// <param name="stride">Step between outputs.</param>
    public Value Apply(Value x, string name, Activation activation = Activation.None, int stride = 1)
    {
        FoldedConvolution folded = Fold(name);
        return Apply(x, name, folded, activation, stride);
    }

    /// <summary>The same with weights that are at hand.</summary>
    public Value Apply(Value x, string name, FoldedConvolution folded, Activation activation = Activation.None, int stride = 1)
    {
        (int outputs, int inputs, int kernel) = (folded.Outputs, folded.InputsOfGroup, folded.Kernel);
        Value result = Node(
            x, g.Kernel(name + ".weight", folded.Weight, outputs, inputs, kernel, kernel),
            folded.Bias is null ? null : g.Constant(name + ".bias", folded.Bias, outputs), kernel, folded.Groups, stride);
        return Activate(g, result, activation);
    }

    /// <summary>
    /// Resizes square planes as two products: ONNX Runtime's bicubic Resize takes some twenty times as long.
    /// </summary>
    /// <param name="g">The graph.</param>
    /// <param name="x">(1, channels, from, from).</param>
    /// <param name="channels">How many planes.</param>
    /// <param name="from">Positions along each side.</param>
    /// <param name="to">The same of the result.</param>
    /// <param name="matrix">What each position of the result is made of along one axis: to x from, row-major.</param>
    /// <returns>(1, channels, to, to).</returns>
    public static Value Resize(GraphBuilder g, Value x, int channels, int from, int to, ReadOnlySpan<float> matrix)
    {
        Value across = g.Constant($"resize_{from}_{to}_across", Matrices.Transpose(matrix, to, from), from, to);
        Value down = g.Constant($"resize_{from}_{to}_down", matrix, to, from);
        x = g.MatMul(g.Reshape(x, (long)channels * from, from), across);
        return g.Reshape(g.MatMul(down, g.Reshape(x, channels, from, to)), 1, channels, to, to);
    }

    public static Value Activate(GraphBuilder g, Value x, Activation activation) => activation switch
    {
        Activation.Gelu => g.Gelu(x),
        Activation.TanhGelu => g.Node("Gelu", [x], ("approximate", "tanh")),
        _ => x,
    };

    /// <summary>The weights of a pair, as one convolution.</summary>
    /// <exception cref="CheckpointException">A weight is missing or has an unexpected shape.</exception>
    public FoldedConvolution Fold(string name)
    {
        string convolution = $"{prefix}{name}.{names.Convolution}", norm = $"{prefix}{name}.{names.Norm}";
        ImmutableArray<int> shape = weights.ShapeOf(convolution + ".weight");
        if (shape is not [> 0, > 0, > 0, > 0] || shape[2] != shape[3])
        {
            throw new CheckpointException(
                $"{weights.Source}: tensor '{convolution}.weight' has shape [{string.Join(", ", shape)}], expected [outputs, inputs, k, k].");
        }

        int outputs = shape[0], each = shape[1] * shape[2] * shape[3];
        float[] weight = weights.ReadAny(convolution + ".weight");
        float[]? bias = weights.Contains(convolution + ".bias") ? weights.Read(convolution + ".bias", outputs) : null;
        if (weights.Contains(norm + ".running_var"))
        {
            float[] scale = weights.Read(norm + ".weight", outputs), shift = weights.Read(norm + ".bias", outputs);
            float[] mean = weights.Read(norm + ".running_mean", outputs), variance = weights.Read(norm + ".running_var", outputs);
            for (int o = 0; o < outputs; o++)
            {
                double factor = scale[o] / Math.Sqrt((double)variance[o] + epsilon);
                shift[o] = (float)(shift[o] + ((bias is null ? 0 : bias[o]) - (double)mean[o]) * factor);
                foreach (ref float w in weight.AsSpan(o * each, each)) w = (float)(w * factor);
            }

            bias = shift;
        }

        return new FoldedConvolution(weight, bias, outputs, shape[1], shape[2]);
    }

    private Value Node(Value x, Value kernel, Value? bias, int size, int groups, int stride)
    {
        long half = size / 2;
        return g.Node("Conv", bias is { } b ? [x, kernel, b] : [x, kernel],
            ("pads", new[] { half, half, half, half }), ("strides", new long[] { stride, stride }), ("group", (long)groups));
    }
}

/// <summary>A convolution's weights.</summary>
/// <param name="Weight">Outputs x inputs of a group x k x k.</param>
/// <param name="Bias">One for each output, or null.</param>
/// <param name="Outputs">Output channels.</param>
/// <param name="InputsOfGroup">Input channels that an output sees.</param>
/// <param name="Kernel">k.</param>
internal sealed record FoldedConvolution(float[] Weight, float[]? Bias, int Outputs, int InputsOfGroup, int Kernel)
{
    /// <summary>Set where the channels are in groups; 1 by default.</summary>
    public int Groups { get; init; } = 1;
}
