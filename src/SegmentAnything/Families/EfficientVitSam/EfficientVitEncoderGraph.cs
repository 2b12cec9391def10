using SegmentAnything.Checkpoints;
using SegmentAnything.Graphs;
using SegmentAnything.Kernels;

namespace SegmentAnything.Families.EfficientVitSam;

/// <summary>
/// Builds EfficientViT-SAM's image encoder from its weights: <c>image</c> (1, 3, E, E), normalised, to <c>embedding</c>
/// (1, C, G, G), where E is the encoder's side.
/// </summary>
/// <remarks>
/// Batch normalisation is folded into the convolutions. All is convolutions on channel planes, but for the attention, which
/// is linear: (relu(q)·relu(k)ᵀ)·v is taken as relu(q)·(relu(k)ᵀ·v), so that no table of positions x positions exists. A
/// one beside each v gives the sum of a row in the same product.
/// Source: EfficientViT, efficientvit/models/efficientvit/sam.py, backbone.py, models/nn/ops.py.
/// </remarks>
internal sealed class EfficientVitEncoderGraph
{
    /// <summary>The name of the graph, by which an ONNX file that was built here is known.</summary>
    public const string GraphName = "efficientvit_sam_encoder";

    /// <summary>Of every norm; the decoder's as well.</summary>
    public const float NormEpsilon = 1e-6f;

    /// <summary>Added to the sum of a row of attention before the division.</summary>
    private const float AttentionEpsilon = 1e-15f;

    private readonly StateDict _weights;
    private readonly EfficientVitLayout _layout;
    private readonly Convolutions _convolutions;
    private readonly TokenRows _rows;
    private readonly GraphBuilder _g;

    private EfficientVitEncoderGraph(StateDict weights, EfficientVitLayout layout, WeightOptions? options, EncoderForm form)
    {
        _weights = weights;
        _layout = layout;
        _g = new GraphBuilder(GraphName, options);
        _convolutions = new Convolutions(_g, weights, EfficientVitLayout.Prefix, ("conv", "norm"), NormEpsilon);
        _rows = new TokenRows(weights, EfficientVitLayout.Prefix, form);
    }

    /// <param name="weights">Under their official names.</param>
    /// <param name="layout">What they are of.</param>
    /// <param name="options">How the graph stores them.</param>
    /// <param name="form">What the graph is built for.</param>
    /// <exception cref="CheckpointException">A weight is missing or has an unexpected shape.</exception>
    public static GraphBuilder Build(StateDict weights, EfficientVitLayout layout, WeightOptions? options = null, EncoderForm? form = null)
    {
        EfficientVitEncoderGraph graph = new(weights, layout, options, form ?? EncoderForm.Tiled);
        graph.Build();
        return graph._g;
    }

    private void Build()
    {
        int side = _layout.ImageSize;
        Value x = _convolutions.Apply(_g.Input("image", 1, 3, side, side), "backbone.stages.0.op_list.0", Activation.TanhGelu, stride: 2);
        side /= 2;
        List<Value> stages = [];
        for (int s = 0; s < _layout.Stages.Length; s++)
        {
            EfficientVitStage stage = _layout.Stages[s];
            for (int b = 0; b < stage.Blocks.Length; b++)
            {
                bool shrinks = s > 0 && b == 0;
                if (shrinks) side /= 2;
                string name = $"backbone.stages.{s}.op_list.{(s == 0 ? b + 1 : b)}.";
                x = Block(x, name, stage.Blocks[b], shrinks ? 2 : 1, stage.Channels, side);
            }

            stages.Add(x);
        }

        Neck(stages);
    }

    private Value Block(Value x, string name, EfficientVitBlock block, int stride, int channels, int side)
    {
        if (block.Kind == EfficientVitBlockKind.Attention)
        {
            x = _g.Add(x, Attention(x, name + "context_module.main.", block, channels, side));
            return _g.Add(x, Inverted(x, name + "local_module.main.", block.Hidden, 1));
        }

        name += "main.";
        Value result = block.Kind switch
        {
            EfficientVitBlockKind.Residual => _convolutions.Apply(_convolutions.Apply(x, name + "conv1", Activation.TanhGelu), name + "conv2"),
            EfficientVitBlockKind.Fused => Fused(x, name, stride),
            _ => Inverted(x, name, block.Hidden, stride),
        };
        return stride == 1 ? _g.Add(x, result) : result;
    }

    private Value Fused(Value x, string name, int stride) =>
        _convolutions.Apply(_convolutions.Apply(x, name + "spatial_conv", Activation.TanhGelu, stride), name + "point_conv");

    private Value Inverted(Value x, string name, int hidden, int stride)
    {
        x = _convolutions.Apply(x, name + "inverted_conv", Activation.TanhGelu);
        x = _convolutions.Apply(x, name + "depth_conv", _convolutions.Fold(name + "depth_conv") with { Groups = hidden }, Activation.TanhGelu, stride);
        return _convolutions.Apply(x, name + "point_conv");
    }

    private Value Attention(Value x, string name, EfficientVitBlock block, int channels, int side)
    {
        int perHead = block.HeadChannels, heads = 2 * channels / perHead;
        long positions = (long)side * side;
        Value qkv = _convolutions.Apply(x, name + "qkv");
        // The same gathered from neighbours, in heads of their own. These two convolutions have no norm and no name of one.
        Value gathered = Plain(qkv, name + "aggreg.0.0.weight", 3 * channels, 1, block.Kernel, 3 * channels);
        gathered = Plain(gathered, name + "aggreg.0.1.weight", 3 * channels, perHead, 1, 3 * channels / perHead);
        Value all = _g.Reshape(_g.Concat(1, qkv, gathered), heads, 3 * perHead, positions);
        Value q = _g.Relu(_g.Slice(all, 1, 0, perHead)), k = _g.Relu(_g.Slice(all, 1, perHead, 2 * perHead));
        Value v = _g.Slice(all, 1, 2 * perHead, 3 * perHead);
        // (d + 1) x d, the sum of the keys in the last row; then (d + 1) x positions, with the sum of each position's row.
        Value sums = _g.Node("ReduceSum", [k, _g.Integers(2)], ("keepdims", 1L));
        Value product = _g.Concat(1, _g.MatMul(v, _g.Transpose(k, 0, 2, 1)), _g.Transpose(sums, 0, 2, 1));
        Value result = _g.MatMul(product, q);
        Value divisor = _g.Add(_g.Slice(result, 1, perHead, perHead + 1), _g.Scalar(AttentionEpsilon));
        result = _g.Node("Div", [_g.Slice(result, 1, 0, perHead), divisor]);
        return _convolutions.Apply(_g.Reshape(result, 1, 2L * channels, side, side), name + "proj");
    }

    private Value Plain(Value x, string name, int outputs, int inputs, int kernel, int groups) => _convolutions.Apply(
        x, name, new FoldedConvolution(_weights.Read(EfficientVitLayout.Prefix + name, outputs, inputs, kernel, kernel), null, outputs, inputs, kernel) { Groups = groups });

    private void Neck(List<Value> stages)
    {
        int grid = _layout.Grid, channels = _layout.NeckChannels, outputs = _layout.OutputChannels;
        Value x = default;
        for (int i = 0; i < EfficientVitLayout.MergedStages; i++)
        {
            Value part = _convolutions.Apply(stages[^(i + 1)], $"neck.input_ops.{i}.op_list.0");
            // The last one has the embedding's size.
            if (i < EfficientVitLayout.MergedStages - 1)
            {
                int side = grid >> (EfficientVitLayout.MergedStages - 1 - i);
                part = Convolutions.Resize(_g, part, channels, side, grid, BicubicAxis.Matrix(side, grid));
            }

            x = i == 0 ? part : _g.Add(x, part);
        }

        for (int i = 0; i < _layout.NeckDepth; i++) x = _g.Add(x, Fused(x, $"neck.middle.op_list.{i}.main.", 1));
        x = TokenRows.ToRows(_g, _convolutions.Apply(x, "neck.output_ops.0.op_list.0"), grid, grid, outputs);
        x = _rows.Norm(_g, x, "norm", grid * grid, outputs, NormEpsilon);
        _g.Output("embedding", TokenRows.ToPlanes(_g, x, grid, grid, outputs), 1, outputs, grid, grid);
    }
}
