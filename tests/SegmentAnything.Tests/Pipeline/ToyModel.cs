using System.Runtime.InteropServices;
using Google.Protobuf;
using SegmentAnything.Checkpoints;
using SegmentAnything.Graphs;
using SegmentAnything.Onnx;
using SegmentAnything.Tests.Decoding;

namespace SegmentAnything.Tests.Pipeline;

/// <summary>
/// A model of kilobytes with random weights and the real contract: an encoder that averages patches, and a decoder file
/// of the official export's layout. The pipeline runs on it where no weights are.
/// </summary>
internal static class ToyModel
{
    public const int Channels = 32;
    public const int Grid = 4;
    public const int ImageSize = 64;

    public static SamVariant Variant { get; } = SamModels.MobileSam with
    {
        Name = "toy",
        DisplayName = "Toy",
        ImageSize = ImageSize,
        EmbeddingChannels = Channels,
        EmbeddingGrid = Grid,
    };

    public static ModelFiles Files() => ModelFiles.FromBuffers(Encoder(), Decoder().ToByteArray());

    public static SamModel Load(SamOptions? options = null) => SamModel.Load(Variant, Files(), options);

    /// <summary>An image encoder: each 16 x 16 patch's mean colour, mixed to the channels.</summary>
    public static byte[] Encoder(int imageSize = ImageSize, bool normalises = false, string input = "pixels")
    {
        GraphBuilder g = new("toy_encoder");
        Value x = g.Input(input, 1, 3, imageSize, imageSize);
        if (normalises)
        {
            x = g.Node("Sub", [x, g.Constant("mean", SamModels.MobileSam.PixelMean.AsSpan(), 3, 1, 1)]);
            x = g.Node("Div", [x, g.Constant("std", SamModels.MobileSam.PixelStd.AsSpan(), 3, 1, 1)]);
        }

        int patch = imageSize / Grid;
        x = g.Node("AveragePool", [x], ("kernel_shape", new long[] { patch, patch }), ("strides", new long[] { patch, patch }));
        Random random = new(3);
        float[] mix = [.. Enumerable.Range(0, Channels * 3).Select(_ => random.NextSingle() - 0.5f)];
        x = g.Node("Conv", [x, g.Constant("mix", mix, Channels, 3, 1, 1)], ("kernel_shape", new long[] { 1, 1 }));
        g.Output("embedding", x, 1, Channels, Grid, Grid);
        return g.ToBytes();
    }

    /// <summary>All weights under their official names.</summary>
    public static Dictionary<string, (int[] Shape, float[] Values)> Weights(int seed = 11)
    {
        StateDict decoder = RandomDecoder.Weights(Channels, mlp: 64, iouHidden: 32, iouDepth: 3, seed);
        Dictionary<string, (int[] Shape, float[] Values)> weights = decoder.Tensors.Keys.ToDictionary(
            name => name, name => (decoder.ShapeOf(name).ToArray(), decoder.ReadAny(name)));
        Random random = new(seed + 1);
        for (int label = 0; label < 4; label++) Add($"prompt_encoder.point_embeddings.{label}.weight", 1, Channels);
        Add("prompt_encoder.not_a_point_embed.weight", 1, Channels);
        Add("prompt_encoder.no_mask_embed.weight", 1, Channels);
        foreach ((string name, int inputs, int outputs, int kernel) in new[] { ("0", 1, 4, 2), ("3", 4, 16, 2), ("6", 16, Channels, 1) })
        {
            Add($"prompt_encoder.mask_downscaling.{name}.weight", outputs, inputs, kernel, kernel);
            Add($"prompt_encoder.mask_downscaling.{name}.bias", outputs);
        }

        foreach ((string name, int width) in new[] { ("1", 4), ("4", 16) })
        {
            Add($"prompt_encoder.mask_downscaling.{name}.weight", width);
            Add($"prompt_encoder.mask_downscaling.{name}.bias", width);
        }

        return weights;

        void Add(string name, params int[] shape) => weights[name] =
            (shape, [.. Enumerable.Range(0, shape.Aggregate(1, (a, b) => a * b)).Select(_ => random.NextSingle() - 0.5f)]);
    }

    /// <summary>
    /// A decoder file as the official exporter leaves it: matrices transposed and without names, found through the named
    /// bias; channel norms, tokens and the no-mask embedding as anonymous constants. Its nodes show only what the weights
    /// are used for; the file is read, never run.
    /// </summary>
    public static ModelProto Decoder(string prefix = "model.", int seed = 11)
    {
        ModelProto model = new() { IrVersion = 8, Graph = new GraphProto(), OpsetImport = { new OperatorSetIdProto { Version = 17 } } };
        foreach (string input in (string[])["image_embeddings", "point_coords", "point_labels", "mask_input", "has_mask_input", "orig_im_size"])
            model.Graph.Input.Add(new ValueInfoProto { Name = input });

        int anonymous = 1000;
        List<(string Name, TensorProto Scale, TensorProto Shift)> norms = [];
        Dictionary<string, (int[] Shape, float[] Values)> weights = Weights(seed);
        foreach ((string name, (int[] shape, float[] values)) in weights)
        {
            string layer = name[..^".weight".Length];
            bool isNorm = name.EndsWith("mask_downscaling.1.weight", StringComparison.Ordinal)
                || name.EndsWith("mask_downscaling.4.weight", StringComparison.Ordinal)
                || name.EndsWith("output_upscaling.1.weight", StringComparison.Ordinal);
            bool isNormShift = name is "prompt_encoder.mask_downscaling.1.bias" or "prompt_encoder.mask_downscaling.4.bias"
                or "mask_decoder.output_upscaling.1.bias";
            bool isTransformerMatrix = shape.Length == 2 && name.Contains(".transformer.", StringComparison.Ordinal);
            if (isNorm)
            {
                float[] shift = weights[layer + ".bias"].Values;
                norms.Add((layer, Tensor($"onnx::Mul_{anonymous++}", values, shape[0], 1, 1), Tensor($"onnx::Add_{anonymous++}", shift, shape[0], 1, 1)));
            }
            else if (isTransformerMatrix)
            {
                string matrix = $"onnx::MatMul_{anonymous++}";
                model.Graph.Initializer.Add(Tensor(matrix, Matrices.Transpose(values, shape[0], shape[1]), shape[1], shape[0]));
                Node("MatMul", $"{layer}/product", $"{layer}/input", matrix);
                Node("Add", $"{layer}/sum", layer + ".bias", $"{layer}/product");
            }
            else if (!isNormShift && name is not ("mask_decoder.iou_token.weight" or "mask_decoder.mask_tokens.weight" or "prompt_encoder.no_mask_embed.weight"))
            {
                string kept = name.StartsWith("prompt_encoder.", StringComparison.Ordinal) ? prefix + name : name;
                model.Graph.Initializer.Add(Tensor(kept, values, shape));
            }
        }

        foreach ((string name, TensorProto scale, TensorProto shift) in norms.OrderBy(n => n.Name.StartsWith("mask_decoder", StringComparison.Ordinal)).ThenBy(n => n.Name))
        {
            model.Graph.Initializer.Add(scale);
            model.Graph.Initializer.Add(shift);
            Node("Mul", $"{name}/scaled", scale.Name, $"{name}/normalised");
            Node("Add", $"{name}/shifted", $"{name}/scaled", shift.Name);
        }

        float[] tokens = [.. weights["mask_decoder.iou_token.weight"].Values, .. weights["mask_decoder.mask_tokens.weight"].Values];
        model.Graph.Initializer.Add(Tensor($"onnx::Expand_{anonymous++}", tokens, 1, 5, Channels));
        model.Graph.Initializer.Add(Tensor($"onnx::Mul_{anonymous}", weights["prompt_encoder.no_mask_embed.weight"].Values, 1, Channels, 1, 1));
        return model;

        void Node(string op, string output, params string[] inputs) =>
            model.Graph.Node.Add(new NodeProto { OpType = op, Output = { output }, Input = { inputs } });
    }

    private static TensorProto Tensor(string name, float[] values, params int[] shape) => new()
    {
        Name = name,
        DataType = (int)TensorProto.Types.DataType.Float,
        Dims = { shape.Select(d => (long)d) },
        RawData = ByteString.CopyFrom(MemoryMarshal.AsBytes<float>(values)),
    };
}
