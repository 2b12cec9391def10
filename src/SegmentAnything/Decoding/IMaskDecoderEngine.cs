namespace SegmentAnything.Decoding;

/// <summary>One decoder network, whatever runs it: image and prompt tokens in, low-resolution mask logits and predicted IoU out.</summary>
/// <remarks>Safe to call from several threads.</remarks>
internal interface IMaskDecoderEngine : IDisposable
{
    /// <summary>Does all the work that depends on the image (and its dense prompt) only.</summary>
    /// <param name="imageEmbedding">C x G x G values (channels, rows, columns), row-major.</param>
    /// <param name="dense">
    /// C values that are added to every position (the no-mask embedding), or C x G x G values (an encoded mask prompt).
    /// </param>
    /// <param name="cancellationToken">Ends the work early.</param>
    IPreparedImage Prepare(ReadOnlySpan<float> imageEmbedding, ReadOnlySpan<float> dense, CancellationToken cancellationToken);

    /// <summary>Decodes a batch of prompts against one image.</summary>
    /// <param name="image">What <see cref="Prepare"/> of this engine returned.</param>
    /// <param name="tokens">B x N x C sparse prompt tokens; N may be 0.</param>
    /// <param name="promptCount">B.</param>
    /// <param name="tokensPerPrompt">N.</param>
    /// <param name="firstMask">First of the wanted mask tokens: 0 is the single-mask token, 1 to 3 the multi-mask tokens.</param>
    /// <param name="maskCount">How many mask tokens from there on.</param>
    /// <param name="logits">Receives B x maskCount x 4G x 4G values.</param>
    /// <param name="predictedIou">Receives B x maskCount values.</param>
    /// <param name="cancellationToken">Ends the work early; what was written until then is incomplete.</param>
    void Decode(IPreparedImage image, ReadOnlySpan<float> tokens, int promptCount, int tokensPerPrompt, int firstMask, int maskCount, Span<float> logits, Span<float> predictedIou, CancellationToken cancellationToken);
}

/// <summary>What a decoder engine keeps of an image between prompts. Disposing it while a decode uses it is an error.</summary>
internal interface IPreparedImage : IDisposable;
