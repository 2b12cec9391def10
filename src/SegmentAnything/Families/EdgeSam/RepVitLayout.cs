using System.Collections.Immutable;
using SegmentAnything.Checkpoints;

namespace SegmentAnything.Families.EdgeSam;

/// <summary>One block of a RepViT.</summary>
/// <param name="Channels">Channels of what it gives.</param>
/// <param name="Stride">2 where it halves the image.</param>
/// <param name="SqueezeChannels">Channels inside its squeeze-and-excitation, or 0 if it has none.</param>
/// <param name="Hidden">Channels inside its channel mixer.</param>
internal sealed record RepVitBlock(int Channels, int Stride, int SqueezeChannels, int Hidden);

/// <summary>The sizes of EdgeSAM's image encoder, as its weights' shapes tell them.</summary>
/// <param name="ImageSize">Side of the image, in pixels; no weight depends on it.</param>
/// <param name="StemChannels">Channels between the two first convolutions.</param>
/// <param name="Blocks">In their order; the first follows the stem.</param>
/// <param name="OutputChannels">Channels of the embedding.</param>
internal sealed record RepVitLayout(int ImageSize, int StemChannels, ImmutableArray<RepVitBlock> Blocks, int OutputChannels)
{
    public const string Prefix = "image_encoder.";
    public const int DefaultImageSize = 1024;

    // The image is halved by the two convolutions of the stem and three times after: two steps of them are merged again.
    private const int Stages = 4;
    private const int EmbeddingStride = 16;

    /// <summary>Positions along each side of the embedding.</summary>
    public int Grid => ImageSize / EmbeddingStride;

    /// <summary>The number of the last block of a stage, 0 to 3.</summary>
    public int LastBlockOf(int stage)
    {
        int begun = 0;
        for (int i = 0; i < Blocks.Length; i++)
        {
            if (Blocks[i].Stride == 2 && begun++ == stage) return i - 1;
        }

        return Blocks.Length - 1;
    }

    /// <summary>Whether these are the weights of a RepViT at all. Of EdgeSAM, if <see cref="IsFused"/>.</summary>
    public static bool Fits(StateDict weights) => weights.Contains(Prefix + "features.0.0.c.weight");

    /// <summary>Whether two stages are merged: EdgeSAM does, RepViT-SAM does not.</summary>
    public static bool IsFused(StateDict weights) => weights.Contains(Prefix + "fuse_stage2.weight");

    /// <summary>Multiply-adds of one image.</summary>
    public long MultiplyAdds()
    {
        long side = ImageSize / 2, sum = side * side * StemChannels * 27, channels = Blocks[0].Channels;
        side /= 2;
        sum += side * side * channels * StemChannels * 9;
        foreach (RepVitBlock block in Blocks)
        {
            side /= block.Stride;
            sum += side * side * ((9 * channels) + (block.Stride == 2 ? channels * block.Channels : 0) + (2L * block.Channels * block.Hidden));
            channels = block.Channels;
        }

        long grid = Grid, output = OutputChannels;
        return sum + (grid * grid * output * Blocks[LastBlockOf(Stages - 2)].Channels) + (grid * grid / 4 * output * channels) + (grid * grid * 10 * output * output);
    }

    /// <summary>Recognises the layout.</summary>
    /// <param name="weights">Under their official names.</param>
    /// <param name="imageSize">Side of the image, in pixels.</param>
    /// <exception cref="CheckpointException">The shapes are not those of EdgeSAM's encoder.</exception>
    /// <exception cref="ArgumentException">The image's side is no multiple of 32.</exception>
    public static RepVitLayout Of(StateDict weights, int imageSize = DefaultImageSize)
    {
        int channels = Shape("features.0.2.c.weight")[0];
        var blocks = ImmutableArray.CreateBuilder<RepVitBlock>();
        for (int i = 1; CheckpointShapes.HasPart(weights, $"{Prefix}features.{i}."); i++)
        {
            string name = $"features.{i}.token_mixer.";
            bool shrinks = CheckpointShapes.HasPart(weights, $"{Prefix}{name}2.");
            if (shrinks) channels = Shape(name + "2.c.weight")[0];
            int squeeze = CheckpointShapes.HasPart(weights, $"{Prefix}{name}1.fc") ? Shape(name + "1.fc1.weight")[0] : 0;
            blocks.Add(new RepVitBlock(channels, shrinks ? 2 : 1, squeeze, Shape($"features.{i}.channel_mixer.m.0.c.weight")[0]));
        }

        if (blocks.Count(b => b.Stride == 2) != Stages - 1)
        {
            throw new CheckpointException(
                $"{weights.Source}: {Prefix}features has {blocks.Count} blocks, of which {blocks.Count(b => b.Stride == 2)} halve the picture; expected {Stages - 1}.");
        }

        if (imageSize <= 0 || imageSize % (2 * EmbeddingStride) != 0)
            throw new ArgumentException($"The picture's side is {imageSize}; a multiple of {2 * EmbeddingStride} is needed.", nameof(imageSize));
        return new RepVitLayout(imageSize, Shape("features.0.0.c.weight")[0], blocks.ToImmutable(), Shape("neck.0.weight")[0]);

        ImmutableArray<int> Shape(string name)
        {
            if (!weights.Contains(Prefix + name)) throw new CheckpointException($"{weights.Source}: '{Prefix}{name}' is missing: not an image encoder of EdgeSAM's layout.");
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
        Pair("features.0.0", StemChannels, 3, 3);
        int channels = Blocks[0].Channels;
        Pair("features.0.2", channels, StemChannels, 3);
        for (int i = 0; i < Blocks.Length; i++)
        {
            RepVitBlock block = Blocks[i];
            string mixer = $"features.{i + 1}.token_mixer.";
            if (block.Stride == 2)
            {
                Pair(mixer + "0", channels, 1, 3);
                Pair(mixer + "2", block.Channels, channels, 1);
            }
            else
            {
                Pair(mixer + "0.conv", channels, 1, 3);
                Pair(mixer + "0.conv1", channels, 1, 1);
            }

            if (block.SqueezeChannels > 0)
            {
                Add(mixer + "1.fc1.weight", block.SqueezeChannels, channels, 1, 1);
                Add(mixer + "1.fc1.bias", block.SqueezeChannels);
                Add(mixer + "1.fc2.weight", channels, block.SqueezeChannels, 1, 1);
                Add(mixer + "1.fc2.bias", channels);
            }

            channels = block.Channels;
            Pair($"features.{i + 1}.channel_mixer.m.0", block.Hidden, channels, 1);
            Pair($"features.{i + 1}.channel_mixer.m.2", channels, block.Hidden, 1);
        }

        Add("fuse_stage2.weight", OutputChannels, Blocks[LastBlockOf(Stages - 2)].Channels, 1, 1);
        Add("fuse_stage3.op_list.0.weight", OutputChannels, channels, 1, 1);
        Add("neck.0.weight", OutputChannels, OutputChannels, 1, 1);
        Add("neck.2.weight", OutputChannels, OutputChannels, 3, 3);
        foreach (string norm in (string[])["neck.1", "neck.3"])
        {
            Add(norm + ".weight", OutputChannels);
            Add(norm + ".bias", OutputChannels);
        }

        return tensors;

        void Add(string name, params int[] shape) => tensors.Add((Prefix + name, shape));

        void Pair(string name, int outputs, int inputs, int kernel)
        {
            Add(name + ".c.weight", outputs, inputs, kernel, kernel);
            foreach (string part in (string[])["weight", "bias", "running_mean", "running_var"]) Add($"{name}.bn.{part}", outputs);
        }
    }
}
