using System.Numerics.Tensors;
using SegmentAnything.Checkpoints;
using SegmentAnything.Graphs;
using SegmentAnything.Kernels;

namespace SegmentAnything.Families.EfficientSam;

/// <summary>
/// Builds EfficientSAM's image encoder from its weights: <c>image</c> (1, 3, S, S), normalised, to <c>embedding</c>
/// (1, C, G, G).
/// </summary>
/// <remarks>
/// A plain ViT: every block attends to all tokens. In the tiled form, scores are taken in blocks that stay in the cache. Source: EfficientSAM, efficient_sam/efficient_sam_encoder.py.
/// </remarks>
internal sealed class EfficientSamEncoderGraph
{
    /// <summary>The name of the graph, by which an ONNX file that was built here is known.</summary>
    public const string GraphName = "efficient_sam_encoder";

    private const float NormEpsilon = 1e-6f;

    private readonly TokenRows _rows;
    private readonly EfficientSamLayout _layout;
    private readonly EncoderForm _form;
    private readonly GraphBuilder _g;

    private EfficientSamEncoderGraph(StateDict weights, EfficientSamLayout layout, WeightOptions? options, EncoderForm form)
    {
        _layout = layout;
        _form = form;
        _rows = new TokenRows(weights, EfficientSamLayout.Prefix, form);
        _g = new GraphBuilder(GraphName, options);
    }

    private int Tokens => _layout.Grid * _layout.Grid;

    /// <param name="weights">Under their official names.</param>
    /// <param name="layout">What they are of.</param>
    /// <param name="options">How the graph stores them.</param>
    /// <param name="form">What the graph is built for.</param>
    /// <exception cref="CheckpointException">A weight is missing or has an unexpected shape.</exception>
    public static GraphBuilder Build(StateDict weights, EfficientSamLayout layout, WeightOptions? options = null, EncoderForm? form = null)
    {
        EfficientSamEncoderGraph graph = new(weights, layout, options, form ?? EncoderForm.Tiled);
        graph.Build();
        return graph._g;
    }

    private void Build()
    {
        int size = _layout.ImageSize;
        Value x = Patches(_g.Input("image", 1, 3, size, size));
        for (int i = 0; i < _layout.Depth; i++)
        {
            string name = $"blocks.{i}.";
            x = _g.Add(x, Attention(x, name));
            x = _rows.Mlp(_g, x, name + "norm2", name + "mlp.fc1", name + "mlp.fc2", Tokens, _layout.Channels, _layout.HiddenChannels, NormEpsilon);
        }

        SamNeck.Build(_g, _rows, x, _layout.Channels, _layout.OutputChannels, _layout.Grid, NormEpsilon);
    }

    // A convolution whose kernel is its stride is a product on rows of patches.
    private Value Patches(Value image)
    {
        int grid = _layout.Grid, patch = _layout.PatchSize, channels = _layout.Channels, from = _layout.PositionGrid;
        Value rows = _g.Reshape(image, 3, grid, patch, grid, patch);
        rows = _g.Reshape(_g.Transpose(rows, 1, 3, 0, 2, 4), Tokens, 3L * patch * patch);
        Value x = TokenRows.Linear(
            _g, rows, "patch_embed.proj", _rows.Read("patch_embed.proj.weight", channels, 3, patch, patch), _rows.Read("patch_embed.proj.bias", channels));
        // The first row belongs to a token of classification, which is not there.
        float[] positions = _rows.Read("pos_embed", 1, (from * from) + 1, channels);
        return _g.Add(x, _g.Weight("pos_embed", PositionsFor(positions.AsSpan(channels)), Tokens, channels));
    }

    // The table that was trained, at the size of this grid: (grid², channels).
    private float[] PositionsFor(ReadOnlySpan<float> table)
    {
        (int from, int grid, int channels) = (_layout.PositionGrid, _layout.Grid, _layout.Channels);
        if (from == grid) return table.ToArray();
        BicubicAxis axis = new(from, grid);
        float[] result = new float[grid * grid * channels];
        for (int y = 0; y < grid; y++)
        {
            for (int x = 0; x < grid; x++)
            {
                Span<float> row = result.AsSpan(((y * grid) + x) * channels, channels);
                for (int i = BicubicAxis.Taps * y; i < BicubicAxis.Taps * (y + 1); i++)
                {
                    for (int j = BicubicAxis.Taps * x; j < BicubicAxis.Taps * (x + 1); j++)
                    {
                        ReadOnlySpan<float> trained = table.Slice(((axis.Positions[i] * from) + axis.Positions[j]) * channels, channels);
                        TensorPrimitives.MultiplyAdd(trained, axis.Weights[i] * axis.Weights[j], row, row);
                    }
                }
            }
        }

        return result;
    }

    private Value Attention(Value x, string name)
    {
        int channels = _layout.Channels, heads = _layout.Heads, perHead = _layout.HeadChannels;
        // The norm's scale and shift go into the product. The rows of qkv are those of q, then k, then v; q gets its scale at once.
        (float[] weight, float[] bias) = _rows.FoldNorm(name + "norm1", name + "attn.qkv", channels, 3 * channels);
        float scale = 1 / MathF.Sqrt(perHead);
        TensorPrimitives.Multiply(weight.AsSpan(0, channels * channels), scale, weight.AsSpan(0, channels * channels));
        TensorPrimitives.Multiply(bias.AsSpan(0, channels), scale, bias.AsSpan(0, channels));
        TokenRows.Operand normal = _rows.ForProducts(_g, _rows.Normalize(_g, x, Tokens, channels, NormEpsilon));
        Value[] parts = [.. Enumerable.Range(0, 3).Select(i => _rows.Product(
            _g, normal, $"{name}attn.{"qkv"[i]}", weight.AsSpan(i * channels * channels, channels * channels), channels, bias.AsSpan(i * channels, channels)))];
        Value attended = _form.IsTiled ? InBlocks() : _g.Transpose(AtOnce(ByHead(parts[0]), ByHead(parts[1]), ByHead(parts[2])), 1, 0, 2);
        Value merged = _g.Reshape(attended, Tokens, channels);
        return _rows.Product(_g, _rows.ForProducts(_g, merged), name + "attn.proj",
            _rows.Read(name + "attn.proj.weight", channels, channels), channels, _rows.Read(name + "attn.proj.bias", channels));

        Value InBlocks() => _g.MultiHeadAttention(Batch(parts[0]), Batch(parts[1]), Batch(parts[2]), heads, scale: 1);

        Value AtOnce(Value q, Value k, Value v) => _g.MatMul(_g.Softmax(_g.MatMul(q, _g.Transpose(k, 0, 2, 1))), v);

        Value Batch(Value rows) => _g.Reshape(rows, 1, Tokens, channels);

        Value ByHead(Value rows) => _g.Transpose(_g.Reshape(rows, Tokens, heads, perHead), 1, 0, 2);
    }
}
