using System.Numerics.Tensors;
using SegmentAnything.Checkpoints;
using SegmentAnything.Graphs;

namespace SegmentAnything.Families.Sam1;

/// <summary>
/// Builds the ViT image encoder from its weights: <c>image</c> (1, 3, S, S), normalised, to <c>embedding</c> (1, C, G, G).
/// </summary>
/// <remarks>
/// Tokens are rows (P, channels) from the patches to the neck (<see cref="TokenRows"/>). Shapes are static.
/// A score is q·k + relH[q, row of k] + relW[q, column of k]: that is one product of (q, relH, relW) with (k, one-hot row,
/// one-hot column), and no table of windows x tokens x tokens is ever added. Where attention is global, the tiled form takes
/// heads and rows of queries in pieces whose scores stay in the cache.
/// Source: Segment Anything, modeling/image_encoder.py.
/// </remarks>
internal sealed class VitEncoderGraph
{
    /// <summary>The name of the graph, by which an ONNX file that was built here is known.</summary>
    public const string GraphName = "sam_vit_encoder";

    /// <summary>The second output, which HQ-SAM's mask decoder reads.</summary>
    public const string EarlyFeature = "early";

    internal const float NormEpsilon = 1e-6f;

    private readonly TokenRows _rows;
    private readonly VitLayout _layout;
    private readonly GraphBuilder _g;
    private readonly Dictionary<int, Value> _oneHot = [];
    private readonly IProgress<float>? _progress;
    private readonly EncoderForm _form;
    private readonly bool _early;

    private VitEncoderGraph(StateDict weights, WeightOptions options, EncoderForm form, IProgress<float>? progress, bool early)
    {
        _early = early;
        _rows = new TokenRows(weights, VitLayout.Prefix, form);
        _layout = VitLayout.Of(weights);
        _g = new GraphBuilder(GraphName, options);
        _progress = progress;
        _form = form;
    }

    /// <param name="weights">Under their official names.</param>
    /// <param name="options">How the graph stores them.</param>
    /// <param name="form">What the graph is built for.</param>
    /// <param name="progress">Told the share of blocks that are done.</param>
    /// <param name="early">
    /// Gives a second output, <see cref="EarlyFeature"/> (1, channels, G, G): what the first block with global attention makes.
    /// </param>
    /// <param name="cancellationToken">Stops between blocks.</param>
    /// <exception cref="CheckpointException">A weight is missing or has an unexpected shape.</exception>
    public static GraphBuilder Build(
        StateDict weights, WeightOptions? options = null, EncoderForm? form = null, IProgress<float>? progress = null,
        bool early = false, CancellationToken cancellationToken = default)
    {
        var graph = new VitEncoderGraph(weights, options ?? WeightOptions.Default, form ?? EncoderForm.Tiled, progress, early);
        graph.Build(cancellationToken);
        return graph._g;
    }

    private void Build(CancellationToken cancellationToken)
    {
        int size = _layout.ImageSize;
        Value x = Patches(_g.Input("image", 1, 3, size, size));
        int firstGlobal = _early ? _layout.GlobalBlocks.First() : -1;
        Value early = default;
        for (int i = 0; i < _layout.Depth; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            x = Block(x, $"blocks.{i}.", _layout.Windows[i]);
            if (i == firstGlobal) early = x;
            _progress?.Report((i + 1f) / _layout.Depth);
        }

        _g.Output(FeatureMapShape.Embedding, Neck(x), 1, _layout.OutputChannels, _layout.Grid, _layout.Grid);
        if (_early) _g.Output(EarlyFeature, TokenRows.ToPlanes(_g, early, _layout.Grid, _layout.Grid, _layout.Channels), 1, _layout.Channels, _layout.Grid, _layout.Grid);
    }

    // A convolution whose kernel is its stride is a product on rows of patches.
    private Value Patches(Value image)
    {
        int grid = _layout.Grid, patch = _layout.PatchSize, channels = _layout.Channels, inputs = 3 * patch * patch;
        Value rows = _g.Reshape(image, 3, grid, patch, grid, patch);
        rows = _g.Reshape(_g.Transpose(rows, 1, 3, 0, 2, 4), (long)grid * grid, inputs);
        float[] weight = Read("patch_embed.proj.weight", channels, 3, patch, patch);
        Value x = TokenRows.Linear(_g, rows, "patch_embed.proj", weight, Read("patch_embed.proj.bias", channels));
        return _g.Add(x, _g.Weight("pos_embed", Read("pos_embed", 1, grid, grid, channels), grid * grid, channels));
    }

    private Value Block(Value x, string name, int window)
    {
        x = Attention(x, name, window);
        return _rows.Mlp(_g, x, name + "norm2", name + "mlp.lin1", name + "mlp.lin2",
            _layout.Grid * _layout.Grid, _layout.Channels, _layout.HiddenChannels, NormEpsilon);
    }

    private Value Attention(Value x, string name, int window)
    {
        int channels = _layout.Channels, inside = _layout.AttentionChannels, perHead = _layout.HeadChannels;
        // The rows of qkv are those of q, then k, then v; each is (heads, channels of a head). q gets its scale at once.
        float scale = 1 / MathF.Sqrt(perHead);
        float[] weight = Read(name + "attn.qkv.weight", 3 * inside, channels), bias = Read(name + "attn.qkv.bias", 3 * inside);
        (float[] Weight, float[] Bias)[] parts = [.. Enumerable.Range(0, 3).Select(part =>
            (weight.AsSpan(part * inside * channels, inside * channels).ToArray(), bias.AsSpan(part * inside, inside).ToArray()))];
        TensorPrimitives.Multiply(parts[0].Weight, scale, parts[0].Weight);
        TensorPrimitives.Multiply(parts[0].Bias, scale, parts[0].Bias);
        var output = (Read(name + "attn.proj.weight", channels, inside), Read(name + "attn.proj.bias", channels));

        Value rowTable = RelativePositions(name + "attn.rel_pos_h", window, 1 / scale);
        Value columnTable = RelativePositions(name + "attn.rel_pos_w", window, 1 / scale);
        Value oneHot = OneHotPositions(window);
        var sizes = new TokenRows.WindowSizes(_layout.Grid, window, _layout.Heads, perHead, channels);
        // Windows are padded after the norm, so its shift must not reach the padding.
        Value normal = _rows.Norm(_g, x, name + "norm1", _layout.Grid * _layout.Grid, channels, NormEpsilon);
        return _g.Add(x, _rows.WindowAttention(_g, normal, sizes, name + "attn.", (parts[0], parts[1], parts[2]), output, epsilon: null, Attend));

        // q, k, v: (windows, heads, tokens, channels of a head).
        Value Attend(GraphBuilder g, Value q, Value k, Value v, int windows)
        {
            int batch = windows * _layout.Heads, tokens = window * window;
            // As (windows·heads, rows, columns, channels): rows are matrices of a batch for relH, columns for relW.
            Value picture = g.Reshape(q, batch, window, window, perHead);
            Value relativeRows = g.Reshape(g.MatMul(picture, rowTable), batch, tokens, window);
            Value relativeColumns = g.Transpose(g.MatMul(g.Transpose(picture, 0, 2, 1, 3), columnTable), 0, 2, 1, 3);
            q = g.Concat(2, g.Reshape(q, batch, tokens, perHead), relativeRows, g.Reshape(relativeColumns, batch, tokens, window));
            k = g.Reshape(k, batch, tokens, perHead);
            v = g.Reshape(v, batch, tokens, perHead);
            if (_form.IsTiled && windows == 1 && (long)batch * tokens * tokens > _form.ScoresOfPart) return InPieces(q, k, v, oneHot, tokens);
            k = g.Concat(2, k, g.Node("Expand", [oneHot, g.Integers(batch, tokens, 2 * window)]));
            return g.MatMul(g.Softmax(g.MatMul(q, g.Transpose(k, 0, 2, 1))), v);
        }
    }

    // One head and some rows of queries at a time: (heads, tokens, channels of a head).
    private Value InPieces(Value q, Value k, Value v, Value oneHot, int tokens)
    {
        int rows = Math.Clamp(_form.ScoresOfPart / tokens, 1, tokens);
        Value[] merged = new Value[_layout.Heads];
        for (int h = 0; h < merged.Length; h++)
        {
            Value headK = _g.Transpose(_g.Reshape(_g.Concat(2, _g.Slice(k, 0, h, h + 1), oneHot), tokens, -1), 1, 0);
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

        return _g.Concat(0, merged);
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

    /// <summary>For each token of a window, a 1 at its row and a 1 at its column: (1, window², 2·window).</summary>
    private Value OneHotPositions(int window)
    {
        if (_oneHot.TryGetValue(window, out Value value)) return value;
        float[] matrix = new float[window * window * 2 * window];
        for (int token = 0; token < window * window; token++)
        {
            matrix[token * 2 * window + token / window] = 1;
            matrix[token * 2 * window + window + token % window] = 1;
        }

        return _oneHot[window] = _g.Constant($"one_hot_{window}", matrix, 1, window * window, 2 * window);
    }

    private Value Neck(Value x)
    {
        int grid = _layout.Grid, channels = _layout.OutputChannels;
        float[] first = Read("neck.0.weight", channels, _layout.Channels, 1, 1);
        x = _rows.Norm(_g, _g.MatMul(x, TokenRows.Matrix(_g, "neck.0", first, channels)), "neck.1", grid * grid, channels, NormEpsilon);
        Value kernel = _g.Kernel("neck.2.weight", Read("neck.2.weight", channels, channels, 3, 3), channels, channels, 3, 3);
        x = _g.Node("Conv", [TokenRows.ToPlanes(_g, x, grid, grid, channels), kernel], ("pads", new long[] { 1, 1, 1, 1 }));
        x = _rows.Norm(_g, TokenRows.ToRows(_g, x, grid, grid, channels), "neck.3", grid * grid, channels, NormEpsilon);
        return TokenRows.ToPlanes(_g, x, grid, grid, channels);
    }

    private float[] Read(string name, params ReadOnlySpan<int> shape) => _rows.Read(name, shape);
}
