using System.Collections.Immutable;

namespace SegmentAnything;

/// <summary>
/// What the weights of a SAM 2 image encoder do not show: windows and global blocks; and attention heads,
/// <see cref="ModelSpecification.Heads"/>, and the size of its input, <see cref="ModelSpecification.ImageSize"/>. For the published
/// models the library knows it; for one of other sizes the caller gives it.
/// </summary>
/// <remarks>
/// The encoder is Hiera: four stages on grids of a quarter, an eighth, a sixteenth and a thirty-second of the input's side,
/// each twice as wide as the one before and with twice as many heads: <see cref="ModelSpecification.Heads"/> are the first stage's.
/// The input's side is a multiple of 32. Source: SAM 2, sam2/configs and modeling/backbones/hieradet.py.
/// </remarks>
public sealed record Sam2Spec : ModelSpecification
{
    /// <summary>SAM 2 and 2.1, tiny.</summary>
    public static Sam2Spec Tiny { get; } = new() { EmbedWidth = 96, Heads = 1, BlocksPerStage = [1, 2, 7, 2], GlobalBlocks = [5, 7, 9] };

    /// <summary>SAM 2 and 2.1, small.</summary>
    public static Sam2Spec Small { get; } = new() { EmbedWidth = 96, Heads = 1, BlocksPerStage = [1, 2, 11, 2], GlobalBlocks = [7, 10, 13] };

    /// <summary>SAM 2 and 2.1, base plus.</summary>
    public static Sam2Spec BasePlus { get; } = new() { EmbedWidth = 112, Heads = 2, BlocksPerStage = [2, 3, 16, 3], GlobalBlocks = [12, 16, 20] };

    /// <summary>SAM 2 and 2.1, large.</summary>
    public static Sam2Spec Large { get; } = new()
    {
        EmbedWidth = 144,
        Heads = 2,
        BlocksPerStage = [2, 6, 36, 4],
        GlobalBlocks = [23, 33, 43],
        Windows = [8, 4, 16, 8],
    };

    /// <summary>Channels of the first stage; stage s has 2^s times as many.</summary>
    public required int EmbedWidth { get; init; }

    /// <summary>Blocks of each of the four stages.</summary>
    public required ImmutableArray<int> BlocksPerStage { get; init; }

    /// <summary>Blocks whose tokens attend to all others, counted from 0 through all stages.</summary>
    public required ImmutableArray<int> GlobalBlocks { get; init; }

    /// <summary>
    /// Tokens along each side of a window, for each stage. The first block of a stage still has the window of the stage
    /// before. Default: 8, 4, 14, 7.
    /// </summary>
    public ImmutableArray<int> Windows { get; init; } = [8, 4, 14, 7];
}
