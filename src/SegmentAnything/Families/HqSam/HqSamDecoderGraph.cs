using SegmentAnything.Checkpoints;
using SegmentAnything.Graphs;

namespace SegmentAnything.Families.HqSam;

/// <summary>
/// HQ-SAM's mask decoder as graphs for any number of prompts, step by step as the official modules have it: for every
/// execution provider, and what faster decoders are compared with.
/// </summary>
/// <remarks>
/// <code>
/// features: image_embedding (1, C, G, G), early (1, G, G, E) to hq_features (1, U, 4G, 4G); once an image
/// decoder:  image_embedding (1, C, G, G), hq_features (1, U, 4G, 4G), dense (1 or B, C, 1 or G, 1 or G), sparse (B, N, C)
///           to logits (B, masks + 1, 4G, 4G), the high-quality mask last, and iou (B, masks)
/// </code>
/// Source: HQ-SAM, segment_anything/modeling/mask_decoder_hq.py.
/// </remarks>
internal static class HqSamDecoderGraph
{

    /// <summary>Builds what depends on the image alone.</summary>
    /// <param name="weights">Under their official names.</param>
    /// <param name="layout">What HQ-SAM adds.</param>
    /// <param name="grid">G.</param>
    public static GraphBuilder BuildFeatures(StateDict weights, HqSamLayout layout, int grid)
    {
        GraphBuilder g = new("hq_sam_features");
        PlainDecoder network = new(g, weights, grid);
        Value embedding = g.Input("image_embedding", 1, layout.Channels, grid, grid);
        Value early = g.Transpose(g.Input("early", 1, grid, grid, layout.EarlyChannels), 0, 3, 1, 2);
        g.Output("hq_features", g.Add(Upscale(embedding, HqSamLayout.Encode), Upscale(early, HqSamLayout.Compress)), 1, layout.MaskChannels, 4 * grid, 4 * grid);
        return g;

        Value Upscale(Value x, string name) => network.Convolve(
            "ConvTranspose", g.Gelu(network.ChannelNorm(network.Convolve("ConvTranspose", x, name + "0", 2), name + "1")), name + "3", 2);
    }

    /// <summary>Builds what depends on the prompts.</summary>
    /// <param name="weights">Under their official names.</param>
    /// <param name="layout">What HQ-SAM adds.</param>
    /// <param name="grid">G.</param>
    /// <exception cref="CheckpointException">A weight is missing or has an unexpected shape.</exception>
    public static GraphBuilder Build(StateDict weights, HqSamLayout layout, int grid)
    {
        GraphBuilder g = new("hq_sam_plain_decoder");
        PlainDecoder network = new(g, weights, grid);
        int channels = layout.Channels, masks = network.Layout.MaskTokens, side = 4 * grid;
        Value embedding = g.Input("image_embedding", 1, channels, grid, grid);
        Value features = g.Input("hq_features", 1, layout.MaskChannels, side, side);
        Value dense = g.Input("dense", "dense_prompts", channels, "dense_rows", "dense_columns");
        Value sparse = g.Input("sparse", "prompts", "tokens", channels);
        (Value queries, Value keys) = network.Transform(embedding, network.Positions(), dense, sparse, HqSamLayout.Token);

        Value upscaled = network.Upscale(keys);
        Value refined = g.Gelu(network.ChannelNorm(Around(upscaled, HqSamLayout.Refine + "0"), HqSamLayout.Refine + "1"));
        refined = g.Add(Around(refined, HqSamLayout.Refine + "3"), features);
        Value own = network.Mlp(g.Slice(queries, 1, 1 + masks, 2 + masks), HqSamLayout.Mlp, layout.MlpLayers);
        Value logits = g.Concat(1, network.Masks(network.MaskWeights(queries), upscaled, masks), network.Masks(own, refined, 1));
        g.Output("logits", logits, "prompts", masks + 1, side, side);
        g.Output("iou", network.PredictedIou(queries), "prompts", masks);
        return g;

        Value Around(Value x, string name) =>
            g.Node("Conv", [x, network.Named(name + ".weight"), network.Named(name + ".bias")], ("pads", new long[] { 1, 1, 1, 1 }));
    }
}
