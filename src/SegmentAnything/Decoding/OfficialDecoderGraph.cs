using SegmentAnything.Checkpoints;
using SegmentAnything.Graphs;
using SegmentAnything.Onnx;

namespace SegmentAnything.Decoding;

/// <summary>
/// Builds prompt encoder and mask decoder as one graph with the inputs and outputs of the official export, so that code
/// written for that runs it; any number of prompts a call.
/// </summary>
/// <remarks>
/// The arithmetic is that of the official modules, in their order: this graph is for other runtimes, and for reading the
/// weights back (the importer of SAM 1); here they become <see cref="DecoderGraphs"/> or kernels.
/// <code>
/// image_embeddings (1, C, G, G)   point_coords (B, N, 2)   point_labels (B, N)   in the model's frame
/// mask_input (1 or B, 1, 4G, 4G)  has_mask_input (1)       orig_im_size (2): height, width
/// masks (B, 4, height, width)     iou_predictions (B, 4)   low_res_masks (B, 4, 4G, 4G)
/// </code>
/// Labels: 1 on the object, 0 beside it, 2 and 3 the corners of a box, -1 padding, which points without a box need once.
/// Source: Segment Anything, utils/onnx.py.
/// </remarks>
internal static class OfficialDecoderGraph
{
    /// <param name="weights">Under their official names, all of them.</param>
    /// <param name="layout">Their sizes.</param>
    /// <param name="grid">G.</param>
    /// <param name="imageSize">The side of the square that the image encoder takes, in pixels.</param>
    /// <param name="name">The graph's name, by which a family whose decoder has SAM's names knows its own.</param>
    /// <exception cref="CheckpointException">A weight is missing or has an unexpected shape.</exception>
    public static GraphBuilder Build(StateDict weights, DecoderLayout layout, int grid, int imageSize, string name = "sam_decoder")
    {
        var g = new GraphBuilder(name);
        var network = new PlainDecoder(g, weights, layout, grid);
        int channels = network.Layout.Channels, side = 4 * grid;
        Value embedding = g.Input("image_embeddings", 1, channels, grid, grid);
        Value coordinates = g.Input("point_coords", "prompts", "points", 2);
        Value labels = g.Input("point_labels", "prompts", "points");
        Value mask = g.Input("mask_input", "mask_prompts", 1, side, side);
        Value hasMask = g.Input("has_mask_input", 1);
        Value size = g.Input("orig_im_size", 2);

        Value without = g.Multiply(network.NoMask(), g.Node("Sub", [g.Scalar(1), hasMask]));
        Value dense = g.Add(g.Multiply(network.MaskPrompt(mask), hasMask), without);
        Value sparse = network.Points(coordinates, labels, imageSize);
        (Value lowRes, Value iou) = network.Decode(embedding, network.Positions(), dense, sparse);
        g.Output("masks", ToSource(g, lowRes, size, imageSize), "prompts", network.Layout.MaskTokens, "height", "width");
        g.Output("iou_predictions", iou, "prompts", network.Layout.MaskTokens);
        g.Output("low_res_masks", lowRes, "prompts", network.Layout.MaskTokens, side, side);
        return g;
    }

    // To the model's square, without its padding, to the size of the source.
    private static Value ToSource(GraphBuilder g, Value lowRes, Value size, int imageSize)
    {
        Value leading = g.Slice(g.Node("Shape", [lowRes]), 0, 0, 2);
        Value square = Resize(g.Integers(imageSize, imageSize));
        Value scale = g.Node("Div", [g.Scalar(imageSize), g.Node("ReduceMax", [size], ("keepdims", 0L))]);
        Value resized = ToInteger(g.Node("Floor", [g.Add(g.Multiply(size, scale), g.Scalar(0.5f))]));
        lowRes = g.Node("Slice", [square, g.Integers(0, 0), resized, g.Integers(2, 3)]);
        return Resize(ToInteger(size));

        Value ToInteger(Value x) => g.Node("Cast", [x], ("to", (long)TensorProto.Types.DataType.Int64));

        Value Resize(Value to) => g.Node("Resize", [lowRes, new Value(""), new Value(""), g.Concat(0, leading, to)],
            ("mode", "linear"), ("coordinate_transformation_mode", "half_pixel"));
    }
}
