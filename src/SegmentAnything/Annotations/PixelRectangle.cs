using System.Text.Json;
using System.Text.Json.Serialization;

namespace SegmentAnything;

/// <summary>A rectangle as annotation files hold it: <c>[x, y, width, height]</c> in pixels.</summary>
/// <param name="X">Left.</param>
/// <param name="Y">Top.</param>
/// <param name="Width">
/// COCO counts columns; SA-1B's bbox is the difference of the last and the first column, one less.
/// </param>
/// <param name="Height">As the width.</param>
[JsonConverter(typeof(PixelRectangleJsonConverter))]
public readonly record struct PixelRectangle(double X, double Y, double Width, double Height)
{
    internal static PixelRectangle From(Box box) => new(box.X0, box.Y0, (double)box.X1 - box.X0, (double)box.Y1 - box.Y0);
}

internal sealed class PixelRectangleJsonConverter : JsonConverter<PixelRectangle>
{
    public override PixelRectangle Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.StartArray) throw new JsonException("A rectangle is [x, y, width, height].");
        Span<double> values = stackalloc double[4];
        for (int i = 0; i < 4; i++)
        {
            if (!reader.Read() || reader.TokenType != JsonTokenType.Number) throw new JsonException("A rectangle has four numbers: [x, y, width, height].");
            values[i] = reader.GetDouble();
        }

        if (!reader.Read() || reader.TokenType != JsonTokenType.EndArray) throw new JsonException("A rectangle has four numbers: [x, y, width, height].");
        return new PixelRectangle(values[0], values[1], values[2], values[3]);
    }

    public override void Write(Utf8JsonWriter writer, PixelRectangle value, JsonSerializerOptions options)
    {
        writer.WriteStartArray();
        writer.WriteNumberValue(value.X);
        writer.WriteNumberValue(value.Y);
        writer.WriteNumberValue(value.Width);
        writer.WriteNumberValue(value.Height);
        writer.WriteEndArray();
    }
}
