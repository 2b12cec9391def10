using Google.Protobuf;
using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;
using SegmentAnything.Families.Sam1;
using SegmentAnything.Graphs;
using SegmentAnything.Onnx;
using SegmentAnything.Tests.Families.Sam1;
using DataType = SegmentAnything.Onnx.TensorProto.Types.DataType;

namespace SegmentAnything.Tests.Fakes;

/// <summary>Files of other exporters' layouts, with the weights of a tiny SAM: whole graphs, which ONNX Runtime runs.</summary>
internal static class OtherExports
{
    /// <summary>An encoder behind preprocessing of its own.</summary>
    /// <param name="weights">Of the whole model.</param>
    /// <param name="type">Float or bytes.</param>
    /// <param name="interleaved">(H, W, 3) instead of (3, H, W).</param>
    /// <param name="batch">With a first dimension of one.</param>
    /// <param name="dynamic">Any height and width up to the model's, padded in the graph.</param>
    /// <param name="unitRange">Expects 0 to 1.</param>
    public static byte[] EncoderWithPreprocessing(
        StateDict weights, DataType type, bool interleaved, bool batch, bool dynamic, bool unitRange = false)
    {
        int size = TinySam.Layout.ImageSize;
        float range = unitRange ? 255 : 1;
        Dim height = dynamic ? "image_height" : size, width = dynamic ? "image_width" : size;
        Dim[] shape = [.. batch ? new Dim[] { 1 } : [], .. interleaved ? new Dim[] { height, width, 3 } : [3, height, width]];
        var g = new GraphBuilder("preprocessing");
        Value x = g.Node("Cast", [g.Input("input_image", type, shape)], ("to", (long)DataType.Float));
        if (batch) x = g.Node("Squeeze", [x, g.Integers(0)]);
        if (interleaved) x = g.Transpose(x, 2, 0, 1);
        SamVariant sam = SamModels.MobileSam;
        x = g.Node("Sub", [x, g.Constant("pixel_mean", [.. sam.PixelMean.Select(v => v / range)], 3, 1, 1)]);
        x = g.Node("Div", [x, g.Constant("pixel_std", [.. sam.PixelStd.Select(v => v / range)], 3, 1, 1)]);
        Value missing = g.Node("Sub", [g.Integers(size, size), g.Slice(g.Node("Shape", [x]), 0, 1, 3)]);
        x = g.Node("Pad", [x, g.Concat(0, g.Integers(0, 0, 0, 0), missing)]);
        g.Output("image", g.Reshape(x, 1, 3, size, size), 1, 3, size, size);

        ModelProto model = VitEncoderGraph.Build(weights).Build();
        GraphProto before = g.Build().Graph;
        Rename(before, name => name == "image" ? name : "before/" + name);
        before.Input[0].Name = "input_image";
        foreach (NodeProto node in before.Node) Replace(node.Input, "before/input_image", "input_image");
        for (int i = 0; i < before.Node.Count; i++) model.Graph.Node.Insert(i, before.Node[i]);
        model.Graph.Initializer.AddRange(before.Initializer);
        model.Graph.Input.Clear();
        model.Graph.Input.AddRange(before.Input);
        return model.ToByteArray();
    }

    /// <summary><c>vision_encoder.onnx</c>: the embedding and, beside it, the positions.</summary>
    public static byte[] HuggingFaceEncoder(StateDict weights)
    {
        int grid = TinySam.Layout.Grid, channels = TinySam.Layout.OutputChannels;
        ModelProto model = VitEncoderGraph.Build(weights).Build();
        var g = new GraphBuilder("positions");
        Value positions = g.Constant("image_wide", Matrices.Transpose(PositionalEncoding.OfGrid(weights, grid), grid * grid, channels), 1, channels, grid, grid);
        g.Output("image_positional_embeddings", positions, "batch_size", channels, grid, grid);
        GraphProto beside = g.Build().Graph;
        model.Graph.Node.AddRange(beside.Node);
        model.Graph.Initializer.AddRange(beside.Initializer);
        model.Graph.Output.AddRange(beside.Output);
        Rename(model.Graph, name => name switch { "image" => "pixel_values", "embedding" => "image_embeddings", _ => name });
        model.Graph.Input[0].Type.TensorType.Shape.Dim[0].DimParam = "batch_size";
        return model.ToByteArray();
    }

    /// <summary>
    /// <c>prompt_encoder_mask_decoder.onnx</c>: points and labels of P prompts against one image to the three masks of each.
    /// Labels are compared and chosen between as the exporter leaves it; names are Hugging Face's.
    /// </summary>
    public static ModelProto HuggingFaceDecoder(StateDict weights)
    {
        int grid = TinySam.Layout.Grid, channels = TinySam.Layout.OutputChannels, side = 4 * grid;
        var g = new GraphBuilder("main_graph");
        var network = new PlainDecoder(g, weights, RandomDecoder.LayoutOf(weights), grid);
        Value points = g.Node("Squeeze", [g.Input("input_points", "batch_size", "point_batch_size", "nb_points_per_image", 2), g.Integers(0)]);
        Value labels = g.Node("Squeeze", [g.Input("input_labels", DataType.Int64, "batch_size", "point_batch_size", "nb_points_per_image"), g.Integers(0)]);
        Value embedding = g.Input("image_embeddings", "batch_size", channels, grid, grid);
        Value positions = g.Input("image_positional_embeddings", "batch_size", channels, grid, grid);
        labels = g.Node("Cast", [labels], ("to", (long)DataType.Float));

        // A point of label -1 after the others.
        points = g.Concat(1, points, g.Multiply(g.Slice(points, 1, 0, 1), g.Scalar(0)));
        labels = g.Concat(1, labels, g.Add(g.Multiply(g.Slice(labels, 1, 0, 1), g.Scalar(0)), g.Scalar(-1)));
        Value tokens = network.Positional(points, TinySam.Layout.ImageSize);
        Value isPadding = g.Node("Equal", [g.Node("Unsqueeze", [labels, g.Integers(-1)]), g.Scalar(-1)]);
        tokens = g.Node("Where", [isPadding, Embedding("not_a_point_embed"), tokens]);
        for (int i = 0; i < 2; i++)
        {
            Value isLabel = g.Node("Unsqueeze", [g.Node("Equal", [labels, g.Scalar(i)]), g.Integers(-1)]);
            tokens = g.Node("Where", [isLabel, g.Add(tokens, g.Constant($"onnx::Add_{100 + i}", weights.ReadAny($"prompt_encoder.point_embeddings.{i}.weight"), 1, 1, channels)), tokens]);
        }

        Value rows = g.Transpose(g.Reshape(positions, 0, channels, grid * grid), 0, 2, 1);
        (Value lowRes, Value iou) = network.Decode(embedding, rows, network.NoMask(), tokens);
        g.Output("iou_scores", g.Node("Unsqueeze", [g.Slice(iou, 1, 1, 4), g.Integers(0)]), "batch_size", "point_batch_size", 3);
        g.Output("pred_masks", g.Node("Unsqueeze", [g.Slice(lowRes, 1, 1, 4), g.Integers(0)]), "batch_size", "point_batch_size", 3, side, side);

        ModelProto model = g.Build();
        int anonymous = 200;
        Dictionary<string, string> names = model.Graph.Initializer.ToDictionary(t => t.Name, t =>
            t.Name.Contains('/', StringComparison.Ordinal) ? $"onnx::MatMul_{anonymous++}" : HuggingFaceNamesTests.ToHuggingFace(t.Name));
        Rename(model.Graph, name => names.GetValueOrDefault(name, name));
        return model;

        Value Embedding(string name) => g.Constant($"prompt_encoder.{name}.weight", weights.ReadAny($"prompt_encoder.{name}.weight"), 1, channels);
    }

    /// <summary>Gives every value of a graph another name.</summary>
    public static void Rename(GraphProto graph, Func<string, string> rename)
    {
        foreach (NodeProto node in graph.Node)
        {
            node.Name = rename(node.Name);
            for (int i = 0; i < node.Input.Count; i++) node.Input[i] = node.Input[i].Length == 0 ? "" : rename(node.Input[i]);
            for (int i = 0; i < node.Output.Count; i++) node.Output[i] = rename(node.Output[i]);
            foreach (AttributeProto attribute in node.Attribute.Where(a => a.G is not null)) Rename(attribute.G, rename);
        }

        foreach (TensorProto tensor in graph.Initializer) tensor.Name = rename(tensor.Name);
        foreach (ValueInfoProto value in graph.Input.Concat(graph.Output)) value.Name = rename(value.Name);
    }

    private static void Replace(IList<string> names, string from, string to)
    {
        for (int i = 0; i < names.Count; i++)
        {
            if (names[i] == from) names[i] = to;
        }
    }
}
