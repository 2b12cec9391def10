using SegmentAnything.Checkpoints;
using SegmentAnything.Graphs;

namespace SegmentAnything.Families.Sam1;

/// <summary>
/// Builds MobileSAM's image encoder from its weights: <c>image</c> (1, 3, S, S), normalised, to <c>embedding</c> (1, C, G, G).
/// </summary>
/// <remarks>
/// Batch normalisation is folded into the convolutions. The first stage and the steps between stages are convolutions on
/// channel planes; the blocks of the other stages keep tokens as rows (<see cref="TokenRows"/>). In the tiled form, the
/// convolutions work on strips of rows: their inner pictures have four times the channels of what goes in and out, and are
/// the largest of the network.
/// Source: MobileSAM, mobile_sam/modeling/tiny_vit_sam.py.
/// </remarks>
internal sealed class TinyVitEncoderGraph
{
    /// <summary>The output that other families add.</summary>
    public const string EarlyFeature = VitEncoderGraph.EarlyFeature;

    /// <summary>Of the norms in front of attention and MLPs.</summary>
    public const float TokenNormEpsilon = 1e-5f;

    /// <summary>Of the neck's norms.</summary>
    public const float ChannelNormEpsilon = 1e-6f;

    private readonly TinyVitLayout _layout;
    private readonly TokenRows _rows;
    private readonly TinyVitWeights _weights;
    private readonly EncoderForm _form;
    private readonly GraphBuilder _g;

    private TinyVitEncoderGraph(StateDict weights, TinyVitLayout layout, WeightOptions options, EncoderForm form)
    {
        _layout = layout;
        _form = form;
        _weights = new TinyVitWeights(weights);
        _rows = new TokenRows(weights, TinyVitLayout.Prefix, form);
        _g = new GraphBuilder("sam_tiny_vit_encoder", options);
    }

    /// <param name="weights">Under their official names.</param>
    /// <param name="options">How the graph stores them.</param>
    /// <param name="form">What the graph is built for.</param>
    /// <param name="imageSize">Side of the picture, in pixels.</param>
    /// <param name="early">Gives a second output, <see cref="EarlyFeature"/> (1, channels, G, G): what enters the third stage.</param>
    /// <exception cref="CheckpointException">A weight is missing or has an unexpected shape.</exception>
    public static GraphBuilder Build(
        StateDict weights, WeightOptions? options = null, EncoderForm? form = null, int imageSize = TinyVitLayout.DefaultImageSize, bool early = false)
    {
        var graph = new TinyVitEncoderGraph(weights, TinyVitLayout.Of(weights, imageSize), options ?? WeightOptions.Default, form ?? EncoderForm.Tiled);
        graph.Build(early);
        return graph._g;
    }

    private void Build(bool withEarly)
    {
        int size = _layout.ImageSize, grid = size / 4;
        (Value X, int Grid, int Channels) early = default;
        (Value x, grid) = FirstStage(_g.Input("image", 1, 3, size, size), grid);
        for (int s = 1; s < _layout.Stages.Length; s++)
        {
            for (int b = 0; b < _layout.Stages[s].Depth; b++) x = TokenBlock(x, $"layers.{s}.blocks.{b}.", _layout.Stages[s], grid);
            if (s < _layout.Stages.Length - 1) (x, grid) = Merge(x, s, grid);
            if (s == 1) early = (x, grid, _layout.Stages[Math.Min(2, _layout.Stages.Length - 1)].Channels);
        }

        _g.Output(FeatureMapShape.Embedding, Neck(x, grid), 1, _layout.OutputChannels, grid, grid);
        if (withEarly) _g.Output(EarlyFeature, TokenRows.ToPlanes(_g, early.X, early.Grid, early.Grid, early.Channels), 1, early.Channels, early.Grid, early.Grid);
    }

    // Convolutions all the way from the image to rows of tokens, in strips of rows of the result. Each strip begins and ends
    // with some rows more, in which padding takes the place of the strips beside it: every convolution spoils one row more of
    // its edges, and what is spoilt at the end is cut off. At the edges of the picture padding is what the network has.
    private (Value X, int Grid) FirstStage(Value image, int grid)
    {
        FirstStageSteps steps = ReadFirstStage();
        int result = grid / steps.Merge.Stride, pixels = _layout.ImageSize / result;
        Value rows = InStrips(result, steps.Merge.Stride * _layout.Stages[0].Hidden * grid, _form.ValuesOfFirstStrip, (start, end) =>
        {
            int from = Math.Max(0, start - steps.SpoiltAbove), to = Math.Min(result, end + steps.SpoiltBelow);
            Value strip = to - from == result ? image : _g.Slice(image, 2, from * pixels, to * pixels);
            Value tokens = TokenRows.ToRows(_g, steps.Apply(_g, strip), to - from, result, steps.Merge.Channels);
            return to - from == end - start ? tokens : _g.Slice(tokens, 0, (start - from) * result, (end - from) * result);
        });
        return (rows, result);
    }

    private FirstStageSteps ReadFirstStage()
    {
        (int stem, int channels, int hidden) = (_layout.StemChannels, _layout.Stages[0].Channels, _layout.Stages[0].Hidden);
        return new FirstStageSteps(
            Folded("patch_embed.seq.0", 3, stem, 3), Folded("patch_embed.seq.2", stem, channels, 3),
            [.. Enumerable.Range(0, _layout.Stages[0].Depth).Select(b => (
                Folded($"layers.0.blocks.{b}.conv1", channels, hidden, 1),
                Folded($"layers.0.blocks.{b}.conv2", 1, hidden, 3),
                Folded($"layers.0.blocks.{b}.conv3", hidden, channels, 1)))],
            Downsample(0));
    }

    private readonly record struct FirstStageSteps(
        Convolution First, Convolution Second, (Convolution Widen, Convolution Around, Convolution Narrow)[] Blocks, Downsampling Merge)
    {
        // The stem looks one row up and none down, a block one row each way.

        /// <summary>Rows at the upper edge of what a strip gives that are wrong where it is not the picture's edge.</summary>
        public int SpoiltAbove => Merge.SpoiltAbove(1 + Blocks.Length);

        /// <summary>The same at the lower edge.</summary>
        public int SpoiltBelow => Merge.SpoiltBelow(Blocks.Length);

        public Value Apply(GraphBuilder g, Value image)
        {
            Value x = Second.Apply(g, g.Gelu(First.Apply(g, image, stride: 2)), stride: 2);
            // x + conv3(gelu(conv2(gelu(conv1 x)))), then gelu: widen, look around, narrow.
            foreach ((Convolution widen, Convolution around, Convolution narrow) in Blocks)
            {
                Value inner = g.Gelu(around.Apply(g, g.Gelu(widen.Apply(g, x))));
                x = g.Gelu(g.Add(narrow.Apply(g, inner), x));
            }

            return Merge.Apply(g, x);
        }
    }

    // From one stage of tokens to the next, in the same manner.
    private (Value X, int Grid) Merge(Value x, int stage, int grid)
    {
        Downsampling merge = Downsample(stage);
        int result = grid / merge.Stride, above = merge.SpoiltAbove(0), below = merge.SpoiltBelow(0);
        Value rows = InStrips(result, merge.Stride * merge.Channels * grid, _form.ValuesOfStrip, (start, end) =>
        {
            int from = Math.Max(0, start - above), to = Math.Min(result, end + below), rowsOf = merge.Stride * grid;
            Value strip = to - from == result ? x : _g.Slice(x, 0, from * rowsOf, to * rowsOf);
            Value planes = TokenRows.ToPlanes(_g, strip, (to - from) * merge.Stride, grid, _layout.Stages[stage].Channels);
            Value tokens = TokenRows.ToRows(_g, merge.Apply(_g, planes), to - from, result, merge.Channels);
            return to - from == end - start ? tokens : _g.Slice(tokens, 0, (start - from) * result, (end - from) * result);
        });
        return (rows, result);
    }

    private Downsampling Downsample(int stage)
    {
        string name = $"layers.{stage}.downsample.";
        int channels = _layout.Stages[stage].Channels, next = _layout.Stages[stage + 1].Channels;
        return new Downsampling(
            Folded(name + "conv1", channels, next, 1), Folded(name + "conv2", 1, next, 3), Folded(name + "conv3", next, next, 1),
            _layout.Stages[stage].Stride, next);
    }

    /// <summary>What leads from one stage to the next.</summary>
    private readonly record struct Downsampling(Convolution First, Convolution Around, Convolution Last, int Stride, int Channels)
    {
        public Value Apply(GraphBuilder g, Value x) =>
            Last.Apply(g, g.Gelu(Around.Apply(g, g.Gelu(First.Apply(g, x)), Stride)));

        /// <summary>Rows of the result that are wrong where so many of what goes in are: r looks at Stride * r - 1 and more.</summary>
        public int SpoiltAbove(int rows) => rows / Stride + 1;

        /// <summary>The same at the lower edge: r looks at Stride * r + 1 and less.</summary>
        public int SpoiltBelow(int rows) => Stride == 1 ? rows + 1 : (rows + 1) / Stride;
    }

    private Value TokenBlock(Value x, string name, TinyVitStage stage, int grid)
    {
        x = Attention(x, name + "attn.", stage, grid);
        Value planes = TokenRows.ToPlanes(_g, x, grid, grid, stage.Channels);
        x = TokenRows.ToRows(_g, Folded(name + "local_conv", 1, stage.Channels, 3).Apply(_g, planes), grid, grid, stage.Channels);
        return _rows.Mlp(_g, x, name + "mlp.norm", name + "mlp.fc1", name + "mlp.fc2", grid * grid, stage.Channels, stage.Hidden, TokenNormEpsilon);
    }

    private Value Attention(Value x, string name, TinyVitStage stage, int grid)
    {
        AttentionWeights weights = ReadAttention(name, stage);
        return _rows.WindowAttention(
            _g, x, new TokenRows.WindowSizes(grid, stage.Window, stage.Heads, stage.Channels / stage.Heads), name,
            (weights.Query, weights.Key, weights.Value), weights.Output, TokenNormEpsilon, (g, q, k, v, _) => Attend(g, q, k, v, weights.Biases));
    }

    private static Value Attend(GraphBuilder g, Value q, Value k, Value v, Value biases) =>
        g.MatMul(g.Softmax(g.Add(g.MatMul(q, g.Transpose(k, 0, 1, 3, 2)), biases)), v);

    private readonly record struct AttentionWeights(
        (float[] Weight, float[] Bias) Query, (float[] Weight, float[] Bias) Key, (float[] Weight, float[] Bias) Value,
        (float[] Weight, float[] Bias) Output, Value Biases);

    private AttentionWeights ReadAttention(string name, TinyVitStage stage)
    {
        int channels = stage.Channels, perHead = channels / stage.Heads, tokens = stage.Window * stage.Window;
        // The rows of qkv are by head, and within a head q, then k, then v.
        (float[] weight, float[] bias) = _rows.FoldNorm(name + "norm", name + "qkv", channels, 3 * channels);
        return new AttentionWeights(
            Part(0, 1 / MathF.Sqrt(perHead)), Part(1, 1), Part(2, 1),
            (_rows.Read(name + "proj.weight", channels, channels), _rows.Read(name + "proj.bias", channels)),
            _g.Constant(name + "attention_biases", RelativeBiases(name, stage), 1, stage.Heads, tokens, tokens));

        (float[] Weight, float[] Bias) Part(int part, float factor)
        {
            float[] partWeight = new float[channels * channels], partBias = new float[channels];
            for (int o = 0; o < channels; o++)
            {
                int row = (o / perHead * 3 + part) * perHead + o % perHead;
                partBias[o] = factor * bias[row];
                for (int i = 0; i < channels; i++) partWeight[o * channels + i] = factor * weight[row * channels + i];
            }

            return (partWeight, partBias);
        }
    }

    // The learnt bias of two tokens depends on how far apart they are: heads x tokens x tokens from heads x window².
    private float[] RelativeBiases(string name, TinyVitStage stage)
    {
        int window = stage.Window, tokens = window * window;
        float[] biases = _rows.Read(name + "attention_biases", stage.Heads, tokens);
        float[] table = new float[stage.Heads * tokens * tokens];
        for (int h = 0; h < stage.Heads; h++)
        {
            for (int a = 0; a < tokens; a++)
            {
                for (int b = 0; b < tokens; b++)
                {
                    int rows = Math.Abs(a / window - b / window), columns = Math.Abs(a % window - b % window);
                    table[(h * tokens + a) * tokens + b] = biases[h * tokens + rows * window + columns];
                }
            }
        }

        return table;
    }

    private Value Neck(Value x, int grid)
    {
        int inputs = _layout.Stages[^1].Channels, channels = _layout.OutputChannels, count = grid * grid;
        x = _g.MatMul(x, TokenRows.Matrix(_g, "neck.0", _rows.Read("neck.0.weight", channels, inputs, 1, 1), channels));
        x = _rows.Norm(_g, x, "neck.1", count, channels, ChannelNormEpsilon);
        Value kernel = _g.Kernel("neck.2.weight", _rows.Read("neck.2.weight", channels, channels, 3, 3), channels, channels, 3, 3);
        x = _g.Node("Conv", [TokenRows.ToPlanes(_g, x, grid, grid, channels), kernel], ("pads", new long[] { 1, 1, 1, 1 }));
        x = _rows.Norm(_g, TokenRows.ToRows(_g, x, grid, grid, channels), "neck.3", count, channels, ChannelNormEpsilon);
        return TokenRows.ToPlanes(_g, x, grid, grid, channels);
    }

    /// <summary>Builds rows start .. end-1 of the result for each strip, and joins them.</summary>
    private Value InStrips(int rows, int valuesOfRow, int valuesOfStrip, Func<int, int, Value> strip)
    {
        int height = _form.IsTiled ? Math.Clamp(valuesOfStrip / valuesOfRow, 1, rows) : rows;
        List<Value> strips = [];
        for (int start = 0; start < rows; start += height) strips.Add(strip(start, Math.Min(rows, start + height)));
        return strips.Count == 1 ? strips[0] : _g.Concat(0, [.. strips]);
    }

    /// <summary>A convolution with its batch normalisation folded in, or one that was folded before it was saved.</summary>
    /// <param name="name">Of the pair: <c>c</c> is the convolution, <c>bn</c> the normalisation.</param>
    /// <param name="inputs">Input channels of a group: 1 where each channel is on its own.</param>
    /// <param name="outputs">Output channels.</param>
    /// <param name="kernel">Side of the kernel.</param>
    private Convolution Folded(string name, int inputs, int outputs, int kernel)
    {
        (float[] weight, float[] bias) = _weights.Convolution(name, inputs, outputs, kernel);
        return new Convolution(
            _g.Kernel(name + ".weight", weight, outputs, inputs, kernel, kernel), _g.Constant(name + ".bias", bias, outputs),
            kernel, Groups: kernel == 3 && inputs == 1 ? outputs : 1);
    }

    private readonly record struct Convolution(Value Weight, Value Bias, int Kernel, int Groups)
    {
        /// <summary>As much padding as keeps the size.</summary>
        public Value Apply(GraphBuilder g, Value x, int stride = 1)
        {
            long padding = Kernel / 2;
            return g.Node("Conv", [x, Weight, Bias],
                ("pads", new[] { padding, padding, padding, padding }), ("strides", new long[] { stride, stride }), ("group", (long)Groups));
        }
    }
}
