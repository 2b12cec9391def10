namespace SegmentAnything.Decoding;

/// <summary>One decoder network, whatever runs it. Safe to use from several threads at once.</summary>
/// <remarks>C: channels, G: side of the embedding's grid (64 x 64 for a 1024 x 1024 input).</remarks>
internal interface IMaskDecoderEngine : IDisposable
{
    /// <summary>Does all work that depends on the image (and its dense prompt) only.</summary>
    /// <param name="features">
    /// All maps of the image, one after the other in the order of the model, each channels x rows x columns, row-major. The
    /// first is the embedding, C x G x G.
    /// </param>
    /// <param name="dense">
    /// C values that are added at every position (the no-mask embedding), or C x G x G values (an encoded mask prompt).
    /// </param>
    /// <param name="withoutMask">
    /// For a mask prompt: the same image as this engine prepared it without, which must outlive the result. It may save work.
    /// </param>
    /// <param name="cancellationToken">Looked at between pieces of the work.</param>
    IPreparedImage Prepare(
        ReadOnlySpan<float> features, ReadOnlySpan<float> dense, IPreparedImage? withoutMask, CancellationToken cancellationToken);

    /// <summary>Decodes prompts against one image.</summary>
    /// <param name="request">The prompts.</param>
    /// <param name="result">Where the masks' logits and scores are written.</param>
    /// <param name="cancellationToken">Looked at between pieces of the work.</param>
    /// <exception cref="NotSupportedException">The result has room for what this engine's network does not give.</exception>
    void Decode(in DecodeRequest request, in DecodeResult result, CancellationToken cancellationToken);
}

/// <summary>What an engine keeps of one image. Disposed by whoever asked for it, after the last use.</summary>
internal interface IPreparedImage : IDisposable
{
    /// <summary>The memory that it holds.</summary>
    long Bytes { get; }
}
