using System.Numerics.Tensors;
using SegmentAnything.Checkpoints;

namespace SegmentAnything.Graphs;

/// <summary>
/// Builds the ViT image encoder from its weights: <c>image</c> (1, 3, S, S), normalised, to <c>embedding</c> (1, C, G, G).
/// </summary>
/// <remarks>
/// Tokens are rows (P, channels) from the patches to the neck, so that every product is one Gemm. Shapes are static.
/// What the algebra of attention allows is used:
/// <list type="bullet">
/// <item>The keys' bias adds the same to all scores of a query and drops out of the softmax; the values' bias passes
/// through it, as weights sum to 1, and joins the bias of the projection. So padding of windows is plain zeros.</item>
/// <item>A score is q·k + relH[q, row of k] + relW[q, column of k]: that is one product of (q, relH, relW) with
/// (k, one-hot row, one-hot column), and no table of windows x tokens x tokens is ever added.</item>
/// <item>Where attention is global, heads and rows of queries are taken in pieces whose scores stay in the cache.</item>
/// </list>
/// Source: Segment Anything, modeling/image_encoder.py.
/// </remarks>
internal sealed class VitEncoderGraph
{
    private const float NormEpsilon = 1e-6f;

    /// <summary>Scores of one piece of global attention: 2 M values, 8 MB.</summary>
    public const int ScoresInCache = 1 << 21;

    private readonly StateDict _weights;
    private readonly VitLayout _layout;
    private readonly GraphBuilder _g;
    private readonly Dictionary<int, Value> _oneHot = [];
    private readonly IProgress<float>? _progress;
    private readonly int _scoresInCache;

    private VitEncoderGraph(StateDict weights, WeightOptions options, IProgress<float>? progress, int scoresInCache)
    {
        _weights = weights;
        _layout = VitLayout.Of(weights);
        _g = new GraphBuilder("sam_vit_encoder", options);
        _progress = progress;
        _scoresInCache = scoresInCache;
    }

    /// <param name="weights">Under their official names.</param>
    /// <param name="options">How the graph stores them.</param>
    /// <param name="progress">Told the share of blocks that are done.</param>
    /// <param name="scoresInCache">How many scores of global attention are computed at a time.</param>
    /// <param name="cancellationToken">Stops between blocks.</param>
    /// <exception cref="CheckpointException">A weight is missing or has an unexpected shape.</exception>
    public static GraphBuilder Build(
        StateDict weights, WeightOptions? options = null, IProgress<float>? progress = null,
        int scoresInCache = ScoresInCache, CancellationToken cancellationToken = default)
    {
        var graph = new VitEncoderGraph(weights, options ?? WeightOptions.Default, progress, scoresInCache);
        graph.Build(cancellationToken);
        return graph._g;
    }

    private void Build(CancellationToken cancellationToken)
    {
        int size = _layout.ImageSize;
        Value x = Patches(_g.Input("image", 1, 3, size, size));
        for (int i = 0; i < _layout.Depth; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            x = Block(x, $"blocks.{i}.", _layout.Windows[i]);
            _progress?.Report((i + 1f) / _layout.Depth);
        }

        _g.Output("embedding", Neck(x), 1, _layout.OutputChannels, _layout.Grid, _layout.Grid);
    }

    // A convolution whose kernel is its stride is a product on rows of patches.
    private Value Patches(Value image)
    {
        int grid = _layout.Grid, patch = _layout.PatchSize, channels = _layout.Channels, inputs = 3 * patch * patch;
        Value rows = _g.Reshape(image, 3, grid, patch, grid, patch);
        rows = _g.Reshape(_g.Transpose(rows, 1, 3, 0, 2, 4), (long)grid * grid, inputs);
        float[] weight = Read("patch_embed.proj.weight", channels, 3, patch, patch);
        Value x = _g.Gemm(rows, Matrix("patch_embed.proj", weight, channels, inputs), Vector("patch_embed.proj.bias", channels));
        return _g.Add(x, _g.Weight("pos_embed", Read("pos_embed", 1, grid, grid, channels), grid * grid, channels));
    }

    private Value Block(Value x, string name, int window)
    {
        x = _g.Add(x, Attention(Norm(x, name + "norm1", _layout.Channels), name + "attn.", window));
        Value hidden = _g.Gelu(Linear(Norm(x, name + "norm2", _layout.Channels), name + "mlp.lin1", _layout.Channels, _layout.HiddenChannels));
        return _g.Add(x, Linear(hidden, name + "mlp.lin2", _layout.HiddenChannels, _layout.Channels));
    }

    private Value Attention(Value x, string name, int window)
    {
        int channels = _layout.Channels, heads = _layout.Heads, perHead = _layout.HeadChannels;
        int across = (_layout.Grid + window - 1) / window;
        int batch = across * across * heads, tokens = window * window;

        // The rows of qkv are those of q, then k, then v; each is (heads, channels of a head). q gets its scale at once.
        float scale = 1 / MathF.Sqrt(perHead);
        float[] weight = Read(name + "qkv.weight", 3 * channels, channels);
        float[] bias = Read(name + "qkv.bias", 3 * channels);
        float[] queryWeight = [.. weight.AsSpan(0, channels * channels)];
        float[] queryBias = [.. bias.AsSpan(0, channels)];
        TensorPrimitives.Multiply(queryWeight, scale, queryWeight);
        TensorPrimitives.Multiply(queryBias, scale, queryBias);

        Value q = _g.Gemm(x, Matrix(name + "q", queryWeight, channels, channels), _g.Constant(name + "q.bias", queryBias, channels));
        Value k = _g.MatMul(x, Matrix(name + "k", weight.AsSpan(channels * channels, channels * channels), channels, channels));
        Value v = _g.MatMul(x, Matrix(name + "v", weight.AsSpan(2 * channels * channels), channels, channels));
        q = ToWindows(q, window);
        k = _g.Reshape(ToWindows(k, window), batch, tokens, perHead);
        v = _g.Reshape(ToWindows(v, window), batch, tokens, perHead);

        // q is (windows·heads, rows, columns, channels): rows are matrices of a batch for relH, columns for relW.
        Value rowTable = RelativePositions(name + "rel_pos_h", window, 1 / scale);
        Value columnTable = RelativePositions(name + "rel_pos_w", window, 1 / scale);
        Value relativeRows = _g.Reshape(_g.MatMul(q, rowTable), batch, tokens, window);
        Value relativeColumns = _g.Transpose(_g.MatMul(_g.Transpose(q, 0, 2, 1, 3), columnTable), 0, 2, 1, 3);
        q = _g.Concat(2, _g.Reshape(q, batch, tokens, perHead), relativeRows, _g.Reshape(relativeColumns, batch, tokens, window));
        k = _g.Concat(2, k, OneHotPositions(window, batch));

        Value merged = (long)batch * tokens * tokens <= _scoresInCache || across > 1
            ? FromWindows(_g.MatMul(Weights(q, k), v), window)
            : InPieces(q, k, v, tokens);

        // What the values' bias becomes behind the projection.
        float[] projection = Read(name + "proj.weight", channels, channels);
        float[] projectionBias = Read(name + "proj.bias", channels);
        for (int o = 0; o < channels; o++)
            projectionBias[o] += TensorPrimitives.Dot(projection.AsSpan(o * channels, channels), bias.AsSpan(2 * channels));
        return _g.Gemm(merged, Matrix(name + "proj", projection, channels, channels), _g.Constant(name + "proj.bias", projectionBias, channels));
    }

    private Value Weights(Value q, Value k) => _g.Softmax(_g.MatMul(q, _g.Transpose(k, 0, 2, 1)));

    // One head and some rows of queries at a time: (P, C).
    private Value InPieces(Value q, Value k, Value v, int tokens)
    {
        int rows = Math.Clamp(_scoresInCache / tokens, 1, tokens);
        Value[] merged = new Value[_layout.Heads];
        for (int h = 0; h < merged.Length; h++)
        {
            Value headK = _g.Transpose(_g.Reshape(_g.Slice(k, 0, h, h + 1), tokens, -1), 1, 0);
            Value headV = _g.Reshape(_g.Slice(v, 0, h, h + 1), tokens, -1);
            Value headQ = _g.Reshape(_g.Slice(q, 0, h, h + 1), tokens, -1);
            List<Value> pieces = [];
            for (int row = 0; row < tokens; row += rows)
            {
                Value piece = _g.Slice(headQ, 0, row, Math.Min(tokens, row + rows));
                pieces.Add(_g.MatMul(_g.Softmax(_g.MatMul(piece, headK)), headV));
            }

            merged[h] = pieces.Count == 1 ? pieces[0] : _g.Concat(0, [.. pieces]);
        }

        return _g.Concat(1, merged);
    }

    /// <summary>Rows (P, C) to (windows·heads, window, window, channels of a head), padded with zeros.</summary>
    private Value ToWindows(Value x, int window)
    {
        int grid = _layout.Grid, heads = _layout.Heads, perHead = _layout.HeadChannels;
        int across = (grid + window - 1) / window, padding = across * window - grid;
        if (padding > 0)
            x = _g.Node("Pad", [_g.Reshape(x, grid, grid, _layout.Channels), _g.Integers(0, 0, 0, padding, padding, 0)], ("mode", "constant"));
        x = _g.Transpose(_g.Reshape(x, across, window, across, window, heads, perHead), 0, 2, 4, 1, 3, 5);
        return _g.Reshape(x, (long)across * across * heads, window, window, perHead);
    }

    /// <summary>The way back, without the padding.</summary>
    private Value FromWindows(Value x, int window)
    {
        int grid = _layout.Grid, across = (grid + window - 1) / window;
        x = _g.Reshape(x, across, across, _layout.Heads, window, window, _layout.HeadChannels);
        x = _g.Transpose(x, 0, 3, 1, 4, 2, 5);
        if (across * window > grid)
        {
            x = _g.Reshape(x, (long)across * window, (long)across * window, _layout.Channels);
            x = _g.Slice(_g.Slice(x, 0, 0, grid), 1, 0, grid);
        }

        return _g.Reshape(x, (long)grid * grid, _layout.Channels);
    }

    /// <summary>
    /// The table of relative positions as matrices (position of the query, channel, position of the key):
    /// entry [i, c, j] = table[i - j + n - 1, c], here for queries that were scaled before.
    /// </summary>
    private Value RelativePositions(string name, int window, float factor)
    {
        int channels = _layout.HeadChannels;
        float[] table = Read(name, 2 * window - 1, channels);
        float[] matrices = new float[window * channels * window];
        for (int i = 0; i < window; i++)
        {
            for (int c = 0; c < channels; c++)
            {
                for (int j = 0; j < window; j++) matrices[(i * channels + c) * window + j] = factor * table[(i - j + window - 1) * channels + c];
            }
        }

        return _g.Weight(name, matrices, window, channels, window);
    }

    /// <summary>For each token of a window, a 1 at its row and a 1 at its column: (batch, window², 2·window).</summary>
    private Value OneHotPositions(int window, int batch)
    {
        if (_oneHot.TryGetValue(window, out Value value)) return value;
        float[] matrix = new float[window * window * 2 * window];
        for (int token = 0; token < window * window; token++)
        {
            matrix[token * 2 * window + token / window] = 1;
            matrix[token * 2 * window + window + token % window] = 1;
        }

        Value constant = _g.Constant($"one_hot_{window}", matrix, 1, window * window, 2 * window);
        return _oneHot[window] = _g.Node("Expand", [constant, _g.Integers(batch, window * window, 2 * window)]);
    }

    private Value Neck(Value x)
    {
        int grid = _layout.Grid, channels = _layout.OutputChannels;
        float[] first = Read("neck.0.weight", channels, _layout.Channels, 1, 1);
        x = Norm(_g.MatMul(x, Matrix("neck.0", first, channels, _layout.Channels)), "neck.1", channels);
        x = _g.Reshape(_g.Transpose(x, 1, 0), 1, channels, grid, grid);
        Value kernel = _g.Weight("neck.2.weight", Read("neck.2.weight", channels, channels, 3, 3), channels, channels, 3, 3);
        x = _g.Node("Conv", [x, kernel], ("pads", new long[] { 1, 1, 1, 1 }));
        x = Norm(_g.Transpose(_g.Reshape(x, channels, (long)grid * grid), 1, 0), "neck.3", channels);
        return _g.Reshape(_g.Transpose(x, 1, 0), 1, channels, grid, grid);
    }

    private Value Norm(Value x, string name, int channels) =>
        _g.LayerNorm(x, Vector(name + ".weight", channels), Vector(name + ".bias", channels), NormEpsilon);

    private Value Linear(Value x, string name, int inputs, int outputs) =>
        _g.Gemm(x, Matrix(name, Read(name + ".weight", outputs, inputs), outputs, inputs), Vector(name + ".bias", outputs));

    private Value Vector(string name, int length) => _g.Constant(name, Read(name, length), length);

    private Value Matrix(string name, ReadOnlySpan<float> weight, int outputs, int inputs) =>
        _g.Weight(name + ".weight", Matrices.Transpose(weight, outputs, inputs), inputs, outputs);

    private float[] Read(string name, params ReadOnlySpan<int> shape) => _weights.Read(VitLayout.Prefix + name, shape);
}
