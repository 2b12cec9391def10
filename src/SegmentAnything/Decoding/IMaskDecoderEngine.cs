namespace SegmentAnything.Decoding;

/// <summary>One decoder network, whatever runs it. Safe to use from several threads at once.</summary>
/// <remarks>C: channels, G: side of the embedding's grid (64 x 64 for a 1024 x 1024 input).</remarks>
internal interface IMaskDecoderEngine : IDisposable
{
    /// <summary>Does all work that depends on the image (and its dense prompt) only.</summary>
    /// <param name="imageEmbedding">C x G x G (channels, rows, columns), row-major.</param>
    /// <param name="dense">
    /// C values that are added at every position (the no-mask embedding), or C x G x G values (an encoded mask prompt).
    /// </param>
    /// <param name="withoutMask">
    /// For a mask prompt: the same image as this engine prepared it without, which must outlive the result. It may save work.
    /// </param>
    /// <param name="cancellationToken">Looked at between pieces of the work.</param>
    IPreparedImage Prepare(
        ReadOnlySpan<float> imageEmbedding, ReadOnlySpan<float> dense, IPreparedImage? withoutMask, CancellationToken cancellationToken);

    /// <summary>Decodes B prompts of N tokens each against one image.</summary>
    /// <param name="image">Made by this engine.</param>
    /// <param name="tokens">B x N x C sparse prompt tokens; N may be 0.</param>
    /// <param name="promptCount">B.</param>
    /// <param name="tokensPerPrompt">N.</param>
    /// <param name="wanted">Which masks, and what of them.</param>
    /// <param name="logits">B x wanted masks x 4G x 4G values are written.</param>
    /// <param name="predictedIou">B x wanted masks values are written.</param>
    /// <param name="cancellationToken">Looked at between pieces of the work.</param>
    void Decode(
        IPreparedImage image,
        ReadOnlySpan<float> tokens,
        int promptCount,
        int tokensPerPrompt,
        in WantedMasks wanted,
        Span<float> logits,
        Span<float> predictedIou,
        CancellationToken cancellationToken);
}

/// <summary>What an engine keeps of one image. Disposed by whoever asked for it, after the last use.</summary>
internal interface IPreparedImage : IDisposable;
