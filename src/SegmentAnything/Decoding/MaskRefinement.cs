using System.Collections.Immutable;

namespace SegmentAnything.Decoding;

/// <summary>
/// A mask that is computed beside the others: two 3 x 3 convolutions of the upscaled image, plus features of the image, times
/// the weights that a head makes of one more output token.
/// </summary>
/// <param name="Token">The name of the token's weights, (1, C). It stands behind the tokens of the masks.</param>
/// <param name="Head">The name of its head, within the mask decoder.</param>
/// <param name="HeadLayers">Layers of it.</param>
/// <param name="Convolutions">The prefix of the convolutions' weights: 0, the norm 1, and 3.</param>
/// <param name="Channels">Channels between the two.</param>
/// <param name="Features">What is enlarged and summed up to the features of the image.</param>
/// <param name="Alone">Its logits take the place of the others' instead of being added to them.</param>
internal sealed record MaskRefinement(
    string Token, string Head, int HeadLayers, string Convolutions, int Channels, ImmutableArray<EnlargedFeature> Features, bool Alone);

/// <summary>A map of the image that two transposed convolutions with a norm and GELU between them enlarge four times.</summary>
/// <param name="Name">The prefix of their weights: 0, the norm 1, and 3.</param>
/// <param name="Channels">Channels of the map, which has the embedding's grid; the first map is the embedding itself.</param>
/// <param name="InsideChannels">Channels between the two.</param>
internal sealed record EnlargedFeature(string Name, int Channels, int InsideChannels);
