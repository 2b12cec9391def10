using System.Buffers.Binary;
using System.Text;

namespace SegmentAnything.TestSupport;

/// <summary>Writes pickles (protocol 2) by hand: good ones as PyTorch does, and bad ones as nobody should.</summary>
internal sealed class PickleWriter
{
    private readonly List<byte> _bytes = [];

    public PickleWriter() => Raw(0x80, 2);

    public byte[] ToArray() => [.. _bytes];

    public PickleWriter Raw(params ReadOnlySpan<byte> bytes)
    {
        _bytes.AddRange(bytes);
        return this;
    }

    public PickleWriter Op(char opcode) => Raw((byte)opcode);

    public PickleWriter Text(string text)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, utf8.Length);
        return Op('X').Raw(length).Raw(utf8);
    }

    public PickleWriter Number(long value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
        return value switch
        {
            >= 0 and < 256 => Op('K').Raw((byte)value),
            >= int.MinValue and <= int.MaxValue => Op('J').Raw(bytes[..4]),
            _ => Raw(0x8A, 8).Raw(bytes),
        };
    }

    public PickleWriter Tuple(params ReadOnlySpan<long> values)
    {
        Op('(');
        foreach (long value in values) Number(value);
        return Op('t');
    }

    public PickleWriter Global(string module, string name) => Op('c').Raw(Encoding.ASCII.GetBytes($"{module}\n{name}\n"));

    public PickleWriter EmptyOrderedDictionary() => Global("collections", "OrderedDict").Op(')').Op('R');

    /// <summary>A tensor as torch.save writes it; <paramref name="legacy"/> adds the empty view description.</summary>
    public PickleWriter Tensor(string storageType, string key, long count, long offset, long[] shape, long[] strides, bool legacy = false)
    {
        Global("torch._utils", "_rebuild_tensor_v2").Op('(');
        Op('(').Text("storage").Global("torch", storageType).Text(key).Text("cpu").Number(count);
        if (legacy) Op('N');
        return Op('t').Op('Q').Number(offset).Tuple(shape).Tuple(strides).Raw(0x89).EmptyOrderedDictionary().Op('t').Op('R');
    }
}
