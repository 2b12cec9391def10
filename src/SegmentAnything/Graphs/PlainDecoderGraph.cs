using SegmentAnything.Checkpoints;

namespace SegmentAnything.Graphs;

/// <summary>
/// SAM's mask decoder as one graph for any number of prompts, step by step as the official modules have it: for every
/// execution provider, and what faster decoders are compared with.
/// </summary>
/// <remarks>
/// <code>
/// image_embedding (1, C, G, G)   dense (1 or B, C, 1 or G, 1 or G)   sparse (B, N, C)
/// logits (B, masks, 4G, 4G)      iou (B, masks)
/// </code>
/// </remarks>
internal static class PlainDecoderGraph
{
    /// <param name="weights">Under their official names.</param>
    /// <param name="grid">G.</param>
    /// <param name="tokenNormEpsilon">Of the transformer's norms.</param>
    /// <exception cref="CheckpointException">A weight is missing or has an unexpected shape.</exception>
    public static GraphBuilder Build(StateDict weights, int grid, float tokenNormEpsilon = PlainDecoder.TokenNormEpsilon)
    {
        GraphBuilder g = new("sam_plain_decoder");
        PlainDecoder network = new(g, weights, grid, tokenNormEpsilon);
        int channels = network.Layout.Channels, masks = network.Layout.MaskTokens;
        Value embedding = g.Input("image_embedding", 1, channels, grid, grid);
        Value dense = g.Input("dense", "dense_prompts", channels, "dense_rows", "dense_columns");
        Value sparse = g.Input("sparse", "prompts", "tokens", channels);
        (Value lowRes, Value iou) = network.Decode(embedding, network.Positions(), dense, sparse);
        g.Output("logits", lowRes, "prompts", masks, 4 * grid, 4 * grid);
        g.Output("iou", iou, "prompts", masks);
        return g;
    }
}
