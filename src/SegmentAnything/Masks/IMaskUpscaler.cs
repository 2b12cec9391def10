namespace SegmentAnything.Masks;

/// <summary>From low-resolution logits to masks of an image's size. Safe to use from several threads.</summary>
internal interface IMaskUpscaler
{
    /// <summary>The size of the image in the frame of the low-resolution logits' square, before padding.</summary>
    ImageSize InputSize { get; }

    /// <summary>Rows of low-resolution logits that are read: the image's, without its padding.</summary>
    int LowResRows { get; }

    /// <summary>The size of the masks.</summary>
    ImageSize OutputSize { get; }

    /// <summary>Resizes logits, cuts them, and gives the mask and what its stability is computed from.</summary>
    /// <param name="lowResLogits">lowResSize x lowResSize values, row-major.</param>
    /// <param name="cutoff">Resized logits above this are mask.</param>
    /// <param name="stabilityOffset">How far below and above the cut-off pixels are counted too; not negative.</param>
    MaskMeasurement Measure(ReadOnlySpan<float> lowResLogits, float cutoff, float stabilityOffset);

    /// <summary>The same, but makes no mask where the stability score is less than a threshold, or NaN.</summary>
    bool TryMeasure(ReadOnlySpan<float> lowResLogits, float cutoff, float stabilityOffset, float stabilityThreshold, out MaskMeasurement measurement);

    /// <summary>As <see cref="Measure(ReadOnlySpan{float}, float, float)"/> for several masks, by several threads.</summary>
    void Measure(
        ReadOnlySpan<float> lowResLogits, float cutoff, float stabilityOffset, WorkSplitter splitter, Span<MaskMeasurement> measurements,
        CancellationToken cancellationToken);

    /// <summary>Resizes logits to the size of the source image.</summary>
    /// <param name="lowRes">lowResSize x lowResSize values, row-major.</param>
    /// <param name="destination">Height x width values, row-major.</param>
    void UpscaleLogits(ReadOnlySpan<float> lowRes, Span<float> destination);
}
