using System.Collections.Immutable;
using System.Globalization;
using SegmentAnything.Checkpoints;
using SegmentAnything.Graphs;

namespace SegmentAnything.Families.Sam1;

/// <summary>The sizes of a ViT image encoder, as its weights' shapes tell them.</summary>
/// <param name="PatchSize">Side of a patch, in pixels.</param>
/// <param name="Grid">Patches along each side.</param>
/// <param name="Channels">Channels of a token.</param>
/// <param name="Heads">Attention heads.</param>
/// <param name="HiddenChannels">Channels inside an MLP.</param>
/// <param name="OutputChannels">Channels of the embedding.</param>
/// <param name="Windows">
/// For each block, the side of its attention windows in tokens; <paramref name="Grid"/> where attention is global.
/// </param>
internal sealed record VitLayout(
    int PatchSize, int Grid, int Channels, int Heads, int HiddenChannels, int OutputChannels, ImmutableArray<int> Windows)
{
    public const string Prefix = "image_encoder.";

    /// <summary>Side of the image, in pixels.</summary>
    public int ImageSize => PatchSize * Grid;

    /// <summary>Channels inside of an attention, all heads together; as many as a token has, unless some were pruned.</summary>
    public int AttentionChannels { get; init; } = Channels;

    public int Depth => Windows.Length;

    public int HeadChannels => AttentionChannels / Heads;

    /// <summary>The blocks whose attention is global.</summary>
    public IEnumerable<int> GlobalBlocks => Enumerable.Range(0, Depth).Where(i => Windows[i] == Grid);

    /// <summary>Whether these are the weights of a ViT encoder at all.</summary>
    public static bool Fits(StateDict weights) =>
        weights.Contains(Prefix + "patch_embed.proj.weight") && weights.Contains(Prefix + "blocks.0.attn.qkv.weight");

    /// <summary>Multiply-adds of one image: what cannot be saved by any arrangement of the work.</summary>
    public long MultiplyAdds()
    {
        long tokens = (long)Grid * Grid;
        long sum = tokens * PatchSize * PatchSize * 3 * Channels;
        foreach (int window in Windows)
        {
            long side = (Grid + window - 1) / window * window;
            sum += tokens * Channels * (4L * AttentionChannels + 2L * HiddenChannels);
            // Scores and weighted sums, and the two tables of relative positions.
            sum += side * side * AttentionChannels * (2L * window * window + 2L * window);
        }

        return sum + tokens * OutputChannels * (Channels + 9L * OutputChannels);
    }

    /// <summary>Every tensor of the image encoder, with its shape.</summary>
    public IEnumerable<(string Name, int[] Shape)> Tensors()
    {
        List<(string, int[])> tensors = [(Prefix + "pos_embed", [1, Grid, Grid, Channels])];
        Weights("patch_embed.proj", Channels, 3, PatchSize, PatchSize);
        for (int i = 0; i < Depth; i++)
        {
            string block = $"blocks.{i.ToString(CultureInfo.InvariantCulture)}.";
            Weights(block + "norm1", Channels);
            Weights(block + "norm2", Channels);
            foreach (string axis in (ReadOnlySpan<string>)["h", "w"]) tensors.Add(($"{Prefix}{block}attn.rel_pos_{axis}", [2 * Windows[i] - 1, HeadChannels]));
            Weights(block + "attn.qkv", 3 * AttentionChannels, Channels);
            Weights(block + "attn.proj", Channels, AttentionChannels);
            Weights(block + "mlp.lin1", HiddenChannels, Channels);
            Weights(block + "mlp.lin2", Channels, HiddenChannels);
        }

        tensors.Add((Prefix + "neck.0.weight", [OutputChannels, Channels, 1, 1]));
        tensors.Add((Prefix + "neck.2.weight", [OutputChannels, OutputChannels, 3, 3]));
        Weights("neck.1", OutputChannels);
        Weights("neck.3", OutputChannels);
        return tensors;

        void Weights(string name, params int[] shape)
        {
            tensors.Add(($"{Prefix}{name}.weight", shape));
            tensors.Add(($"{Prefix}{name}.bias", [shape[0]]));
        }
    }

    /// <summary>Checks that every tensor is there with its shape, and no other.</summary>
    /// <exception cref="CheckpointException">A tensor is missing, has another shape, or is one too many; the message names it.</exception>
    public void Check(StateDict weights) => CheckpointShapes.CheckAll(weights, Prefix, Tensors());

    /// <summary>Recognises the layout.</summary>
    /// <exception cref="CheckpointException">The shapes are not those of a ViT encoder of Segment Anything.</exception>
    public static VitLayout Of(StateDict weights)
    {
        ImmutableArray<int> patches = Shape("patch_embed.proj.weight", 4);
        ImmutableArray<int> positions = Shape("pos_embed", 4);
        int channels = patches[0];
        int grid = positions[1];
        if (patches[1] != 3 || patches[2] != patches[3] || positions[2] != grid || positions[3] != channels || channels <= 0 || grid <= 0)
        {
            throw new CheckpointException(
                $"{weights.Source}: {Prefix}patch_embed.proj.weight has shape [{string.Join(", ", patches)}] and {Prefix}pos_embed [{string.Join(", ", positions)}]; expected [C, 3, p, p] and [1, G, G, C].");
        }

        int depth = CheckpointShapes.CountParts(weights, Prefix + "blocks.");
        if (depth == 0) throw new CheckpointException($"{weights.Source}: the image encoder has no blocks.");

        var windows = ImmutableArray.CreateBuilder<int>(depth);
        int headChannels = Shape("blocks.0.attn.rel_pos_h", 2)[1];
        ImmutableArray<int> projections = Shape("blocks.0.attn.qkv.weight", 2);
        int inside = projections[0] / 3;
        if (projections[0] != 3 * inside || inside <= 0 || projections[1] != channels || headChannels <= 0 || inside % headChannels != 0)
        {
            throw new CheckpointException(
                $"{weights.Source}: {Prefix}blocks.0.attn.qkv.weight has shape [{string.Join(", ", projections)}] and {Prefix}blocks.0.attn.rel_pos_h {headChannels} channels; expected [3 x heads x {headChannels}, {channels}].");
        }

        for (int i = 0; i < depth; i++)
        {
            // A window of n tokens has relative positions 1-n .. n-1.
            ImmutableArray<int> relative = Shape($"blocks.{i}.attn.rel_pos_h", 2);
            int window = (relative[0] + 1) / 2;
            if (relative[0] % 2 == 0 || window > grid || relative[1] != headChannels || !Shape($"blocks.{i}.attn.rel_pos_w", 2).SequenceEqual(relative))
            {
                throw new CheckpointException(
                    $"{weights.Source}: the relative positions of block {i} have shape [{string.Join(", ", relative)}]; expected [2n - 1, {headChannels}] with windows of n <= {grid} tokens, the same for rows and columns.");
            }

            windows.Add(window);
        }

        return new VitLayout(patches[2], grid, channels, inside / headChannels,
            Shape("blocks.0.mlp.lin1.weight", 2)[0], Shape("neck.0.weight", 4)[0], windows.MoveToImmutable())
        {
            AttentionChannels = inside,
        };

        ImmutableArray<int> Shape(string name, int rank)
        {
            if (!weights.Contains(Prefix + name))
                throw new CheckpointException($"{weights.Source}: '{Prefix}{name}' is missing: not an image encoder of Segment Anything's ViT layout.");
            ImmutableArray<int> shape = weights.ShapeOf(Prefix + name);
            return shape.Length == rank
                ? shape
                : throw new CheckpointException($"{weights.Source}: '{Prefix}{name}' has shape [{string.Join(", ", shape)}], expected {rank} dimensions.");
        }
    }
}
