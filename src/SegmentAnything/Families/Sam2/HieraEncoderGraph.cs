using System.Numerics.Tensors;
using SegmentAnything.Checkpoints;
using SegmentAnything.Graphs;

namespace SegmentAnything.Families.Sam2;

/// <summary>
/// Builds SAM 2's image encoder: <c>image</c> (1, 3, S, S), normalised, to <c>embedding</c> (1, C, S/16, S/16) with the
/// no-memory embedding added, and to the decoder's maps <c>high_res_0</c> (1, c0, S/4, S/4) and <c>high_res_1</c>
/// (1, c1, S/8, S/8).
/// </summary>
/// <remarks>
/// <para>
/// Tokens are rows (P, channels) from the patches to the neck (<see cref="TokenRows"/>), window after window of them in the
/// tiled form. Where attention is global, the tiled form takes heads and rows of queries in pieces whose scores stay in the
/// cache, so no tensor of heads x P x P is ever in memory.
/// </para>
/// <para>
/// LayerNorm's scale and shift go into the product after it, except where windows are padded: the padding is zero after the
/// norm. The keys' bias adds the same to all scores of a query and drops out of the softmax; the values' bias passes through
/// it, as weights sum to 1, and joins the bias of the projection. Maxima of queries are taken on the whole grid, since windows
/// that are halved have even sides. The decoder's convolutions of the two large maps have nothing between them and the neck's,
/// and become one product.
/// </para>
/// Source: SAM 2, modeling/backbones/hieradet.py, image_encoder.py, utils.py; modeling/sam2_base.py (forward_image).
/// </remarks>
internal sealed class HieraEncoderGraph
{
    public const string GraphName = "sam2_encoder";
    public const string HighRes0 = "high_res_0";
    public const string HighRes1 = "high_res_1";

    internal const float NormEpsilon = 1e-6f;

    private readonly TokenRows _rows;
    private readonly StateDict _weights;
    private readonly Sam2Layout _layout;
    private readonly GraphBuilder _g;
    private readonly EncoderForm _form;

    private HieraEncoderGraph(StateDict weights, Sam2Layout layout, WeightOptions options, EncoderForm form)
    {
        _rows = new TokenRows(weights, Sam2Names.Trunk, form);
        (_weights, _layout, _form) = (weights, layout, form);
        _g = new GraphBuilder(GraphName, options);
    }

    /// <param name="weights">As <see cref="Sam2Names.View"/> names them.</param>
    /// <param name="layout">Their sizes.</param>
    /// <param name="options">How the graph stores them.</param>
    /// <param name="form">What the graph is built for.</param>
    /// <param name="progress">Told the share of blocks that are done.</param>
    /// <param name="cancellationToken">Stops between blocks.</param>
    public static GraphBuilder Build(
        StateDict weights, Sam2Layout layout, WeightOptions? options = null, EncoderForm? form = null, IProgress<float>? progress = null,
        CancellationToken cancellationToken = default)
    {
        var graph = new HieraEncoderGraph(weights, layout, options ?? WeightOptions.Default, form ?? EncoderForm.Tiled);
        graph.Build(progress, cancellationToken);
        return graph._g;
    }

    /// <summary>The position of every token of the first stage, as rows: (P, E).</summary>
    /// <remarks>The coarse table, resized by a cubic with a = -0.75 and pixel centres at halves, plus the window's table, repeated.</remarks>
    internal static float[] Positions(StateDict weights, Sam2Layout layout)
    {
        (int grid, int coarse, int window, int width) = (layout.ImageSize / 4, layout.PositionGrid, layout.PositionWindow, layout.Spec.EmbedWidth);
        float[] table = weights.Read(Sam2Names.Trunk + "pos_embed", 1, width, coarse, coarse);
        float[] repeated = weights.Read(Sam2Names.Trunk + "pos_embed_window", 1, width, window, window);
        (int[] First, double[] Weights) axis = CubicAxis(coarse, grid);
        float[] rows = new float[grid * grid * width];
        double[] narrow = new double[coarse * grid];
        for (int channel = 0; channel < width; channel++)
        {
            ReadOnlySpan<float> source = table.AsSpan(channel * coarse * coarse, coarse * coarse);
            for (int y = 0; y < coarse; y++)
            {
                for (int x = 0; x < grid; x++)
                {
                    double sum = 0;
                    for (int k = 0; k < 4; k++) sum += axis.Weights[4 * x + k] * source[y * coarse + Math.Clamp(axis.First[x] + k, 0, coarse - 1)];
                    narrow[y * grid + x] = sum;
                }
            }

            for (int y = 0; y < grid; y++)
            {
                for (int x = 0; x < grid; x++)
                {
                    double sum = repeated[(channel * window + y % window) * window + x % window];
                    for (int k = 0; k < 4; k++) sum += axis.Weights[4 * y + k] * narrow[Math.Clamp(axis.First[y] + k, 0, coarse - 1) * grid + x];
                    rows[(y * grid + x) * width + channel] = (float)sum;
                }
            }
        }

        return rows;
    }

    // For each output position the first of its four source positions, which may lie outside, and their weights.
    private static (int[] First, double[] Weights) CubicAxis(int source, int length)
    {
        const double a = -0.75;
        int[] first = new int[length];
        double[] weights = new double[4 * length];
        for (int i = 0; i < length; i++)
        {
            double position = (i + 0.5) * source / length - 0.5, floor = Math.Floor(position), t = position - floor;
            first[i] = (int)floor - 1;
            for (int k = 0; k < 4; k++)
            {
                double distance = Math.Abs(k - 1 - t);
                weights[4 * i + k] = distance <= 1
                    ? ((a + 2) * distance - (a + 3)) * distance * distance + 1
                    : ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a;
            }
        }

        return (first, weights);
    }

    private void Build(IProgress<float>? progress, CancellationToken cancellationToken)
    {
        int size = _layout.ImageSize, width = _layout.Spec.EmbedWidth;
        Value x = Patches(_g.Input("image", 1, 3, size, size)), stage3 = default;
        foreach (HieraBlock block in _layout.Blocks)
        {
            cancellationToken.ThrowIfCancellationRequested();
            x = Attention(x, block);
            x = _rows.Mlp(_g, x, block.Name + "norm2", block.Name + "mlp.layers.0", block.Name + "mlp.layers.1",
                block.Grid * block.Grid, block.Channels, _layout.MlpRatio * block.Channels, NormEpsilon);
            progress?.Report((block.Index + 1f) / _layout.Blocks.Length);
            if (!block.EndsStage) continue;
            if (block.Stage == 0) HighRes(x, HighRes0, 3, "mask_decoder.conv_s0", width, _layout.HighRes0, block.Grid);
            else if (block.Stage == 1) HighRes(x, HighRes1, 2, "mask_decoder.conv_s1", 2 * width, _layout.HighRes1, block.Grid);
            else if (block.Stage == 2) stage3 = x;
        }

        Embedding(stage3, x);
    }

    private Value Patches(Value image)
    {
        int grid = _layout.ImageSize / 4, width = _layout.Spec.EmbedWidth;
        Value kernel = _g.Kernel("patch_embed.weight", Read("patch_embed.proj.weight", width, 3, 7, 7), width, 3, 7, 7);
        Value bias = _g.Constant("patch_embed.bias", Read("patch_embed.proj.bias", width), width);
        Value planes = _g.Node("Conv", [image, kernel, bias], ("kernel_shape", new long[] { 7, 7 }), ("strides", new long[] { 4, 4 }), ("pads", new long[] { 3, 3, 3, 3 }));
        return _g.Add(TokenRows.ToRows(_g, planes, grid, grid, width), _g.Weight("positions", Positions(_weights, _layout), grid * grid, width));
    }

    private Value Attention(Value x, HieraBlock block)
    {
        string name = block.Name + "attn.";
        int grid = block.InputGrid, inputs = block.InputChannels, channels = block.Channels, perHead = channels / block.Heads;
        int step = block.Step, window = block.Window, across = block.WindowsAcross;
        bool padded = block.IsPadded;

        // The rows of qkv are those of q, then k, then v; each is (heads, channels of a head). q gets its scale at once.
        (float[] weight, float[] bias) = Linear(name + "qkv", 3 * channels);
        (float[] Weight, float[] Bias)[] parts = [.. Enumerable.Range(0, 3).Select(part =>
            (weight.AsSpan(part * channels * inputs, channels * inputs).ToArray(), bias.AsSpan(part * channels, channels).ToArray()))];
        float scale = 1 / MathF.Sqrt(perHead);
        TensorPrimitives.Multiply(parts[0].Weight, scale, parts[0].Weight);
        TensorPrimitives.Multiply(parts[0].Bias, scale, parts[0].Bias);
        float[] output = Read(name + "proj.weight", channels, channels), outputBias = Read(name + "proj.bias", channels);
        for (int o = 0; o < channels; o++) outputBias[o] += TensorPrimitives.Dot(output.AsSpan(o * channels, channels), parts[2].Bias);
        (float[] Weight, float[] Bias) shortcut = block.Pools ? Linear(block.Name + "proj", channels) : default;

        Value rows = padded ? _rows.Norm(_g, x, block.Name + "norm1", grid * grid, inputs, NormEpsilon) : x;
        if (padded)
        {
            rows = _g.Node("Pad", [_g.Reshape(rows, grid, (long)grid * inputs), _g.Integers(0, 0, block.PaddedGrid - grid, 0)], ("mode", "constant"));
            rows = _g.Reshape(rows, (long)block.PaddedGrid * grid, inputs);
        }

        Value result;
        if (_rows.Tiled && across > 1)
        {
            // One part is a row of windows.
            int taken = window * grid, given = taken / (step * step);
            result = _g.ForEachPart(_g.Reshape(rows, across, taken, inputs), [taken, inputs], [given, channels], (g, part) => Body(g, part, 1));
        }
        else
        {
            result = Body(_g, rows, across);
        }

        if (padded) result = _g.Slice(_g.Reshape(result, block.PaddedGrid / step, (long)block.Grid * channels), 0, 0, block.Grid);
        result = _g.Reshape(result, (long)block.Grid * block.Grid, channels);
        return padded && !block.Pools ? _g.Add(x, result) : result;

        (float[] Weight, float[] Bias) Linear(string linear, int outputs) => padded
            ? (Read(linear + ".weight", outputs, inputs), Read(linear + ".bias", outputs))
            : _rows.FoldNorm(block.Name + "norm1", linear, inputs, outputs);

        // Rows of some rows of windows to the same of the result; with the shortcut, unless that needs what is not padded.
        Value Body(GraphBuilder g, Value part, int windowRows)
        {
            int height = windowRows * window;
            TokenRows.Operand normal = _rows.ForProducts(g, padded ? part : _rows.Normalize(g, part, height * grid, inputs, NormEpsilon));
            Value q = Pool(g, _rows.Product(g, normal, name + "q", parts[0].Weight, channels, parts[0].Bias), height);
            Value k = _rows.Product(g, normal, name + "k", parts[1].Weight, channels);
            Value v = _rows.Product(g, normal, name + "v", parts[2].Weight, channels);
            Value attended = Attend(g, block, ToWindows(g, q, windowRows, step), ToWindows(g, k, windowRows, 1), ToWindows(g, v, windowRows, 1), windowRows * across);
            Value merged = _rows.Product(g, _rows.ForProducts(g, FromWindows(g, attended, windowRows)), name + "proj", output, channels, outputBias);
            if (block.Pools) return g.Add(Pool(g, _rows.Product(g, normal, block.Name + "proj", shortcut.Weight, channels, shortcut.Bias), height), merged);
            return padded ? merged : g.Add(part, merged);
        }

        // The larger of each two by two tokens of (height · grid, channels).
        Value Pool(GraphBuilder g, Value tokens, int height)
        {
            if (!block.Pools) return tokens;
            Value half = g.Node("ReduceMax", [g.Reshape(tokens, height / 2, 2, (long)grid * channels), g.Integers(1)], ("keepdims", 0L));
            return g.Node("ReduceMax", [g.Reshape(half, (long)height * grid / 4, 2, channels), g.Integers(1)], ("keepdims", 0L));
        }

        // Rows of whole rows of windows, all sides divided by "by", to (windows, heads, tokens, channels of a head); columns are
        // padded with zeros.
        Value ToWindows(GraphBuilder g, Value tokens, int windowRows, int by)
        {
            int side = window / by;
            if (padded)
            {
                tokens = g.Reshape(tokens, (long)windowRows * side, (long)(grid / by) * channels);
                tokens = g.Node("Pad", [tokens, g.Integers(0, 0, 0, (long)(block.PaddedGrid - grid) / by * channels)], ("mode", "constant"));
            }

            tokens = g.Transpose(g.Reshape(tokens, windowRows, side, across, side, block.Heads, perHead), 0, 2, 4, 1, 3, 5);
            return g.Reshape(tokens, (long)windowRows * across, block.Heads, (long)side * side, perHead);
        }

        // The way back, without the padding of the columns.
        Value FromWindows(GraphBuilder g, Value windows, int windowRows)
        {
            int side = window / step;
            Value tokens = g.Transpose(g.Reshape(windows, windowRows, across, block.Heads, side, side, perHead), 0, 3, 1, 4, 2, 5);
            if (padded)
                tokens = g.Slice(g.Reshape(tokens, (long)windowRows * side, (long)block.PaddedGrid / step * channels), 1, 0, (long)block.Grid * channels);
            return g.Reshape(tokens, (long)windowRows * side * block.Grid, channels);
        }
    }

    // softmax(q·kᵀ)·v of (windows, heads, tokens, channels of a head).
    private Value Attend(GraphBuilder g, HieraBlock block, Value q, Value k, Value v, int windows)
    {
        int perHead = block.Channels / block.Heads, keys = block.Window * block.Window, queries = keys / (block.Step * block.Step);
        if (!_form.IsTiled || windows > 1 || (long)block.Heads * queries * keys <= _form.ScoresOfPart)
            return g.MatMul(g.Softmax(g.MatMul(q, g.Transpose(k, 0, 1, 3, 2))), v);

        int rows = Math.Clamp(_form.ScoresOfPart / keys, 1, queries);
        Value[] heads = new Value[block.Heads];
        for (int h = 0; h < heads.Length; h++)
        {
            Value headK = g.Transpose(Head(k, keys), 1, 0), headV = Head(v, keys), headQ = Head(q, queries);
            List<Value> pieces = [];
            for (int row = 0; row < queries; row += rows)
                pieces.Add(g.MatMul(g.Softmax(g.MatMul(g.Slice(headQ, 0, row, Math.Min(queries, row + rows)), headK)), headV));
            heads[h] = g.Concat(0, [.. pieces]);

            Value Head(Value x, int tokens) => g.Reshape(g.Slice(x, 1, h, h + 1), tokens, perHead);
        }

        return g.Concat(0, heads);
    }

    /// <summary>conv(neck(x)), both 1x1, as one product: outputs x inputs, and its bias.</summary>
    internal static (float[] Weight, float[] Bias) MergeWithNeck(StateDict weights, Sam2Layout layout, int level, string conv, int inputs, int outputs)
    {
        int channels = layout.Channels;
        float[] inner = weights.Read($"{Sam2Names.Neck}{level}.conv.weight", channels, inputs, 1, 1), innerBias = weights.Read($"{Sam2Names.Neck}{level}.conv.bias", channels);
        float[] outer = weights.Read(conv + ".weight", outputs, channels, 1, 1), bias = weights.Read(conv + ".bias", outputs);
        float[] weight = new float[outputs * inputs];
        double[] row = new double[inputs];
        for (int o = 0; o < outputs; o++)
        {
            Array.Clear(row);
            double shift = bias[o];
            for (int c = 0; c < channels; c++)
            {
                double factor = outer[o * channels + c];
                shift += factor * innerBias[c];
                for (int i = 0; i < inputs; i++) row[i] += factor * inner[c * inputs + i];
            }

            bias[o] = (float)shift;
            for (int i = 0; i < inputs; i++) weight[o * inputs + i] = (float)row[i];
        }

        return (weight, bias);
    }

    private void HighRes(Value x, string name, int level, string conv, int inputs, int outputs, int grid)
    {
        (float[] weight, float[] bias) = MergeWithNeck(_weights, _layout, level, conv, inputs, outputs);
        Value map = _rows.Product(_g, _rows.ForProducts(_g, x), name, weight, outputs, bias);
        _g.Output(name, TokenRows.ToPlanes(_g, map, grid, grid, outputs), 1, outputs, grid, grid);
    }

    // The sixteenth, plus the thirty-second enlarged to the nearest, plus the no-memory embedding.
    private void Embedding(Value stage3, Value stage4)
    {
        int grid = _layout.Grid, half = grid / 2, channels = _layout.Channels, width = _layout.Spec.EmbedWidth;
        float[] bias = _weights.Read(Sam2Names.Neck + "1.conv.bias", channels);
        TensorPrimitives.Add(bias, _weights.Read(Sam2Names.NoMemory, 1, 1, channels), bias);
        Value coarse = Neck(stage4, 0, 8 * width, _weights.Read(Sam2Names.Neck + "0.conv.bias", channels));
        coarse = _g.Node("Expand", [_g.Reshape(coarse, half, 1, half, 1, channels), _g.Integers(half, 2, half, 2, channels)]);
        Value x = _g.Add(Neck(stage3, 1, 4 * width, bias), _g.Reshape(coarse, (long)grid * grid, channels));
        _g.Output("embedding", TokenRows.ToPlanes(_g, x, grid, grid, channels), 1, channels, grid, grid);

        Value Neck(Value x, int level, int inputs, float[] shift) => _rows.Product(
            _g, _rows.ForProducts(_g, x), $"neck.{level}", _weights.Read($"{Sam2Names.Neck}{level}.conv.weight", channels, inputs, 1, 1), channels, shift);
    }

    private float[] Read(string name, params ReadOnlySpan<int> shape) => _rows.Read(name, shape);
}
