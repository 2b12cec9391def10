using System.Buffers.Binary;
using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace SegmentAnything.TestSupport;

/// <summary>A stored tensor of a checkpoint that a test writes.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">float32, float16, bfloat16 or int64.</param>
/// <param name="Shape">Its dimensions.</param>
/// <param name="Values">Its values; those of the small types must be representable.</param>
/// <param name="Strides">Steps in values, or row-major.</param>
internal sealed record TinyTensor(string Name, string Type, long[] Shape, float[] Values, long[]? Strides = null)
{
    public long[] ActualStrides => Strides ?? RowMajor(Shape);

    public byte[] Bytes()
    {
        return Type switch
        {
            "float32" => MemoryMarshal.AsBytes(Values.AsSpan()).ToArray(),
            "float16" => MemoryMarshal.AsBytes(Values.Select(v => (Half)v).ToArray().AsSpan()).ToArray(),
            "bfloat16" => MemoryMarshal.AsBytes(Values.Select(v => (ushort)(BitConverter.SingleToUInt32Bits(v) >> 16)).ToArray().AsSpan()).ToArray(),
            "int64" => MemoryMarshal.AsBytes(Values.Select(v => (long)v).ToArray().AsSpan()).ToArray(),
            _ => throw new ArgumentException(Type),
        };
    }

    private static long[] RowMajor(long[] shape)
    {
        long[] strides = new long[shape.Length];
        long step = 1;
        for (int i = shape.Length - 1; i >= 0; step *= shape[i--]) strides[i] = step;
        return strides;
    }
}

/// <summary>Writes small checkpoints in the three containers, without any of the code under test.</summary>
internal static class TinyCheckpoint
{
    public static readonly TinyTensor[] Sample =
    [
        new("image_encoder.pos_embed", "float32", [1, 2, 2, 3], [.. Enumerable.Range(0, 12).Select(i => i / 7f)]),
        new("image_encoder.half", "float16", [5], [0.5f, -1.25f, 65504, 0, -0.0009765625f]),
        new("image_encoder.brain", "bfloat16", [2, 2], [1, -2.5f, 1.5f * (1L << 60), -0f]),
        new("image_encoder.transposed", "float32", [2, 3], [0, 1, 2, 3, 4, 5], [1, 2]),
        new("image_encoder.steps", "int64", [], [12345]),
        new("image_encoder.empty", "float32", [0, 4], []),
    ];

    public static byte[] Zip(IEnumerable<TinyTensor> tensors) => Zip(StateDictPickle(tensors, legacy: false), tensors);

    public static byte[] Zip(byte[] pickle, IEnumerable<TinyTensor> tensors, CompressionLevel compression = CompressionLevel.NoCompression)
    {
        var stream = new MemoryStream();
        using (var zip = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true))
        {
            Add("tiny/data.pkl", pickle);
            foreach ((int i, TinyTensor tensor) in tensors.Index()) Add($"tiny/data/{i}", tensor.Bytes());
            Add("tiny/version", "3\n"u8.ToArray());

            void Add(string name, byte[] bytes)
            {
                using Stream entry = zip.CreateEntry(name, compression).Open();
                entry.Write(bytes);
            }
        }

        return stream.ToArray();
    }

    public static byte[] Legacy(IEnumerable<TinyTensor> tensors)
    {
        var stream = new MemoryStream();
        stream.Write(new PickleWriter().Raw(0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19).Op('.').ToArray());
        stream.Write(new PickleWriter().Number(1001).Op('.').ToArray());
        stream.Write(new PickleWriter().Op('}').Text("little_endian").Raw(0x88).Op('s').Op('.').ToArray());
        stream.Write(StateDictPickle(tensors, legacy: true));
        var keys = new PickleWriter().Op(']').Op('(');
        foreach ((int i, _) in tensors.Index()) keys.Text($"{i}");
        stream.Write(keys.Op('e').Op('.').ToArray());
        byte[] count = new byte[8];
        foreach (TinyTensor tensor in tensors)
        {
            BinaryPrimitives.WriteInt64LittleEndian(count, tensor.Values.Length);
            stream.Write(count);
            stream.Write(tensor.Bytes());
        }

        return stream.ToArray();
    }

    public static byte[] Safetensors(IEnumerable<TinyTensor> tensors)
    {
        Dictionary<string, object> header = new() { ["__metadata__"] = new Dictionary<string, string> { ["format"] = "pt" } };
        var data = new MemoryStream();
        foreach (TinyTensor tensor in tensors)
        {
            long begin = data.Length;
            data.Write(tensor.Bytes());
            string type = tensor.Type switch { "float32" => "F32", "float16" => "F16", "bfloat16" => "BF16", _ => "I64" };
            header[tensor.Name] = new Dictionary<string, object>
            {
                ["dtype"] = type,
                ["shape"] = tensor.Shape,
                ["data_offsets"] = new[] { begin, data.Length },
            };
        }

        return Safetensors(JsonSerializer.Serialize(header), data.ToArray());
    }

    public static byte[] Safetensors(string header, byte[] data)
    {
        byte[] json = Encoding.UTF8.GetBytes(header);
        byte[] length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, json.Length);
        return [.. length, .. json, .. data];
    }

    public static byte[] StateDictPickle(IEnumerable<TinyTensor> tensors, bool legacy)
    {
        var pickle = new PickleWriter().EmptyOrderedDictionary().Op('(');
        foreach ((int i, TinyTensor tensor) in tensors.Index())
        {
            string storage = tensor.Type switch { "float32" => "FloatStorage", "float16" => "HalfStorage", "bfloat16" => "BFloat16Storage", _ => "LongStorage" };
            pickle.Text(tensor.Name).Tensor(storage, $"{i}", tensor.Values.Length, 0, tensor.Shape, tensor.ActualStrides, legacy);
        }

        // torch.save sets the attribute _metadata of the dictionary.
        return pickle.Op('u').Op('}').Text("_metadata").Op('}').Op('s').Op('b').Op('.').ToArray();
    }
}
