using System.Collections.Immutable;
using SegmentAnything.Checkpoints;

namespace SegmentAnything.Families.EfficientSam;

/// <summary>The sizes of an EfficientSAM image encoder, as its weights' shapes tell them, and two that they do not tell.</summary>
/// <param name="ImageSize">Side of the square that the encoder takes, in pixels; no weight depends on it.</param>
/// <param name="PatchSize">Side of a patch, in pixels.</param>
/// <param name="Channels">Channels of a token.</param>
/// <param name="Heads">Attention heads.</param>
/// <param name="Depth">Blocks.</param>
/// <param name="HiddenChannels">Channels inside an MLP.</param>
/// <param name="PositionGrid">Positions along each side of the table that was trained.</param>
/// <param name="OutputChannels">Channels of the embedding.</param>
internal sealed record EfficientSamLayout(
    int ImageSize, int PatchSize, int Channels, int Heads, int Depth, int HiddenChannels, int PositionGrid, int OutputChannels)
{
    public const string Prefix = "image_encoder.";
    public const int DefaultImageSize = 1024;

    /// <summary>Channels of a head in the published models.</summary>
    public const int PublishedHeadChannels = 64;

    /// <summary>Patches along each side.</summary>
    public int Grid => ImageSize / PatchSize;

    public int HeadChannels => Channels / Heads;

    /// <summary>Whether these are the weights of an EfficientSAM at all.</summary>
    public static bool Fits(StateDict weights) => CheckpointShapes.HasPart(weights, EfficientSamDecoderLayout.Upscaling);

    /// <summary>Multiply-adds of one image.</summary>
    public long MultiplyAdds()
    {
        long tokens = (long)Grid * Grid;
        return tokens * (3L * PatchSize * PatchSize * Channels
            + Depth * (Channels * (4L * Channels + 2L * HiddenChannels) + 2 * tokens * Channels)
            + OutputChannels * (Channels + 9L * OutputChannels));
    }

    /// <summary>Recognises the layout.</summary>
    /// <param name="weights">Under their official names.</param>
    /// <param name="imageSize">Side of the square that the encoder takes, in pixels.</param>
    /// <param name="heads">Attention heads; 0 for as many as the published models have with these channels.</param>
    /// <exception cref="CheckpointException">The shapes are not those of EfficientSAM's encoder.</exception>
    /// <exception cref="ArgumentException">The side or the number of heads does not fit.</exception>
    public static EfficientSamLayout Of(StateDict weights, int imageSize = DefaultImageSize, int heads = 0)
    {
        ImmutableArray<int> patches = Shape("patch_embed.proj.weight", 4), positions = Shape("pos_embed", 3);
        int channels = patches[0], grid = (int)Math.Round(Math.Sqrt(Math.Max(0, positions[1] - 1)));
        if (channels <= 0 || patches[1] != 3 || patches[2] <= 0 || patches[2] != patches[3] || positions[2] != channels || grid == 0 || grid * grid + 1 != positions[1])
        {
            throw new CheckpointException(
                $"{weights.Source}: {Prefix}patch_embed.proj.weight has shape [{string.Join(", ", patches)}] and {Prefix}pos_embed [{string.Join(", ", positions)}]; expected [C, 3, p, p] and [1, n² + 1, C].");
        }

        int depth = CheckpointShapes.CountParts(weights, Prefix + "blocks.");
        if (depth == 0) throw new CheckpointException($"{weights.Source}: the image encoder has no blocks.");
        if (heads == 0 && channels % PublishedHeadChannels != 0)
        {
            throw new CheckpointException(
                $"{weights.Source}: the published EfficientSAM have heads of {PublishedHeadChannels} channels, and this one has {channels} channels: give the number of attention heads, which no shape tells.");
        }

        if (heads == 0) heads = channels / PublishedHeadChannels;
        if (heads < 0 || channels % heads != 0) throw new ArgumentException($"{channels} channels cannot be cut in {heads} heads.", nameof(heads));
        if (imageSize <= 0 || imageSize % patches[2] != 0)
            throw new ArgumentException($"The picture's side is {imageSize}; a multiple of {patches[2]} is needed.", nameof(imageSize));
        return new EfficientSamLayout(imageSize, patches[2], channels, heads, depth,
            Shape("blocks.0.mlp.fc1.weight", 2)[0], grid, Shape("neck.0.weight", 4)[0]);

        ImmutableArray<int> Shape(string name, int rank)
        {
            if (!weights.Contains(Prefix + name)) throw new CheckpointException($"{weights.Source}: '{Prefix}{name}' is missing: not an image encoder of EfficientSAM's layout.");
            ImmutableArray<int> shape = weights.ShapeOf(Prefix + name);
            return shape.Length == rank
                ? shape
                : throw new CheckpointException($"{weights.Source}: tensor '{Prefix}{name}' has shape [{string.Join(", ", shape)}], expected {rank} dimensions.");
        }
    }

    /// <summary>Every weight of the encoder, and its shape.</summary>
    public IEnumerable<(string Name, int[] Shape)> Tensors()
    {
        yield return (Prefix + "pos_embed", [1, (PositionGrid * PositionGrid) + 1, Channels]);
        yield return (Prefix + "patch_embed.proj.weight", [Channels, 3, PatchSize, PatchSize]);
        yield return (Prefix + "patch_embed.proj.bias", [Channels]);
        for (int i = 0; i < Depth; i++)
        {
            string name = $"{Prefix}blocks.{i}.";
            foreach (string norm in (string[])["norm1", "norm2"])
            {
                yield return ($"{name}{norm}.weight", [Channels]);
                yield return ($"{name}{norm}.bias", [Channels]);
            }

            foreach ((string linear, int outputs, int inputs) in ((string, int, int)[])[
                ("attn.qkv", 3 * Channels, Channels), ("attn.proj", Channels, Channels),
                ("mlp.fc1", HiddenChannels, Channels), ("mlp.fc2", Channels, HiddenChannels)])
            {
                yield return ($"{name}{linear}.weight", [outputs, inputs]);
                yield return ($"{name}{linear}.bias", [outputs]);
            }
        }

        yield return (Prefix + "neck.0.weight", [OutputChannels, Channels, 1, 1]);
        yield return (Prefix + "neck.2.weight", [OutputChannels, OutputChannels, 3, 3]);
        foreach (string norm in (string[])["neck.1", "neck.3"])
        {
            yield return ($"{Prefix}{norm}.weight", [OutputChannels]);
            yield return ($"{Prefix}{norm}.bias", [OutputChannels]);
        }
    }
}
