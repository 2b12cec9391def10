using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;
using SegmentAnything.Graphs;

namespace SegmentAnything.Families.EfficientSam;

/// <summary>
/// EfficientSAM's mask decoder as graphs for any number of prompts: like SAM's, but self attention always adds to its
/// input, positions reach the second layer's values, every MLP has GELU, and upscaling is normalised over channels and
/// positions together.
/// </summary>
/// <remarks>
/// Source: EfficientSAM, efficient_sam/efficient_sam_decoder.py, two_way_transformer.py, mlp.py.
/// </remarks>
internal sealed class EfficientSamDecoderGraph(GraphBuilder g, StateDict weights, EfficientSamDecoderLayout layout, int grid)
{
    private const float NormEpsilon = 1e-5f;

    /// <summary>The name of the export's graph, by which an ONNX file that was built here is known.</summary>
    public const string ExportName = "efficient_sam_decoder";

    private const string Keys = "keys", ImageTokens = "image_tokens";

    private int Positioned => grid * grid;

    /// <param name="weights">Under their official names.</param>
    /// <param name="layout">What they are of.</param>
    /// <param name="grid">G.</param>
    /// <exception cref="CheckpointException">A weight is missing or has an unexpected shape.</exception>
    public static DecoderGraphSet Build(StateDict weights, EfficientSamDecoderLayout layout, int grid)
    {
        return new DecoderGraphSet(Graph("prepare", n => n.Prepare()), Graph("transformer", n => n.Transformer()), Graph("upscale", n => n.Upscale()));

        byte[] Graph(string part, Action<EfficientSamDecoderGraph> build)
        {
            GraphBuilder g = new("efficient_sam_decoder_" + part);
            build(new EfficientSamDecoderGraph(g, weights, layout, grid));
            return g.ToBytes();
        }
    }

    /// <summary>
    /// Builds prompt encoder and mask decoder as one graph: <c>image_embeddings</c> (1, C, G, G), <c>point_coords</c> (B, 6, 2)
    /// in pixels of the encoder's square, <c>point_labels</c> (B, 6), -1 for what fills up at (-1, -1); to <c>masks</c> (B, masks,
    /// 4G, 4G) and <c>iou_predictions</c> (B, masks).
    /// </summary>
    public static GraphBuilder BuildExport(StateDict weights, EfficientSamDecoderLayout layout, int grid, int imageSize)
    {
        GraphBuilder g = new(ExportName);
        EfficientSamDecoderGraph network = new(g, weights, layout, grid);
        int side = DecoderLayout.Upscaling * grid, masks = layout.MaskTokens;
        Value embedding = g.Input("image_embeddings", 1, layout.Channels, grid, grid);
        Value sparse = network.Points(
            g.Input("point_coords", "prompts", EfficientSamDecoderLayout.Points, 2), g.Input("point_labels", "prompts", EfficientSamDecoderLayout.Points), imageSize);
        Value keys = g.Transpose(g.Reshape(embedding, 0, layout.Channels, network.Positioned), 0, 2, 1);
        (Value queries, keys) = network.Transform(keys, sparse);
        Value logits = g.MatMul(network.MaskWeights(queries), g.Reshape(network.Upscale(keys), 0, layout.UpscaleChannels2, (long)side * side));
        g.Output("masks", g.Reshape(logits, 0, masks, side, side), "prompts", masks, side, side);
        g.Output("iou_predictions", network.PredictedIou(queries), "prompts", masks);
        return g;
    }

    // 2·(x + 0.5)/S - 1, the encoding of the place, and what the label stands for; a point beside the object has none.
    private Value Points(Value coordinates, Value labels, int imageSize)
    {
        Value centred = g.Add(g.Multiply(g.Add(coordinates, g.Scalar(0.5f)), g.Scalar(2f / imageSize)), g.Scalar(-1));
        Value angles = g.Multiply(g.MatMul(centred, Named(PositionalEncoding.MatrixName)), g.Scalar(2 * MathF.PI));
        Value tokens = g.Concat(-1, g.Node("Sin", [angles]), g.Node("Cos", [angles]));
        Value label = g.Node("Unsqueeze", [labels, g.Integers(-1)]);
        foreach ((int value, string table) in ((int, string)[])[(-1, "invalid_points"), (1, "point_embeddings"), (2, "bbox_top_left_embeddings"), (3, "bbox_bottom_right_embeddings")])
        {
            Value isIt = g.Node("Cast", [g.Node("Equal", [label, g.Scalar(value)])], ("to", (long)Onnx.TensorProto.Types.DataType.Float));
            tokens = g.Add(tokens, g.Multiply(isIt, Named($"{EfficientSamDecoderLayout.Prompts}{table}.weight")));
        }

        return tokens;
    }

    private void Prepare()
    {
        Value embedding = g.Input(FeatureMapShape.Embedding, 1, layout.Channels, grid, grid);
        g.Output(Keys, g.Transpose(g.Reshape(embedding, 0, layout.Channels, Positioned), 0, 2, 1), 1, Positioned, layout.Channels);
    }

    private void Transformer()
    {
        int masks = layout.MaskTokens;
        Value sparse = g.Input(DecoderGraphSet.Sparse, "prompts", EfficientSamDecoderLayout.Points, layout.Channels);
        (Value queries, Value keys) = Transform(g.Input(Keys, 1, Positioned, layout.Channels), sparse);
        g.Output(ImageTokens, keys, "prompts", Positioned, layout.Channels);
        g.Output(DecoderGraphSet.Hyper, MaskWeights(queries), "prompts", masks, layout.UpscaleChannels2);
        g.Output(DecoderGraphSet.Iou, PredictedIou(queries), "prompts", masks);
    }

    private Value MaskWeights(Value queries) => g.Concat(1, [.. Enumerable.Range(0, layout.MaskTokens).Select(i =>
        Mlp(g.Slice(queries, 1, 1 + i, 2 + i), $"{EfficientSamDecoderLayout.Decoder}output_hypernetworks_mlps.{i}.", layout.HyperLayers))]);

    private Value PredictedIou(Value queries) => g.Reshape(
        Mlp(g.Slice(queries, 1, 0, 1), EfficientSamDecoderLayout.Decoder + "iou_prediction_head.", layout.IouLayers), 0, layout.MaskTokens);

    private void Upscale()
    {
        int side = DecoderLayout.Upscaling * grid;
        Value x = Upscale(g.Input(ImageTokens, "prompts", Positioned, layout.Channels));
        Value hyper = g.Input(DecoderGraphSet.Hyper, "prompts", "masks", layout.UpscaleChannels2);
        Value logits = g.MatMul(hyper, g.Reshape(x, 0, layout.UpscaleChannels2, (long)side * side));
        g.Output(DecoderGraphSet.Logits, g.Reshape(logits, 0, -1, side, side), "prompts", "masks", side, side);
    }

    private (Value Queries, Value Keys) Transform(Value keys, Value sparse)
    {
        int channels = layout.Channels, outputs = 1 + layout.MaskTokens;
        Value positions = g.Constant("positions", PositionalEncoding.OfGrid(weights, grid), Positioned, channels);
        Value output = g.Constant("output_tokens",
            [.. weights.ReadAny(EfficientSamDecoderLayout.Decoder + "iou_token.weight"), .. weights.ReadAny(EfficientSamDecoderLayout.Decoder + "mask_tokens.weight")],
            1, outputs, channels);
        Value count = g.Slice(g.Node("Shape", [sparse]), 0, 0, 1);
        Value tokens = g.Concat(1, g.Node("Expand", [output, g.Concat(0, count, g.Integers(outputs, channels))]), sparse);
        Value queries = tokens;
        for (int i = 0; i < EfficientSamDecoderLayout.Layers; i++)
        {
            string name = $"{DecoderLayout.Transformer}layers.{i}.";
            if (i > 0) queries = g.Add(queries, tokens);
            queries = Norm(g.Add(queries, Attention(queries, queries, queries, name + "self_attn")), name + "norm1");
            Value attended = Attention(g.Add(queries, tokens), g.Add(keys, positions), keys, name + "cross_attn_token_to_image");
            queries = Norm(g.Add(queries, attended), name + "norm2");
            queries = Norm(g.Add(queries, Mlp(queries, name + "mlp.", 2)), name + "norm3");
            attended = Attention(g.Add(keys, positions), g.Add(queries, tokens), queries, name + "cross_attn_image_to_token");
            keys = Norm(g.Add(keys, attended), name + "norm4");
        }

        const string final = DecoderLayout.Transformer + "final_attn_token_to_image";
        Value last = Attention(g.Add(queries, tokens), g.Add(keys, positions), keys, final);
        return (Norm(g.Add(queries, last), DecoderLayout.Transformer + "norm_final_attn"), keys);
    }

    // Two steps of twice the side. The norm takes the mean over channels and positions of a prompt together.
    private Value Upscale(Value keys)
    {
        const string name = EfficientSamDecoderLayout.Upscaling;
        int inside = layout.UpscaleChannels1;
        Value x = g.Reshape(g.Transpose(keys, 0, 2, 1), 0, layout.Channels, grid, grid);
        x = Convolve(x, name + "0.0");
        Value normal = g.Node("InstanceNormalization", [g.Reshape(x, 0, 1, 4L * Positioned * inside), g.Filled(1, 1), g.Filled(0, 1)], ("epsilon", NormEpsilon));
        normal = g.Reshape(normal, 0, inside, 2L * grid, 2L * grid);
        Value scale = g.Constant($"scale/{name}0.1", weights.Read(name + "0.1.weight", inside), inside, 1, 1);
        Value shift = g.Constant($"shift/{name}0.1", weights.Read(name + "0.1.bias", inside), inside, 1, 1);
        return g.Gelu(Convolve(g.Gelu(g.Add(g.Multiply(normal, scale), shift)), name + "1.0"));
    }

    private Value Attention(Value asking, Value asked, Value values, string name)
    {
        int channels = weights.ShapeOf(name + ".q_proj.bias")[0], perHead = channels / EfficientSamDecoderLayout.Heads;
        Value q = Split(asking, "q_proj", 0, 2, 1, 3), k = Split(asked, "k_proj", 0, 2, 3, 1), v = Split(values, "v_proj", 0, 2, 1, 3);
        Value scores = g.Softmax(g.Multiply(g.MatMul(q, k), g.Scalar(1 / MathF.Sqrt(perHead))));
        return Linear(g.Reshape(g.Transpose(g.MatMul(scores, v), 0, 2, 1, 3), 0, -1, channels), name + ".out_proj");

        Value Split(Value x, string projection, params ReadOnlySpan<long> axes) =>
            g.Transpose(g.Reshape(Linear(x, $"{name}.{projection}"), 0, -1, EfficientSamDecoderLayout.Heads, perHead), axes);
    }

    // Layers with GELU between them; the last is called fc.
    private Value Mlp(Value x, string name, int layers)
    {
        for (int i = 0; i < layers - 1; i++) x = g.Gelu(Linear(x, $"{name}layers.{i}.0"));
        return Linear(x, name + "fc");
    }

    // Named as PlainDecoder names matrices, so that the weights can be read back.
    private Value Linear(Value x, string name)
    {
        float[] bias = weights.ReadAny(name + ".bias"), weight = weights.ReadAny(name + ".weight");
        int outputs = bias.Length, inputs = weight.Length / outputs;
        Value matrix = g.Constant($"matrix/{name}", Matrices.Transpose(weight, outputs, inputs), inputs, outputs);
        return g.Add(g.MatMul(x, matrix), g.Constant(name + ".bias", bias, outputs));
    }

    private Value Convolve(Value x, string name) => g.Node("ConvTranspose", [x, Named(name + ".weight"), Named(name + ".bias")],
        ("kernel_shape", new long[] { 2, 2 }), ("strides", new long[] { 2, 2 }));

    private Value Norm(Value x, string name) => g.LayerNorm(x, Named(name + ".weight"), Named(name + ".bias"), NormEpsilon);

    private Value Named(string name) => g.Constant(name, weights.ReadAny(name), weights.ShapeOf(name).AsSpan());
}
