using System.Collections.Immutable;

namespace SegmentAnything.Families;

/// <summary>When a prompt's points and corners are filled up with tokens that stand for nothing.</summary>
internal enum TokenPadding
{
    /// <summary>One token, where there are points and no box. Source: Segment Anything, modeling/prompt_encoder.py.</summary>
    WithoutBox,

    /// <summary>One token, where there are points or a box. Source: SAM 2, modeling/sam/prompt_encoder.py.</summary>
    Always,

    /// <summary>As many as bring every prompt to <see cref="PromptTokens.FilledLength"/>. Source: EfficientSAM, efficient_sam_decoder.py.</summary>
    Fill,

    /// <summary>Never: who decodes adds what is needed.</summary>
    Never,
}

/// <summary>How points and boxes become tokens: the random Fourier features of a position plus what the position is of.</summary>
internal sealed record PromptTokens
{
    /// <summary>The matrix of the positional encoding: 2 x C/2.</summary>
    public required float[] GaussianMatrix { get; init; }

    /// <summary>
    /// What is added for a point beside the object, a point on it, the first and the last corner of a box: C values each. The
    /// last two are missing where the weights know no boxes.
    /// </summary>
    public required ImmutableArray<float[]> Labels { get; init; }

    /// <summary>The token that fills up: C values, complete.</summary>
    public required float[] Nothing { get; init; }

    /// <summary>When it does.</summary>
    public TokenPadding Padding { get; init; } = TokenPadding.WithoutBox;

    /// <summary>
    /// Tokens are not encoded: the first three values of each are x and y in the model's frame, and the label. For decoders that
    /// encode prompts themselves.
    /// </summary>
    public bool AsTheyAre { get; init; }

    /// <summary>Tokens of every prompt, with <see cref="TokenPadding.Fill"/>.</summary>
    public int FilledLength { get; init; }

    /// <summary>C.</summary>
    public int Channels => Nothing.Length;

    /// <summary>The tokens of a prompt; none where it has neither points nor a box.</summary>
    public int Count(int points, bool hasBox)
    {
        int given = points + (hasBox ? 2 : 0);
        return (given, Padding) switch
        {
            (_, TokenPadding.Fill) => FilledLength,
            (0, _) => 0,
            (_, TokenPadding.Never) => given,
            (_, TokenPadding.WithoutBox) => hasBox ? given : given + 1,
            _ => given + 1,
        };
    }
}
