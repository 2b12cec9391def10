using System.Numerics.Tensors;
using SegmentAnything.Checkpoints;

namespace SegmentAnything.Graphs;

/// <summary>
/// The steps that both encoders take on tokens kept as rows (tokens, channels): LayerNorm before a product, MLPs,
/// attention within windows.
/// </summary>
/// <remarks>
/// LayerNorm before a product is (x̂·γ + β)·W + b = x̂·(γ·W) + (β·W + b): its scale and shift go into the product, and
/// what is left is x̂ = (x - mean) / sqrt(variance + ε). On the CPU that is an InstanceNormalization whose channels are our
/// rows: ONNX Runtime's LayerNormalization is not vectorised and takes several times as long. It also makes padding simple:
/// x̂ of a zero row is zero.
/// </remarks>
internal sealed class TokenRows(StateDict weights, string prefix, EncoderForm form)
{
    public StateDict Weights { get; } = weights;

    /// <summary>Builds for processors: part by part.</summary>
    public bool Tiled => form.IsTiled;

    public float[] Read(string name, params ReadOnlySpan<int> shape) => Weights.Read(prefix + name, shape);

    /// <summary>x̂ of (rows, channels), without scale and shift.</summary>
    public Value Normalize(GraphBuilder g, Value x, int rows, int channels, float epsilon)
    {
        if (!Tiled) return g.LayerNorm(x, g.Filled(1, channels), g.Filled(0, channels), epsilon);
        Value instances = g.Reshape(x, 1, rows, channels);
        Value normal = g.Node("InstanceNormalization", [instances, g.Filled(1, rows), g.Filled(0, rows)], ("epsilon", epsilon));
        return g.Reshape(normal, rows, channels);
    }

    /// <summary>A whole LayerNorm of (rows, channels): where no product follows that could take scale and shift.</summary>
    public Value Norm(GraphBuilder g, Value x, string name, int rows, int channels, float epsilon)
    {
        Value scale = g.Constant(name + ".weight", Read(name + ".weight", channels), channels);
        Value shift = g.Constant(name + ".bias", Read(name + ".bias", channels), channels);
        return Tiled
            ? g.Add(g.Multiply(Normalize(g, x, rows, channels, epsilon), scale), shift)
            : g.LayerNorm(x, scale, shift, epsilon);
    }

    /// <summary>A Linear layer's weight and bias with the LayerNorm before it folded in; outputs x inputs.</summary>
    public (float[] Weight, float[] Bias) FoldNorm(string norm, string linear, int inputs, int outputs)
    {
        float[] weight = Read(linear + ".weight", outputs, inputs);
        float[] bias = Read(linear + ".bias", outputs);
        float[] scale = Read(norm + ".weight", inputs);
        float[] shift = Read(norm + ".bias", inputs);
        for (int o = 0; o < outputs; o++)
        {
            Span<float> row = weight.AsSpan(o * inputs, inputs);
            double sum = bias[o];
            for (int i = 0; i < inputs; i++) sum += (double)row[i] * shift[i];
            bias[o] = (float)sum;
            TensorPrimitives.Multiply(row, scale, row);
        }

        return (weight, bias);
    }

    /// <summary>Rows as products with weights take them: float32, or 8-bit integers with their scale and zero point.</summary>
    public readonly record struct Operand(Value Rows, (Value Integers, Value Scale, Value Zero)? Quantized);

    /// <summary>Prepares rows for any number of <see cref="Product"/>s.</summary>
    public Operand ForProducts(GraphBuilder g, Value rows) => new(rows, form.LargestInteger > 0 ? g.Quantize(rows) : null);

    /// <summary>x · weightᵀ + bias in the form's precision, for a weight as PyTorch keeps it (outputs x inputs).</summary>
    /// <param name="g">The graph.</param>
    /// <param name="x">(rows, inputs).</param>
    /// <param name="name">Prefix of the constants' names.</param>
    /// <param name="weight">The weight.</param>
    /// <param name="outputs">Values of a row of the result.</param>
    /// <param name="bias">The bias; none if it is empty.</param>
    public Value Product(
        GraphBuilder g, Operand x, string name, ReadOnlySpan<float> weight, int outputs, ReadOnlySpan<float> bias = default)
    {
        if (x.Quantized is not { } quantized)
            return bias.IsEmpty ? g.MatMul(x.Rows, Matrix(g, name, weight, outputs)) : Linear(g, x.Rows, name, weight, bias);
        Int8Matrix matrix = Int8Matrix.Of(weight, outputs, form.LargestInteger);
        Value? biases = bias.IsEmpty ? null : g.Constant(name + ".bias", bias, outputs);
        return g.IntegerProduct(
            quantized, g.Integers8(name + ".int8", matrix.Values, weight.Length / outputs, outputs), g.Constant(name + ".scales", matrix.Scales, outputs), biases);
    }

    /// <summary>x · weightᵀ + bias on rows, for a weight as PyTorch keeps it (outputs x inputs).</summary>
    public static Value Linear(GraphBuilder g, Value x, string name, ReadOnlySpan<float> weight, ReadOnlySpan<float> bias) =>
        g.Gemm(x, Matrix(g, name, weight, bias.Length), g.Constant(name + ".bias", bias, bias.Length));

    /// <summary>A weight as PyTorch keeps it (outputs x inputs), to be multiplied from the right.</summary>
    public static Value Matrix(GraphBuilder g, string name, ReadOnlySpan<float> weight, int outputs) =>
        g.Weight(name + ".weight", Matrices.Transpose(weight, outputs, weight.Length / outputs), weight.Length / outputs, outputs);

    // In this form, ONNX Runtime joins the transposition with the change to its own layout for convolutions.

    /// <summary>Rows of a height x width image to planes: (1, channels, height, width).</summary>
    public static Value ToPlanes(GraphBuilder g, Value rows, int height, int width, int channels) =>
        g.Transpose(g.Reshape(rows, 1, height, width, channels), 0, 3, 1, 2);

    /// <summary>The way back: (height·width, channels).</summary>
    public static Value ToRows(GraphBuilder g, Value planes, int height, int width, int channels) =>
        g.Reshape(g.Transpose(planes, 0, 2, 3, 1), (long)height * width, channels);

    /// <summary>x + mlp(norm(x)) on rows.</summary>
    public Value Mlp(
        GraphBuilder g, Value x, string norm, string first, string second, int rows, int channels, int hidden, float epsilon)
    {
        (float[] Weight, float[] Bias) widen = FoldNorm(norm, first, channels, hidden);
        (float[] Weight, float[] Bias) narrow = (Read(second + ".weight", channels, hidden), Read(second + ".bias", channels));
        return Mlp(g, x, (first, widen), (second, narrow), rows, channels, hidden, epsilon);
    }

    /// <summary>x + narrow(gelu(widen(x))) on rows, for weights that are at hand.</summary>
    /// <param name="g">The graph.</param>
    /// <param name="x">(rows, channels).</param>
    /// <param name="widen">The name, and weight and bias, hidden x channels.</param>
    /// <param name="narrow">The name, and weight and bias, channels x hidden.</param>
    /// <param name="rows">How many.</param>
    /// <param name="channels">Values of a row.</param>
    /// <param name="hidden">Values of a row between the two.</param>
    /// <param name="epsilon">With a value, x is normalised before it is widened, without scale and shift.</param>
    public Value Mlp(
        GraphBuilder g, Value x, (string Name, (float[] Weight, float[] Bias) Values) widen, (string Name, (float[] Weight, float[] Bias) Values) narrow,
        int rows, int channels, int hidden, float? epsilon = null) => OnParts(g, x, rows, channels, hidden, (part, rowsOfPart, count) =>
    {
        Operand normal = ForProducts(part, epsilon is { } value ? Normalize(part, rowsOfPart, count, channels, value) : rowsOfPart);
        Operand inner = ForProducts(part, part.Gelu(Product(part, normal, widen.Name, widen.Values.Weight, hidden, widen.Values.Bias)));
        return part.Add(rowsOfPart, Product(part, inner, narrow.Name, narrow.Values.Weight, channels, narrow.Values.Bias));
    });

    /// <summary>Does something to rows: a part of them at a time, or all at once.</summary>
    /// <param name="g">The graph.</param>
    /// <param name="x">(rows, channels); the result has the same shape.</param>
    /// <param name="rows">How many.</param>
    /// <param name="channels">Values of a row.</param>
    /// <param name="widest">Values of a row where the body is widest.</param>
    /// <param name="body">Builds what is done, given how many rows there are.</param>
    private Value OnParts(GraphBuilder g, Value x, int rows, int channels, int widest, Func<GraphBuilder, Value, int, Value> body)
    {
        int parts = Tiled ? PartsOf(rows, widest) : 1;
        if (parts == 1) return body(g, x, rows);
        int rowsOfPart = rows / parts;
        Value stacked = g.ForEachPart(
            g.Reshape(x, parts, rowsOfPart, channels), [rowsOfPart, channels], [rowsOfPart, channels], (b, part) => body(b, part, rowsOfPart));
        return g.Reshape(stacked, rows, channels);
    }

    // The fewest equal parts that fit.
    private int PartsOf(int rows, int widest)
    {
        int parts = Math.Clamp((int)(((long)rows * widest + form.ValuesOfPart - 1) / form.ValuesOfPart), 1, rows);
        while (rows % parts != 0) parts++;
        return parts;
    }

    /// <summary>The sizes of an attention within windows.</summary>
    /// <param name="Grid">Tokens along each side of the image.</param>
    /// <param name="Window">Tokens along each side of a window.</param>
    /// <param name="Heads">Attention heads.</param>
    /// <param name="HeadChannels">Channels of each.</param>
    /// <param name="TokenChannels">Channels of a token, before and after; 0 where they are as many as all heads have.</param>
    public readonly record struct WindowSizes(int Grid, int Window, int Heads, int HeadChannels, int TokenChannels = 0)
    {
        /// <summary>Channels of a token.</summary>
        public int Outside => TokenChannels > 0 ? TokenChannels : Channels;

        public int Across => (Grid + Window - 1) / Window;

        public int Padded => Across * Window;

        /// <summary>Channels inside of the attention.</summary>
        public int Channels => Heads * HeadChannels;

        public int Tokens => Window * Window;
    }

    /// <summary>
    /// Attention within windows on rows of a Grid x Grid image, with its projection. One part is a row of windows.
    /// </summary>
    /// <param name="g">The graph.</param>
    /// <param name="x">(Grid², channels). Padding is zero, here.</param>
    /// <param name="sizes">The windows.</param>
    /// <param name="name">Prefix of the names of weights.</param>
    /// <param name="projections">
    /// Weights (outputs x inputs) and biases of queries (already scaled), keys and values, each by head.
    /// </param>
    /// <param name="output">Weight and bias of the projection.</param>
    /// <param name="epsilon">
    /// With a value, x is normalised within the parts, without scale and shift, and the result is x + projection(...):
    /// right where the network pads before it normalises. Null where x is normalised already.
    /// </param>
    /// <param name="attend">
    /// Builds softmax(scores)·values from queries, keys and values of shape (windows, heads, tokens, channels of a head),
    /// given the number of windows; the result may have any shape of the same order.
    /// </param>
    /// <remarks>
    /// The keys' bias adds the same to all scores of a query and drops out of the softmax; the values' bias passes through
    /// it, as weights sum to 1, and joins the bias of the projection. So tokens of the padding are plain zeros.
    /// </remarks>
    public Value WindowAttention(
        GraphBuilder g, Value x, WindowSizes sizes, string name,
        ((float[] Weight, float[] Bias) Query, (float[] Weight, float[] Bias) Key, (float[] Weight, float[] Bias) Value) projections,
        (float[] Weight, float[] Bias) output, float? epsilon,
        Func<GraphBuilder, Value, Value, Value, int, Value> attend)
    {
        (int grid, int window, int across, int channels, int inside) = (sizes.Grid, sizes.Window, sizes.Across, sizes.Outside, sizes.Channels);
        output = WithValueBias(output, projections.Value.Bias);
        Value padded = g.Reshape(x, grid, (long)grid * channels);
        if (sizes.Padded > grid) padded = g.Node("Pad", [padded, g.Integers(0, 0, sizes.Padded - grid, 0)], ("mode", "constant"));
        Value result;
        if (Tiled && across > 1)
        {
            int rows = window * grid;
            result = g.ForEachPart(g.Reshape(padded, across, rows, channels), [rows, channels], [rows, channels], (part, windowRow) => Body(part, windowRow, 1));
        }
        else
        {
            result = Body(g, g.Reshape(padded, (long)sizes.Padded * grid, channels), across);
        }

        if (sizes.Padded > grid) result = g.Slice(g.Reshape(result, sizes.Padded, (long)grid * channels), 0, 0, grid);
        return g.Reshape(result, (long)grid * grid, channels);

        Value Body(GraphBuilder b, Value rows, int windowRows)
        {
            Value normal = epsilon is { } value ? Normalize(b, rows, windowRows * window * grid, channels, value) : rows;
            Value projected = Attention(
                b, normal, name, inside, channels, projections, output, tokens => ToWindows(b, tokens, windowRows),
                (q, k, v) => FromWindows(b, attend(b, q, k, v, windowRows * across), windowRows));
            return epsilon is null ? projected : b.Add(rows, projected);
        }

        // Rows of whole rows of windows to (windows, heads, tokens, channels of a head), columns padded with zeros.
        Value ToWindows(GraphBuilder b, Value rows, int windowRows)
        {
            if (sizes.Padded > grid)
            {
                rows = b.Reshape(rows, (long)windowRows * window, (long)grid * inside);
                rows = b.Node("Pad", [rows, b.Integers(0, 0, 0, (long)(sizes.Padded - grid) * inside)], ("mode", "constant"));
            }

            rows = b.Reshape(rows, windowRows, window, across, window, sizes.Heads, sizes.HeadChannels);
            rows = b.Transpose(rows, 0, 2, 4, 1, 3, 5);
            return b.Reshape(rows, (long)windowRows * across, sizes.Heads, sizes.Tokens, sizes.HeadChannels);
        }

        // The way back, without the padding of the columns.
        Value FromWindows(GraphBuilder b, Value windows, int windowRows)
        {
            windows = b.Reshape(windows, windowRows, across, sizes.Heads, window, window, sizes.HeadChannels);
            windows = b.Transpose(windows, 0, 3, 1, 4, 2, 5);
            if (sizes.Padded > grid)
                windows = b.Slice(b.Reshape(windows, (long)windowRows * window, (long)sizes.Padded * inside), 1, 0, (long)grid * inside);
            return b.Reshape(windows, (long)windowRows * window * grid, inside);
        }
    }

    // Projects rows to queries, keys and values, takes them apart by window and head, and projects what the attention makes
    // of them, as rows again.
    private Value Attention(
        GraphBuilder g, Value rows, string name, int inside, int outside,
        ((float[] Weight, float[] Bias) Query, (float[] Weight, float[] Bias) Key, (float[] Weight, float[] Bias) Value) projections,
        (float[] Weight, float[] Bias) output, Func<Value, Value> split, Func<Value, Value, Value, Value> attendAndMerge)
    {
        Operand operand = ForProducts(g, rows);
        Value q = split(Product(g, operand, name + "q", projections.Query.Weight, inside, projections.Query.Bias));
        Value k = split(Product(g, operand, name + "k", projections.Key.Weight, inside));
        Value v = split(Product(g, operand, name + "v", projections.Value.Weight, inside));
        return Product(g, ForProducts(g, attendAndMerge(q, k, v)), name + "proj", output.Weight, outside, output.Bias);
    }

    // The values' bias passes through the softmax, as weights sum to 1, and joins the bias of the projection.
    private static (float[] Weight, float[] Bias) WithValueBias((float[] Weight, float[] Bias) output, float[] valueBias)
    {
        float[] bias = [.. output.Bias];
        for (int o = 0; o < bias.Length; o++) bias[o] += TensorPrimitives.Dot(output.Weight.AsSpan(o * valueBias.Length, valueBias.Length), valueBias);
        return (output.Weight, bias);
    }
}
