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
/// Batch normalisation is folded into the convolutions. A block that keeps the size adds a 3 x 3 and a 1 x 1 convolution of
/// each channel on its own to what goes in: together they are one 3 x 3 convolution, whose middle takes the other two.
/// Source: EdgeSAM, edge_sam/modeling/rep_vit.py.
/// </remarks>
internal static class RepVitEncoderGraph
{
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
        GraphBuilder g = new("edge_sam_encoder", options);
        Convolutions convolutions = new(g, weights, RepVitLayout.Prefix, ("c", "bn"), BatchNormEpsilon);
        TokenRows rows = new(weights, RepVitLayout.Prefix, form ?? EncoderForm.Tiled);
        int size = layout.ImageSize, grid = layout.Grid, channels = layout.OutputChannels;
        Value x = convolutions.Apply(g.Input("image", 1, 3, size, size), "features.0.0", Activation.Gelu, stride: 2);
        x = convolutions.Apply(x, "features.0.2", stride: 2);
        Value earlier = x;
        int fused = layout.LastBlockOf(2);
        for (int i = 0; i < layout.Blocks.Length; i++)
        {
            x = Block(g, convolutions, weights, x, $"features.{i + 1}.", layout.Blocks[i], layout.Blocks[Math.Max(0, i - 1)].Channels);
            if (i == fused) earlier = x;
        }

        // Merging and neck on rows of positions: their convolutions of one position are products.
        int deep = layout.Blocks[^1].Channels, shallow = layout.Blocks[fused].Channels;
        Value late = Product("fuse_stage3.op_list.0.weight", TokenRows.ToRows(g, x, grid / 2, grid / 2, deep), deep);
        late = TokenRows.ToRows(g, Enlarge(TokenRows.ToPlanes(g, late, grid / 2, grid / 2, channels)), grid, grid, channels);
        x = g.Add(Product("fuse_stage2.weight", TokenRows.ToRows(g, earlier, grid, grid, shallow), shallow), late);
        return SamNeck.Build(g, rows, x, channels, channels, grid, ChannelNormEpsilon);

        Value Product(string name, Value positions, int inputs) =>
            g.MatMul(positions, TokenRows.Matrix(g, name, rows.Read(name, channels, inputs, 1, 1), channels));

        Value Enlarge(Value small)
        {
            Value to = g.Integers(1, channels, grid, grid), absent = new("");
            return fusion == FusionResize.Bicubic
                ? g.Node("Resize", [small, absent, absent, to], ("mode", "cubic"), ("cubic_coeff_a", BicubicAxis.Coefficient), ("coordinate_transformation_mode", "half_pixel"))
                : g.Node("Resize", [small, absent, absent, to], ("mode", "linear"), ("coordinate_transformation_mode", "half_pixel"));
        }
    }

    private static Value Block(GraphBuilder g, Convolutions convolutions, StateDict weights, Value x, string name, RepVitBlock block, int inputs)
    {
        string mixer = name + "token_mixer.";
        x = block.Stride == 2
            ? convolutions.Apply(x, mixer + "0", OnEachChannel(convolutions.Fold(mixer + "0")), stride: 2)
            : convolutions.Apply(x, mixer + "0", Merged(convolutions, mixer));
        if (block.SqueezeChannels > 0) x = g.Multiply(x, Excitation(g, weights, x, mixer + "1.", inputs, block.SqueezeChannels));
        if (block.Stride == 2) x = convolutions.Apply(x, mixer + "2");
        mixer = name + "channel_mixer.m.";
        return g.Add(x, convolutions.Apply(convolutions.Apply(x, mixer + "0", Activation.Gelu), mixer + "2"));
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
    private static Value Excitation(GraphBuilder g, StateDict weights, Value x, string name, int channels, int inside)
    {
        Value mean = g.Reshape(g.Node("GlobalAveragePool", [x]), 1, channels);
        Value narrow = g.Relu(Linear("fc1", inside, channels, mean));
        return g.Reshape(Logistic(Linear("fc2", channels, inside, narrow)), 1, channels, 1, 1);

        // 1 / (1 + exp(-x)): ONNX Runtime's Sigmoid is an approximation, and these are few values that scale many.
        Value Logistic(Value values) => g.Node("Div", [g.Scalar(1), g.Add(g.Scalar(1), g.Node("Exp", [g.Node("Neg", [values])]))]);

        Value Linear(string layer, int outputs, int inputs, Value values) => TokenRows.Linear(
            g, values, name + layer, weights.Read($"{RepVitLayout.Prefix}{name}{layer}.weight", outputs, inputs, 1, 1), weights.Read($"{RepVitLayout.Prefix}{name}{layer}.bias", outputs));
    }
}
