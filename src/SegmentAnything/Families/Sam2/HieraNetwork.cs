using System.Numerics.Tensors;
using SegmentAnything.Checkpoints;
using SegmentAnything.Graphs;
using SegmentAnything.Kernels;
using SegmentAnything.Networks;

namespace SegmentAnything.Families.Sam2;

/// <summary>SAM 2's image encoder in our own kernels: what <see cref="HieraEncoderGraph"/> builds, as phases.</summary>
/// <remarks>Source: SAM 2, modeling/backbones/hieradet.py, image_encoder.py; modeling/sam2_base.py (forward_image).</remarks>
internal static class HieraNetwork
{
    private const int Patch = 7, PatchStride = 4;
    private static readonly float Log2E = 1 / MathF.Log(2);

    /// <summary>Builds the network, a tensor at a time. Its maps: the embedding, that of a quarter of the image's side, that of an eighth.</summary>
    /// <param name="weights">As <see cref="Sam2Names.View"/> names them; they may be disposed afterwards.</param>
    /// <param name="layout">Their sizes.</param>
    /// <param name="vectorWidth">Vectors of 4, 8 or 16 floats, whether the processor has them or not.</param>
    /// <param name="cancellationToken">Stops between blocks.</param>
    /// <exception cref="CheckpointException">A weight is missing or has an unexpected shape.</exception>
    public static EncoderNetwork Build(StateDict weights, Sam2Layout layout, int vectorWidth, CancellationToken cancellationToken = default)
    {
        NetworkWeights packed = new(TileOperations.Of(vectorWidth));
        try
        {
            return new Builder(weights, layout, packed).Build(cancellationToken);
        }
        catch
        {
            packed.Dispose();
            throw;
        }
    }

    private sealed class Builder(StateDict weights, Sam2Layout layout, NetworkWeights packed)
    {
        private const int Embedding = 0, HighRes0 = 1, HighRes1 = 2;

        private readonly PicturePlan _plan = new();
        private readonly List<NetworkPhase> _phases = [];

        // What the phases added so far give.
        private Picture _x = null!;

        public EncoderNetwork Build(CancellationToken cancellationToken)
        {
            int size = layout.ImageSize, grid = layout.Grid;
            Picture stage3 = Patches(size);
            foreach (HieraBlock block in layout.Blocks)
            {
                cancellationToken.ThrowIfCancellationRequested();
                Attention(block);
                int channels = block.Channels, hidden = layout.MlpRatio * channels;
                string mlp = block.Name + "mlp.layers.";
                _phases.Add(new MlpPhase(_x, _x, null, Norm(block.Name + "norm2", channels), packed.Mlp(
                    Read(mlp + "0.weight", hidden, channels), Read(mlp + "0.bias", hidden),
                    Read(mlp + "1.weight", channels, hidden), Read(mlp + "1.bias", channels), channels, hidden)));
                if (!block.EndsStage) continue;
                if (block.Stage == 0) HighRes(HighRes0, level: 3, "mask_decoder.conv_s0", layout.HighRes0);
                else if (block.Stage == 1) HighRes(HighRes1, level: 2, "mask_decoder.conv_s1", layout.HighRes1);
                else if (block.Stage == 2) stage3 = _x;
            }

            Neck(stage3);
            return new EncoderNetwork(
                packed, _plan, [.. _phases], 3 * size * size,
                layout.Channels * grid * grid, layout.HighRes0 * 16 * grid * grid, layout.HighRes1 * 4 * grid * grid);
        }

        private Picture Patches(int size)
        {
            int grid = size / PatchStride, width = layout.Spec.EmbedWidth, inputs = 3 * Patch * Patch;
            _x = _plan.Take(grid, grid, width);
            LinearWeights linear = packed.Linear(Read("patch_embed.proj.weight", width, 3, Patch, Patch), Read("patch_embed.proj.bias", width), width, inputs);
            nint positions = packed.CopyRows(HieraEncoderGraph.Positions(weights, layout), width);
            _phases.Add(new PatchPhase(size, Patch, PatchStride, Patch / 2, _x, linear, positions));
            return _x;
        }

        private void Attention(HieraBlock block)
        {
            if (block.Window == block.InputGrid && !block.Pools)
            {
                GlobalAttention(block);
                return;
            }

            Picture result = block.Pools ? _plan.Take(block.Grid, block.Grid, block.Channels) : _x;
            (float[] projections, float[] bias) = Projections(block);
            if (block.Pools)
            {
                projections = [.. projections, .. Read(block.Name + "proj.weight", block.Channels, block.InputChannels)];
                bias = [.. bias, .. Read(block.Name + "proj.bias", block.Channels)];
            }

            _phases.Add(new WindowAttentionPhase(_x, result, new WindowAttentionWeights(
                block.Window, block.Heads, block.Channels / block.Heads, Norm(block.Name + "norm1", block.InputChannels),
                packed.Linear(projections, bias, bias.Length, block.InputChannels), Output(block), ScoreBiases.None(packed, block.Window * block.Window))));
            if (!block.Pools) return;
            // The neck reads what the third stage made.
            if (block.Stage < 3) _plan.Release(_x);
            _x = result;
        }

        private void GlobalAttention(HieraBlock block)
        {
            (float[] projections, float[] bias) = Projections(block);
            int outputs = bias.Length / 3, inputs = block.InputChannels;
            GlobalAttention attention = new(_plan, _x, new GlobalAttentionWeights(
                block.Heads, block.Channels / block.Heads, Norm(block.Name + "norm1", inputs), Part(0), Part(1), Part(2), null));
            _phases.Add(new GlobalProjectionPhase(attention));
            _phases.Add(new GlobalAttentionPhase(attention));
            _phases.Add(LinearPhase.ToPicture(attention.Queries, Output(block), _x, _x));
            attention.Release(_plan);

            LinearWeights Part(int part) => packed.Linear(
                projections.AsSpan(part * outputs * inputs, outputs * inputs), bias.AsSpan(part * outputs, outputs), outputs, inputs);
        }

        // The rows of qkv are those of q, then k, then v; each is (heads, channels of a head).
        private (float[] Weight, float[] Bias) Projections(HieraBlock block)
        {
            int heads = block.Heads, width = block.Channels / heads, rows = 3 * block.Channels;
            float factor = Log2E / MathF.Sqrt(width);
            return (Arrange(Read(block.Name + "attn.qkv.weight", rows, block.InputChannels), block.InputChannels), Arrange(Read(block.Name + "attn.qkv.bias", rows), 1));

            float[] Arrange(float[] values, int inputs) => WindowAttentionWeights.Arrange(
                heads, width, inputs, values, (part, head, channel) => (((part * heads) + head) * width) + channel, factor);
        }

        private LinearWeights Output(HieraBlock block)
        {
            int heads = block.Heads, channels = block.Channels, width = channels / heads;
            float[] weight = Read(block.Name + "attn.proj.weight", channels, channels), bias = Read(block.Name + "attn.proj.bias", channels);
            return packed.Linear(WindowAttentionWeights.ArrangeOutput(heads, width, channels, weight), bias, channels, heads * EncoderKernels.Padded(width));
        }

        private void HighRes(int map, int level, string convolution, int outputs)
        {
            (float[] weight, float[] bias) = HieraEncoderGraph.MergeWithNeck(weights, layout, level, convolution, _x.Channels, outputs);
            _phases.Add(LinearPhase.ToMap(_x, packed.Linear(weight, bias, outputs, _x.Channels), null, map));
        }

        // The sixteenth, plus the thirty-second enlarged to the nearest, plus the no-memory embedding.
        private void Neck(Picture stage3)
        {
            int channels = layout.Channels;
            Picture coarse = _plan.Take(_x.Width, _x.Height, channels);
            _phases.Add(LinearPhase.ToPicture(_x, Level(0, _x, Bias(0)), null, coarse));
            float[] bias = Bias(1);
            TensorPrimitives.Add(bias, weights.Read(Sam2Names.NoMemory, 1, 1, channels), bias);
            _phases.Add(LinearPhase.ToMap(stage3, Level(1, stage3, bias), coarse, Embedding));

            float[] Bias(int level) => weights.Read($"{Sam2Names.Neck}{level}.conv.bias", channels);

            LinearWeights Level(int level, Picture source, float[] shift) => packed.Linear(
                weights.Read($"{Sam2Names.Neck}{level}.conv.weight", channels, source.Channels, 1, 1), shift, channels, source.Channels);
        }

        private NormWeights Norm(string name, int channels) =>
            packed.Norm(Read(name + ".weight", channels), Read(name + ".bias", channels), HieraEncoderGraph.NormEpsilon);

        private float[] Read(string name, params ReadOnlySpan<int> shape) => weights.Read(Sam2Names.Trunk + name, shape);
    }
}
