namespace SegmentAnything;

/// <summary>A prompt as the mask decoder reads it: tokens for points and box, values at every image position for a mask.</summary>
/// <remarks>Made by <see cref="PromptEncoder"/> for images of one size, and of use for any of them. Immutable.</remarks>
public sealed class EncodedPrompt
{
    internal EncodedPrompt(float[] tokens, int tokenCount, float[] dense, bool isAmbiguous, ImageSize sourceSize)
    {
        TokenMemory = tokens;
        TokenCount = tokenCount;
        DenseMemory = dense;
        IsAmbiguous = isAmbiguous;
        SourceSize = sourceSize;
    }

    /// <summary>The sparse tokens, <see cref="TokenCount"/> x channels, row-major.</summary>
    public ReadOnlySpan<float> Tokens => TokenMemory;

    /// <summary>How many tokens there are: one a point, two a box, one of padding where there is no box.</summary>
    public int TokenCount { get; }

    /// <summary>
    /// Channels values that hold at every position (no mask was given), or channels x rows x columns values of the
    /// encoded mask.
    /// </summary>
    public ReadOnlySpan<float> Dense => DenseMemory;

    /// <summary>See <see cref="Prompt.IsAmbiguous"/>.</summary>
    public bool IsAmbiguous { get; }

    /// <summary>The size of the images the prompt's coordinates belong to.</summary>
    public ImageSize SourceSize { get; }

    internal float[] TokenMemory { get; }

    internal float[] DenseMemory { get; }
}
