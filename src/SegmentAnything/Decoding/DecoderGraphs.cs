using SegmentAnything.Checkpoints;
using SegmentAnything.Graphs;

namespace SegmentAnything.Decoding;

/// <summary>The three graphs that a mask decoder is made of, as bytes of ONNX models. Tensors are found by their names.</summary>
/// <param name="Prepare">
/// What depends on the image alone: the image's maps under their names (1, channels, side, side), those of them that the
/// decoder reads, and <c>dense</c> (1, C, d, d with d = 1 or G) where the network has mask prompts, to any outputs of fixed
/// shapes.
/// </param>
/// <param name="Transformer">
/// What depends on the prompts: any of those outputs and <c>sparse</c> (B, N, C) to <c>hyper</c> (B, masks, U) and <c>iou</c>
/// (B, masks); <c>object_score</c> (B, 1) and <c>mask_tokens</c> (B, masks, C) where the network has them; and whatever the
/// upscaling reads, with B as its first dimension.
/// </param>
/// <param name="Upscale">
/// Outputs of both and the wanted rows of <c>hyper</c> (B, m, U) to <c>logits</c> (B, m, L, L).
/// </param>
internal sealed record DecoderGraphSet(byte[] Prepare, byte[] Transformer, byte[] Upscale)
{
    public const string Dense = "dense", Sparse = "sparse", Hyper = "hyper", Iou = "iou", Logits = "logits",
        ObjectScore = "object_score", MaskTokens = "mask_tokens";
}

/// <summary>Builds the decoder's graphs from its weights, with the number of prompts B and of prompt tokens N free.</summary>
/// <remarks>
/// C: channels, G: grid side, P = G·G image tokens in row order, T = 1 + masks + N tokens, c: attention channels a head.
/// All that depends on the image alone is computed once, and products are re-associated so that the long side (P) meets
/// only the short one (8·T) instead of C x C weights: docs/decoder.md has the formulas.
/// Source: Segment Anything, modeling/mask_decoder.py, modeling/transformer.py.
/// </remarks>
internal static class DecoderGraphs
{
    /// <param name="weights">Under SAM 1's official names.</param>
    /// <param name="layout">Their sizes.</param>
    /// <param name="grid">G.</param>
    /// <param name="addition">What a family adds; null for nothing.</param>
    public static DecoderGraphSet Build(StateDict weights, DecoderLayout layout, int grid, DecoderAddition? addition = null)
    {
        if (layout.Layers != 2)
            throw new CheckpointException($"{weights.Source}: the mask decoder's transformer has {layout.Layers} layers; it is built here with 2.");
        Network network = new(weights, layout, grid, addition);
        return new DecoderGraphSet(network.Prepare(), network.Transformer(), network.Upscale());
    }

    private sealed class Network(StateDict weights, DecoderLayout layout, int grid, DecoderAddition? addition)
    {
        // What the upscaling adds of the image.
        private const string AfterFirst = "after_first_step", AfterSecond = "after_second_step";

        private readonly int _channels = layout.Channels;
        private readonly int _headChannels = layout.AttentionChannels / layout.Heads;
        private readonly int _positions = grid * grid;

        private int Heads => layout.Heads;

        // The layout's, and a family's own.
        private int OutputTokens => layout.OutputTokens + (addition is null ? 0 : 1);

        public byte[] Prepare()
        {
            GraphBuilder g = new("sam_decoder_prepare");
            Value embedding = g.Input(FeatureMapShape.Embedding, 1, _channels, grid, grid);
            Value dense = g.Input("dense", 1, _channels, "dense_rows", "dense_columns");
            Value keys = g.Transpose(g.Reshape(g.Add(embedding, dense), _channels, _positions), 1, 0);
            Value positioned = g.Add(keys, Positions(g));
            const string toImage = DecoderLayout.Transformer + "layers.0.cross_attn_token_to_image.";
            const string toToken = DecoderLayout.Transformer + "layers.0.cross_attn_image_to_token.";
            g.Output("keys", keys, _positions, _channels);
            g.Output("k0", g.Transpose(SplitHeads(g, Linear(g, positioned, toImage + "k_proj")), 1, 2, 0), Heads, _headChannels, _positions);
            g.Output("v0", g.Transpose(SplitHeads(g, Linear(g, keys, toImage + "v_proj")), 1, 0, 2), Heads, _positions, _headChannels);
            g.Output("q0", g.Transpose(SplitHeads(g, Linear(g, positioned, toToken + "q_proj")), 1, 0, 2), Heads, _positions, _headChannels);
            if (layout.AfterFirstStep is { } first)
            {
                // Rows (y, x, sy, sx), as the first upscaling gives them.
                Value rows = g.Reshape(g.Input(first.Name, 1, first.Channels, first.Side, first.Side), first.Channels, grid, 2, grid, 2);
                g.Output(AfterFirst, g.Reshape(g.Transpose(rows, 1, 3, 2, 4, 0), 4L * _positions, first.Channels), 4 * _positions, first.Channels);
            }

            if (layout.AfterSecondStep is { } second)
            {
                // Rows the same, columns (sy, sx, channel) of the second.
                Value rows = g.Reshape(g.Input(second.Name, 1, second.Channels, second.Side, second.Side), second.Channels, grid, 2, 2, grid, 2, 2);
                rows = g.Reshape(g.Transpose(rows, 1, 4, 2, 5, 3, 6, 0), 4L * _positions, 4L * second.Channels);
                g.Output(AfterSecond, rows, 4 * _positions, 4 * second.Channels);
            }

            addition?.Prepare(g, embedding);
            return g.ToBytes();

            Value SplitHeads(GraphBuilder g, Value rows) => g.Reshape(rows, _positions, Heads, _headChannels);
        }

        public byte[] Transformer()
        {
            GraphBuilder g = new("sam_decoder_transformer");
            Value keys0 = g.Input("keys", _positions, _channels);
            Value k0 = g.Input("k0", Heads, _headChannels, _positions);
            Value v0 = g.Input("v0", Heads, _positions, _headChannels);
            Value q0 = g.Input("q0", Heads, _positions, _headChannels);
            Value sparse = g.Input("sparse", "prompts", "tokens", _channels);
            Value positions = Positions(g);

            // The output tokens come first: the IoU token, then the mask tokens, then that of the object score. Their order is
            // without effect on the others.
            float[] score = layout.ScoreLayers > 0 ? weights.ReadAny("mask_decoder.obj_score_token.weight") : [];
            Value outputTokens = g.Constant("output_tokens",
                [
                    .. weights.ReadAny("mask_decoder.iou_token.weight"), .. weights.ReadAny("mask_decoder.mask_tokens.weight"), .. score,
                    .. addition is null ? [] : weights.Read(addition.Token, 1, _channels),
                ],
                1, OutputTokens, _channels);
            Value promptCount = g.Slice(g.Node("Shape", [sparse]), 0, 0, 1);
            Value outputShape = g.Concat(0, promptCount, g.Integers(OutputTokens, _channels));
            Value tokens = g.Concat(1, g.Node("Expand", [outputTokens, outputShape]), sparse);

            // Layer 0. Its self attention has neither residual nor positional term.
            Value queries = Norm(g, SelfAttention(g, tokens, tokens, 0), 0, 1);
            queries = Norm(g, g.Add(queries, HoistedTokenToImage(g, g.Add(queries, tokens), k0, v0)), 0, 2);
            queries = Norm(g, g.Add(queries, Mlp(g, queries, 0)), 0, 3);
            Value keys = Norm(g, g.Add(keys0, HoistedImageToToken(g, q0, g.Add(queries, tokens), queries)), 0, 4);

            // Layer 1.
            Value withPositions = g.Add(queries, tokens);
            queries = Norm(g, g.Add(queries, SelfAttention(g, withPositions, queries, 1)), 1, 1);
            Value positioned = g.Add(keys, positions);
            string toImage = DecoderLayout.Transformer + "layers.1.cross_attn_token_to_image.";
            queries = Norm(g, g.Add(queries, TokenToImage(g, g.Add(queries, tokens), positioned, keys, toImage)), 1, 2);
            queries = Norm(g, g.Add(queries, Mlp(g, queries, 1)), 1, 3);
            keys = Norm(g, g.Add(keys, ImageToToken(g, positioned, g.Add(queries, tokens), queries)), 1, 4);

            // The final attention is needed for the output tokens only: nobody reads the others.
            positioned = g.Add(keys, positions);
            Value outputs = g.Slice(queries, 1, 0, OutputTokens);
            Value outputsPositioned = g.Add(outputs, g.Slice(tokens, 1, 0, OutputTokens));
            Value final = TokenToImage(g, outputsPositioned, positioned, keys, DecoderLayout.Transformer + "final_attn_token_to_image.");
            outputs = LayerNorm(g, g.Add(outputs, final), DecoderLayout.Transformer + "norm_final_attn", layout.NormEpsilon);

            g.Output("image_tokens", keys, "prompts", _positions, _channels);
            g.Output("hyper", Hypernetworks(g, g.Slice(outputs, 1, 1, 1 + layout.MaskTokens)),
                "prompts", layout.MaskTokens, layout.UpscaleChannels2);
            Value iou = Head(g, outputs, 0, "iou_prediction_head", layout.IouLayers);
            g.Output("iou", layout.HasSigmoidIou ? g.Node("Sigmoid", [iou]) : iou, "prompts", layout.MaskTokens);
            if (layout.ScoreLayers > 0)
                g.Output(DecoderGraphSet.ObjectScore, Head(g, outputs, 1 + layout.MaskTokens, "pred_obj_score_head", layout.ScoreLayers), "prompts", 1);
            addition?.Transform(g, g.Slice(outputs, 1, OutputTokens - 1, OutputTokens));
            return g.ToBytes();
        }

        public byte[] Upscale()
        {
            GraphBuilder g = new("sam_decoder_upscale");
            int first = layout.UpscaleChannels1;
            int second = layout.UpscaleChannels2;
            Value x = g.Input("image_tokens", "prompts", _positions, _channels);
            Value hyper = g.Input("hyper", "prompts", "masks", second);

            // Both transposed convolutions have kernel and stride 2: no output sees two inputs, so they are products on rows.
            x = g.Reshape(UpscaleStep(g, x, "mask_decoder.output_upscaling.0", _channels, first), 0, 4L * _positions, first);
            if (layout.AfterFirstStep is not null) x = g.Add(x, g.Input(AfterFirst, 4 * _positions, first));
            x = g.Gelu(LayerNorm(g, x, "mask_decoder.output_upscaling.1", DecoderLayout.ChannelNormEpsilon));
            x = UpscaleStep(g, x, "mask_decoder.output_upscaling.3", first, second);
            if (layout.AfterSecondStep is not null) x = g.Add(x, g.Input(AfterSecond, 4 * _positions, 4 * second));
            x = g.Gelu(x);
            x = g.Reshape(x, 0, 16L * _positions, second);

            Value masks = g.MatMul(hyper, g.Transpose(x, 0, 2, 1));
            // (B, m, y, x, sy1, sx1, sy2, sx2) to (B, m, y, sy1, sy2, x, sx1, sx2); B·m is one dimension, so that 0 and -1 suffice.
            masks = g.Transpose(g.Reshape(masks, -1, grid, grid, 2, 2, 2, 2), 0, 1, 3, 5, 2, 4, 6);
            Value shape = g.Concat(0, g.Slice(g.Node("Shape", [hyper]), 0, 0, 2), g.Integers(4L * grid, 4L * grid));
            Value logits = g.Node("Reshape", [masks, shape]);
            if (addition is not null)
            {
                Value planes = g.Transpose(g.Reshape(x, 0, grid, grid, 2, 2, 2, 2, second), 0, 7, 1, 3, 5, 2, 4, 6);
                logits = addition.Upscale(g, g.Reshape(planes, 0, second, 4L * grid, 4L * grid), logits);
            }

            g.Output("logits", logits, "prompts", "masks", 4 * grid, 4 * grid);
            return g.ToBytes();
        }

        private static Value ScaledSoftmax(GraphBuilder g, Value scores, int headChannels) =>
            g.Softmax(g.Multiply(scores, g.Scalar(1 / MathF.Sqrt(headChannels))));

        /// <summary>What a chain of layers makes of one of the output tokens: (B, outputs).</summary>
        private Value Head(GraphBuilder g, Value outputs, int token, string name, int layers)
        {
            Value x = g.Reshape(g.Slice(outputs, 1, token, token + 1), 0, _channels);
            for (int i = 0; i < layers; i++)
            {
                x = Linear(g, x, $"mask_decoder.{name}.layers.{i}");
                if (i < layers - 1) x = g.Relu(x);
            }

            return x;
        }

        private Value Positions(GraphBuilder g) =>
            g.Constant("positions", PositionalEncoding.OfGrid(weights, grid), _positions, _channels);

        private Value Linear(GraphBuilder g, Value x, string name) =>
            g.Linear(x, name, weights.ReadAny(name + ".weight"), weights.ReadAny(name + ".bias"));

        private Value LayerNorm(GraphBuilder g, Value x, string name, float epsilon)
        {
            float[] scale = weights.ReadAny(name + ".weight");
            float[] shift = weights.ReadAny(name + ".bias");
            return g.LayerNorm(x, g.Constant(name + ".weight", scale, scale.Length), g.Constant(name + ".bias", shift, shift.Length), epsilon);
        }

        private Value Norm(GraphBuilder g, Value x, int layer, int norm) =>
            LayerNorm(g, x, $"{DecoderLayout.Transformer}layers.{layer}.norm{norm}", layout.NormEpsilon);

        private Value Mlp(GraphBuilder g, Value x, int layer)
        {
            string prefix = $"{DecoderLayout.Transformer}layers.{layer}.mlp.";
            return Linear(g, g.Relu(Linear(g, x, prefix + "lin1")), prefix + "lin2");
        }

        /// <summary>Attention among the tokens: (B, T, C) to (B, T, C).</summary>
        private Value SelfAttention(GraphBuilder g, Value queriesAndKeys, Value values, int layer)
        {
            string prefix = $"{DecoderLayout.Transformer}layers.{layer}.self_attn.";
            int headChannels = _channels / Heads;
            Value q = Split(Linear(g, queriesAndKeys, prefix + "q_proj"), 0, 2, 1, 3);
            Value k = Split(Linear(g, queriesAndKeys, prefix + "k_proj"), 0, 2, 3, 1);
            Value v = Split(Linear(g, values, prefix + "v_proj"), 0, 2, 1, 3);
            Value attention = ScaledSoftmax(g, g.MatMul(q, k), headChannels);
            Value merged = g.Reshape(g.Transpose(g.MatMul(attention, v), 0, 2, 1, 3), 0, -1, _channels);
            return Linear(g, merged, prefix + "out_proj");

            Value Split(Value x, params ReadOnlySpan<long> axes) =>
                g.Transpose(g.Reshape(x, 0, -1, Heads, headChannels), axes);
        }

        /// <summary>Layer 0, tokens to image, on the hoisted keys and values: the prompts are rows of one product a head.</summary>
        private Value HoistedTokenToImage(GraphBuilder g, Value queries, Value k0, Value v0)
        {
            const string prefix = DecoderLayout.Transformer + "layers.0.cross_attn_token_to_image.";
            Value q = g.Reshape(Linear(g, queries, prefix + "q_proj"), -1, Heads, _headChannels);
            Value attention = ScaledSoftmax(g, g.MatMul(g.Transpose(q, 1, 0, 2), k0), _headChannels);
            Value merged = g.Reshape(g.Transpose(g.MatMul(attention, v0), 1, 0, 2), -1, layout.AttentionChannels);
            return g.ReshapeLike(Linear(g, merged, prefix + "out_proj"), queries);
        }

        /// <summary>Layer 0, image to tokens, on the hoisted queries: (B, P, C).</summary>
        private Value HoistedImageToToken(GraphBuilder g, Value q0, Value keys, Value values)
        {
            const string prefix = DecoderLayout.Transformer + "layers.0.cross_attn_image_to_token.";
            Value k = g.Transpose(g.Reshape(Linear(g, keys, prefix + "k_proj"), 0, -1, Heads, _headChannels), 0, 2, 3, 1);
            // (B, 8, P, T): softmax over the tokens, then (B, P, 8T) for one product with the projected values.
            Value attention = ScaledSoftmax(g, g.MatMul(q0, k), _headChannels);
            Value rows = g.Reshape(g.Transpose(attention, 0, 2, 1, 3), 0, _positions, -1);
            return ProjectedValues(g, rows, values, prefix);
        }

        /// <summary>
        /// Tokens to image with the projections of the image moved to the tokens: scores = (q·Wk)·positionedᵀ
        /// (the keys' bias adds a constant along the softmax and drops out), values = (A·keys)·Wvᵀ + bv.
        /// </summary>
        private Value TokenToImage(GraphBuilder g, Value queries, Value positioned, Value keys, string prefix)
        {
            Value q = g.Transpose(g.Reshape(Linear(g, queries, prefix + "q_proj"), 0, -1, Heads, _headChannels), 0, 2, 1, 3);
            // Wk by head, 8 x c x C: as PyTorch keeps it, only cut in heads.
            Value wk = g.Constant(prefix + "k_by_head", weights.ReadAny(prefix + "k_proj.weight"), Heads, _headChannels, _channels);
            Value small = g.Reshape(g.MatMul(q, wk), 0, -1, _channels);
            Value attention = ScaledSoftmax(g, g.MatMul(small, g.Transpose(positioned, 0, 2, 1)), _headChannels);
            Value gathered = g.Reshape(g.MatMul(attention, keys), 0, Heads, -1, _channels);
            Value heads = g.MatMul(gathered, g.Constant(prefix + "v_by_head", ValuesByHead(prefix), Heads, _channels, _headChannels));
            heads = g.Add(heads, g.Constant(prefix + "v_bias", weights.ReadAny(prefix + "v_proj.bias"), Heads, 1, _headChannels));
            Value merged = g.Reshape(g.Transpose(heads, 0, 2, 1, 3), 0, -1, layout.AttentionChannels);
            return Linear(g, merged, prefix + "out_proj");
        }

        /// <summary>Image to tokens with the queries' projection moved to the tokens: scores = positioned·Mᵀ + c.</summary>
        private Value ImageToToken(GraphBuilder g, Value positioned, Value keys, Value values)
        {
            const string prefix = DecoderLayout.Transformer + "layers.1.cross_attn_image_to_token.";
            Value k = g.Transpose(g.Reshape(Linear(g, keys, prefix + "k_proj"), 0, -1, Heads, _headChannels), 0, 2, 1, 3);
            Value wq = g.Constant(prefix + "q_by_head", weights.ReadAny(prefix + "q_proj.weight"), Heads, _headChannels, _channels);
            Value bq = g.Constant(prefix + "q_bias", weights.ReadAny(prefix + "q_proj.bias"), Heads, _headChannels, 1);
            Value m = g.Reshape(g.MatMul(k, wq), 0, -1, _channels);
            Value c = g.Reshape(g.MatMul(k, bq), 0, 1, -1);
            Value scores = g.Add(g.MatMul(positioned, g.Transpose(m, 0, 2, 1)), c);
            Value attention = ScaledSoftmax(g, g.Reshape(scores, 0, _positions, Heads, -1), _headChannels);
            return ProjectedValues(g, g.Reshape(attention, 0, _positions, -1), values, prefix);
        }

        /// <summary>attention (B, P, 8T) times the values that are already projected to the output, (B, 8T, C).</summary>
        private Value ProjectedValues(GraphBuilder g, Value attention, Value values, string prefix)
        {
            Value v = g.Transpose(g.Reshape(Linear(g, values, prefix + "v_proj"), 0, -1, Heads, _headChannels), 0, 2, 1, 3);
            // Woᵀ cut in heads: rows of 8 x c x C.
            Value wo = g.Constant(prefix + "out_by_head",
                Matrices.Transpose(weights.ReadAny(prefix + "out_proj.weight"), _channels, layout.AttentionChannels),
                Heads, _headChannels, _channels);
            Value projected = g.Reshape(g.MatMul(v, wo), 0, -1, _channels);
            Value bias = g.Constant(prefix + "out_bias", weights.ReadAny(prefix + "out_proj.bias"), _channels);
            return g.Add(g.MatMul(attention, projected), bias);
        }

        /// <summary>Wv cut in heads and transposed: 8 x C x c.</summary>
        private float[] ValuesByHead(string prefix)
        {
            float[] weight = weights.ReadAny(prefix + "v_proj.weight");
            int block = _headChannels * _channels;
            float[] result = new float[weight.Length];
            for (int head = 0; head < Heads; head++)
            {
                Matrices.Transpose(weight.AsSpan(head * block, block), _headChannels, _channels).CopyTo(result.AsSpan(head * block));
            }

            return result;
        }

        /// <summary>The hypernetworks of all mask tokens at once: (B, masks, C) to (B, masks, U).</summary>
        private Value Hypernetworks(GraphBuilder g, Value maskTokens)
        {
            int masks = layout.MaskTokens;
            Value x = g.Transpose(maskTokens, 1, 0, 2);
            for (int layer = 0; layer < layout.HyperLayers; layer++)
            {
                bool last = layer == layout.HyperLayers - 1;
                int outputs = last ? layout.UpscaleChannels2 : _channels;
                List<float> weight = [];
                List<float> bias = [];
                for (int mask = 0; mask < masks; mask++)
                {
                    string name = $"mask_decoder.output_hypernetworks_mlps.{mask}.layers.{layer}";
                    weight.AddRange(Matrices.Transpose(weights.ReadAny(name + ".weight"), outputs, _channels));
                    bias.AddRange(weights.ReadAny(name + ".bias"));
                }

                Value w = g.Constant($"hyper.{layer}.weight", [.. weight], masks, _channels, outputs);
                Value b = g.Constant($"hyper.{layer}.bias", [.. bias], masks, 1, outputs);
                x = g.Add(g.MatMul(x, w), b);
                if (!last) x = g.Relu(x);
            }

            return g.Transpose(x, 1, 0, 2);
        }

        private Value UpscaleStep(GraphBuilder g, Value x, string name, int inputs, int outputs)
        {
            float[] matrix = Matrices.FromTransposedConvolution(weights.ReadAny(name + ".weight"), inputs, outputs);
            Value w = g.Constant(name + ".weight", matrix, inputs, 4 * outputs);
            Value b = g.Constant(name + ".bias", Matrices.Repeat(weights.ReadAny(name + ".bias"), 4), 4 * outputs);
            return g.Add(g.MatMul(x, w), b);
        }
    }
}
