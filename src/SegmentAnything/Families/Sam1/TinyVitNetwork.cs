using SegmentAnything.Checkpoints;
using SegmentAnything.Graphs;
using SegmentAnything.Kernels;
using SegmentAnything.Networks;

namespace SegmentAnything.Families.Sam1;

/// <summary>MobileSAM's image encoder in our own kernels: what <see cref="TinyVitEncoderGraph"/> builds, as phases.</summary>
/// <remarks>Source: MobileSAM, mobile_sam/modeling/tiny_vit_sam.py.</remarks>
internal static unsafe class TinyVitNetwork
{
    private static readonly float Log2E = 1 / MathF.Log(2);

    /// <summary>Builds the network.</summary>
    /// <param name="weights">Under their official names; they may be disposed afterwards.</param>
    /// <param name="layout">Their sizes.</param>
    /// <param name="early">Gives a second map, what enters the third stage.</param>
    /// <param name="vectorWidth">Vectors of 4, 8 or 16 floats, whether the processor has them or not.</param>
    /// <exception cref="CheckpointException">A weight is missing or has an unexpected shape.</exception>
    public static EncoderNetwork Build(StateDict weights, TinyVitLayout layout, bool early, int vectorWidth)
    {
        NetworkWeights packed = new(TileOperations.Of(vectorWidth));
        try
        {
            return new Builder(new TinyVitWeights(weights), layout, packed).Build(early);
        }
        catch
        {
            packed.Dispose();
            throw;
        }
    }

    /// <summary>Builds the network for this processor; null where a weight is missing or has another shape than it takes.</summary>
    public static EncoderNetwork? TryBuild(StateDict weights, TinyVitLayout layout, bool early)
    {
        try
        {
            return Build(weights, layout, early, TileOperations.WidthHere);
        }
        catch (CheckpointException)
        {
            return null;
        }
    }

    private sealed class Builder(TinyVitWeights weights, TinyVitLayout layout, NetworkWeights packed)
    {
        private readonly PicturePlan _plan = new();
        private readonly List<NetworkPhase> _phases = [];

        // What the phases added so far give.
        private Picture _x = null!;

        public EncoderNetwork Build(bool early)
        {
            int size = layout.ImageSize;
            Stem(size);
            int earlyLength = 0;
            for (int s = 0; s < layout.Stages.Length; s++)
            {
                TinyVitStage stage = layout.Stages[s];
                for (int b = 0; b < stage.Depth; b++)
                {
                    string name = $"layers.{s}.blocks.{b}.";
                    if (s == 0) Convolutions(name, stage);
                    else Block(name, stage);
                }

                if (stage.Stride > 0) Merge($"layers.{s}.downsample.", layout.Stages[s + 1].Channels, stage.Stride);
                if (!early || s != 1) continue;
                _phases.Add(new MapPhase(_x, 1));
                earlyLength = _x.Channels * _x.Width * _x.Height;
            }

            Neck();
            int length = layout.OutputChannels * layout.Grid * layout.Grid;
            return new EncoderNetwork(packed, _plan, [.. _phases], 3 * size * size, early ? [length, earlyLength] : [length]);
        }

        private void Stem(int size)
        {
            (int inner, int channels) = (layout.StemChannels, layout.Stages[0].Channels);
            (float[] first, float[] firstBias) = weights.Convolution("patch_embed.seq.0", 3, inner, 3);
            (float[] second, float[] secondBias) = weights.Convolution("patch_embed.seq.2", inner, channels, 3);
            _x = _plan.Take(size / 4, size / 4, channels);
            _phases.Add(new StemPhase(size, _x, packed.Linear(first, firstBias, inner, 27), packed.Convolution(second, secondBias, channels, inner, 3)));
        }

        // gelu(x + conv3(gelu(conv2(gelu(conv1 x))))).
        private void Convolutions(string name, TinyVitStage stage) =>
            Bottleneck(name + "conv1", name + "conv2", name + "conv3", stage.Hidden, stage.Channels, 1, residual: true);

        private void Merge(string name, int channels, int stride) =>
            Bottleneck(name + "conv1", name + "conv2", name + "conv3", channels, channels, stride, residual: false);

        private void Bottleneck(string widen, string around, string narrow, int hidden, int channels, int stride, bool residual)
        {
            Picture result = _plan.Take(_x.Width / stride, _x.Height / stride, channels);
            _phases.Add(new InvertedBottleneckPhase(
                _x, result, Pointwise(widen, _x.Channels, hidden), Around(around, hidden), Pointwise(narrow, hidden, channels), stride, residual));
            Continue(result);
        }

        private void Block(string name, TinyVitStage stage)
        {
            _phases.Add(new WindowAttentionPhase(_x, _x, Attention(name + "attn.", stage)));
            Picture result = _plan.Take(_x.Width, _x.Height, _x.Channels);
            (float[] widen, float[] widenBias) = weights.FoldNorm(name + "mlp.norm", name + "mlp.fc1", stage.Channels, stage.Hidden);
            (float[] narrow, float[] narrowBias) = weights.Linear(name + "mlp.fc2", stage.Hidden, stage.Channels);
            _phases.Add(new MlpPhase(
                _x, result, Around(name + "local_conv", stage.Channels), NormWeights.Plain(TinyVitEncoderGraph.TokenNormEpsilon),
                packed.Mlp(widen, widenBias, narrow, narrowBias, stage.Channels, stage.Hidden)));
            Continue(result);
        }

        private WindowAttentionWeights Attention(string name, TinyVitStage stage)
        {
            int channels = stage.Channels, heads = stage.Heads, width = channels / heads, room = EncoderKernels.Padded(width);
            (float[] weight, float[] bias) = weights.FoldNorm(name + "norm", name + "qkv", channels, 3 * channels);
            (float[] output, float[] outputBias) = weights.Linear(name + "proj", channels, channels);
            float factor = Log2E / MathF.Sqrt(width);
            return new WindowAttentionWeights(
                stage.Window, heads, width, NormWeights.Plain(TinyVitEncoderGraph.TokenNormEpsilon),
                packed.Linear(Arrange(weight, channels), Arrange(bias, 1), 3 * heads * room, channels),
                packed.Linear(WindowAttentionWeights.ArrangeOutput(heads, width, channels, output), outputBias, channels, heads * room),
                ScoreBiases.Learnt(packed, Biases(name, stage), stage.Window * stage.Window));

            // The rows of qkv are by head, and within a head q, then k, then v.
            float[] Arrange(float[] rows, int inputs) => WindowAttentionWeights.Arrange(
                heads, width, inputs, rows, (part, head, channel) => (((head * 3) + part) * width) + channel, factor);
        }

        // The learnt bias of two tokens depends on how far apart they are.
        private float[] Biases(string name, TinyVitStage stage)
        {
            int window = stage.Window, tokens = window * window, room = EncoderKernels.Padded(tokens);
            float[] biases = weights.Read(name + "attention_biases", stage.Heads, tokens), table = new float[stage.Heads * tokens * room];
            Array.Fill(table, EncoderKernels.NoScore);
            for (int row = 0; row < stage.Heads * tokens; row++)
            {
                (int head, int a) = Math.DivRem(row, tokens);
                for (int b = 0; b < tokens; b++)
                {
                    int rows = Math.Abs((a / window) - (b / window)), columns = Math.Abs((a % window) - (b % window));
                    table[(row * room) + b] = Log2E * biases[(head * tokens) + (rows * window) + columns];
                }
            }

            return table;
        }

        private void Neck()
        {
            int inputs = layout.Stages[^1].Channels, channels = layout.OutputChannels;
            Picture inner = _plan.Take(_x.Width, _x.Height, channels);
            _phases.Add(new ConvolutionPhase(_x, inner, 0, packed.Linear(weights.Read("neck.0.weight", channels, inputs, 1, 1), [], channels, inputs), Norm("neck.1", channels)));
            Continue(inner);
            _phases.Add(new ConvolutionPhase(_x, null, 0, packed.Convolution(weights.Read("neck.2.weight", channels, channels, 3, 3), [], channels, channels, 3), Norm("neck.3", channels)));
        }

        private NormWeights Norm(string name, int channels) => packed.Norm(
            weights.Read(name + ".weight", channels), weights.Read(name + ".bias", channels), TinyVitEncoderGraph.ChannelNormEpsilon);

        private LinearWeights Pointwise(string name, int inputs, int outputs)
        {
            (float[] weight, float[] bias) = weights.Convolution(name, inputs, outputs, 1);
            return packed.Linear(weight, bias, outputs, inputs);
        }

        private DepthwiseWeights Around(string name, int channels)
        {
            (float[] weight, float[] bias) = weights.Convolution(name, 1, channels, 3);
            return packed.Depthwise(weight, bias, channels);
        }

        private void Continue(Picture result)
        {
            _plan.Release(_x);
            _x = result;
        }
    }
}
