using SegmentAnything.Checkpoints;
using SegmentAnything.Families.Sam2;
using SegmentAnything.Graphs;

namespace SegmentAnything.Benchmarks.Graphs;

/// <summary>
/// SAM 2's image encoder operator by operator in the order of the official code, as its exports to ONNX have it: what ours is
/// measured against. Same inputs and outputs.
/// </summary>
internal static class OfficialHieraGraph
{
    private const float NormEpsilon = 1e-6f;

    public static GraphBuilder Build(StateDict weights, Sam2Layout layout, WeightOptions? options = null)
    {
        GraphBuilder g = new("official_sam2_encoder", options);
        int size = layout.ImageSize, grid = size / 4, width = layout.Spec.EmbedWidth;
        Value image = g.Input("image", 1, 3, size, size);
        Value x = g.Transpose(Convolve(image, Sam2Names.Trunk + "patch_embed.proj", 7, 4, 3), 0, 2, 3, 1);
        x = g.Add(x, g.Weight("positions", HieraEncoderGraph.Positions(weights, layout), 1, grid, grid, width));
        List<Value> stages = [];
        foreach (HieraBlock block in layout.Blocks)
        {
            x = Block(x, block);
            if (block.EndsStage) stages.Add(g.Transpose(x, 0, 3, 1, 2));
        }

        Value[] levels = new Value[4];
        for (int level = 3; level >= 0; level--) levels[level] = Convolve(stages[level], $"{Sam2Names.Neck}{3 - level}.conv", 1, 1, 0);
        Value enlarged = g.Node("Resize", [levels[3], new Value(""), g.Constant("twice", [1, 1, 2, 2], 4)],
            ("mode", "nearest"), ("coordinate_transformation_mode", "asymmetric"), ("nearest_mode", "floor"));
        Value embedding = g.Add(levels[2], enlarged);
        embedding = g.Add(embedding, g.Constant("no_memory", weights.ReadAny(Sam2Names.NoMemory), 1, layout.Channels, 1, 1));
        g.Output("embedding", embedding, 1, layout.Channels, layout.Grid, layout.Grid);
        g.Output(HieraEncoderGraph.HighRes0, Convolve(levels[0], "mask_decoder.conv_s0", 1, 1, 0), 1, layout.HighRes0, grid, grid);
        g.Output(HieraEncoderGraph.HighRes1, Convolve(levels[1], "mask_decoder.conv_s1", 1, 1, 0), 1, layout.HighRes1, grid / 2, grid / 2);
        return g;

        Value Block(Value x, HieraBlock block)
        {
            string name = Sam2Names.Trunk + block.Name;
            int side = block.InputGrid, window = block.Window, across = block.WindowsAcross, windows = across * across, channels = block.Channels;
            int heads = block.Heads, perHead = channels / heads, inside = window / block.Step, padded = block.PaddedGrid;
            Value normal = Norm(x, name + "norm1");
            Value shortcut = block.Pools ? Pool(Linear(normal, name + "proj")) : x;
            if (block.IsPadded)
                normal = g.Node("Pad", [normal, g.Integers(0, 0, 0, 0, 0, padded - side, padded - side, 0)], ("mode", "constant"));
            normal = g.Reshape(normal, 1, across, window, across, window, block.InputChannels);
            normal = g.Reshape(g.Transpose(normal, 0, 1, 3, 2, 4, 5), windows, window, window, block.InputChannels);

            Value qkv = g.Reshape(Linear(normal, name + "attn.qkv"), windows, (long)window * window, 3, heads, perHead);
            Value q = Part(0), k = Part(1), v = Part(2);
            if (block.Pools) q = g.Reshape(Pool(g.Reshape(q, windows, window, window, channels)), windows, (long)inside * inside, heads, perHead);
            (q, k, v) = (g.Transpose(q, 0, 2, 1, 3), g.Transpose(k, 0, 2, 1, 3), g.Transpose(v, 0, 2, 1, 3));
            Value scores = g.Multiply(g.MatMul(q, g.Transpose(k, 0, 1, 3, 2)), g.Scalar(1 / MathF.Sqrt(perHead)));
            Value attended = g.Transpose(g.MatMul(g.Softmax(scores), v), 0, 2, 1, 3);
            attended = Linear(g.Reshape(attended, windows, inside, inside, channels), name + "attn.proj");
            attended = g.Transpose(g.Reshape(attended, 1, across, across, inside, inside, channels), 0, 1, 3, 2, 4, 5);
            attended = g.Reshape(attended, 1, padded / block.Step, padded / block.Step, channels);
            if (block.IsPadded) attended = g.Slice(g.Slice(attended, 1, 0, block.Grid), 2, 0, block.Grid);
            x = g.Add(shortcut, attended);
            return g.Add(x, Linear(g.Gelu(Linear(Norm(x, name + "norm2"), name + "mlp.layers.0")), name + "mlp.layers.1"));

            Value Part(int index) => g.Reshape(g.Slice(qkv, 2, index, index + 1), windows, (long)window * window, heads, perHead);
        }

        Value Pool(Value x)
        {
            Value planes = g.Node("MaxPool", [g.Transpose(x, 0, 3, 1, 2)], ("kernel_shape", new long[] { 2, 2 }), ("strides", new long[] { 2, 2 }));
            return g.Transpose(planes, 0, 2, 3, 1);
        }

        Value Norm(Value x, string name)
        {
            float[] scale = weights.ReadAny(name + ".weight");
            return g.LayerNorm(x, g.Constant(name + ".weight", scale, scale.Length), g.Constant(name + ".bias", weights.ReadAny(name + ".bias"), scale.Length), NormEpsilon);
        }

        Value Linear(Value x, string name)
        {
            float[] bias = weights.ReadAny(name + ".bias"), weight = weights.ReadAny(name + ".weight");
            int outputs = bias.Length, inputs = weight.Length / outputs;
            Value matrix = g.Weight(name + ".weight", Matrices.Transpose(weight, outputs, inputs), inputs, outputs);
            return g.Add(g.MatMul(x, matrix), g.Constant(name + ".bias", bias, outputs));
        }

        Value Convolve(Value x, string name, long kernel, long stride, long pad) => g.Node("Conv",
            [x, g.Kernel(name + ".weight", weights.ReadAny(name + ".weight"), weights.ShapeOf(name + ".weight").AsSpan()),
                g.Constant(name + ".bias", weights.ReadAny(name + ".bias"), weights.ShapeOf(name + ".bias").AsSpan())],
            ("kernel_shape", new[] { kernel, kernel }), ("strides", new[] { stride, stride }), ("pads", new[] { pad, pad, pad, pad }));
    }
}
