using SegmentAnything.Checkpoints;
using SegmentAnything.Graphs;
using SegmentAnything.Kernels;

namespace SegmentAnything.Families.EdgeSam;

/// <summary>How the last stage is brought to the size of the one before.</summary>
internal enum FusionResize
{
    /// <summary>As the PyTorch model does.</summary>
    Bicubic,

    /// <summary>As the ONNX files that were published with it do.</summary>
    Bilinear,
}

/// <summary>
/// Builds EdgeSAM's image encoder from its weights: <c>image</c> (1, 3, S, S), normalised, to <c>embedding</c> (1, C, G, G).
/// </summary>
/// <remarks>
/// Batch normalisation is folded into the convolutions; those of one position are products on rows (<see cref="TokenRows"/>),
/// which are faster, and rounded less. A block that keeps the size adds a 3 x 3 and a 1 x 1 convolution of
/// each channel on its own to what goes in: together they are one 3 x 3 convolution, whose middle takes the other two.
/// Source: EdgeSAM, edge_sam/modeling/rep_vit.py.
/// </remarks>
internal static class RepVitEncoderGraph
{
    /// <summary>The name of the graph, by which an ONNX file that was built here is known.</summary>
    public const string GraphName = "edge_sam_encoder";

    private const float BatchNormEpsilon = 1e-5f;
    private const float ChannelNormEpsilon = 1e-6f;

    /// <param name="weights">Under their official names.</param>
    /// <param name="layout">What they are of.</param>
    /// <param name="options">How the graph stores them.</param>
    /// <param name="form">What the graph is built for.</param>
    /// <param name="fusion">How stages are merged.</param>
    /// <exception cref="CheckpointException">A weight is missing or has an unexpected shape.</exception>
    public static GraphBuilder Build(
        StateDict weights, RepVitLayout layout, WeightOptions? options = null, EncoderForm? form = null, FusionResize fusion = FusionResize.Bicubic)
    {
        GraphBuilder g = new(GraphName, options);
        Convolutions convolutions = new(g, weights, RepVitLayout.Prefix, ("c", "bn"), BatchNormEpsilon);
        TokenRows rows = new(weights, RepVitLayout.Prefix, form ?? EncoderForm.Tiled);
        int size = layout.ImageSize, grid = layout.Grid, channels = layout.OutputChannels;
        Value x = convolutions.Apply(g.Input("image", 1, 3, size, size), "features.0.0", Activation.Gelu, stride: 2);
        x = convolutions.Apply(x, "features.0.2", stride: 2);
        // Between the convolutions that look around, positions are rows: convolutions of one position are products.
        int side = size / 4, fused = layout.LastBlockOf(2);
        x = TokenRows.ToRows(g, x, side, side, layout.Blocks[0].Channels);
        Value earlier = x;
        for (int i = 0; i < layout.Blocks.Length; i++)
        {
            x = Block(g, rows, convolutions, x, $"features.{i + 1}.", layout.Blocks[i], layout.Blocks[Math.Max(0, i - 1)].Channels, side);
            side /= layout.Blocks[i].Stride;
            if (i == fused) earlier = x;
        }

        int deep = layout.Blocks[^1].Channels, shallow = layout.Blocks[fused].Channels;
        Value late = Product("fuse_stage3.op_list.0.weight", x, deep);
        late = TokenRows.ToRows(g, Enlarge(TokenRows.ToPlanes(g, late, grid / 2, grid / 2, channels)), grid, grid, channels);
        x = g.Add(Product("fuse_stage2.weight", earlier, shallow), late);
        return SamNeck.Build(g, rows, x, channels, channels, grid, ChannelNormEpsilon);

        Value Product(string name, Value positions, int inputs) =>
            g.MatMul(positions, TokenRows.Matrix(g, name, rows.Read(name, channels, inputs, 1, 1), channels));

        Value Enlarge(Value small)
        {
            Value absent = new("");
            return fusion == FusionResize.Bicubic
                ? Convolutions.Resize(g, small, channels, grid / 2, grid, BicubicAxis.Matrix(grid / 2, grid))
                : g.Node("Resize", [small, absent, absent, g.Integers(1, channels, grid, grid)], ("mode", "linear"), ("coordinate_transformation_mode", "half_pixel"));
        }
    }

    // Rows of side x side positions to rows.
    private static Value Block(GraphBuilder g, TokenRows rows, Convolutions convolutions, Value x, string name, RepVitBlock block, int inputs, int side)
    {
        string mixer = name + "token_mixer.";
        x = TokenRows.ToPlanes(g, x, side, side, inputs);
        x = block.Stride == 2
            ? convolutions.Apply(x, mixer + "0", OnEachChannel(convolutions.Fold(mixer + "0")), stride: 2)
            : convolutions.Apply(x, mixer + "0", Merged(convolutions, mixer));
        if (block.SqueezeChannels > 0) x = g.Multiply(x, Excitation(g, rows, x, mixer + "1.", inputs, block.SqueezeChannels));
        side /= block.Stride;
        x = TokenRows.ToRows(g, x, side, side, inputs);
        if (block.Stride == 2)
        {
            (float[] weight, float[] bias) = Matrix(mixer + "2");
            x = TokenRows.Linear(g, x, mixer + "2", weight, bias);
        }

        mixer = name + "channel_mixer.m.";
        return rows.Mlp(g, x, (mixer + "0", Matrix(mixer + "0")), (mixer + "2", Matrix(mixer + "2")), side * side, block.Channels, block.Hidden);

        (float[] Weight, float[] Bias) Matrix(string pair) => convolutions.Fold(pair) is { Bias: { } bias } folded
            ? (folded.Weight, bias)
            : throw new CheckpointException($"{rows.Weights.Source}: '{RepVitLayout.Prefix}{pair}' has neither a norm nor a bias.");
    }

    // conv3x3(x) + conv1x1(x) + x
    private static FoldedConvolution Merged(Convolutions convolutions, string mixer)
    {
        FoldedConvolution around = convolutions.Fold(mixer + "0.conv"), middle = convolutions.Fold(mixer + "0.conv1");
        for (int channel = 0; channel < around.Outputs; channel++)
        {
            around.Weight[(channel * 9) + 4] += middle.Weight[channel] + 1;
            around.Bias![channel] += middle.Bias![channel];
        }

        return OnEachChannel(around);
    }

    private static FoldedConvolution OnEachChannel(FoldedConvolution convolution) => convolution with { Groups = convolution.Outputs };

    // One factor for each channel, from the mean of all channels.
    private static Value Excitation(GraphBuilder g, TokenRows rows, Value x, string name, int channels, int inside)
    {
        // Of the rows' means: one long sum in float32 is rounded more, and scales all that follows.
        Value mean = g.Reshape(g.Node("ReduceMean", [g.Node("ReduceMean", [x, g.Integers(3)]), g.Integers(2)]), 1, channels);
        Value narrow = g.Relu(Linear("fc1", inside, channels, mean));
        return g.Reshape(g.Node("Sigmoid", [Linear("fc2", channels, inside, narrow)]), 1, channels, 1, 1);

        Value Linear(string layer, int outputs, int inputs, Value values) => TokenRows.Linear(
            g, values, name + layer, rows.Read($"{name}{layer}.weight", outputs, inputs, 1, 1), rows.Read($"{name}{layer}.bias", outputs));
    }
}
