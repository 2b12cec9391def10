using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Text.Json;

namespace SegmentAnything.Checkpoints;

/// <summary>
/// safetensors: the length of a JSON header (8 bytes), the header, then all values. The header gives each tensor's type,
/// shape and byte range; together the ranges cover the data exactly once.
/// </summary>
internal static class SafetensorsReader
{
    // The format's own limit.
    public const long MaxHeaderLength = 100_000_000;

    private const string Format = "safetensors";

    /// <exception cref="CheckpointException">The header is damaged, or its byte ranges are not those of the data.</exception>
    public static StateDict Read(ByteSource source)
    {
        Span<byte> prefix = stackalloc byte[8];
        source.Read(0, prefix);
        ulong headerLength = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (headerLength > (ulong)Math.Min(MaxHeaderLength, source.Length - 8))
            throw new CheckpointException($"{source.Name}: the safetensors header should have {headerLength} bytes, but the file has {source.Length} in all.");

        byte[] header = source.Read(8, (int)headerLength);
        long dataStart = 8 + (long)headerLength;
        List<(string Name, TensorType Type, ImmutableArray<int> Shape, long Begin, long End)> entries = [];
        try
        {
            var reader = new Utf8JsonReader(header, new JsonReaderOptions { MaxDepth = 8 });
            Expect(ref reader, JsonTokenType.StartObject);
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                string name = reader.GetString()!;
                if (name == "__metadata__")
                {
                    reader.Skip();
                    continue;
                }

                entries.Add(ReadEntry(ref reader, name));
            }

            if (reader.TokenType != JsonTokenType.EndObject) throw new JsonException("the header's object does not end");
            if (reader.Read()) throw new JsonException("something follows the header's object");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            throw new CheckpointException($"{source.Name}: the safetensors header is damaged: {e.Message}", e);
        }

        List<TensorLocation> tensors = [];
        long expected = 0;
        foreach (var (name, type, shape, begin, end) in entries.OrderBy(e => e.Begin).ThenBy(e => e.End))
        {
            if (begin != expected || end < begin)
            {
                throw new CheckpointException(
                    $"{source.Name}: tensor '{name}' is said to be at bytes {begin} to {end}, but the one before it ends at {expected}. Tensors may neither overlap nor leave gaps.");
            }

            var storage = new StorageBytes(name, dataStart + begin, end - begin, null);
            var info = new TensorInfo(name, type, shape);
            var location = new TensorLocation(info, storage, 0, []);
            try
            {
                location = location with { Strides = TensorLocation.RowMajor(shape) };
                if (checked(info.Count * TensorConversion.SizeOf(type)) != end - begin)
                    throw new CheckpointException($"{source.Name}: tensor '{name}' of type {type} and shape [{string.Join(", ", shape)}] has {end - begin} bytes.");
            }
            catch (OverflowException)
            {
                throw new CheckpointException($"{source.Name}: tensor '{name}' is impossibly large: shape [{string.Join(", ", shape)}].");
            }

            tensors.Add(location);
            expected = end;
        }

        if (expected != source.Length - dataStart)
            throw new CheckpointException($"{source.Name}: the tensors take {expected} bytes, but {source.Length - dataStart} follow the header. Is the file truncated?");
        return new FileStateDict(source, Format, tensors);
    }

    private static (string Name, TensorType Type, ImmutableArray<int> Shape, long Begin, long End) ReadEntry(ref Utf8JsonReader reader, string name)
    {
        TensorType? type = null;
        List<long>? shape = null, offsets = null;
        Expect(ref reader, JsonTokenType.StartObject);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            switch (reader.GetString())
            {
                case "dtype":
                    reader.Read();
                    type = ParseType(reader.GetString(), name);
                    break;
                case "shape":
                    shape = ReadNumbers(ref reader);
                    break;
                case "data_offsets":
                    offsets = ReadNumbers(ref reader);
                    break;
                default:
                    throw new JsonException($"unknown property of tensor '{name}'");
            }
        }

        if (type is null || shape is null || offsets is not [long begin, long end])
            throw new JsonException($"tensor '{name}' needs dtype, shape and two data_offsets");
        if (shape.Count > TensorLocation.MaxRank || shape.Any(length => length is < 0 or > int.MaxValue))
            throw new JsonException($"tensor '{name}' has an impossible shape");
        return (name, type.Value, [.. shape.Select(length => (int)length)], begin, end);
    }

    private static TensorType ParseType(string? type, string name) => type switch
    {
        "F64" => TensorType.Float64,
        "F32" => TensorType.Float32,
        "F16" => TensorType.Float16,
        "BF16" => TensorType.BFloat16,
        "I64" => TensorType.Int64,
        "I32" => TensorType.Int32,
        "I16" => TensorType.Int16,
        "I8" => TensorType.Int8,
        "U8" => TensorType.UInt8,
        "BOOL" => TensorType.Bool,
        _ => throw new JsonException($"tensor '{name}' has type '{type}', which is not read here"),
    };

    private static List<long> ReadNumbers(ref Utf8JsonReader reader)
    {
        List<long> numbers = [];
        Expect(ref reader, JsonTokenType.StartArray);
        while (reader.Read() && reader.TokenType == JsonTokenType.Number) numbers.Add(reader.GetInt64());
        if (reader.TokenType != JsonTokenType.EndArray) throw new JsonException("a list of whole numbers was expected");
        return numbers;
    }

    private static void Expect(ref Utf8JsonReader reader, JsonTokenType type)
    {
        if (!reader.Read() || reader.TokenType != type) throw new JsonException($"{type} was expected, {reader.TokenType} found");
    }
}
