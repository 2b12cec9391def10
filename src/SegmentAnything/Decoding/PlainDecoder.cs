using SegmentAnything.Checkpoints;
using SegmentAnything.Graphs;
using SegmentAnything.Onnx;

namespace SegmentAnything.Decoding;

/// <summary>
/// Prompt encoder and mask decoder step by step as the official modules have them. Weights are stored as the official
/// exporter stores them: biases, norms and convolutions under their names, matrices transposed and without a name.
/// </summary>
/// <remarks>Source: Segment Anything, modeling/prompt_encoder.py, mask_decoder.py, transformer.py, common.py.</remarks>
internal sealed class PlainDecoder(GraphBuilder g, StateDict weights, DecoderLayout layout, int grid)
{
    private const string Prompts = "prompt_encoder.";
    private const string Decoder = "mask_decoder.";

    /// <summary>The weights of the token that the predicted IoU comes from.</summary>
    public const string IouToken = Decoder + "iou_token.weight";

    /// <summary>The weights of the tokens that masks come from.</summary>
    public const string MaskTokens = Decoder + "mask_tokens.weight";

    public DecoderLayout Layout => layout;

    private int Positioned => grid * grid;

    /// <summary>Points in the model's frame (B, N, 2) with labels (B, N) to tokens (B, N, C).</summary>
    public Value Points(Value coordinates, Value labels, int imageSize)
    {
        Value tokens = Positional(coordinates, imageSize);
        Value label = g.Node("Unsqueeze", [labels, g.Integers(-1)]);
        Value padding = Is(-1);
        tokens = g.Multiply(tokens, g.Node("Sub", [g.Scalar(1), padding]));
        tokens = g.Add(tokens, g.Multiply(padding, Named(Prompts + "not_a_point_embed.weight")));
        for (int i = 0; i < 4; i++) tokens = g.Add(tokens, g.Multiply(Is(i), Named($"{Prompts}point_embeddings.{i}.weight")));
        return tokens;

        Value Is(int value) => g.Node("Cast", [g.Node("Equal", [label, g.Scalar(value)])], ("to", (long)TensorProto.Types.DataType.Float));
    }

    /// <summary>The positional encoding of points (.., 2) in the model's frame: (.., C).</summary>
    public Value Positional(Value coordinates, int imageSize)
    {
        // 2·(x + 0.5)/S - 1
        Value centred = g.Add(g.Multiply(g.Add(coordinates, g.Scalar(0.5f)), g.Scalar(2f / imageSize)), g.Scalar(-1));
        Value angles = g.Multiply(g.MatMul(centred, Named(PositionalEncoding.MatrixName)), g.Scalar(2 * MathF.PI));
        return g.Concat(-1, g.Node("Sin", [angles]), g.Node("Cos", [angles]));
    }

    /// <summary>What stands at every position where there is no mask prompt: (1, C, 1, 1).</summary>
    public Value NoMask() => g.Constant("no_mask", weights.ReadAny(Prompts + "no_mask_embed.weight"), 1, Layout.Channels, 1, 1);

    /// <summary>A rough mask (B, 1, 4G, 4G) to (B, C, G, G).</summary>
    public Value MaskPrompt(Value mask)
    {
        const string name = Prompts + "mask_downscaling.";
        Value x = g.Gelu(ChannelNorm(Convolve("Conv", mask, name + "0", 2), name + "1"));
        x = g.Gelu(ChannelNorm(Convolve("Conv", x, name + "3", 2), name + "4"));
        return Convolve("Conv", x, name + "6", 1);
    }

    /// <summary>The positions of the embedding: (P, C).</summary>
    public Value Positions() => g.Constant("positions", PositionalEncoding.OfGrid(weights, grid), Positioned, Layout.Channels);

    /// <summary>
    /// Embedding (1, C, G, G), positions (P, C), dense (1 or B, C, 1 or G, 1 or G) and tokens (B, N, C) to low-resolution
    /// logits (B, 4, 4G, 4G) and predicted IoUs (B, 4).
    /// </summary>
    public (Value LowRes, Value Iou) Decode(Value embedding, Value positions, Value dense, Value sparse)
    {
        (Value queries, Value keys) = Transform(embedding, positions, dense, sparse, IouToken, MaskTokens);
        return (Masks(queries, 1, Upscale(keys)), Head(queries, 0, "iou_prediction_head", Layout.IouLayers, Layout.MaskTokens));
    }

    /// <summary>
    /// The two-way transformer: output tokens, by the names of their weights, and prompt tokens (B, T, C) beside the image's
    /// (B, P, C).
    /// </summary>
    public (Value Queries, Value Keys) Transform(Value embedding, Value positions, Value dense, Value sparse, params ReadOnlySpan<string> outputTokens)
    {
        int channels = Layout.Channels;
        Value keys = g.Transpose(g.Reshape(g.Add(embedding, dense), 0, channels, Positioned), 0, 2, 1);
        List<float> rows = [];
        foreach (string name in outputTokens) rows.AddRange(weights.ReadAny(name));
        int count = rows.Count / channels;
        Value output = g.Constant("output_tokens", [.. rows], 1, count, channels);
        Value prompts = g.Slice(g.Node("Shape", [sparse]), 0, 0, 1);
        Value tokens = g.Concat(1, g.Node("Expand", [output, g.Concat(0, prompts, g.Integers(count, channels))]), sparse);

        Value queries = tokens;
        for (int i = 0; i < Layout.Layers; i++)
        {
            string name = $"{DecoderLayout.Transformer}layers.{i}.";
            Value asking = i == 0 ? queries : g.Add(queries, tokens);
            Value attended = Attention(asking, asking, queries, name + "self_attn");
            queries = Norm(i == 0 ? attended : g.Add(queries, attended), name + "norm1");
            attended = Attention(g.Add(queries, tokens), g.Add(keys, positions), keys, name + "cross_attn_token_to_image");
            queries = Norm(g.Add(queries, attended), name + "norm2");
            Value mlp = Linear(g.Relu(Linear(queries, name + "mlp.lin1")), name + "mlp.lin2");
            queries = Norm(g.Add(queries, mlp), name + "norm3");
            attended = Attention(g.Add(keys, positions), g.Add(queries, tokens), queries, name + "cross_attn_image_to_token");
            keys = Norm(g.Add(keys, attended), name + "norm4");
        }

        const string final = DecoderLayout.Transformer + "final_attn_token_to_image";
        queries = Norm(g.Add(queries, Attention(g.Add(queries, tokens), g.Add(keys, positions), keys, final)), DecoderLayout.Transformer + "norm_final_attn");
        return (queries, keys);
    }

    /// <summary>
    /// The image's tokens (B, P, C), enlarged four times: (B, U, 4G, 4G).
    /// </summary>
    /// <param name="keys">The tokens.</param>
    /// <param name="afterFirst">What SAM 2 adds after the first step, before its norm: (1, U1, 2G, 2G).</param>
    /// <param name="afterSecond">What SAM 2 adds after the second, before its activation: (1, U, 4G, 4G).</param>
    public Value Upscale(Value keys, Value? afterFirst = null, Value? afterSecond = null)
    {
        const string upscaling = Decoder + "output_upscaling.";
        Value x = g.Reshape(g.Transpose(keys, 0, 2, 1), 0, Layout.Channels, grid, grid);
        x = Convolve("ConvTranspose", x, upscaling + "0", 2);
        x = g.Gelu(ChannelNorm(afterFirst is { } first ? g.Add(x, first) : x, upscaling + "1"));
        x = Convolve("ConvTranspose", x, upscaling + "3", 2);
        return g.Gelu(afterSecond is { } second ? g.Add(x, second) : x);
    }

    /// <summary>The logits of all masks, whose tokens follow each other from one on: (B, 4, 4G, 4G).</summary>
    public Value Masks(Value queries, int first, Value upscaled)
    {
        int masks = Layout.MaskTokens;
        Value[] hyper = [.. Enumerable.Range(0, masks).Select(i =>
            Mlp(g.Slice(queries, 1, first + i, first + i + 1), $"{Decoder}output_hypernetworks_mlps.{i}.layers.", Layout.HyperLayers))];
        Value logits = g.MatMul(g.Concat(1, hyper), g.Reshape(upscaled, 0, Layout.UpscaleChannels2, 16L * Positioned));
        return g.Reshape(logits, 0, masks, 4L * grid, 4L * grid);
    }

    /// <summary>What a chain of layers of the decoder makes of one token: (B, outputs).</summary>
    public Value Head(Value queries, int token, string name, int layers, int outputs) =>
        g.Reshape(Mlp(g.Slice(queries, 1, token, token + 1), $"{Decoder}{name}.layers.", layers), 0, outputs);

    private Value Attention(Value asking, Value asked, Value values, string name)
    {
        int channels = weights.ShapeOf(name + ".q_proj.bias")[0], perHead = channels / Layout.Heads;
        Value q = Split(asking, "q_proj", 0, 2, 1, 3), k = Split(asked, "k_proj", 0, 2, 3, 1), v = Split(values, "v_proj", 0, 2, 1, 3);
        Value scores = g.Softmax(g.Multiply(g.MatMul(q, k), g.Scalar(1 / MathF.Sqrt(perHead))));
        return Linear(g.Reshape(g.Transpose(g.MatMul(scores, v), 0, 2, 1, 3), 0, -1, channels), name + ".out_proj");

        Value Split(Value x, string projection, params ReadOnlySpan<long> axes) =>
            g.Transpose(g.Reshape(Linear(x, $"{name}.{projection}"), 0, -1, Layout.Heads, perHead), axes);
    }

    /// <summary>Layers with ReLU between them.</summary>
    public Value Mlp(Value x, string name, int layers)
    {
        for (int i = 0; i < layers; i++)
        {
            x = Linear(x, $"{name}{i}");
            if (i < layers - 1) x = g.Relu(x);
        }

        return x;
    }

    private Value Linear(Value x, string name)
    {
        float[] bias = weights.ReadAny(name + ".bias"), weight = weights.ReadAny(name + ".weight");
        int outputs = bias.Length, inputs = weight.Length / outputs;
        // Transposed, it must not have the name that it has in a checkpoint.
        Value matrix = g.Constant($"matrix/{name}", Matrices.Transpose(weight, outputs, inputs), inputs, outputs);
        return g.Add(g.MatMul(x, matrix), g.Constant(name + ".bias", bias, outputs));
    }

    /// <summary>A convolution, or a transposed one, whose stride is its kernel.</summary>
    public Value Convolve(string op, Value x, string name, long kernel) =>
        g.Node(op, [x, Named(name + ".weight"), Named(name + ".bias")], ("kernel_shape", new[] { kernel, kernel }), ("strides", new[] { kernel, kernel }));

    private Value Norm(Value x, string name) => g.LayerNorm(x, Named(name + ".weight"), Named(name + ".bias"), Layout.NormEpsilon);

    /// <summary>LayerNorm over the channels of (B, C, H, W).</summary>
    public Value ChannelNorm(Value x, string name)
    {
        int channels = weights.ShapeOf(name + ".weight")[0];
        Value axis = g.Integers(1);
        Value centred = g.Node("Sub", [x, g.Node("ReduceMean", [x, axis])]);
        Value variance = g.Node("ReduceMean", [g.Multiply(centred, centred), axis]);
        Value normal = g.Node("Div", [centred, g.Node("Sqrt", [g.Add(variance, g.Scalar(DecoderLayout.ChannelNormEpsilon))])]);
        Value scaled = g.Multiply(normal, g.Constant($"scale/{name}", weights.ReadAny(name + ".weight"), channels, 1, 1));
        return g.Add(scaled, g.Constant($"shift/{name}", weights.ReadAny(name + ".bias"), channels, 1, 1));
    }

    public Value Named(string name) => g.Constant(name, weights.ReadAny(name), weights.ShapeOf(name).AsSpan());
}
