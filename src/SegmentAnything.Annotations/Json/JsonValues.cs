using System.Buffers;
using System.Buffers.Text;
using System.Collections.ObjectModel;
using System.Globalization;
using System.Text;
using System.Text.Json;
using SegmentAnything.Rle;

namespace SegmentAnything.Annotations.Json;

/// <summary>A value is not what it should be; who reads the file adds the file, the annotation and the place.</summary>
internal sealed class JsonValueException(string message) : Exception(message);

/// <summary>Values as people's files have them: numbers as text, whole numbers with a point, null for a default.</summary>
internal static class JsonValues
{
    /// <summary>What a value is, by its first byte, in words.</summary>
    public static string Describe(byte first) => first switch
    {
        (byte)'{' => "an object",
        (byte)'[' => "a list",
        (byte)'"' => "a text",
        (byte)'t' or (byte)'f' => "true or false",
        (byte)'n' => "null",
        _ => "a number",
    };

    /// <summary>The value at hand, in words and, where it is short, as it stands.</summary>
    public static string Describe(ref Utf8JsonReader reader) => reader.TokenType switch
    {
        JsonTokenType.StartObject => "an object",
        JsonTokenType.StartArray => "a list",
        JsonTokenType.EndArray => "the end of the list",
        JsonTokenType.Null => "null",
        JsonTokenType.True => "true",
        JsonTokenType.False => "false",
        JsonTokenType.Number => $"the number {Shorten(Encoding.UTF8.GetString(reader.ValueSpan))}",
        JsonTokenType.String when reader.ValueSpan.SequenceEqual("\x7f"u8) => "NaN or Infinity",
        _ => $"the text \"{Shorten(Encoding.UTF8.GetString(reader.ValueSpan))}\"",
    };

    /// <summary>A whole number, also as text or with a point; null where the file has null.</summary>
    /// <param name="reader">Stands on the value.</param>
    /// <param name="name">What it is called.</param>
    public static long? ReadInteger(ref Utf8JsonReader reader, string name)
    {
        if (reader.TokenType == JsonTokenType.Null) return null;
        if (reader.TokenType is JsonTokenType.Number or JsonTokenType.String)
        {
            ReadOnlySpan<byte> digits = reader.ValueSpan;
            if (Utf8Parser.TryParse(digits, out long value, out int used) && used == digits.Length) return value;
            if (TryParse(digits, out double number) && number == Math.Floor(number))
            {
                // 2^63 is the first number above the largest; every whole number below it is exact as a double or was meant so.
                if (number is >= -9.2233720368547758e18 and < 9.2233720368547758e18) return (long)number;
                throw new JsonValueException($"\"{name}\" is {Shorten(Encoding.UTF8.GetString(digits))}; it does not fit into a 64-bit whole number");
            }
        }

        string found = Describe(ref reader);
        throw new JsonValueException($"\"{name}\" is {found}; a whole number was expected");
    }

    /// <summary>A size: 0 where the file has null.</summary>
    public static int ReadSize(ref Utf8JsonReader reader, string name)
    {
        long size = ReadInteger(ref reader, name) ?? 0;
        return size is >= 0 and <= int.MaxValue ? (int)size : throw new JsonValueException($"\"{name}\" is {size}; 0 to {int.MaxValue} pixels were expected");
    }

    /// <summary>A number, also as text. Null and NaN are unknown: null.</summary>
    /// <returns>Whether it is one or unknown; otherwise nothing was read.</returns>
    public static bool TryReadNumber(ref Utf8JsonReader reader, out double? number)
    {
        number = null;
        switch (reader.TokenType)
        {
            case JsonTokenType.Null:
                return true;
            case JsonTokenType.Number or JsonTokenType.String when TryParse(reader.ValueSpan, out double value):
                number = double.IsFinite(value) ? value : null;
                return true;
            default:
                return false;
        }
    }

    /// <summary>A coordinate: a number, also as text; NaN where the file has that.</summary>
    public static double ReadCoordinate(ref Utf8JsonReader reader, string what)
    {
        if (reader.TokenType is JsonTokenType.Number or JsonTokenType.String && TryParse(reader.ValueSpan, out double value)) return value;
        string found = Describe(ref reader);
        throw new JsonValueException($"{what} is {found}; a number was expected");
    }

    /// <summary>A text; empty where the file has null. Numbers are taken as they stand.</summary>
    public static string ReadText(ref Utf8JsonReader reader, string name)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.Null: return "";
            case JsonTokenType.String: return reader.GetString()!;
            case JsonTokenType.Number: return Encoding.UTF8.GetString(reader.ValueSpan);
        }

        string found = Describe(ref reader);
        throw new JsonValueException($"\"{name}\" is {found}; a text was expected");
    }

    /// <summary>COCO's yes and no: 0 and 1, false and true; no where the file has null.</summary>
    public static bool ReadFlag(ref Utf8JsonReader reader, string name)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.Null or JsonTokenType.False: return false;
            case JsonTokenType.True: return true;
        }

        if (reader.TokenType is JsonTokenType.Number or JsonTokenType.String && TryParse(reader.ValueSpan, out double value) && value is 0 or 1)
            return value == 1;
        string found = Describe(ref reader);
        throw new JsonValueException($"\"{name}\" is {found}; 0 or 1 was expected");
    }

    /// <summary>A rectangle [x, y, width, height]; null where the file has null or an empty list.</summary>
    public static PixelRectangle? ReadRectangle(ref Utf8JsonReader reader, string name)
    {
        if (reader.TokenType == JsonTokenType.Null) return null;
        double[] values = ReadCoordinates(ref reader, name);
        return values switch
        {
            [] => null,
            [var x, var y, var width, var height] when double.IsFinite(x + y + width + height) => new PixelRectangle(x, y, width, height),
            [_, _, _, _] => throw new JsonValueException($"\"{name}\" has a coordinate that is NaN or infinite"),
            _ => throw new JsonValueException($"\"{name}\" has {values.Length} numbers; [x, y, width, height] was expected"),
        };
    }

    /// <summary>A list of points [[x, y], ...]; none where the file has null.</summary>
    public static MaskPoint[] ReadPoints(ref Utf8JsonReader reader, string name)
    {
        if (reader.TokenType == JsonTokenType.Null) return [];
        RequireList(ref reader, name);
        List<MaskPoint> points = [];
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            double[] point = ReadCoordinates(ref reader, name);
            if (point is not [var x, var y] || !double.IsFinite(x + y)) throw new JsonValueException($"point {points.Count} of \"{name}\" is not [x, y]");
            points.Add(new MaskPoint(x, y));
        }

        return [.. points];
    }

    /// <summary>A list of numbers.</summary>
    public static double[] ReadCoordinates(ref Utf8JsonReader reader, string name)
    {
        RequireList(ref reader, name);
        List<double> values = [];
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray) values.Add(ReadCoordinate(ref reader, $"number {values.Count} of \"{name}\""));
        return [.. values];
    }

    /// <summary>Throws unless the reader stands on a list.</summary>
    public static void RequireList(ref Utf8JsonReader reader, string name)
    {
        if (reader.TokenType == JsonTokenType.StartArray) return;
        string found = Describe(ref reader);
        throw new JsonValueException($"\"{name}\" is {found}, a list was expected");
    }

    /// <summary>Throws unless the reader stands on an object.</summary>
    public static void RequireObject(ref Utf8JsonReader reader, string name)
    {
        if (reader.TokenType == JsonTokenType.StartObject) return;
        string found = Describe(ref reader);
        throw new JsonValueException($"{name} is {found}, an object was expected");
    }

    /// <summary>Whatever it is, kept. NaN, which JSON does not have, becomes null.</summary>
    public static void ReadOther(ref Utf8JsonReader reader, string name, ref Dictionary<string, JsonElement>? other)
    {
        JsonElement value = JsonElement.ParseValue(ref reader);
        if (value.GetRawText() is var text && text.Contains(JsonPieceReader.NotFinite, StringComparison.Ordinal))
            value = Parse(text.Replace($"\"{JsonPieceReader.NotFinite}\"", "null", StringComparison.Ordinal));
        (other ??= new(StringComparer.Ordinal))[name] = value;
    }

    /// <summary>What was kept, or the one empty dictionary.</summary>
    public static IReadOnlyDictionary<string, JsonElement> Kept(Dictionary<string, JsonElement>? other) =>
        other ?? (IReadOnlyDictionary<string, JsonElement>)ReadOnlyDictionary<string, JsonElement>.Empty;

    /// <summary>An element of JSON text that is known to be right.</summary>
    public static JsonElement Parse(string text)
    {
        using JsonDocument document = JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = JsonPieceReader.MaxDepth });
        return document.RootElement.Clone();
    }

    /// <summary>A text as an element.</summary>
    public static JsonElement TextElement(string text)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer)) json.WriteStringValue(text);
        using JsonDocument document = JsonDocument.Parse(buffer.WrittenMemory);
        return document.RootElement.Clone();
    }

    /// <summary>Writes what was kept.</summary>
    public static void WriteOther(Utf8JsonWriter json, IReadOnlyDictionary<string, JsonElement> other)
    {
        foreach ((string name, JsonElement value) in other)
        {
            json.WritePropertyName(name);
            value.WriteTo(json);
        }
    }

    private static bool TryParse(ReadOnlySpan<byte> text, out double value)
    {
        // "NaN" as text, and what stands for the bare word.
        if (text.SequenceEqual("\x7f"u8))
        {
            value = double.NaN;
            return true;
        }

        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value);
    }

    private static string Shorten(string text) => text.Length <= 40 ? text : text[..40] + "...";
}
