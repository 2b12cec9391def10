using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;
using SegmentAnything.Graphs;

namespace SegmentAnything.Families.Sam2;

/// <summary>
/// Builds SAM 2's prompt encoder and mask decoder as ONNX graphs step by step as the official modules have them, for any
/// execution provider; any number of prompts a call.
/// </summary>
/// <remarks>Source: SAM 2, modeling/sam/prompt_encoder.py, mask_decoder.py, transformer.py.</remarks>
internal static class Sam2DecoderGraph
{
    private const string ScoreToken = "mask_decoder.obj_score_token.weight";

    /// <summary>
    /// The mask decoder alone:
    /// <code>
    /// embedding (1, C, G, G)    high_res_0 (1, c0, 4G, 4G)   high_res_1 (1, c1, 2G, 2G)
    /// dense (1 or B, C, 1 or G, 1 or G)                      sparse (B, N, C)
    /// low_res (B, 4, 4G, 4G)    iou (B, 4)                   object_score (B, 1)
    /// </code>
    /// </summary>
    /// <param name="weights">As <see cref="Sam2Names.View"/> names them.</param>
    /// <param name="layout">The sizes of the maps.</param>
    /// <param name="decoder">The sizes of the decoder.</param>
    public static GraphBuilder Build(StateDict weights, Sam2Layout layout, DecoderLayout decoder)
    {
        var g = new GraphBuilder("sam2_decoder");
        var network = new PlainDecoder(g, weights, decoder, layout.Grid);
        int channels = layout.Channels;
        Value embedding = g.Input("embedding", 1, channels, layout.Grid, layout.Grid);
        (Value first, Value second) = HighRes(g, layout, HieraEncoderGraph.HighRes0, HieraEncoderGraph.HighRes1);
        Value dense = g.Input("dense", "dense_prompts", channels, "dense_rows", "dense_columns");
        Value sparse = g.Input("sparse", "prompts", "tokens", channels);
        Decode(g, network, layout, embedding, dense, sparse, first, second, "low_res", "iou", "object_score");
        return g;
    }

    /// <summary>
    /// Prompt encoder and mask decoder in one, with the inputs and outputs that exports of SAM 2 have in practice, so that
    /// code written for those runs it:
    /// <code>
    /// image_embed (1, C, G, G)   high_res_feats_0 (1, c0, 4G, 4G)   high_res_feats_1 (1, c1, 2G, 2G)
    /// point_coords (B, N, 2)     point_labels (B, N)                in the model's frame
    /// mask_input (1 or B, 1, 4G, 4G)                                has_mask_input (1)
    /// masks (B, 4, 4G, 4G)       iou_predictions (B, 4)             object_score_logits (B, 1)
    /// </code>
    /// Labels: 1 on the object, 0 beside it, 2 and 3 the corners of a box. The point that fills up is added inside. Masks are
    /// logits at the low resolution: 0 is the single mask, 1 to 3 are the multiple ones.
    /// </summary>
    /// <param name="weights">As <see cref="Sam2Names.View"/> names them.</param>
    /// <param name="layout">The sizes of the maps.</param>
    /// <param name="decoder">The sizes of the decoder.</param>
    public static GraphBuilder BuildExport(StateDict weights, Sam2Layout layout, DecoderLayout decoder)
    {
        var g = new GraphBuilder("sam2_decoder");
        var network = new PlainDecoder(g, weights, decoder, layout.Grid);
        int channels = layout.Channels, side = 4 * layout.Grid;
        Value embedding = g.Input("image_embed", 1, channels, layout.Grid, layout.Grid);
        (Value first, Value second) = HighRes(g, layout, "high_res_feats_0", "high_res_feats_1");
        Value coordinates = g.Input("point_coords", "prompts", "points", 2);
        Value labels = g.Input("point_labels", "prompts", "points");
        Value mask = g.Input("mask_input", "mask_prompts", 1, side, side);
        Value hasMask = g.Input("has_mask_input", 1);

        Value without = g.Multiply(network.NoMask(), g.Node("Sub", [g.Scalar(1), hasMask]));
        Value dense = g.Add(g.Multiply(network.MaskPrompt(mask), hasMask), without);
        Value sparse = g.Concat(1, network.Points(coordinates, labels, layout.ImageSize), Padding(g, weights, labels, channels));
        Decode(g, network, layout, embedding, dense, sparse, first, second, "masks", "iou_predictions", "object_score_logits");
        return g;
    }

    // One token where there are points, none where there are not: (B, 0 or 1, C).
    private static Value Padding(GraphBuilder g, StateDict weights, Value labels, int channels)
    {
        Value shape = g.Node("Shape", [labels]);
        Value count = g.Node("Min", [g.Slice(shape, 0, 1, 2), g.Integers(1)]);
        Value token = g.Constant("not_a_point", weights.ReadAny("prompt_encoder.not_a_point_embed.weight"), 1, 1, channels);
        Value repeats = g.Concat(0, g.Slice(shape, 0, 0, 1), count, g.Integers(1));
        return g.Node("Tile", [token, repeats]);
    }

    private static (Value First, Value Second) HighRes(GraphBuilder g, Sam2Layout layout, string name0, string name1)
    {
        Value second = g.Input(name0, 1, layout.HighRes0, 4 * layout.Grid, 4 * layout.Grid);
        return (g.Input(name1, 1, layout.HighRes1, 2 * layout.Grid, 2 * layout.Grid), second);
    }

    private static void Decode(
        GraphBuilder g, PlainDecoder network, Sam2Layout layout, Value embedding, Value dense, Value sparse, Value first, Value second,
        string masks, string iou, string score)
    {
        int side = 4 * layout.Grid, count = network.Layout.MaskTokens;
        (Value queries, Value keys) = network.Transform(
            embedding, network.Positions(), dense, sparse, ScoreToken, PlainDecoder.IouToken, PlainDecoder.MaskTokens);
        g.Output(masks, network.Masks(queries, 2, network.Upscale(keys, first, second)), "prompts", count, side, side);
        g.Output(iou, g.Node("Sigmoid", [network.Head(queries, 1, "iou_prediction_head", network.Layout.IouLayers, count)]), "prompts", count);
        g.Output(score, network.Head(queries, 0, "pred_obj_score_head", network.Layout.ScoreLayers, 1), "prompts", 1);
    }
}
