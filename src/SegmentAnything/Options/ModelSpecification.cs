namespace SegmentAnything;

/// <summary>
/// What names and shapes of weights do not tell about a model. For the published models the library knows it; for others,
/// such as one that was trained at another size, the caller gives it.
/// </summary>
public record ModelSpecification
{
    /// <summary>
    /// The side of the square frame that prompts and masks refer to, in pixels. Null for that of the published models, 1024.
    /// Where weights do tell, as a ViT's with relative positions do, it must be what they tell.
    /// </summary>
    public int? ImageSize { get; init; }

    /// <summary>
    /// Attention heads of the image encoder. Null for as many as the published models have. Only EfficientSAM's weights leave
    /// it open.
    /// </summary>
    public int? Heads { get; init; }
}
