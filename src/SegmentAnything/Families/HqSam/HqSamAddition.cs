using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;
using SegmentAnything.Families.Sam1;
using SegmentAnything.Graphs;

namespace SegmentAnything.Families.HqSam;

/// <summary>
/// The high-quality mask: features of the image from two depths of the encoder, once an image; with each prompt two 3 x 3
/// convolutions on the upscaled image, plus those features, times the weights that a token of its own gives.
/// </summary>
/// <remarks>Source: HQ-SAM, segment_anything/modeling/mask_decoder_hq.py.</remarks>
internal sealed class HqSamAddition(StateDict weights, HqSamLayout layout, DecoderLayout decoder, int grid, bool alone) : DecoderAddition
{
    private const string Features = "hq_features", Weights = "hq_weights";

    private int Side => DecoderLayout.Upscaling * grid;

    public override string Token => HqSamLayout.Token;

    /// <summary>
    /// Builds prompt encoder and mask decoder as one graph: the inputs of SAM's official export and <c>early</c>, the image
    /// encoder's second output; the outputs <c>masks</c> at low resolution, SAM's own plus the high-quality one, and
    /// <c>iou_predictions</c>.
    /// </summary>
    public static GraphBuilder BuildExport(StateDict weights, HqSamLayout layout, DecoderLayout decoder, int grid, int imageSize)
    {
        GraphBuilder g = new(HqSamModel.DecoderGraphName);
        PlainDecoder network = new(g, weights, decoder, grid);
        HqSamAddition addition = new(weights, layout, decoder, grid, alone: false);
        int side = addition.Side;
        Value embedding = g.Input("image_embeddings", 1, decoder.Channels, grid, grid);
        Value early = g.Input(VitEncoderGraph.EarlyFeature, 1, layout.EarlyChannels, grid, grid);
        Value sparse = network.Points(g.Input("point_coords", "prompts", "points", 2), g.Input("point_labels", "prompts", "points"), imageSize);
        Value mask = g.Input("mask_input", "mask_prompts", 1, side, side), hasMask = g.Input("has_mask_input", 1);
        Value without = g.Multiply(network.NoMask(), g.Node("Sub", [g.Scalar(1), hasMask]));
        Value dense = g.Add(g.Multiply(network.MaskPrompt(mask), hasMask), without);
        Decode(g, network, addition, embedding, early, dense, sparse, "masks", "iou_predictions");
        return g;
    }

    /// <summary>
    /// The mask decoder alone, as the official modules have it:
    /// <code>
    /// embedding (1, C, G, G)   early (1, c, G, G)   dense (1 or B, C, 1 or G, 1 or G)   sparse (B, N, C)
    /// low_res (B, 4, 4G, 4G)   iou (B, 4)
    /// </code>
    /// </summary>
    public static GraphBuilder Build(StateDict weights, HqSamLayout layout, DecoderLayout decoder, int grid)
    {
        GraphBuilder g = new("hq_sam_mask_decoder");
        PlainDecoder network = new(g, weights, decoder, grid);
        Value embedding = g.Input("embedding", 1, decoder.Channels, grid, grid);
        Value early = g.Input(VitEncoderGraph.EarlyFeature, 1, layout.EarlyChannels, grid, grid);
        Value dense = g.Input("dense", "dense_prompts", decoder.Channels, "dense_rows", "dense_columns");
        Value sparse = g.Input("sparse", "prompts", "tokens", decoder.Channels);
        Decode(g, network, new HqSamAddition(weights, layout, decoder, grid, alone: false), embedding, early, dense, sparse, "low_res", "iou");
        return g;
    }

    private static void Decode(
        GraphBuilder g, PlainDecoder network, HqSamAddition addition, Value embedding, Value early, Value dense, Value sparse, string masksName, string iouName)
    {
        int masks = network.Layout.MaskTokens;
        (Value queries, Value keys) = network.Transform(embedding, network.Positions(), dense, sparse, PlainDecoder.IouToken, PlainDecoder.MaskTokens, HqSamLayout.Token);
        Value upscaled = network.Upscale(keys);
        Value own = addition.Weigh(network, g.Slice(queries, 1, 1 + masks, 2 + masks));
        Value high = addition.HighQuality(g, network, upscaled, ImageFeatures(g, network, embedding, early), own);
        g.Output(masksName, g.Add(network.Masks(queries, 1, upscaled), high), "prompts", masks, addition.Side, addition.Side);
        g.Output(iouName, network.Head(queries, 0, "iou_prediction_head", network.Layout.IouLayers, masks), "prompts", masks);
    }

    private Value Weigh(PlainDecoder network, Value token) => network.Mlp(token, HqSamLayout.Mlp, layout.MlpLayers);

    public override void Prepare(GraphBuilder g, Value embedding)
    {
        Value early = g.Input(VitEncoderGraph.EarlyFeature, 1, layout.EarlyChannels, grid, grid);
        g.Output(Features, ImageFeatures(g, new PlainDecoder(g, weights, decoder, grid), embedding, early), 1, layout.MaskChannels, Side, Side);
    }

    private static Value ImageFeatures(GraphBuilder g, PlainDecoder network, Value embedding, Value early)
    {
        return g.Add(Enlarge(embedding, HqSamLayout.Encode), Enlarge(early, HqSamLayout.Compress));

        Value Enlarge(Value x, string name) => network.Convolve(
            "ConvTranspose", g.Gelu(network.ChannelNorm(network.Convolve("ConvTranspose", x, name + "0", 2), name + "1")), name + "3", 2);
    }

    public override void Transform(GraphBuilder g, Value token) => g.Output(
        Weights, Weigh(new PlainDecoder(g, weights, decoder, grid), token), "prompts", 1, layout.MaskChannels);

    public override Value Upscale(GraphBuilder g, Value upscaled, Value logits)
    {
        PlainDecoder network = new(g, weights, decoder, grid);
        Value features = g.Input(Features, 1, layout.MaskChannels, Side, Side);
        Value own = g.Input(Weights, "prompts", 1, layout.MaskChannels);
        Value mask = HighQuality(g, network, upscaled, features, own);
        return alone ? g.Node("Expand", [mask, g.Node("Shape", [logits])]) : g.Add(logits, mask);
    }

    // (B, 1, 4G, 4G)
    private Value HighQuality(GraphBuilder g, PlainDecoder network, Value upscaled, Value features, Value own)
    {
        Value refined = g.Gelu(network.ChannelNorm(Around(upscaled, HqSamLayout.Refine + "0"), HqSamLayout.Refine + "1"));
        refined = g.Add(Around(refined, HqSamLayout.Refine + "3"), features);
        return g.Reshape(g.MatMul(own, g.Reshape(refined, 0, layout.MaskChannels, (long)Side * Side)), 0, 1, Side, Side);

        Value Around(Value x, string name) =>
            g.Node("Conv", [x, network.Named(name + ".weight"), network.Named(name + ".bias")], ("pads", new long[] { 1, 1, 1, 1 }));
    }
}
