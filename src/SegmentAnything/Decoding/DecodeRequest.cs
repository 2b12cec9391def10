namespace SegmentAnything.Decoding;

/// <summary>Prompts that are decoded in one call, against one image.</summary>
internal readonly ref struct DecodeRequest
{
    /// <summary>The image, as the same engine prepared it.</summary>
    public required IPreparedImage Image { get; init; }

    /// <summary>B x N x C sparse prompt tokens; N may be 0.</summary>
    public required ReadOnlySpan<float> Tokens { get; init; }

    /// <summary>B.</summary>
    public required int Prompts { get; init; }

    /// <summary>N.</summary>
    public required int TokensPerPrompt { get; init; }

    /// <summary>Which masks, and what of them.</summary>
    public required WantedMasks Wanted { get; init; }
}

/// <summary>The memory that a decode's result is written to.</summary>
internal readonly ref struct DecodeResult
{
    /// <summary>B x wanted masks x L x L values, L being the side of the low resolution.</summary>
    public required Span<float> Logits { get; init; }

    /// <summary>B x wanted masks values.</summary>
    public required Span<float> PredictedIou { get; init; }

    /// <summary>B logits: above 0 there is an object. Empty where they are not wanted, or the model has none.</summary>
    public Span<float> ObjectScores { get; init; }

    /// <summary>B x wanted masks x C: the mask tokens after the transformer. Empty where they are not wanted.</summary>
    public Span<float> MaskTokens { get; init; }
}
