using System.Buffers.Binary;
using System.Text;

namespace SegmentAnything.Checkpoints;

/// <summary>
/// Reads the pickle of a state dict without executing anything: a list of permitted names (<see cref="Call"/>) takes the
/// place of Python's imports, and whatever else the pickle asks for is refused by its name.
/// </summary>
/// <remarks>
/// Knows the opcodes of protocols 2 to 5 that <c>torch.save</c> writes. Memory is bounded by the limits below and by the
/// bytes of the pickle; nothing recurses, so nesting cannot exhaust the stack.
/// Source: Python, Lib/pickletools.py (the meaning of the opcodes); PyTorch, torch/_utils.py and torch/serialization.py.
/// </remarks>
internal sealed class Unpickler
{
    /// <summary>The pickle of a ViT-H state dict has about 100 KB.</summary>
    public const int MaxBytes = 16 << 20;

    // That pickle takes about 30,000 steps.
    private const int MaxSteps = 2_000_000;
    private const int MaxDepth = 200;
    private const int MaxStringBytes = 1 << 20;

    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly ByteSource _source;
    private readonly long _start, _limit;
    private readonly byte[] _buffer = new byte[4096];
    private readonly List<object?> _stack = [];
    private readonly Stack<int> _marks = [];
    private readonly Dictionary<uint, object?> _memo = [];
    private long _position, _bufferStart;
    private int _bufferLength, _steps;

    /// <param name="source">The file.</param>
    /// <param name="start">Where the pickle starts.</param>
    /// <param name="length">The most bytes that it may take.</param>
    public Unpickler(ByteSource source, long start, long length)
    {
        _source = source;
        _start = _position = _bufferStart = start;
        _limit = start + length;
    }

    /// <summary>The position after what was read.</summary>
    public long Position => _position;

    /// <summary>Reads one pickle.</summary>
    /// <exception cref="CheckpointException">It is damaged, too large, or asks for something that is not permitted.</exception>
    public object? Read()
    {
        while (true)
        {
            byte opcode = ReadByte();
            if (opcode == '.') return Pop();
            Execute(opcode);
            CountSteps(1);
        }
    }

    private void Execute(byte opcode)
    {
        switch (opcode)
        {
            case 0x80: // PROTO
                byte protocol = ReadByte();
                if (protocol is < 2 or > 5) throw Fail($"is of protocol {protocol}; 2 to 5 are read");
                break;
            case 0x95: ReadUInt64(); break; // FRAME
            case (byte)'(':
                if (_marks.Count >= MaxDepth) throw Fail($"is nested more than {MaxDepth} deep");
                _marks.Push(_stack.Count);
                break;
            case (byte)'0': Pop(); break;
            case (byte)'1': PopToMark(); break;
            case (byte)'2': Push(Peek()); break;

            case (byte)'N': Push(null); break;
            case 0x88: Push(true); break;
            case 0x89: Push(false); break;
            case (byte)'K': Push((long)ReadByte()); break;
            case (byte)'M': Push((long)BinaryPrimitives.ReadUInt16LittleEndian(ReadBytes(2))); break;
            case (byte)'J': Push((long)BinaryPrimitives.ReadInt32LittleEndian(ReadBytes(4))); break;
            case 0x8A: Push(ReadLong(ReadByte())); break;
            case (byte)'G': Push(BinaryPrimitives.ReadDoubleBigEndian(ReadBytes(8))); break;

            case (byte)'X': Push(ReadString(ReadUInt32())); break;
            case 0x8C: Push(ReadString(ReadByte())); break;
            case 0x8D: Push(ReadString(ReadUInt64())); break;
            case (byte)'T': Push(ReadString(ReadUInt32())); break;
            case (byte)'U': Push(ReadString(ReadByte())); break;
            case (byte)'B': Push(ReadBlob(ReadUInt32())); break;
            case (byte)'C': Push(ReadBlob(ReadByte())); break;

            case (byte)')': Push(new PickleTuple([])); break;
            case (byte)'t': Push(new PickleTuple(PopToMark())); break;
            case 0x85: Push(new PickleTuple(Pop(1))); break;
            case 0x86: Push(new PickleTuple(Pop(2))); break;
            case 0x87: Push(new PickleTuple(Pop(3))); break;

            case (byte)']' or 0x8F: Push(new PickleList()); break;
            case (byte)'l':
                var list = new PickleList();
                list.Items.AddRange(PopToMark());
                Push(list);
                break;
            case (byte)'a':
                object? item = Pop();
                Peek<PickleList>("list").Items.Add(item);
                break;
            case (byte)'e' or 0x90:
                object?[] items = PopToMark();
                Peek<PickleList>("list").Items.AddRange(items);
                break;

            case (byte)'}': Push(new PickleDictionary()); break;
            case (byte)'d':
                object?[] initial = PopToMark();
                var dictionary = new PickleDictionary();
                SetAll(dictionary, initial);
                Push(dictionary);
                break;
            case (byte)'s': // SETITEM
                object?[] pair = Pop(2);
                Peek<PickleDictionary>("dictionary").Set(pair[0], pair[1]);
                break;
            case (byte)'u': // SETITEMS
                object?[] pairs = PopToMark();
                SetAll(Peek<PickleDictionary>("dictionary"), pairs);
                break;

            case (byte)'q': _memo[ReadByte()] = Peek(); break;
            case (byte)'r': _memo[ReadUInt32()] = Peek(); break;
            case 0x94: _memo[(uint)_memo.Count] = Peek(); break;
            case (byte)'h': Push(Recall(ReadByte())); break;
            case (byte)'j': Push(Recall(ReadUInt32())); break;

            case (byte)'c': Push(Permit(new PickleGlobal(ReadLine(), ReadLine()))); break;
            case 0x93: // STACK_GLOBAL
                object?[] names = Pop(2);
                if (names is not [string module, string name]) throw Fail("imports something that has no name");
                Push(Permit(new PickleGlobal(module, name)));
                break;
            case (byte)'Q': Push(Storage(Pop())); break;
            case (byte)'R' or 0x81: // REDUCE, NEWOBJ
                object?[] call = Pop(2);
                if (call is not [PickleGlobal function, PickleTuple arguments]) throw Fail("calls something that is not a function");
                Push(Call(function, arguments.Items));
                break;
            case (byte)'b': // BUILD: attributes such as a state dict's _metadata; not needed.
                Pop();
                if (Peek() is not PickleDictionary) throw Fail("sets attributes of something that is not a dictionary");
                break;

            default:
                throw Fail($"uses opcode 0x{opcode:x2}, which no state dict needs");
        }
    }

    // The names that a state dict may refer to. Refused here, at once, so that the message names the first intruder.
    private PickleGlobal Permit(PickleGlobal global) => global switch
    {
        { Module: "collections", Name: "OrderedDict" } => global,
        { Module: "torch._utils", Name: "_rebuild_tensor" or "_rebuild_tensor_v2" or "_rebuild_parameter" } => global,
        { Module: "torch", Name: "Size" } => global,
        { Module: "torch" or "torch.storage" or "torch.cuda", Name: var name } when StorageType(name) is not null => global,
        _ => throw Fail($"asks for '{Shorten(global.ToString())}', which is not permitted: a state dict of tensors needs nothing but tensors, storages and dictionaries. Nothing was executed. Save the model's state_dict() alone, or as safetensors"),
    };

    private object? Call(PickleGlobal function, object?[] arguments)
    {
        switch (function.Name)
        {
            case "OrderedDict":
                var dictionary = new PickleDictionary();
                if (arguments is []) return dictionary;
                // Python 2 and early 3 pass the items: a list of pairs.
                if (arguments is not [PickleList pairs]) throw Fail("makes an ordered dictionary of something else than pairs");
                CountSteps(pairs.Items.Count);
                foreach (object? pair in pairs.Items)
                {
                    object?[] both = pair switch
                    {
                        PickleTuple { Items: { Length: 2 } items } => items,
                        PickleList { Items: [var key, var value] } => [key, value],
                        _ => throw Fail("makes an ordered dictionary of something else than pairs"),
                    };
                    dictionary.Set(both[0], both[1]);
                }

                return dictionary;

            case "Size":
                return arguments is [PickleTuple size] ? size : throw Fail("makes a size of something else than a tuple");

            case "_rebuild_parameter":
                return arguments is [PickleTensor tensor, ..] ? tensor : throw Fail("makes a parameter of something else than a tensor");

            case "_rebuild_tensor" or "_rebuild_tensor_v2":
                if (arguments is not [PickleStorage storage, long offset, PickleTuple shape, PickleTuple strides, ..])
                    throw Fail("rebuilds a tensor from something else than storage, offset, size and stride");
                return new PickleTensor(storage, offset, Integers(shape), Integers(strides));

            default:
                throw Fail($"calls '{function}', which is not a function here");
        }
    }

    private long[] Integers(PickleTuple tuple)
    {
        if (tuple.Items.Length > TensorLocation.MaxRank) throw Fail($"gives a tensor {tuple.Items.Length} dimensions; {TensorLocation.MaxRank} is the most that is read");
        long[] values = new long[tuple.Items.Length];
        for (int i = 0; i < values.Length; i++)
            values[i] = tuple.Items[i] is long value ? value : throw Fail("gives a tensor a size or stride that is not a whole number");
        return values;
    }

    // ('storage', type, key, device, count), and in the legacy container a view: None or (key, offset, count).
    private PickleStorage Storage(object? id)
    {
        if (id is not PickleTuple { Items: ["storage", PickleGlobal type, string key, _, long count, .. var rest] } || StorageType(type.Name) is not { } valueType || count < 0)
            throw Fail("refers to something outside that is not a storage");
        long viewOffset = rest switch
        {
            [] or [null] => 0,
            [PickleTuple { Items: [string, long offset, long] }] when offset >= 0 => offset,
            _ => throw Fail($"describes a view of storage '{Shorten(key)}' in an unknown way"),
        };
        return new PickleStorage(valueType, key, count, viewOffset);
    }

    private static TensorType? StorageType(string name) => name switch
    {
        "DoubleStorage" => TensorType.Float64,
        "FloatStorage" => TensorType.Float32,
        "HalfStorage" => TensorType.Float16,
        "BFloat16Storage" => TensorType.BFloat16,
        "LongStorage" => TensorType.Int64,
        "IntStorage" => TensorType.Int32,
        "ShortStorage" => TensorType.Int16,
        "CharStorage" => TensorType.Int8,
        "ByteStorage" => TensorType.UInt8,
        "BoolStorage" => TensorType.Bool,
        _ => null,
    };

    private void SetAll(PickleDictionary dictionary, object?[] pairs)
    {
        if (pairs.Length % 2 != 0) throw Fail("gives a dictionary a key without a value");
        for (int i = 0; i < pairs.Length; i += 2) dictionary.Set(pairs[i], pairs[i + 1]);
    }

    // What bounds time and memory: every step makes at most one small value.
    private void CountSteps(int count)
    {
        _steps += count;
        if (_steps is > MaxSteps or < 0) throw Fail($"takes more than {MaxSteps} steps");
    }

    private void Push(object? value) => _stack.Add(value);

    private object? Peek() => _stack.Count > Floor ? _stack[^1] : throw Fail("takes a value where there is none");

    private T Peek<T>(string kind) where T : class => Peek() as T ?? throw Fail($"adds to something that is not a {kind}");

    private object? Pop()
    {
        object? value = Peek();
        _stack.RemoveAt(_stack.Count - 1);
        return value;
    }

    private object?[] Pop(int count)
    {
        if (_stack.Count - Floor < count) throw Fail("takes a value where there is none");
        object?[] values = [.. _stack[^count..]];
        _stack.RemoveRange(_stack.Count - count, count);
        return values;
    }

    private object?[] PopToMark()
    {
        if (_marks.Count == 0) throw Fail("ends a group that was not begun");
        int mark = _marks.Pop();
        object?[] values = [.. _stack[mark..]];
        _stack.RemoveRange(mark, _stack.Count - mark);
        return values;
    }

    // Values below the last mark belong to the group around it.
    private int Floor => _marks.Count > 0 ? _marks.Peek() : 0;

    private object? Recall(uint index) =>
        _memo.TryGetValue(index, out object? value) ? value : throw Fail($"recalls value {index}, which it never stored");

    private object ReadLong(int length)
    {
        if (length > 8)
        {
            // Only the container's magic number is longer.
            return ReadBlob((ulong)length);
        }

        Span<byte> bytes = stackalloc byte[8];
        ReadBytes(length).CopyTo(bytes);
        if (length > 0 && (bytes[length - 1] & 0x80) != 0) bytes[length..].Fill(0xFF);
        return BinaryPrimitives.ReadInt64LittleEndian(bytes);
    }

    private string ReadString(ulong length)
    {
        byte[] bytes = ReadBlob(length);
        try
        {
            return StrictUtf8.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            throw Fail("holds text that is not UTF-8");
        }
    }

    private string ReadLine()
    {
        var line = new StringBuilder();
        for (byte b = ReadByte(); b != '\n'; b = ReadByte())
        {
            if (b is < 0x20 or > 0x7E || line.Length >= 200) throw Fail("imports something whose name is not plain text");
            line.Append((char)b);
        }

        return line.ToString();
    }

    private byte[] ReadBlob(ulong length)
    {
        if (length > MaxStringBytes) throw Fail($"holds a text of {length} bytes; {MaxStringBytes} is the most that is read");
        if ((long)length > _limit - _position) throw Fail("ends in the middle of a text");
        byte[] bytes = new byte[length];
        for (int done = 0; done < bytes.Length;)
        {
            ReadOnlySpan<byte> part = ReadBytes(Math.Min(bytes.Length - done, _buffer.Length));
            part.CopyTo(bytes.AsSpan(done));
            done += part.Length;
        }

        return bytes;
    }

    private byte ReadByte() => ReadBytes(1)[0];

    private uint ReadUInt32() => BinaryPrimitives.ReadUInt32LittleEndian(ReadBytes(4));

    private ulong ReadUInt64() => BinaryPrimitives.ReadUInt64LittleEndian(ReadBytes(8));

    // The span is valid until the next call.
    private ReadOnlySpan<byte> ReadBytes(int count)
    {
        if (count > _limit - _position) throw Fail("ends too early");
        if (_position + count > _bufferStart + _bufferLength)
        {
            if (_position - _start > MaxBytes) throw Fail($"has more than {MaxBytes} bytes");
            _bufferStart = _position;
            _bufferLength = (int)Math.Min(_buffer.Length, _limit - _position);
            _source.Read(_bufferStart, _buffer.AsSpan(0, _bufferLength));
        }

        ReadOnlySpan<byte> bytes = _buffer.AsSpan((int)(_position - _bufferStart), count);
        _position += count;
        return bytes;
    }

    private CheckpointException Fail(string what) =>
        new($"{_source.Name}: the pickle at offset {_start} {what} (at offset {_position}).");

    private static string Shorten(string text) => text.Length <= 80 ? text : text[..80] + "…";
}
