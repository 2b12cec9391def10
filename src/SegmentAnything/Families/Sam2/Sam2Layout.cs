using System.Collections.Immutable;
using SegmentAnything.Checkpoints;

namespace SegmentAnything.Families.Sam2;

/// <summary>One block of the encoder.</summary>
/// <param name="Index">Its number through all stages.</param>
/// <param name="Stage">0 to 3.</param>
/// <param name="InputChannels">Channels of a token that goes in.</param>
/// <param name="Channels">Channels of one that comes out.</param>
/// <param name="Heads">Attention heads.</param>
/// <param name="InputGrid">Tokens along each side of what goes in.</param>
/// <param name="Window">Tokens along each side of a window of what goes in; the grid where attention is global.</param>
/// <param name="Pools">Queries and shortcut are halved along each side, so that the grid that comes out is half as large.</param>
/// <param name="EndsStage">It is the last one of its stage.</param>
internal sealed record HieraBlock(
    int Index, int Stage, int InputChannels, int Channels, int Heads, int InputGrid, int Window, bool Pools, bool EndsStage)
{
    /// <summary>By what sides shrink.</summary>
    public int Step => Pools ? 2 : 1;

    /// <summary>Tokens along each side of what comes out.</summary>
    public int Grid => InputGrid / Step;

    /// <summary>Windows along each side.</summary>
    public int WindowsAcross => (InputGrid + Window - 1) / Window;

    /// <summary>Tokens along each side of what goes in, filled up to whole windows.</summary>
    public int PaddedGrid => WindowsAcross * Window;

    /// <summary>The grid is no multiple of the window.</summary>
    public bool IsPadded => PaddedGrid > InputGrid;

    /// <summary>Where its weights are.</summary>
    public string Name => $"blocks.{Index}.";
}

/// <summary>The sizes of a SAM 2: of its image encoder, and of what its mask decoder has beyond SAM 1's.</summary>
/// <param name="Spec">What shapes do not tell.</param>
/// <param name="Blocks">The encoder's blocks, in their order.</param>
/// <param name="MlpRatio">Width inside a block's MLP, in widths of the block; 4.</param>
/// <param name="PositionGrid">Side of the coarse position table; 7 or 14.</param>
/// <param name="PositionWindow">Side of the one that is repeated in every window of the first stage; 8.</param>
/// <param name="Channels">Channels of the image embedding; 256.</param>
/// <param name="HighRes0">Channels of the map of a quarter of the input's side; 32.</param>
/// <param name="HighRes1">Channels of the map of an eighth; 64.</param>
/// <param name="Is21">It has what SAM 2.1 added, which only video uses.</param>
/// <param name="HasMemory">It has the weights for video.</param>
internal sealed record Sam2Layout(
    Sam2Spec Spec, ImmutableArray<HieraBlock> Blocks, int MlpRatio, int PositionGrid, int PositionWindow,
    int Channels, int HighRes0, int HighRes1, bool Is21, bool HasMemory)
{
    private const string Decoder = "mask_decoder.";
    private const string ScoreHead = Decoder + "pred_obj_score_head.layers.";
    private const int Stages = 4;
    private const int DefaultImageSize = 1024;

    /// <summary>Layers of the head that tells whether there is an object.</summary>
    public const int ScoreLayers = 3;

    /// <summary>The published sizes, by their names.</summary>
    public static ImmutableArray<(string Name, Sam2Spec Spec)> Published { get; } =
        [("tiny", Sam2Spec.Tiny), ("small", Sam2Spec.Small), ("base_plus", Sam2Spec.BasePlus), ("large", Sam2Spec.Large)];

    /// <summary>The name of the published size; null if it has another one.</summary>
    public string? PublishedName => ImageSize == DefaultImageSize ? Published.FirstOrDefault(p => HasSameBlocks(p.Spec, Spec)).Name : null;

    /// <summary>The side of the encoder's input, in pixels.</summary>
    public int ImageSize => Spec.ImageSize ?? DefaultImageSize;

    /// <summary>The side of the image embedding.</summary>
    public int Grid => ImageSize / 16;

    /// <summary>Reads the sizes and checks the image encoder's weights, and those of the decoder that SAM 1 has not.</summary>
    /// <param name="weights">As <see cref="Sam2Names.View"/> names them.</param>
    /// <param name="specification">What shapes do not tell; what is not in it is looked up among the published sizes.</param>
    /// <exception cref="CheckpointException">
    /// A weight is missing, does not fit or is one too many; the specification is not that of the weights; or no published model
    /// has these sizes and no specification was given.
    /// </exception>
    public static Sam2Layout Of(StateDict weights, ModelSpecification? specification = null)
    {
        int positionWindow = Dimension(weights, Sam2Names.Trunk + "pos_embed_window", 4, 3);
        int width = Dimension(weights, Sam2Names.Trunk + "pos_embed_window", 4, 1);
        int blocks = CheckpointShapes.CountParts(weights, Sam2Names.Trunk + "blocks.");
        if (weights.Contains(Decoder + "hf_token.weight"))
            throw new CheckpointException($"{weights.Source}: this is HQ-SAM 2, which is not supported. SAM 2 and SAM 2.1 are.");
        if (specification is not Sam2Spec spec)
        {
            spec = Published.FirstOrDefault(p => p.Spec.EmbedWidth == width && p.Spec.BlocksPerStage.Sum() == blocks).Spec
                ?? throw new CheckpointException(
                    $"{weights.Source}: a SAM 2 with {width} channels in the first stage and {blocks} blocks. Published are "
                    + string.Join(", ", Published.Select(p => $"{p.Name} ({p.Spec.EmbedWidth} channels, {p.Spec.BlocksPerStage.Sum()} blocks)"))
                    + $". For another size give a {nameof(Sam2Spec)}: heads, windows and global blocks cannot be read from weights.");
            if (specification?.ImageSize is { } size) spec = spec with { ImageSize = size };
        }

        ImmutableArray<HieraBlock> list = BlocksOf(weights, spec, width, blocks, positionWindow);
        Sam2Layout layout = new(
            spec, list,
            Dimension(weights, $"{Sam2Names.Trunk}blocks.0.mlp.layers.0.weight", 2, 0) / width,
            Dimension(weights, Sam2Names.Trunk + "pos_embed", 4, 3), positionWindow,
            Dimension(weights, Sam2Names.Neck + "0.conv.weight", 4, 0),
            Dimension(weights, Decoder + "conv_s0.weight", 4, 0),
            Dimension(weights, Decoder + "conv_s1.weight", 4, 0),
            weights.Contains("no_obj_embed_spatial"),
            weights.Contains("maskmem_tpos_enc"));
        layout.Check(weights);
        return layout;
    }

    /// <summary>The sizes of a mask decoder whose image encoder is not here.</summary>
    /// <exception cref="CheckpointException">A weight is missing.</exception>
    public static Sam2Layout OfDecoder(StateDict weights, int imageSize) => new(
        new Sam2Spec { EmbedWidth = 0, BlocksPerStage = [], GlobalBlocks = [], ImageSize = imageSize }, [], 0, 0, 0,
        Dimension(weights, Decoder + "iou_token.weight", 2, 1),
        Dimension(weights, Decoder + "output_upscaling.3.weight", 4, 1),
        Dimension(weights, Decoder + "output_upscaling.0.weight", 4, 1), false, false);

    /// <summary>Every tensor of the image encoder, with its shape.</summary>
    public IEnumerable<(string Name, int[] Shape)> EncoderTensors()
    {
        int width = Spec.EmbedWidth;
        yield return (Sam2Names.Trunk + "pos_embed", [1, width, PositionGrid, PositionGrid]);
        yield return (Sam2Names.Trunk + "pos_embed_window", [1, width, PositionWindow, PositionWindow]);
        yield return (Sam2Names.Trunk + "patch_embed.proj.weight", [width, 3, 7, 7]);
        yield return (Sam2Names.Trunk + "patch_embed.proj.bias", [width]);
        foreach (HieraBlock block in Blocks)
        {
            string name = Sam2Names.Trunk + block.Name;
            (int inputs, int channels) = (block.InputChannels, block.Channels);
            foreach ((string norm, int size) in new[] { ("norm1", inputs), ("norm2", channels) })
            {
                yield return ($"{name}{norm}.weight", [size]);
                yield return ($"{name}{norm}.bias", [size]);
            }

            List<(string Name, int Outputs, int Inputs)> matrices =
            [
                ("attn.qkv", 3 * channels, inputs), ("attn.proj", channels, channels),
                ("mlp.layers.0", MlpRatio * channels, channels), ("mlp.layers.1", channels, MlpRatio * channels),
            ];
            if (inputs != channels) matrices.Add(("proj", channels, inputs));
            foreach ((string matrix, int outputs, int of) in matrices)
            {
                yield return ($"{name}{matrix}.weight", [outputs, of]);
                yield return ($"{name}{matrix}.bias", [outputs]);
            }
        }

        for (int stage = 0; stage < Stages; stage++)
        {
            string name = $"{Sam2Names.Neck}{Stages - 1 - stage}.conv.";
            yield return (name + "weight", [Channels, width << stage, 1, 1]);
            yield return (name + "bias", [Channels]);
        }
    }

    /// <summary>Every tensor that the mask decoder has beyond SAM 1's, with its shape.</summary>
    public IEnumerable<(string Name, int[] Shape)> DecoderTensors(int scoreWidth)
    {
        yield return (Sam2Names.NoMemory, [1, 1, Channels]);
        yield return (Decoder + "obj_score_token.weight", [1, Channels]);
        foreach ((string name, int outputs) in new[] { ("conv_s0", HighRes0), ("conv_s1", HighRes1) })
        {
            yield return ($"{Decoder}{name}.weight", [outputs, Channels, 1, 1]);
            yield return ($"{Decoder}{name}.bias", [outputs]);
        }

        for (int layer = 0; layer < ScoreLayers; layer++)
        {
            (int outputs, int inputs) = (layer == ScoreLayers - 1 ? 1 : scoreWidth, layer == 0 ? Channels : scoreWidth);
            yield return ($"{ScoreHead}{layer}.weight", [outputs, inputs]);
            yield return ($"{ScoreHead}{layer}.bias", [outputs]);
        }
    }

    /// <summary>Multiply-adds of the image encoder, padding included.</summary>
    public double MultiplyAdds()
    {
        double grid = ImageSize / 4;
        double sum = grid * grid * Spec.EmbedWidth * 3 * 49;
        foreach (HieraBlock block in Blocks)
        {
            double padded = (double)block.PaddedGrid * block.PaddedGrid, inside = padded / (block.Step * block.Step), tokens = (double)block.Grid * block.Grid;
            sum += padded * block.InputChannels * 3 * block.Channels;
            sum += 2 * inside * block.Window * block.Window * block.Channels;
            sum += tokens * block.Channels * block.Channels + 2 * tokens * MlpRatio * block.Channels * block.Channels;
            if (block.Pools) sum += (double)block.InputGrid * block.InputGrid * block.InputChannels * block.Channels;
        }

        sum += grid * grid * Spec.EmbedWidth * HighRes0 + grid * grid / 4 * (2 * Spec.EmbedWidth) * HighRes1;
        return sum + grid * grid / 16 * (4 * Spec.EmbedWidth) * Channels + grid * grid / 64 * (8 * Spec.EmbedWidth) * Channels;
    }

    private static bool HasSameBlocks(Sam2Spec a, Sam2Spec b) =>
        (a.EmbedWidth, a.Heads) == (b.EmbedWidth, b.Heads) && a.BlocksPerStage.AsSpan().SequenceEqual(b.BlocksPerStage.AsSpan())
        && a.GlobalBlocks.AsSpan().SequenceEqual(b.GlobalBlocks.AsSpan()) && a.Windows.AsSpan().SequenceEqual(b.Windows.AsSpan());

    private static ImmutableArray<HieraBlock> BlocksOf(StateDict weights, Sam2Spec spec, int width, int blocks, int positionWindow)
    {
        string given = $"The {nameof(Sam2Spec)}";
        if (spec.BlocksPerStage.Length != Stages || spec.BlocksPerStage.Any(b => b < 1)) throw Refuse($"{given} needs {Stages} stages of at least one block.");
        if (spec.Windows.Length != Stages || spec.Windows.Any(w => w < 1)) throw Refuse($"{given} needs a window for each of {Stages} stages.");
        if (spec.EmbedWidth != width) throw Refuse($"{given} has {nameof(Sam2Spec.EmbedWidth)} {spec.EmbedWidth}, the weights have {width}.");
        if (spec.BlocksPerStage.Sum() != blocks)
        {
            throw Refuse($"{given} has {spec.BlocksPerStage.Sum()} blocks ({nameof(Sam2Spec.BlocksPerStage)} {string.Join(", ", spec.BlocksPerStage)}), the weights have {blocks}.");
        }

        if (spec.Heads is not { } heads) throw Refuse($"{given} has no {nameof(ModelSpecification.Heads)}: give those of the first stage.");
        if (heads < 1 || width % heads != 0) throw Refuse($"{given} has {nameof(ModelSpecification.Heads)} {heads}, which does not divide {width} channels.");
        if (spec.Windows[0] != positionWindow)
            throw Refuse($"{given} has a window of {spec.Windows[0]} in the first stage; the weights have positions for windows of {positionWindow}.");
        int size = spec.ImageSize ?? DefaultImageSize;
        if (size < 32 || size % 32 != 0 || size / 4 % positionWindow != 0)
            throw Refuse($"{given} has {nameof(ModelSpecification.ImageSize)} {size}; it must be a multiple of 32, and a quarter of it one of {positionWindow}.");
        if (spec.GlobalBlocks.Any(b => b < 0 || b >= blocks))
            throw Refuse($"{given} has {nameof(Sam2Spec.GlobalBlocks)} {string.Join(", ", spec.GlobalBlocks)}; blocks are 0 to {blocks - 1}.");

        var list = ImmutableArray.CreateBuilder<HieraBlock>(blocks);
        int grid = size / 4;
        for (int stage = 0; stage < Stages; stage++)
        {
            for (int i = 0; i < spec.BlocksPerStage[stage]; i++)
            {
                bool pools = i == 0 && stage > 0;
                bool widens = CheckpointShapes.HasPart(weights, $"{Sam2Names.Trunk}blocks.{list.Count}.proj.");
                if (pools != widens)
                {
                    throw Refuse($"{given} begins its stages at other blocks than the weights do ({nameof(Sam2Spec.BlocksPerStage)} {string.Join(", ", spec.BlocksPerStage)}): "
                        + $"block {list.Count} {(widens ? "begins a stage" : "does not begin a stage")} in the weights.");
                }

                // The window of a stage begins one block late.
                int window = spec.GlobalBlocks.Contains(list.Count) ? grid : spec.Windows[pools ? stage - 1 : stage];
                if (pools && window % 2 != 0) throw Refuse($"{given} has a window of {window} where queries are halved along each side: {nameof(Sam2Spec.Windows)} of all but the last stage must be even.");
                int channels = width << stage;
                list.Add(new HieraBlock(
                    list.Count, stage, pools ? channels / 2 : channels, channels, heads << stage, grid, window, pools, i == spec.BlocksPerStage[stage] - 1));
                if (pools) grid /= 2;
            }
        }

        return list.MoveToImmutable();

        CheckpointException Refuse(string message) => new($"{weights.Source}: {message}");
    }

    private void Check(StateDict weights)
    {
        int scoreWidth = Dimension(weights, ScoreHead + "0.weight", 2, 0);
        CheckpointShapes.CheckAll(weights, "image_encoder.", EncoderTensors());
        CheckpointShapes.Check(weights, DecoderTensors(scoreWidth));
    }

    private static int Dimension(StateDict weights, string name, int rank, int axis)
    {
        ImmutableArray<int> shape = weights.ShapeOf(name);
        return shape.Length == rank
            ? shape[axis]
            : throw new CheckpointException($"{weights.Source}: tensor '{name}' has shape [{string.Join(", ", shape)}], expected {rank} dimensions.");
    }
}
