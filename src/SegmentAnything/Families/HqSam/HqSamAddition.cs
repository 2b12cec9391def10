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

    public override void Prepare(GraphBuilder g, Value embedding)
    {
        PlainDecoder network = new(g, weights, decoder, grid);
        Value early = g.Input(VitEncoderGraph.EarlyFeature, 1, layout.EarlyChannels, grid, grid);
        g.Output(Features, g.Add(Enlarge(embedding, HqSamLayout.Encode), Enlarge(early, HqSamLayout.Compress)), 1, layout.MaskChannels, Side, Side);

        Value Enlarge(Value x, string name) => network.Convolve(
            "ConvTranspose", g.Gelu(network.ChannelNorm(network.Convolve("ConvTranspose", x, name + "0", 2), name + "1")), name + "3", 2);
    }

    public override void Transform(GraphBuilder g, Value token) => g.Output(
        Weights, new PlainDecoder(g, weights, decoder, grid).Mlp(token, HqSamLayout.Mlp, layout.MlpLayers), "prompts", 1, layout.MaskChannels);

    public override Value Upscale(GraphBuilder g, Value upscaled, Value logits)
    {
        PlainDecoder network = new(g, weights, decoder, grid);
        Value features = g.Input(Features, 1, layout.MaskChannels, Side, Side);
        Value own = g.Input(Weights, "prompts", 1, layout.MaskChannels);
        Value refined = g.Gelu(network.ChannelNorm(Around(upscaled, HqSamLayout.Refine + "0"), HqSamLayout.Refine + "1"));
        refined = g.Add(Around(refined, HqSamLayout.Refine + "3"), features);
        Value mask = g.Reshape(g.MatMul(own, g.Reshape(refined, 0, layout.MaskChannels, (long)Side * Side)), 0, 1, Side, Side);
        return alone ? g.Node("Expand", [mask, g.Node("Shape", [logits])]) : g.Add(logits, mask);

        Value Around(Value x, string name) =>
            g.Node("Conv", [x, network.Named(name + ".weight"), network.Named(name + ".bias")], ("pads", new long[] { 1, 1, 1, 1 }));
    }
}
