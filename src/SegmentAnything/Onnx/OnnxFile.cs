using System.Buffers.Binary;
using System.Globalization;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Google.Protobuf;

namespace SegmentAnything.Onnx;

/// <summary>Reads ONNX files and the tensors in them.</summary>
internal static class OnnxFile
{
    /// <summary>Parses a model.</summary>
    /// <param name="bytes">The whole file.</param>
    /// <param name="source">Its name, for the error message.</param>
    /// <exception cref="CheckpointException">The bytes are not an ONNX model, or are damaged.</exception>
    public static ModelProto Parse(ReadOnlySpan<byte> bytes, string source)
    {
        ModelProto model;
        try
        {
            model = ModelProto.Parser.ParseFrom(bytes);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new CheckpointException($"{source}: not an ONNX model, or truncated ({bytes.Length} bytes): {e.Message}", e);
        }

        if (model.Graph is not { Node.Count: > 0 })
            throw new CheckpointException($"{source}: not an ONNX model: no graph was found in its {bytes.Length} bytes.");
        CheckTensors(model.Graph, source);
        CheckNodes(model.Graph, source);
        return model;
    }

    /// <summary>Checks that the weights in the file itself are finite numbers. One that is not makes every mask empty, without a word.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="source">Its name, for the error message.</param>
    /// <exception cref="CheckpointException">A weight is NaN or infinite; the message names its tensor.</exception>
    /// <remarks>Tensors of zeros and infinities alone are no weights: exporters write what attention leaves out so.</remarks>
    public static void CheckFinite(GraphProto graph, string source)
    {
        foreach (TensorProto tensor in AllTensors(graph))
        {
            if (tensor.DataLocation == TensorProto.Types.DataLocation.External) continue;
            CheckFinite(tensor, tensor.RawData.Span, source);
            if (tensor.FloatData.Count > 0) CheckFinite(tensor, MemoryMarshal.AsBytes<float>([.. tensor.FloatData]), source);
        }
    }

    /// <summary>The same of one tensor's bytes.</summary>
    public static void CheckFinite(TensorProto tensor, ReadOnlySpan<byte> bytes, string source)
    {
        switch ((TensorProto.Types.DataType)tensor.DataType)
        {
            case TensorProto.Types.DataType.Float:
                Check(MemoryMarshal.Cast<byte, float>(bytes[..(bytes.Length / sizeof(float) * sizeof(float))]));
                break;
            case TensorProto.Types.DataType.Float16:
                ReadOnlySpan<Half> halves = MemoryMarshal.Cast<byte, Half>(bytes[..(bytes.Length / 2 * 2)]);
                float[] values = new float[halves.Length];
                TensorPrimitives.ConvertToSingle(halves, values);
                Check(values);
                break;
        }

        void Check(ReadOnlySpan<float> values)
        {
            if (values.IsEmpty || float.IsFinite(TensorPrimitives.MaxMagnitude(values))) return;
            int first = 0;
            while (float.IsFinite(values[first])) first++;
            bool leavesOut = true;
            foreach (float value in values) leavesOut &= value == 0 || float.IsInfinity(value);
            if (leavesOut) return;
            throw new CheckpointException(
                $"{source}: tensor '{tensor.Name}' of shape [{string.Join(", ", tensor.Dims)}] has {values[first].ToString(CultureInfo.InvariantCulture)} as value {first}, expected finite numbers. The file is damaged, or its training or conversion failed.");
        }
    }

    // Everywhere below, sizes are taken as they are.
    private static void CheckTensors(GraphProto graph, string source)
    {
        HashSet<string> names = [];
        foreach (TensorProto tensor in graph.Initializer)
        {
            if (!names.Add(tensor.Name)) throw new CheckpointException($"{source}: two constants are named '{tensor.Name}'. The file is damaged.");
        }

        foreach (TensorProto tensor in AllTensors(graph))
        {
            long count = 1;
            foreach (long size in tensor.Dims)
            {
                if (size is < 0 or > int.MaxValue || (size > 0 && count > long.MaxValue / size))
                    throw new CheckpointException($"{source}: tensor '{tensor.Name}' is said to have the shape [{string.Join(", ", tensor.Dims)}]. The file is damaged.");
                count *= size;
            }
        }
    }

    // Inputs of the operators that graphs are read by.
    private static int LeastInputs(string operation) => operation switch
    {
        "Add" or "Sub" or "Mul" or "Div" or "MatMul" or "Gemm" or "Equal" or "Conv" => 2,
        "Where" => 3,
        "Softmax" or "Unsqueeze" or "Squeeze" or "Reshape" or "Cast" or "Expand" or "Identity" or "Transpose" => 1,
        _ => 0,
    };

    // A graph is read from its outputs backwards: a circle would have no end.
    private static void CheckNodes(GraphProto graph, string source)
    {
        Dictionary<string, int> producers = [];
        for (int i = 0; i < graph.Node.Count; i++)
        {
            NodeProto node = graph.Node[i];
            if (node.Input.Count < LeastInputs(node.OpType) || (node.OpType == "Constant" && node.Output.Count == 0))
                throw new CheckpointException($"{source}: node '{node.Name}' ({node.OpType}) has {node.Input.Count} inputs and {node.Output.Count} outputs, too few. The file is damaged.");
            foreach (string output in node.Output.Where(o => o.Length > 0))
            {
                if (!producers.TryAdd(output, i)) throw new CheckpointException($"{source}: two nodes give '{output}'. The file is damaged.");
            }
        }

        // Nodes that wait for so many others; those that wait for none are taken away, with what waits for them.
        int[] waits = new int[graph.Node.Count];
        List<int>[] followers = [.. graph.Node.Select(_ => new List<int>())];
        for (int i = 0; i < waits.Length; i++)
        {
            foreach (string input in graph.Node[i].Input)
            {
                if (!producers.TryGetValue(input, out int producer)) continue;
                waits[i]++;
                followers[producer].Add(i);
            }
        }

        Stack<int> ready = new(Enumerable.Range(0, waits.Length).Where(i => waits[i] == 0));
        int taken = 0;
        for (; ready.TryPop(out int node); taken++)
        {
            foreach (int follower in followers[node])
            {
                if (--waits[follower] == 0) ready.Push(follower);
            }
        }

        if (taken == waits.Length) return;
        NodeProto inCircle = graph.Node[Array.FindIndex(waits, w => w > 0)];
        throw new CheckpointException($"{source}: node '{inCircle.Name}' ({inCircle.OpType}) is part of a circle: what it takes depends on what it gives. The file is damaged.");
    }

    // The parser bounds how deep graphs are within graphs.
    private static IEnumerable<TensorProto> AllTensors(GraphProto graph) =>
        graph.Initializer
            .Concat(graph.Node.SelectMany(n => n.Attribute).Where(a => a.T is not null).Select(a => a.T))
            .Concat(graph.Node.SelectMany(n => n.Attribute).Where(a => a.G is not null).SelectMany(a => AllTensors(a.G)));

    /// <summary>Reads something out of a graph whose contents need not make sense.</summary>
    /// <param name="source">Its name, for the error message.</param>
    /// <param name="read">Reads it.</param>
    /// <exception cref="CheckpointException">It does not make sense: a number is out of range, or something is not there.</exception>
    public static T Read<T>(string source, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is ArithmeticException or ArgumentException or IndexOutOfRangeException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw new CheckpointException($"{source}: the graph makes no sense ({e.Message}). The file is damaged, or of an exporter that is not known.", e);
        }
    }

    /// <summary>Every constant of a graph by its name: initialisers, and the values of Constant nodes.</summary>
    public static Dictionary<string, TensorProto> Constants(GraphProto graph)
    {
        Dictionary<string, TensorProto> constants = [];
        foreach (TensorProto tensor in graph.Initializer) constants[tensor.Name] = tensor;
        foreach (NodeProto node in graph.Node)
        {
            if (node.OpType == "Constant" && node.Attribute.FirstOrDefault(a => a.Name == "value")?.T is { } value)
                constants[node.Output[0]] = value;
        }

        return constants;
    }

    /// <summary>The node that gives each value.</summary>
    public static Dictionary<string, NodeProto> Producers(GraphProto graph)
    {
        Dictionary<string, NodeProto> producers = [];
        foreach (NodeProto node in graph.Node)
        {
            foreach (string output in node.Output) producers[output] = node;
        }

        return producers;
    }

    /// <summary>The only value of a tensor, as a whole number; null if it has others, or is none.</summary>
    public static int? ReadScalar(TensorProto tensor)
    {
        if (tensor.Dims.Aggregate(1L, (product, size) => product * size) != 1) return null;
        ReadOnlySpan<byte> raw = tensor.RawData.Span;
        double? value = (TensorProto.Types.DataType)tensor.DataType switch
        {
            TensorProto.Types.DataType.Int64 => raw.Length == 8 ? BinaryPrimitives.ReadInt64LittleEndian(raw) : tensor.Int64Data is [var v] ? v : null,
            TensorProto.Types.DataType.Int32 => raw.Length == 4 ? BinaryPrimitives.ReadInt32LittleEndian(raw) : tensor.Int32Data is [var v] ? v : null,
            TensorProto.Types.DataType.Float or TensorProto.Types.DataType.Float16 => ReadFloats(tensor, tensor.Name) is [var v] ? v : null,
            _ => null,
        };
        return value is >= int.MinValue and <= int.MaxValue && Math.Truncate(value.Value) == value ? (int)value : null;
    }

    /// <summary>The values of a float32 or float16 tensor, or null when it holds another type or keeps its data in another file.</summary>
    /// <exception cref="CheckpointException">The tensor's data does not fill its shape.</exception>
    public static float[]? ReadFloats(TensorProto tensor, string source)
    {
        bool half = tensor.DataType == (int)TensorProto.Types.DataType.Float16;
        if ((tensor.DataType != (int)TensorProto.Types.DataType.Float && !half)
            || tensor.DataLocation == TensorProto.Types.DataLocation.External)
        {
            return null;
        }

        float[] values;
        if (tensor.FloatData.Count > 0)
        {
            values = [.. tensor.FloatData];
        }
        else if (half && tensor.Int32Data.Count > 0)
        {
            values = [.. tensor.Int32Data.Select(bits => (float)BitConverter.UInt16BitsToHalf((ushort)bits))];
        }
        else if (half)
        {
            ReadOnlySpan<byte> raw = tensor.RawData.Span;
            values = new float[raw.Length / 2];
            for (int i = 0; i < values.Length; i++) values[i] = (float)BinaryPrimitives.ReadHalfLittleEndian(raw[(2 * i)..]);
        }
        else
        {
            ReadOnlySpan<byte> raw = tensor.RawData.Span;
            values = new float[raw.Length / sizeof(float)];
            if (BitConverter.IsLittleEndian)
            {
                raw[..(values.Length * sizeof(float))].CopyTo(MemoryMarshal.AsBytes(values.AsSpan()));
            }
            else
            {
                for (int i = 0; i < values.Length; i++)
                    values[i] = BinaryPrimitives.ReadSingleLittleEndian(raw[(i * sizeof(float))..]);
            }
        }

        long expected = tensor.Dims.Aggregate(1L, (product, size) => product * size);
        return values.Length == expected
            ? values
            : throw new CheckpointException(
                $"{source}: tensor '{tensor.Name}' of shape [{string.Join(", ", tensor.Dims)}] holds {values.Length} values, expected {expected}.");
    }
}
