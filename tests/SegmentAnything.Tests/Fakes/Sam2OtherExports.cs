using Google.Protobuf;
using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;
using SegmentAnything.Families.Sam2;
using SegmentAnything.Graphs;
using SegmentAnything.Onnx;
using DataType = SegmentAnything.Onnx.TensorProto.Types.DataType;

namespace SegmentAnything.Tests.Fakes;

/// <summary>Files of SAM 2 as other exporters lay them out: names, types and shapes of theirs, weights without names.</summary>
internal static class Sam2OtherExports
{
    /// <summary>samexporter's encoder: maps before the embedding.</summary>
    public static ModelProto PointsEncoder(StateDict weights, Sam2Layout layout) => Encoder(weights, layout, "image", "image_embed", "high_res_feats_0", "high_res_feats_1");

    /// <summary>transformers.js' <c>vision_encoder</c>.</summary>
    public static ModelProto HuggingFaceEncoder(StateDict weights, Sam2Layout layout) =>
        Encoder(weights, layout, "pixel_values", "image_embeddings.2", "image_embeddings.0", "image_embeddings.1");

    /// <summary>samexporter's decoder: three masks, limited to 32, no object score; the point that fills up is added inside.</summary>
    /// <param name="weights">Of the whole model.</param>
    /// <param name="layout">Its sizes.</param>
    /// <param name="firstMask">1 for the three masks, 0 with one mask for what bakes the single one in.</param>
    /// <param name="masks">How many it gives.</param>
    /// <param name="withSize">It takes the size of the source as whole numbers, and brings masks to it.</param>
    public static ModelProto PointsDecoder(StateDict weights, Sam2Layout layout, int firstMask = 1, int masks = 3, bool withSize = false)
    {
        ModelProto model = Sam2DecoderGraph.BuildExport(weights, layout, Sam2Family.LayoutOf(weights, layout)).Build();
        GraphProto graph = model.Graph;
        int side = 4 * layout.Grid;
        OtherExports.Rename(graph, name => name is "masks" or "iou_predictions" ? name + "_all" : name);
        var g = new GraphBuilder("after");
        Value all = g.Input("masks_all", 1, 4, side, side), iou = g.Input("iou_predictions_all", 1, 4);
        Value logits = g.Node("Max", [g.Node("Min", [g.Slice(all, 1, firstMask, firstMask + masks), g.Scalar(32)]), g.Scalar(-32)]);
        if (withSize)
        {
            Value size = g.Node("Cast", [g.Input("orig_im_size", DataType.Int32, 2)], ("to", (long)DataType.Int64));
            logits = g.Node("Resize", [logits, new Value(""), new Value(""), g.Concat(0, g.Integers(1, masks), size)], ("mode", "linear"), ("coordinate_transformation_mode", "half_pixel"));
        }

        if (withSize) g.Output("masks", logits, "labels", "masks", "height", "width");
        else g.Output("masks", logits, "labels", masks, side, side);
        g.Output("iou_predictions", g.Slice(iou, 1, firstMask, firstMask + masks), "labels", withSize ? "masks" : masks);
        GraphProto after = g.Build().Graph;
        OtherExports.Rename(after, name => name is "masks" or "iou_predictions" or "orig_im_size" || name.EndsWith("_all", StringComparison.Ordinal) ? name : "after/" + name);
        graph.Node.AddRange(after.Node);
        graph.Initializer.AddRange(after.Initializer);
        graph.Input.AddRange(after.Input.Where(i => i.Name == "orig_im_size"));
        graph.Output.Clear();
        graph.Output.AddRange(after.Output);
        return Foreign(model);
    }

    /// <summary>transformers.js' <c>prompt_encoder_mask_decoder</c>: boxes beside points, no masks.</summary>
    /// <param name="weights">Of the whole model.</param>
    /// <param name="layout">Its sizes.</param>
    /// <param name="padsPoints">The point that fills up is added where there is no box, too.</param>
    public static ModelProto HuggingFaceDecoder(StateDict weights, Sam2Layout layout, bool padsPoints)
    {
        DecoderLayout decoder = Sam2Family.LayoutOf(weights, layout);
        var g = new GraphBuilder("main_graph");
        var network = new PlainDecoder(g, weights, decoder, layout.Grid);
        int side = 4 * layout.Grid;
        Value points = g.Node("Squeeze", [g.Input("input_points", "batch_size", 1, "num_points", 2), g.Integers(1)]);
        Value labels = g.Node("Cast", [g.Node("Squeeze", [g.Input("input_labels", DataType.Int64, "batch_size", 1, "num_points"), g.Integers(1)])], ("to", (long)DataType.Float));
        Value boxes = g.Input("input_boxes", "batch_size", "num_boxes", 4);
        Value embedding = g.Input("image_embeddings.2", "batch_size", layout.Channels, layout.Grid, layout.Grid);
        Value second = g.Input("image_embeddings.1", "batch_size", layout.HighRes1, 2 * layout.Grid, 2 * layout.Grid);
        Value first = g.Input("image_embeddings.0", "batch_size", layout.HighRes0, side, side);

        // Corners, and a point of padding for each box.
        Value count = g.Slice(g.Node("Shape", [boxes]), 0, 1, 2), pads = padsPoints ? g.Integers(1) : count;
        Value corners = g.Node("Reshape", [boxes, g.Concat(0, g.Integers(1), g.Multiply(count, g.Integers(2)), g.Integers(2))], ("allowzero", 1L));
        points = g.Concat(1, points, corners, First(g.Constant("nowhere", [0, 0], 1, 1, 2), pads));
        labels = g.Concat(1, labels, First(g.Constant("corners", [2, 3], 1, 2), g.Multiply(count, g.Integers(2))), First(g.Constant("nothing", [-1], 1, 1), pads));
        Value sparse = network.Points(points, labels, layout.ImageSize);
        (Value queries, Value keys) = network.Transform(
            embedding, network.Positions(), network.NoMask(), sparse, "mask_decoder.obj_score_token.weight", PlainDecoder.IouToken, PlainDecoder.MaskTokens);
        Value masks = network.Masks(queries, 2, network.Upscale(keys, second, first));
        Value iou = g.Node("Sigmoid", [network.Head(queries, 1, "iou_prediction_head", decoder.IouLayers, 4)]);
        g.Output("iou_scores", g.Node("Unsqueeze", [g.Slice(iou, 1, 1, 4), g.Integers(1)]), "batch_size", 1, 3);
        g.Output("pred_masks", g.Node("Unsqueeze", [g.Slice(masks, 1, 1, 4), g.Integers(1)]), "batch_size", 1, 3, side, side);
        g.Output("object_score_logits", g.Node("Unsqueeze", [network.Head(queries, 0, "pred_obj_score_head", decoder.ScoreLayers, 1), g.Integers(1)]), "batch_size", 1, 1);
        return Foreign(g.Build());

        Value First(Value x, Value length) => g.Node("Slice", [x, g.Integers(0), length, g.Integers(1)]);
    }

    /// <summary>Writes a model whose weights are in a file beside it. Sizes stay: ONNX Runtime wants to see them.</summary>
    public static void WriteWithDataBeside(ModelProto model, string path, string data)
    {
        model = model.Clone();
        using FileStream stream = File.Create(Path.Combine(Path.GetDirectoryName(path)!, data));
        foreach (TensorProto tensor in model.Graph.Initializer.Where(t => t.DataType == (int)DataType.Float && t.RawData.Length > 16))
        {
            Beside(tensor, data, stream.Position, tensor.RawData.Length);
            stream.Write(tensor.RawData.Span);
            tensor.RawData = ByteString.Empty;
        }

        Assert.True(stream.Length > 0);
        File.WriteAllBytes(path, model.ToByteArray());
    }

    /// <summary>Says that a tensor is in another file.</summary>
    public static void Beside(TensorProto tensor, string location, long offset, long length)
    {
        tensor.DataLocation = TensorProto.Types.DataLocation.External;
        foreach ((string key, string value) in new[] { ("location", location), ("offset", $"{offset}"), ("length", $"{length}") })
            tensor.ExternalData.Add(new StringStringEntryProto { Key = key, Value = value });
    }

    /// <summary>Inputs and outputs in another order: nothing may depend on it.</summary>
    public static ModelProto Reversed(ModelProto model)
    {
        model = model.Clone();
        ValueInfoProto[] inputs = [.. model.Graph.Input.Reverse()], outputs = [.. model.Graph.Output.Reverse()];
        model.Graph.Input.Clear();
        model.Graph.Output.Clear();
        model.Graph.Input.AddRange(inputs);
        model.Graph.Output.AddRange(outputs);
        return model;
    }

    private static ModelProto Encoder(StateDict weights, Sam2Layout layout, string image, string embedding, string first, string second)
    {
        ModelProto model = HieraEncoderGraph.Build(weights, layout, form: EncoderForm.Plain).Build();
        model.Graph.Name = "main_graph";
        OtherExports.Rename(model.Graph, name => name switch
        {
            "image" => image,
            "embedding" => embedding,
            HieraEncoderGraph.HighRes0 => first,
            HieraEncoderGraph.HighRes1 => second,
            _ => name,
        });
        ValueInfoProto[] outputs = [.. model.Graph.Output.OrderBy(o => o.Name == embedding)];
        model.Graph.Output.Clear();
        model.Graph.Output.AddRange(outputs);
        return model;
    }

    // Constants have no names that say what they are.
    private static ModelProto Foreign(ModelProto model)
    {
        int number = 0;
        Dictionary<string, string> names = model.Graph.Initializer.ToDictionary(t => t.Name, _ => $"onnx::Constant_{number++}");
        OtherExports.Rename(model.Graph, name => names.GetValueOrDefault(name, name));
        return model;
    }
}
