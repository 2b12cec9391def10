using System.Collections.Immutable;
using SegmentAnything.Checkpoints;
using SegmentAnything.Graphs;

namespace SegmentAnything.Families.Sam1;

/// <summary>One stage of a TinyViT.</summary>
/// <param name="Channels">Channels of a token.</param>
/// <param name="Depth">Blocks.</param>
/// <param name="Heads">Attention heads; 0 for the first stage, which is made of convolutions.</param>
/// <param name="Window">Tokens along each side of a window; 0 for the first stage.</param>
/// <param name="Hidden">Channels inside an MLP, or inside a block of convolutions.</param>
/// <param name="Stride">By how much the step to the next stage shrinks the picture; 0 after the last stage.</param>
internal sealed record TinyVitStage(int Channels, int Depth, int Heads, int Window, int Hidden, int Stride);

/// <summary>The sizes of a TinyViT image encoder (MobileSAM's is TinyViT-5M), as its weights' shapes tell them.</summary>
/// <param name="ImageSize">Side of the picture, in pixels; no weight depends on it.</param>
/// <param name="StemChannels">Channels between the two first convolutions.</param>
/// <param name="Stages">The four stages.</param>
/// <param name="OutputChannels">Channels of the embedding.</param>
internal sealed record TinyVitLayout(int ImageSize, int StemChannels, ImmutableArray<TinyVitStage> Stages, int OutputChannels)
{
    public const string Prefix = "image_encoder.";

    /// <summary>The size that MobileSAM was trained at.</summary>
    public const int DefaultImageSize = 1024;

    /// <summary>Tokens along each side of the embedding.</summary>
    public int Grid => Stages.Aggregate(ImageSize / 4, (grid, stage) => grid / Math.Max(1, stage.Stride));

    /// <summary>Whether these are the weights of a TinyViT encoder at all.</summary>
    public static bool Fits(StateDict weights) =>
        weights.Contains(Prefix + "patch_embed.seq.0.c.weight") && weights.Contains(Prefix + "layers.1.blocks.0.attn.attention_biases");

    /// <summary>Every tensor of the image encoder, with its shape. Norms stand beside their convolutions: exports that have joined them differ.</summary>
    public IEnumerable<(string Name, int[] Shape)> Tensors()
    {
        List<(string, int[])> tensors = [];
        Convolution("patch_embed.seq.0", StemChannels, 3, 3);
        Convolution("patch_embed.seq.2", Stages[0].Channels, StemChannels, 3);
        for (int s = 0; s < Stages.Length; s++)
        {
            TinyVitStage stage = Stages[s];
            for (int b = 0; b < stage.Depth; b++)
            {
                string block = $"layers.{s}.blocks.{b}.";
                if (s == 0)
                {
                    Convolution(block + "conv1", stage.Hidden, stage.Channels, 1);
                    Convolution(block + "conv2", stage.Hidden, 1, 3);
                    Convolution(block + "conv3", stage.Channels, stage.Hidden, 1);
                    continue;
                }

                tensors.Add(($"{Prefix}{block}attn.attention_biases", [stage.Heads, stage.Window * stage.Window]));
                Weights(block + "attn.norm", stage.Channels);
                Weights(block + "attn.qkv", 3 * stage.Channels, stage.Channels);
                Weights(block + "attn.proj", stage.Channels, stage.Channels);
                Weights(block + "mlp.norm", stage.Channels);
                Weights(block + "mlp.fc1", stage.Hidden, stage.Channels);
                Weights(block + "mlp.fc2", stage.Channels, stage.Hidden);
                Convolution(block + "local_conv", stage.Channels, 1, 3);
            }

            if (stage.Stride == 0) continue;
            int next = Stages[s + 1].Channels;
            Convolution($"layers.{s}.downsample.conv1", next, stage.Channels, 1);
            Convolution($"layers.{s}.downsample.conv2", next, 1, 3);
            Convolution($"layers.{s}.downsample.conv3", next, next, 1);
        }

        tensors.Add((Prefix + "neck.0.weight", [OutputChannels, Stages[^1].Channels, 1, 1]));
        tensors.Add((Prefix + "neck.2.weight", [OutputChannels, OutputChannels, 3, 3]));
        Weights("neck.1", OutputChannels);
        Weights("neck.3", OutputChannels);
        return tensors;

        void Convolution(string name, int outputs, int inputs, int kernel)
        {
            tensors.Add(($"{Prefix}{name}.c.weight", [outputs, inputs, kernel, kernel]));
            foreach (string part in (ReadOnlySpan<string>)["weight", "bias", "running_mean", "running_var"]) tensors.Add(($"{Prefix}{name}.bn.{part}", [outputs]));
        }

        void Weights(string name, params int[] shape)
        {
            tensors.Add(($"{Prefix}{name}.weight", shape));
            tensors.Add(($"{Prefix}{name}.bias", [shape[0]]));
        }
    }

    /// <summary>Checks that every tensor is there with its shape, and no other. A checkpoint may have the classifier that the encoder was trained with.</summary>
    /// <exception cref="CheckpointException">A tensor is missing, has another shape, or is one too many; the message names it.</exception>
    public void Check(StateDict weights) => CheckpointShapes.CheckAll(weights, Prefix, Tensors(), Prefix + "norm_head.", Prefix + "head.");

    /// <summary>Recognises the layout.</summary>
    /// <exception cref="CheckpointException">The shapes are not those of MobileSAM's encoder.</exception>
    public static TinyVitLayout Of(StateDict weights, int imageSize = DefaultImageSize)
    {
        var stages = ImmutableArray.CreateBuilder<TinyVitStage>();
        for (int i = 0; HasAny($"layers.{i}.blocks.0."); i++)
        {
            int depth = CheckpointShapes.CountParts(weights, $"{Prefix}layers.{i}.blocks.");
            bool merges = HasAny($"layers.{i}.downsample.");
            // The step to the last stage keeps the picture's size, so that the embedding has one position for 16 x 16 pixels.
            int stride = !merges ? 0 : HasAny($"layers.{i + 1}.downsample.") ? 2 : 1;
            if (i == 0)
            {
                ImmutableArray<int> expand = Shape("layers.0.blocks.0.conv1.c.weight", 4);
                stages.Add(new TinyVitStage(expand[1], depth, 0, 0, expand[0], stride));
                continue;
            }

            ImmutableArray<int> biases = Shape($"layers.{i}.blocks.0.attn.attention_biases", 2);
            ImmutableArray<int> qkv = Shape($"layers.{i}.blocks.0.attn.qkv.weight", 2);
            int window = (int)Math.Round(Math.Sqrt(biases[1]));
            if (biases[0] <= 0 || window * window != biases[1] || qkv[1] % biases[0] != 0 || qkv[0] != 3 * qkv[1])
            {
                throw new CheckpointException(
                    $"{weights.Source}: stage {i} has attention biases of shape [{string.Join(", ", biases)}] and qkv of [{string.Join(", ", qkv)}]; expected [heads, window²] and [3C, C].");
            }

            stages.Add(new TinyVitStage(qkv[1], depth, biases[0], window, Shape($"layers.{i}.blocks.0.mlp.fc1.weight", 2)[0], stride));
        }

        if (stages.Count < 2 || stages[^1].Stride != 0)
            throw new CheckpointException($"{weights.Source}: not a TinyViT encoder: {stages.Count} stages were found.");
        var layout = new TinyVitLayout(imageSize, Shape("patch_embed.seq.0.c.weight", 4)[0], stages.ToImmutable(), Shape("neck.0.weight", 4)[0]);
        int shrinks = layout.Stages.Aggregate(4, (product, stage) => product * Math.Max(1, stage.Stride));
        return imageSize > 0 && imageSize % shrinks == 0
            ? layout
            : throw new ArgumentException($"The picture's side is {imageSize}; a multiple of {shrinks} is needed.", nameof(imageSize));

        bool Has(string name) => weights.Contains(Prefix + name);

        bool HasAny(string start) => CheckpointShapes.HasPart(weights, Prefix + start);

        ImmutableArray<int> Shape(string name, int rank)
        {
            if (!Has(name)) throw new CheckpointException($"{weights.Source}: '{Prefix}{name}' is missing: not an image encoder of MobileSAM's TinyViT layout.");
            ImmutableArray<int> shape = weights.ShapeOf(Prefix + name);
            return shape.Length == rank
                ? shape
                : throw new CheckpointException($"{weights.Source}: '{Prefix}{name}' has shape [{string.Join(", ", shape)}], expected {rank} dimensions.");
        }
    }
}
