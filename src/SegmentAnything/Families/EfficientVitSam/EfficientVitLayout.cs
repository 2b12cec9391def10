using System.Collections.Immutable;
using SegmentAnything.Checkpoints;

namespace SegmentAnything.Families.EfficientVitSam;

/// <summary>The kinds of block that EfficientViT is made of; each but the first of a stage is added to what goes in.</summary>
internal enum EfficientVitBlockKind
{
    /// <summary>Two 3 x 3 convolutions of the same width.</summary>
    Residual,

    /// <summary>A 3 x 3 convolution to many channels, then back.</summary>
    Fused,

    /// <summary>To many channels, a 3 x 3 convolution of each on its own, then back.</summary>
    Inverted,

    /// <summary>Linear attention, then an inverted block.</summary>
    Attention,
}

/// <summary>One block.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Hidden">Channels inside its convolutions; of the attention's inverted block for that.</param>
/// <param name="Kernel">Attention: side of the window that gathers neighbours; else 0.</param>
/// <param name="HeadChannels">Attention: channels of a head; else 0.</param>
/// <param name="IsNormed">Inverted: whether its first two convolutions are normalised, instead of having a bias.</param>
internal sealed record EfficientVitBlock(EfficientVitBlockKind Kind, int Hidden, int Kernel = 0, int HeadChannels = 0, bool IsNormed = false);

/// <summary>One stage. Its first block, or the first convolution of all, halves the image.</summary>
/// <param name="Channels">Channels of what it gives.</param>
/// <param name="Blocks">Its blocks; of the first stage, those after the first convolution.</param>
internal sealed record EfficientVitStage(int Channels, ImmutableArray<EfficientVitBlock> Blocks);

/// <summary>The sizes of an EfficientViT-SAM image encoder, as its weights' shapes tell them.</summary>
/// <param name="FrameSize">Side of the square that prompts and masks refer to, in pixels; no weight depends on it.</param>
/// <param name="Stages">From the largest image to the smallest.</param>
/// <param name="NeckChannels">Channels inside the neck.</param>
/// <param name="NeckHidden">Channels inside the neck's blocks.</param>
/// <param name="NeckDepth">Blocks of the neck.</param>
/// <param name="OutputChannels">Channels of the embedding.</param>
internal sealed record EfficientVitLayout(
    int FrameSize, ImmutableArray<EfficientVitStage> Stages, int NeckChannels, int NeckHidden, int NeckDepth, int OutputChannels)
{
    public const string Prefix = "image_encoder.";
    public const int DefaultFrameSize = 1024;

    /// <summary>Stages that the neck merges: the last ones.</summary>
    public const int MergedStages = 3;

    /// <summary>Pixels of the frame that become one position of the embedding.</summary>
    public const int EmbeddingStride = 16;

    private const string Stem = "backbone.stages.0.op_list.0";

    /// <summary>Positions along each side of the embedding.</summary>
    public int Grid => FrameSize / EmbeddingStride;

    /// <summary>
    /// Side of the image that the encoder takes, in pixels: the first of the merged stages has the embedding's size, so
    /// five stages take half of the frame, and six all of it.
    /// </summary>
    public int ImageSize => Grid << (Stages.Length - MergedStages + 1);

    /// <summary>Whether these are the weights of an EfficientViT-SAM at all.</summary>
    public static bool Fits(StateDict weights) => weights.Contains($"{Prefix}{Stem}.conv.weight");

    /// <summary>Multiply-adds of one image.</summary>
    public long MultiplyAdds()
    {
        long side = ImageSize / 2, channels = Stages[0].Channels, sum = side * side * channels * 27;
        for (int s = 0; s < Stages.Length; s++)
        {
            EfficientVitStage stage = Stages[s];
            long inputs = channels;
            channels = stage.Channels;
            foreach ((EfficientVitBlock block, int index) in stage.Blocks.Select((b, i) => (b, i)))
            {
                bool shrinks = s > 0 && index == 0;
                long before = side * side, hidden = block.Hidden;
                if (shrinks) side /= 2;
                long after = side * side;
                sum += block.Kind switch
                {
                    EfficientVitBlockKind.Residual => after * 18 * channels * channels,
                    EfficientVitBlockKind.Fused => after * hidden * (9 * inputs + channels),
                    EfficientVitBlockKind.Inverted => before * hidden * inputs + after * hidden * (9 + channels),
                    // qkv, neighbours, products of keys with values and of queries with them, projection; then the inverted block.
                    _ => after * (3 * channels * channels + 3 * channels * (block.Kernel * block.Kernel + block.HeadChannels)
                        + 4 * channels * (block.HeadChannels + 1) + 2 * channels * channels + hidden * (2 * channels + 9)),
                };
                inputs = channels;
            }
        }

        long grid = (long)Grid * Grid, merged = 0;
        for (int i = 0; i < MergedStages; i++) merged += (grid >> (2 * i)) * Stages[Stages.Length - MergedStages + i].Channels;
        return sum + (merged * NeckChannels) + (grid * (NeckDepth * 10L * NeckHidden * NeckChannels + NeckChannels * OutputChannels));
    }

    /// <summary>Recognises the layout.</summary>
    /// <param name="weights">Under their official names.</param>
    /// <param name="frameSize">Side of the square that prompts refer to, in pixels.</param>
    /// <exception cref="CheckpointException">The shapes are not those of EfficientViT-SAM's encoder.</exception>
    /// <exception cref="ArgumentException">The frame's side does not fit.</exception>
    public static EfficientVitLayout Of(StateDict weights, int frameSize = DefaultFrameSize)
    {
        var stages = ImmutableArray.CreateBuilder<EfficientVitStage>();
        int channels = Shape(Stem + ".conv.weight")[0];
        for (int s = 0; ; s++)
        {
            var blocks = ImmutableArray.CreateBuilder<EfficientVitBlock>();
            for (int b = s == 0 ? 1 : 0; BlockOf($"backbone.stages.{s}.op_list.{b}.") is { } block; b++)
            {
                if (s > 0 && b == 0) channels = Shape($"backbone.stages.{s}.op_list.0.main.point_conv.conv.weight")[0];
                blocks.Add(block);
            }

            if (s > 0 && blocks.Count == 0) break;
            stages.Add(new EfficientVitStage(channels, blocks.ToImmutable()));
        }

        int depth = CheckpointShapes.CountParts(weights, Prefix + "neck.middle.op_list.");
        if (stages.Count <= MergedStages || depth == 0)
            throw new CheckpointException($"{weights.Source}: {stages.Count} stages and {depth} blocks of the neck were found; expected more than {MergedStages} stages, and a block at least.");
        ImmutableArray<int> neck = Shape("neck.middle.op_list.0.main.spatial_conv.conv.weight");
        EfficientVitLayout layout = new(frameSize, stages.ToImmutable(), neck[1], neck[0], depth, Shape("neck.output_ops.0.op_list.0.conv.weight")[0]);
        int smallest = EmbeddingStride << (MergedStages - 1);
        return frameSize > 0 && frameSize % smallest == 0
            ? layout
            : throw new ArgumentException($"The frame's side is {frameSize}; a multiple of {smallest} is needed.", nameof(frameSize));

        bool Has(string name) => weights.Contains(Prefix + name);

        bool HasPart(string name) => CheckpointShapes.HasPart(weights, Prefix + name);

        EfficientVitBlock? BlockOf(string name)
        {
            if (HasPart(name + "main.conv1.")) return new(EfficientVitBlockKind.Residual, Shape(name + "main.conv1.conv.weight")[0]);
            if (HasPart(name + "main.spatial_conv.")) return new(EfficientVitBlockKind.Fused, Shape(name + "main.spatial_conv.conv.weight")[0]);
            if (HasPart(name + "main.inverted_conv."))
                return new(EfficientVitBlockKind.Inverted, Shape(name + "main.inverted_conv.conv.weight")[0], IsNormed: HasPart(name + "main.inverted_conv.norm."));
            if (!HasPart(name + "context_module.")) return null;
            return new(
                EfficientVitBlockKind.Attention, Shape(name + "local_module.main.inverted_conv.conv.weight")[0],
                Shape(name + "context_module.main.aggreg.0.0.weight")[2], Shape(name + "context_module.main.aggreg.0.1.weight")[1],
                HasPart(name + "local_module.main.inverted_conv.norm."));
        }

        ImmutableArray<int> Shape(string name)
        {
            if (!Has(name)) throw new CheckpointException($"{weights.Source}: '{Prefix}{name}' is missing: not an image encoder of EfficientViT-SAM's layout.");
            ImmutableArray<int> shape = weights.ShapeOf(Prefix + name);
            return shape.Length == 4
                ? shape
                : throw new CheckpointException($"{weights.Source}: tensor '{Prefix}{name}' has shape [{string.Join(", ", shape)}], expected 4 dimensions.");
        }
    }

    /// <summary>Every weight of the encoder, and its shape.</summary>
    public IEnumerable<(string Name, int[] Shape)> Tensors()
    {
        List<(string, int[])> tensors = [];
        int channels = Stages[0].Channels;
        Normed(Stem, channels, 3, 3);
        for (int s = 0; s < Stages.Length; s++)
        {
            int inputs = channels;
            channels = Stages[s].Channels;
            for (int b = 0; b < Stages[s].Blocks.Length; b++)
            {
                EfficientVitBlock block = Stages[s].Blocks[b];
                string name = $"backbone.stages.{s}.op_list.{(s == 0 ? b + 1 : b)}.";
                switch (block.Kind)
                {
                    case EfficientVitBlockKind.Residual:
                        Normed(name + "main.conv1", block.Hidden, inputs, 3);
                        Normed(name + "main.conv2", channels, block.Hidden, 3);
                        break;
                    case EfficientVitBlockKind.Fused:
                        Normed(name + "main.spatial_conv", block.Hidden, inputs, 3);
                        Normed(name + "main.point_conv", channels, block.Hidden, 1);
                        break;
                    case EfficientVitBlockKind.Inverted:
                        Inverted(name + "main.", block, inputs, channels);
                        break;
                    default:
                        string context = name + "context_module.main.";
                        Add(context + "qkv.conv.weight", 3 * channels, channels, 1, 1);
                        Add(context + "aggreg.0.0.weight", 3 * channels, 1, block.Kernel, block.Kernel);
                        Add(context + "aggreg.0.1.weight", 3 * channels, block.HeadChannels, 1, 1);
                        Normed(context + "proj", channels, 2 * channels, 1);
                        Inverted(name + "local_module.main.", block, channels, channels);
                        break;
                }

                inputs = channels;
            }
        }

        for (int i = 0; i < MergedStages; i++) Normed($"neck.input_ops.{i}.op_list.0", NeckChannels, Stages[Stages.Length - 1 - i].Channels, 1);
        for (int i = 0; i < NeckDepth; i++)
        {
            Normed($"neck.middle.op_list.{i}.main.spatial_conv", NeckHidden, NeckChannels, 3);
            Normed($"neck.middle.op_list.{i}.main.point_conv", NeckChannels, NeckHidden, 1);
        }

        Add("neck.output_ops.0.op_list.0.conv.weight", OutputChannels, NeckChannels, 1, 1);
        Add("neck.output_ops.0.op_list.0.conv.bias", OutputChannels);
        Add("norm.weight", OutputChannels);
        Add("norm.bias", OutputChannels);
        return tensors;

        void Inverted(string name, EfficientVitBlock block, int from, int to)
        {
            if (block.IsNormed)
            {
                Normed(name + "inverted_conv", block.Hidden, from, 1);
                Normed(name + "depth_conv", block.Hidden, 1, 3);
            }
            else
            {
                Add(name + "inverted_conv.conv.weight", block.Hidden, from, 1, 1);
                Add(name + "inverted_conv.conv.bias", block.Hidden);
                Add(name + "depth_conv.conv.weight", block.Hidden, 1, 3, 3);
                Add(name + "depth_conv.conv.bias", block.Hidden);
            }

            Normed(name + "point_conv", to, block.Hidden, 1);
        }

        void Normed(string name, int outputs, int from, int kernel)
        {
            Add(name + ".conv.weight", outputs, from, kernel, kernel);
            foreach (string part in (string[])["weight", "bias", "running_mean", "running_var"]) Add($"{name}.norm.{part}", outputs);
        }

        void Add(string name, params int[] shape) => tensors.Add((Prefix + name, shape));
    }
}
