using System.Buffers.Binary;
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

        return model.Graph is { Node.Count: > 0 }
            ? model
            : throw new CheckpointException($"{source}: not an ONNX model: no graph was found in its {bytes.Length} bytes.");
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
