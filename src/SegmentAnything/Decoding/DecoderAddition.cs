using SegmentAnything.Graphs;

namespace SegmentAnything.Decoding;

/// <summary>What a family adds to SAM's mask decoder: one output token, and what becomes of it.</summary>
internal abstract class DecoderAddition
{
    /// <summary>The name of the token's weights, (1, C). It stands behind the tokens of the masks.</summary>
    public abstract string Token { get; }

    /// <summary>Adds outputs that depend on the image alone, and inputs for the family's own maps.</summary>
    /// <param name="g">The graph of what depends on the image.</param>
    /// <param name="embedding">(1, C, G, G).</param>
    public abstract void Prepare(GraphBuilder g, Value embedding);

    /// <summary>Adds outputs that the upscaling reads.</summary>
    /// <param name="g">The graph of what depends on the prompts.</param>
    /// <param name="token">What the transformer made of the token: (B, 1, C).</param>
    public abstract void Transform(GraphBuilder g, Value token);

    /// <summary>Makes the family's logits (B, m, 4G, 4G) of SAM's own.</summary>
    /// <param name="g">The graph of the upscaling.</param>
    /// <param name="upscaled">(B, U, 4G, 4G).</param>
    /// <param name="logits">(B, m, 4G, 4G).</param>
    public abstract Value Upscale(GraphBuilder g, Value upscaled, Value logits);
}
