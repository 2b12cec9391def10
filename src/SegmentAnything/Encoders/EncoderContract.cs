using System.Collections.Immutable;
using SegmentAnything.Execution;
using SegmentAnything.Families;
using SegmentAnything.Graphs;
using SegmentAnything.Onnx;

namespace SegmentAnything.Encoders;

/// <summary>
/// How an image encoder takes an image and gives its embedding, read from its graph. Exports differ in the order of
/// channels, in the type of a value, and in how much of the preprocessing is inside.
/// </summary>
/// <remarks>
/// Every one is fed with a square that is scaled and padded already, whatever its own graph would do with other sizes:
/// a square of the model's own size is neither scaled nor padded again. So points and boxes are in the frame that we know.
/// </remarks>
internal sealed record EncoderContract
{
    // What exports with several outputs call the embedding, and the maps beside it.
    private static readonly string[] EmbeddingNames = ["image_embeddings", FeatureMapShape.Embedding, "image_embed", "image_embeddings.2"];
    private static readonly string[][] MapNames = [["high_res_0", "high_res_feats_0", "image_embeddings.0"], ["high_res_1", "high_res_feats_1", "image_embeddings.1"]];

    // Pixels along each side that become one position of the embedding, in every published model.
    private const int PixelsPerPosition = 16;

    /// <summary>Its only input.</summary>
    public required string InputName { get; init; }

    /// <summary>The output that is the embedding, (1, C, G, G).</summary>
    public required string OutputName { get; init; }

    /// <summary>Every output, and its shape as far as the file tells.</summary>
    public ImmutableArray<(string Name, int?[] Shape)> Outputs { get; init; } = [];

    /// <summary>Its first dimension counts images: (1, 3, S, S) and not (3, S, S).</summary>
    public bool HasBatch { get; init; } = true;

    /// <summary>Red, green and blue of a pixel are neighbours: (S, S, 3) and not (3, S, S).</summary>
    public bool IsInterleaved { get; init; }

    /// <summary>Values are bytes and not floats.</summary>
    public bool IsBytes { get; init; }

    /// <summary>The graph subtracts the mean and divides by the standard deviation.</summary>
    public bool NormalisesInside { get; init; }

    /// <summary>Such a graph takes values of 0 to 1 instead of 0 to 255.</summary>
    public bool TakesUnitRange { get; init; }

    /// <summary>S; null where the file leaves everything open.</summary>
    public int? ImageSize { get; init; }

    /// <summary>C; null where the file leaves it open.</summary>
    public int? EmbeddingChannels { get; init; }

    /// <summary>G; null where the file leaves it open.</summary>
    public int? EmbeddingGrid { get; init; }

    /// <summary>Preprocessing is inside: not the plain (1, 3, S, S) of normalised floats.</summary>
    public bool HasPreprocessing => NormalisesInside || IsInterleaved || IsBytes || !HasBatch;

    /// <summary>Reads the contract from a graph.</summary>
    /// <exception cref="ModelContractException">The graph is no image encoder, or one that cannot be fed.</exception>
    /// <exception cref="CheckpointException">The graph makes no sense.</exception>
    public static EncoderContract Of(GraphProto graph, string source) => OnnxFile.Read(source, () => Read(graph, source));

    private static EncoderContract Read(GraphProto graph, string source)
    {
        HashSet<string> constants = [.. graph.Initializer.Select(t => t.Name)];
        ValueInfoProto[] inputs = [.. graph.Input.Where(i => !constants.Contains(i.Name))];
        if (inputs is not [var input])
            throw new ModelContractException($"{source}: an image encoder takes one picture; this takes {inputs.Length} inputs: {string.Join(", ", inputs.Select(i => i.Name))}. Is this another model's file?");
        var type = (TensorProto.Types.DataType)(input.Type?.TensorType?.ElemType ?? 0);
        if (type is not (TensorProto.Types.DataType.Float or TensorProto.Types.DataType.Uint8))
            throw Refused(input, $"its values are {type}", "float or uint8");

        int?[] shape = Shape(input);
        (bool hasBatch, bool interleaved) = shape switch
        {
            [_, 3 or null, _, not 3] or [_, 3, _, 3] => (true, false),
            [_, _, _, 3] => (true, true),
            [_, _, 3] => (false, true),
            [3, _, _] => (false, false),
            _ => throw Refused(input, $"its shape is {Describe(shape)}", "(1, 3, S, S), or the same without batch or with the channels last"),
        };
        if (hasBatch && shape[0] is { } pictures and not 1) throw Refused(input, $"it takes {pictures} pictures at a time", "1");
        int axis = (hasBatch ? 1 : 0) + (interleaved ? 0 : 1);
        (int? height, int? width) = (shape[axis], shape[axis + 1]);
        if (height is not null && width is not null && height != width) throw Refused(input, $"it takes {width}x{height} pixels", "a square");

        ValueInfoProto? output = graph.Output.Count == 1 ? graph.Output[0] : EmbeddingNames.Select(name => graph.Output.FirstOrDefault(o => o.Name == name)).FirstOrDefault(o => o is not null);
        if (output is null)
            throw new ModelContractException($"{source}: which of the outputs {string.Join(", ", graph.Output.Select(o => o.Name))} is the embedding? One alone, or one named {string.Join(" or ", EmbeddingNames)}, is expected.");
        int?[] embedding = Shape(output);
        if (embedding.Length is not (0 or 4))
            throw new ModelContractException($"{source}: output '{output.Name}' has the shape {Describe(embedding)}; an embedding is (1, C, G, G).", output.Name);

        (bool normalises, bool unitRange) = Normalisation(graph, input.Name);
        bool bytes = type == TensorProto.Types.DataType.Uint8;
        int? grid = embedding.Length == 4 ? embedding[3] : null;
        return new EncoderContract
        {
            InputName = input.Name,
            OutputName = output.Name,
            Outputs = [.. graph.Output.Select(o => (o.Name, Shape(o)))],
            HasBatch = hasBatch,
            IsInterleaved = interleaved,
            IsBytes = bytes,
            // Bytes cannot be normalised before, and nobody arranges normalised pixels as images are.
            NormalisesInside = normalises || bytes || interleaved,
            TakesUnitRange = unitRange && !bytes,
            ImageSize = height ?? width ?? PixelsPerPosition * grid,
            EmbeddingChannels = embedding.Length == 4 ? embedding[1] : null,
            EmbeddingGrid = grid,
        };

        ModelContractException Refused(ValueInfoProto tensor, string found, string expected) =>
            new($"{source}: input '{tensor.Name}' cannot be fed with a picture: {found}; expected {expected}.", tensor.Name, expected, found);
    }

    /// <summary>Reads the contract of a loaded encoder, and compares it with what is known of the model.</summary>
    /// <exception cref="ModelContractException">The model is not an encoder of this variant's sizes.</exception>
    public static EncoderContract Of(
        ModelSession session, ReadOnlyMemory<byte> model, SamVariant variant, ModelFrame frame, ImmutableArray<FeatureMapShape> maps)
    {
        EncoderContract contract = Of(OnnxFile.Parse(model.Span, session.Source).Graph, session.Source);
        ImmutableArray<int> input = contract.InputShape(frame.EncoderSide);
        SessionContract.Check(session, $"the image encoder of {variant.Name}",
            [contract.IsBytes ? TensorContract.Bytes(contract.InputName, input.AsSpan()) : TensorContract.Float(contract.InputName, input.AsSpan())],
            [.. maps.Select(map => TensorContract.Float(contract.OutputOf(map), 1, map.Channels, map.Side, map.Side))]);
        if (maps[0].Channels != variant.EmbeddingChannels || maps[0].Side != variant.EmbeddingGrid || frame.Side != variant.ImageSize)
        {
            throw new ModelContractException(
                $"{variant.Name}: the variant says an embedding of {variant.EmbeddingChannels}x{variant.EmbeddingGrid}x{variant.EmbeddingGrid} and pictures of {variant.ImageSize} pixels; "
                + $"the weights are of {maps[0].Channels}x{maps[0].Side}x{maps[0].Side} and {frame.Side} pixels. Is this another model's file?");
        }

        return contract;
    }

    /// <summary>The output that is a map: by its name, or the names that exporters give it, or as the only one of its shape.</summary>
    public string OutputOf(FeatureMapShape map)
    {
        if (map.Name == FeatureMapShape.Embedding) return OutputName;
        string[] names = MapNames.FirstOrDefault(names => names[0] == map.Name) ?? [map.Name];
        if (names.FirstOrDefault(name => Outputs.Any(o => o.Name == name)) is { } known) return known;
        string[] alike = [.. Outputs.Where(o => o.Name != OutputName && o.Shape is [_, { } c, { } h, { } w] && (c, h, w) == (map.Channels, map.Side, map.Side)).Select(o => o.Name)];
        return alike is [var only] ? only : names[0];
    }

    /// <summary>The shape of the input for images of S x S.</summary>
    public ImmutableArray<int> InputShape(int size) => (HasBatch, IsInterleaved) switch
    {
        (true, false) => [1, 3, size, size],
        (true, true) => [1, size, size, 3],
        (false, true) => [size, size, 3],
        (false, false) => [3, size, size],
    };

    /// <summary>
    /// What is done to pixels before the graph: subtracted, divided by, and put where there is no image. Padding is what
    /// normalisation turns into zero, wherever that is done.
    /// </summary>
    public (float[] Mean, float[] Std, float[] Padding) Preprocessing(SamVariant variant)
    {
        if (!NormalisesInside) return ([.. variant.PixelMean], [.. variant.PixelStd], [0, 0, 0]);
        float range = TakesUnitRange ? 255 : 1;
        return ([0, 0, 0], [range, range, range], [.. variant.PixelMean.Select(m => IsBytes ? MathF.Round(m) : m / range)]);
    }

    /// <summary>
    /// Whether the first things the graph does with its input are arithmetic with three constants: then it takes pixels as
    /// they are, 0 to 255; or 0 to 1, if it subtracts less than 1 from them and has not divided before.
    /// </summary>
    internal static (bool Inside, bool UnitRange) Normalisation(GraphProto graph, string input)
    {
        Dictionary<string, TensorProto> constants = OnnxFile.Constants(graph);
        HashSet<string> values = [input];
        bool scaled = false;
        // Nodes are in the order of execution.
        foreach (NodeProto node in graph.Node.Where(n => n.Output.Count == 1))
        {
            if (!node.Input.Any(values.Contains)) continue;
            if (node.OpType is "Transpose" or "Unsqueeze" or "Squeeze" or "Reshape" or "Cast" or "Identity")
            {
                values.Add(node.Output[0]);
                continue;
            }

            if (node.OpType is not ("Sub" or "Div" or "Mul")) continue;
            TensorProto? constant = node.Input.Select(name => constants.GetValueOrDefault(name)).FirstOrDefault(t => t is not null);
            long count = constant?.Dims.Aggregate(1L, (a, b) => a * b) ?? 0;
            if (count == 3)
            {
                bool small = node.OpType == "Sub" && OnnxFile.ReadFloats(constant!, input) is { } mean && mean.All(m => m < 1);
                return (true, small && !scaled);
            }

            if (count != 1) continue;
            scaled = true;
            values.Add(node.Output[0]);
        }

        return (false, false);
    }

    private static int?[] Shape(ValueInfoProto tensor) =>
        [.. (tensor.Type?.TensorType?.Shape?.Dim ?? []).Select(d => d.DimValue is > 0 and <= int.MaxValue ? (int?)d.DimValue : null)];

    private static string Describe(int?[] shape) => $"[{string.Join(", ", shape.Select(d => d?.ToString() ?? "?"))}]";
}
