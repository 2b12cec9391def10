using SegmentAnything.Checkpoints;
using SegmentAnything.Graphs;
using SegmentAnything.Kernels;
using SegmentAnything.Networks;

namespace SegmentAnything.Families.Sam1;

/// <summary>SAM's ViT image encoder in our own kernels: what <see cref="VitEncoderGraph"/> builds, as phases.</summary>
/// <remarks>Source: Segment Anything, modeling/image_encoder.py.</remarks>
internal static class VitNetwork
{
    private static readonly float Log2E = 1 / MathF.Log(2);

    /// <summary>Builds the network, a tensor at a time.</summary>
    /// <param name="weights">Under their official names; they may be disposed afterwards.</param>
    /// <param name="layout">Their sizes.</param>
    /// <param name="early">Gives a second map, what the first block with global attention makes.</param>
    /// <param name="vectorWidth">Vectors of 4, 8 or 16 floats, whether the processor has them or not.</param>
    /// <param name="cancellationToken">Stops between blocks.</param>
    /// <exception cref="CheckpointException">A weight is missing or has an unexpected shape.</exception>
    public static EncoderNetwork Build(StateDict weights, VitLayout layout, bool early, int vectorWidth, CancellationToken cancellationToken = default)
    {
        NetworkWeights packed = new(TileOperations.Of(vectorWidth));
        try
        {
            return new Builder(new TokenRows(weights, VitLayout.Prefix, EncoderForm.Plain), layout, packed).Build(early, cancellationToken);
        }
        catch
        {
            packed.Dispose();
            throw;
        }
    }

    private sealed class Builder(TokenRows weights, VitLayout layout, NetworkWeights packed)
    {
        private readonly PicturePlan _plan = new();
        private readonly List<NetworkPhase> _phases = [];

        public EncoderNetwork Build(bool early, CancellationToken cancellationToken)
        {
            int grid = layout.Grid, tokens = grid * grid, firstGlobal = early ? layout.GlobalBlocks.First() : -1;
            Picture x = _plan.Take(grid, grid, layout.Channels);
            Patches(x);
            for (int i = 0; i < layout.Depth; i++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                string name = $"blocks.{i}.";
                if (layout.Windows[i] == grid) GlobalAttention(x, name);
                else _phases.Add(new WindowAttentionPhase(x, x, WindowAttention(name, layout.Windows[i])));
                _phases.Add(new MlpPhase(x, x, null, Norm(name + "norm2", layout.Channels), packed.Mlp(
                    Read(name + "mlp.lin1.weight", layout.HiddenChannels, layout.Channels), Read(name + "mlp.lin1.bias", layout.HiddenChannels),
                    Read(name + "mlp.lin2.weight", layout.Channels, layout.HiddenChannels), Read(name + "mlp.lin2.bias", layout.Channels),
                    layout.Channels, layout.HiddenChannels)));
                if (i == firstGlobal) _phases.Add(new MapPhase(x, 1));
            }

            Neck(x);
            int length = layout.OutputChannels * tokens;
            return new EncoderNetwork(packed, _plan, [.. _phases], 3 * layout.ImageSize * layout.ImageSize, early ? [length, layout.Channels * tokens] : [length]);
        }

        private void Patches(Picture x)
        {
            int patch = layout.PatchSize, inputs = 3 * patch * patch, channels = layout.Channels;
            LinearWeights linear = packed.Linear(Read("patch_embed.proj.weight", channels, 3, patch, patch), Read("patch_embed.proj.bias", channels), channels, inputs);
            nint positions = packed.CopyRows(Read("pos_embed", 1, layout.Grid, layout.Grid, channels), channels);
            _phases.Add(new PatchPhase(layout.ImageSize, patch, patch, 0, x, linear, positions));
        }

        private WindowAttentionWeights WindowAttention(string name, int window)
        {
            (float[] projections, float[] bias) = Projections(name);
            return new WindowAttentionWeights(
                window, layout.Heads, layout.HeadChannels, Norm(name + "norm1", layout.Channels),
                packed.Linear(projections, bias, bias.Length, layout.Channels), Output(name), ScoreBiases.Relative(Relatives(name, window)));
        }

        private void GlobalAttention(Picture x, string name)
        {
            (float[] projections, float[] bias) = Projections(name);
            int outputs = bias.Length / 3, inputs = layout.Channels;
            GlobalAttention attention = new(_plan, x, new GlobalAttentionWeights(
                layout.Heads, layout.HeadChannels, Norm(name + "norm1", inputs), Part(0), Part(1), Part(2), Relatives(name, layout.Grid)));
            _phases.Add(new GlobalProjectionPhase(attention));
            _phases.Add(new GlobalAttentionPhase(attention));
            _phases.Add(LinearPhase.ToPicture(attention.Queries, Output(name), x, x));
            attention.Release(_plan);

            LinearWeights Part(int part) => packed.Linear(
                projections.AsSpan(part * outputs * inputs, outputs * inputs), bias.AsSpan(part * outputs, outputs), outputs, inputs);
        }

        // The rows of qkv are those of q, then k, then v; each is (heads, channels of a head).
        private (float[] Weight, float[] Bias) Projections(string name)
        {
            int heads = layout.Heads, width = layout.HeadChannels, rows = 3 * layout.AttentionChannels;
            float factor = Log2E / MathF.Sqrt(width);
            return (Arrange(Read(name + "attn.qkv.weight", rows, layout.Channels), layout.Channels), Arrange(Read(name + "attn.qkv.bias", rows), 1));

            float[] Arrange(float[] values, int inputs) => WindowAttentionWeights.Arrange(
                heads, width, inputs, values, (part, head, channel) => (((part * heads) + head) * width) + channel, factor);
        }

        private LinearWeights Output(string name)
        {
            int heads = layout.Heads, width = layout.HeadChannels, channels = layout.Channels;
            float[] weight = Read(name + "attn.proj.weight", channels, layout.AttentionChannels), bias = Read(name + "attn.proj.bias", channels);
            return packed.Linear(WindowAttentionWeights.ArrangeOutput(heads, width, channels, weight), bias, channels, heads * EncoderKernels.Padded(width));
        }

        // Queries have the scores' scale, which relative positions have not.
        private LinearWeights Relatives(string name, int window)
        {
            int width = layout.HeadChannels;
            return packed.Relatives(
                Read(name + "attn.rel_pos_h", (2 * window) - 1, width), Read(name + "attn.rel_pos_w", (2 * window) - 1, width), width, MathF.Sqrt(width));
        }

        private void Neck(Picture x)
        {
            int channels = layout.OutputChannels;
            Picture inner = _plan.Take(x.Width, x.Height, channels);
            _phases.Add(new ConvolutionPhase(x, inner, 0, packed.Linear(Read("neck.0.weight", channels, layout.Channels, 1, 1), [], channels, layout.Channels), Norm("neck.1", channels)));
            _phases.Add(new ConvolutionPhase(inner, null, 0, packed.Convolution(Read("neck.2.weight", channels, channels, 3, 3), [], channels, channels, 3), Norm("neck.3", channels)));
        }

        private NormWeights Norm(string name, int channels) =>
            packed.Norm(Read(name + ".weight", channels), Read(name + ".bias", channels), VitEncoderGraph.NormEpsilon);

        private float[] Read(string name, params ReadOnlySpan<int> shape) => weights.Read(name, shape);
    }
}
