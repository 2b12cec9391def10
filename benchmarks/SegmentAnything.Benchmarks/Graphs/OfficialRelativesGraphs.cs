using SegmentAnything.Checkpoints;
using SegmentAnything.Families.EfficientSam;
using SegmentAnything.Families.EfficientVitSam;
using SegmentAnything.Graphs;
using SegmentAnything.Kernels;

namespace SegmentAnything.Benchmarks.Graphs;

/// <summary>
/// The image encoders of EfficientViT-SAM and EfficientSAM operator by operator, as exporting the official code gives them:
/// convolutions with their batch normalisation behind them, the tanh GELU in its parts, attention with all its scores at once.
/// </summary>
internal static class OfficialRelativesGraphs
{
    /// <summary>EfficientViT-SAM: <c>image</c> to <c>embedding</c>.</summary>
    public static GraphBuilder EfficientVit(StateDict weights, EfficientVitLayout layout)
    {
        GraphBuilder g = new("official_efficientvit_sam_encoder");
        int side = layout.ImageSize, grid = layout.Grid;
        Value x = Tanh(Conv(g.Input("image", 1, 3, side, side), "backbone.stages.0.op_list.0", 2));
        side /= 2;
        List<Value> stages = [];
        for (int s = 0; s < layout.Stages.Length; s++)
        {
            EfficientVitStage stage = layout.Stages[s];
            for (int b = 0; b < stage.Blocks.Length; b++)
            {
                EfficientVitBlock block = stage.Blocks[b];
                int stride = s > 0 && b == 0 ? 2 : 1;
                side /= stride;
                string name = $"backbone.stages.{s}.op_list.{(s == 0 ? b + 1 : b)}.";
                Value y = block.Kind switch
                {
                    EfficientVitBlockKind.Residual => Conv(Tanh(Conv(x, name + "main.conv1")), name + "main.conv2"),
                    EfficientVitBlockKind.Fused => Conv(Tanh(Conv(x, name + "main.spatial_conv", stride)), name + "main.point_conv"),
                    EfficientVitBlockKind.Inverted => Inverted(x, name + "main.", block.Hidden, stride),
                    _ => g.Add(x, Attention(x, name + "context_module.main.", block, stage.Channels, side)),
                };
                x = block.Kind == EfficientVitBlockKind.Attention ? g.Add(y, Inverted(y, name + "local_module.main.", block.Hidden, 1))
                    : stride == 1 ? g.Add(x, y) : y;
            }

            stages.Add(x);
        }

        Value sum = default;
        for (int i = 0; i < EfficientVitLayout.MergedStages; i++)
        {
            Value part = Conv(stages[^(i + 1)], $"neck.input_ops.{i}.op_list.0");
            if (i < EfficientVitLayout.MergedStages - 1)
            {
                part = g.Node("Resize", [part, new(""), new(""), g.Integers(1, layout.NeckChannels, grid, grid)],
                    ("mode", "cubic"), ("cubic_coeff_a", BicubicAxis.Coefficient), ("coordinate_transformation_mode", "half_pixel"));
            }

            sum = i == 0 ? part : g.Add(sum, part);
        }

        for (int i = 0; i < layout.NeckDepth; i++)
            sum = g.Add(sum, Conv(Tanh(Conv(sum, $"neck.middle.op_list.{i}.main.spatial_conv")), $"neck.middle.op_list.{i}.main.point_conv"));
        x = Conv(sum, "neck.output_ops.0.op_list.0");
        g.Output("embedding", ChannelNorm(g, weights, x, EfficientVitLayout.Prefix + "norm", EfficientVitEncoderGraph.NormEpsilon), 1, layout.OutputChannels, grid, grid);
        return g;

        Value Inverted(Value from, string name, int hidden, int stride) => Conv(
            Tanh(Conv(Tanh(Conv(from, name + "inverted_conv")), name + "depth_conv", stride, hidden)), name + "point_conv");

        Value Conv(Value from, string name, int stride = 1, int groups = 1)
        {
            name = EfficientVitLayout.Prefix + name;
            Value result = Convolve(g, weights, from, name + ".conv", stride, groups);
            return weights.Contains(name + ".norm.running_var")
                ? g.Node("BatchNormalization",
                    [result, Named(name + ".norm.weight"), Named(name + ".norm.bias"), Named(name + ".norm.running_mean"), Named(name + ".norm.running_var")],
                    ("epsilon", EfficientVitEncoderGraph.NormEpsilon))
                : result;
        }

        // x / 2 · (1 + tanh(√(2/π)·(x + 0.044715 x³)))
        Value Tanh(Value v)
        {
            Value cube = g.Multiply(g.Node("Pow", [v, g.Scalar(3)]), g.Scalar(0.044715f));
            Value tanh = g.Node("Tanh", [g.Multiply(g.Add(v, cube), g.Scalar(0.7978845608f))]);
            return g.Multiply(g.Multiply(v, g.Scalar(0.5f)), g.Add(tanh, g.Scalar(1)));
        }

        Value Attention(Value from, string name, EfficientVitBlock block, int channels, int size)
        {
            int perHead = block.HeadChannels, heads = 2 * channels / perHead;
            Value qkv = Conv(from, name + "qkv");
            Value near = Convolve(g, weights, qkv, EfficientVitLayout.Prefix + name + "aggreg.0.0", 1, 3 * channels);
            near = Convolve(g, weights, near, EfficientVitLayout.Prefix + name + "aggreg.0.1", 1, 3 * channels / perHead);
            Value all = g.Reshape(g.Concat(1, qkv, near), 1, heads, 3 * perHead, (long)size * size);
            Value q = g.Relu(g.Slice(all, 2, 0, perHead)), k = g.Relu(g.Slice(all, 2, perHead, 2 * perHead)), v = g.Slice(all, 2, 2 * perHead, 3 * perHead);
            v = g.Node("Pad", [v, g.Integers(0, 0, 0, 0, 0, 0, 1, 0), g.Scalar(1)], ("mode", "constant"));
            Value result = g.MatMul(g.MatMul(v, g.Transpose(k, 0, 1, 3, 2)), q);
            result = g.Node("Div", [g.Slice(result, 2, 0, perHead), g.Add(g.Slice(result, 2, perHead, perHead + 1), g.Scalar(1e-15f))]);
            return Conv(g.Reshape(result, 1, 2L * channels, size, size), name + "proj");
        }

        Value Named(string name) => g.Constant(name, weights.ReadAny(name), weights.ShapeOf(name).AsSpan());
    }

    /// <summary>EfficientSAM: <c>image</c> to <c>embedding</c>.</summary>
    public static GraphBuilder EfficientSam(StateDict weights, EfficientSamLayout layout, float[] positions)
    {
        const float Epsilon = 1e-6f;
        GraphBuilder g = new("official_efficient_sam_encoder");
        int channels = layout.Channels, grid = layout.Grid, tokens = grid * grid, heads = layout.Heads, perHead = layout.HeadChannels;
        Value x = Convolve(g, weights, g.Input("image", 1, 3, layout.ImageSize, layout.ImageSize), EfficientSamLayout.Prefix + "patch_embed.proj", layout.PatchSize, 1, pad: false);
        x = g.Transpose(g.Reshape(x, 1, channels, tokens), 0, 2, 1);
        x = g.Add(x, g.Constant("pos_embed", positions, 1, tokens, channels));
        for (int i = 0; i < layout.Depth; i++)
        {
            string name = $"{EfficientSamLayout.Prefix}blocks.{i}.";
            Value qkv = g.Transpose(g.Reshape(Linear(Norm(x, name + "norm1"), name + "attn.qkv"), 1, tokens, 3, heads, perHead), 2, 0, 3, 1, 4);
            Value q = Part(qkv, 0), k = Part(qkv, 1), v = Part(qkv, 2);
            Value scores = g.Softmax(g.Multiply(g.MatMul(q, g.Transpose(k, 0, 1, 3, 2)), g.Scalar(1 / MathF.Sqrt(perHead))));
            Value merged = g.Reshape(g.Transpose(g.MatMul(scores, v), 0, 2, 1, 3), 1, tokens, channels);
            x = g.Add(x, Linear(merged, name + "attn.proj"));
            x = g.Add(x, Linear(g.Gelu(Linear(Norm(x, name + "norm2"), name + "mlp.fc1")), name + "mlp.fc2"));
        }

        x = g.Reshape(g.Transpose(x, 0, 2, 1), 1, channels, grid, grid);
        x = ChannelNorm(g, weights, Convolve(g, weights, x, EfficientSamLayout.Prefix + "neck.0", 1, 1), EfficientSamLayout.Prefix + "neck.1", Epsilon);
        x = ChannelNorm(g, weights, Convolve(g, weights, x, EfficientSamLayout.Prefix + "neck.2", 1, 1), EfficientSamLayout.Prefix + "neck.3", Epsilon);
        g.Output("embedding", x, 1, layout.OutputChannels, grid, grid);
        return g;

        Value Part(Value qkv, int part) => g.Reshape(g.Slice(qkv, 0, part, part + 1), 1, heads, tokens, perHead);

        Value Linear(Value v, string name) => g.Linear(v, name, weights.ReadAny(name + ".weight"), weights.ReadAny(name + ".bias"));

        Value Norm(Value v, string name) => g.LayerNorm(v, g.Constant(name + ".weight", weights.ReadAny(name + ".weight"), channels), g.Constant(name + ".bias", weights.ReadAny(name + ".bias"), channels), Epsilon);
    }

    private static Value Convolve(GraphBuilder g, StateDict weights, Value x, string name, int stride, int groups, bool pad = true)
    {
        int[] shape = [.. weights.ShapeOf(name + ".weight")];
        long half = pad ? shape[2] / 2 : 0;
        Value kernel = g.Constant(name + ".weight", weights.ReadAny(name + ".weight"), shape);
        Value[] inputs = weights.Contains(name + ".bias") ? [x, kernel, g.Constant(name + ".bias", weights.ReadAny(name + ".bias"), shape[0])] : [x, kernel];
        return g.Node("Conv", inputs, ("pads", new[] { half, half, half, half }), ("strides", new long[] { stride, stride }), ("group", (long)groups));
    }

    private static Value ChannelNorm(GraphBuilder g, StateDict weights, Value x, string name, float epsilon)
    {
        int channels = weights.ShapeOf(name + ".weight")[0];
        Value centred = g.Node("Sub", [x, g.Node("ReduceMean", [x, g.Integers(1)])]);
        Value variance = g.Node("ReduceMean", [g.Node("Pow", [centred, g.Scalar(2)]), g.Integers(1)]);
        Value normal = g.Node("Div", [centred, g.Node("Sqrt", [g.Add(variance, g.Scalar(epsilon))])]);
        Value scaled = g.Multiply(g.Constant(name + ".scale", weights.ReadAny(name + ".weight"), channels, 1, 1), normal);
        return g.Add(scaled, g.Constant(name + ".shift", weights.ReadAny(name + ".bias"), channels, 1, 1));
    }
}
