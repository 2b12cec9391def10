using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization;
using SegmentAnything.Rle.Kernels;

namespace SegmentAnything.Rle;

/// <summary>Reads and writes a mask as COCO does: <c>{"size":[height,width],"counts":...}</c>.</summary>
/// <remarks>
/// Reads both forms, whatever the order of the properties, and passes over others; null is a null mask. Writes the
/// compressed form, or the one asked for. Uses no reflection.
/// </remarks>
public sealed class RleMaskJsonConverter : JsonConverter<RleMask>
{
    private readonly CocoForm _form;

    /// <summary>Makes a converter that writes the compressed form.</summary>
    public RleMaskJsonConverter() : this(CocoForm.Compressed)
    {
    }

    /// <summary>Makes a converter.</summary>
    /// <param name="form">The form to write.</param>
    public RleMaskJsonConverter(CocoForm form) => _form = form;

    /// <summary>Reads a mask in either form.</summary>
    /// <param name="reader">Stands on the start of the object.</param>
    /// <param name="typeToConvert">Not used.</param>
    /// <param name="options">Not used.</param>
    /// <returns>The mask.</returns>
    /// <exception cref="RleFormatException">The object is not a COCO mask, or the mask in it is malformed.</exception>
    /// <exception cref="JsonException">The text is not JSON.</exception>
    public override RleMask Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            Fail(reader, $"the JSON has {reader.TokenType} where an object with \"size\" and \"counts\" was expected");
        (int Width, int Height)? size = null;
        int[]? buffer = null;
        int runs = -1;
        try
        {
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("size"u8))
                {
                    reader.Read();
                    size = ReadSize(ref reader);
                }
                else if (reader.ValueTextEquals("counts"u8))
                {
                    reader.Read();
                    if (buffer is not null) ArrayPool<int>.Shared.Return(buffer);
                    buffer = null;
                    (buffer, runs) = ReadCounts(ref reader);
                }
                else
                {
                    reader.Read();
                    // TrySkip, as a reader over a stream may not have all of it; a converter always has.
                    reader.TrySkip();
                }
            }

            if (size is not (int width, int height))
                throw new RleFormatException("the JSON object has no \"size\"; it should be [height, width]", reader.BytesConsumed);
            if (buffer is null)
                throw new RleFormatException("the JSON object has no \"counts\"; it should be a text or a list", reader.BytesConsumed);
            int pixels = ThrowHelper.CheckSize(width, height);
            int kept = RleKernels.Canonicalize(buffer.AsSpan(0, runs), pixels);
            return RleMask.FromOwnedCounts(buffer.AsSpan(0, kept).ToArray(), width, height);
        }
        finally
        {
            if (buffer is not null) ArrayPool<int>.Shared.Return(buffer);
        }
    }

    /// <summary>Writes a mask.</summary>
    /// <param name="writer">Where to.</param>
    /// <param name="value">The mask.</param>
    /// <param name="options">Not used.</param>
    /// <exception cref="ArgumentNullException">The writer or the mask is null.</exception>
    public override void Write(Utf8JsonWriter writer, RleMask value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(value);
        writer.WriteStartObject();
        writer.WriteStartArray("size"u8);
        writer.WriteNumberValue(value.Height);
        writer.WriteNumberValue(value.Width);
        writer.WriteEndArray();
        if (_form == CocoForm.Compressed)
        {
            writer.WriteString("counts"u8, value.ToCocoUtf8());
        }
        else
        {
            writer.WriteStartArray("counts"u8);
            foreach (int run in value.Counts) writer.WriteNumberValue(run);
            writer.WriteEndArray();
        }

        writer.WriteEndObject();
    }

    private static (int Width, int Height) ReadSize(ref Utf8JsonReader reader)
    {
        int height = 0, width = 0;
        bool valid = reader.TokenType == JsonTokenType.StartArray
            && reader.Read() && reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out height)
            && reader.Read() && reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out width)
            && reader.Read() && reader.TokenType == JsonTokenType.EndArray;
        if (!valid) Fail(reader, "\"size\" is not a list of two whole numbers, [height, width]");
        return (width, height);
    }

    private static (int[] Buffer, int Runs) ReadCounts(ref Utf8JsonReader reader)
    {
        if (reader.TokenType == JsonTokenType.String)
        {
            int length = reader.HasValueSequence ? checked((int)reader.ValueSequence.Length) : reader.ValueSpan.Length;
            byte[] text = ArrayPool<byte>.Shared.Rent(length);
            int[] buffer = ArrayPool<int>.Shared.Rent(length);
            try
            {
                ReadOnlySpan<byte> characters = text.AsSpan(0, CopyText(ref reader, text));
                return (buffer, RleKernels.ReadText(characters, buffer.AsSpan(0, RleKernels.CountNumbers(characters))));
            }
            catch
            {
                ArrayPool<int>.Shared.Return(buffer);
                throw;
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(text);
            }
        }

        if (reader.TokenType != JsonTokenType.StartArray)
            Fail(reader, $"\"counts\" is {reader.TokenType}; it should be a text or a list of run lengths");
        var runs = new RunBuilder();
        try
        {
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                int run = 0;
                if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt32(out run))
                    Fail(reader, $"run {runs.Length} of \"counts\" is not a whole number from 0 to {int.MaxValue}");
                runs.Add(run);
            }

            int[] copy = ArrayPool<int>.Shared.Rent(runs.Length);
            runs.Runs.CopyTo(copy);
            return (copy, runs.Length);
        }
        finally
        {
            runs.Free();
        }
    }

    private static int CopyText(ref Utf8JsonReader reader, byte[] text)
    {
        try
        {
            return reader.CopyString(text);
        }
        catch (InvalidOperationException)
        {
            // Invalid UTF-8 or half a surrogate pair: no such character is COCO's.
            Fail(reader, "\"counts\" is not valid text");
            return 0;
        }
    }

    private static void Fail(in Utf8JsonReader reader, string reason) => ThrowHelper.Format(reason, reader.TokenStartIndex);
}
