using System.Text.Json;
using System.Text.Json.Serialization;
using SegmentAnything.Rle;

namespace SegmentAnything;

/// <summary>One object of a COCO instances file.</summary>
public sealed record CocoAnnotation
{
    /// <summary>Its number.</summary>
    [JsonPropertyName("id")]
    [JsonPropertyOrder(1)]
    public long Id { get; init; }

    /// <summary>The image it is in.</summary>
    [JsonPropertyName("image_id")]
    [JsonPropertyOrder(2)]
    [JsonRequired]
    public required long ImageId { get; init; }

    /// <summary>What it is.</summary>
    [JsonPropertyName("category_id")]
    [JsonPropertyOrder(3)]
    public long CategoryId { get; init; }

    /// <summary>Where it is.</summary>
    [JsonPropertyName("segmentation")]
    [JsonPropertyOrder(4)]
    [JsonRequired]
    public required CocoSegmentation Segmentation { get; init; }

    /// <summary>Pixels of the object; files made from polygons hold fractions.</summary>
    [JsonPropertyName("area")]
    [JsonPropertyOrder(5)]
    public double Area { get; init; }

    /// <summary>The box: x, y, width and height in counted columns and rows.</summary>
    [JsonPropertyName("bbox")]
    [JsonPropertyOrder(6)]
    public PixelRectangle BoundingBox { get; init; }

    /// <summary>Whether it is a crowd of objects that were not told apart.</summary>
    [JsonPropertyName("iscrowd")]
    [JsonPropertyOrder(7)]
    [JsonConverter(typeof(NumberAsBoolJsonConverter))]
    public bool IsCrowd { get; init; }

    /// <summary>Describes a mask; area and box are the mask's.</summary>
    /// <param name="mask">The mask, at the size of its image.</param>
    /// <param name="id">The object's number.</param>
    /// <param name="imageId">The image's number.</param>
    /// <param name="categoryId">The category's number.</param>
    public static CocoAnnotation From(RleMask mask, long id, long imageId, long categoryId)
    {
        ArgumentNullException.ThrowIfNull(mask);
        MaskBox box = mask.BoundingBox;
        return new CocoAnnotation
        {
            Id = id,
            ImageId = imageId,
            CategoryId = categoryId,
            Segmentation = new CocoSegmentation(mask),
            Area = mask.Area,
            BoundingBox = new PixelRectangle(box.X, box.Y, box.Width, box.Height),
        };
    }
}

/// <summary>Where an object is: run lengths or polygons.</summary>
[JsonConverter(typeof(CocoSegmentationJsonConverter))]
public sealed class CocoSegmentation
{
    /// <summary>Run lengths.</summary>
    /// <param name="mask">The mask.</param>
    public CocoSegmentation(RleMask mask)
    {
        ArgumentNullException.ThrowIfNull(mask);
        Mask = mask;
    }

    /// <summary>Polygons, whose union the object is.</summary>
    /// <param name="polygons">Each x0, y0, x1, y1, ... in pixels.</param>
    public CocoSegmentation(IReadOnlyList<double[]> polygons)
    {
        ArgumentNullException.ThrowIfNull(polygons);
        Polygons = polygons;
    }

    /// <summary>The mask; null where polygons are given.</summary>
    public RleMask? Mask { get; }

    /// <summary>The polygons, each x0, y0, x1, y1, ...; null where run lengths are given.</summary>
    public IReadOnlyList<double[]>? Polygons { get; }

    /// <summary>The mask, made of the polygons where these are given.</summary>
    /// <param name="width">Columns of the image.</param>
    /// <param name="height">Rows of the image.</param>
    /// <exception cref="RleFormatException">A polygon is malformed.</exception>
    /// <exception cref="ArgumentException">The mask has another size.</exception>
    public RleMask ToMask(int width, int height)
    {
        if (Mask is null) return RleMask.FromPolygons(Polygons!, width, height);
        return Mask.Width == width && Mask.Height == height
            ? Mask
            : throw new ArgumentException($"The mask has {Mask.Width}x{Mask.Height} pixels, the image {width}x{height}.", nameof(width));
    }
}

internal sealed class CocoSegmentationJsonConverter : JsonConverter<CocoSegmentation>
{
    private static readonly RleMaskJsonConverter Masks = new();

    public override CocoSegmentation Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.StartObject) return new CocoSegmentation(Masks.Read(ref reader, typeof(RleMask), options));
        if (reader.TokenType != JsonTokenType.StartArray)
            throw new JsonException("A segmentation is an object with size and counts, or a list of polygons.");
        List<double[]> polygons = [];
        List<double> coordinates = [];
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.StartArray) throw new JsonException("A polygon is a list of numbers: x0, y0, x1, y1, ...");
            coordinates.Clear();
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                if (reader.TokenType != JsonTokenType.Number) throw new JsonException("A polygon is a list of numbers: x0, y0, x1, y1, ...");
                coordinates.Add(reader.GetDouble());
            }

            polygons.Add([.. coordinates]);
        }

        return new CocoSegmentation(polygons);
    }

    public override void Write(Utf8JsonWriter writer, CocoSegmentation value, JsonSerializerOptions options)
    {
        if (value.Mask is not null)
        {
            Masks.Write(writer, value.Mask, options);
            return;
        }

        writer.WriteStartArray();
        foreach (double[] polygon in value.Polygons!)
        {
            writer.WriteStartArray();
            foreach (double coordinate in polygon) writer.WriteNumberValue(coordinate);
            writer.WriteEndArray();
        }

        writer.WriteEndArray();
    }
}

/// <summary>0 and 1, which COCO uses for no and yes; also reads false and true.</summary>
internal sealed class NumberAsBoolJsonConverter : JsonConverter<bool>
{
    public override bool Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.TokenType switch
    {
        JsonTokenType.Number => reader.GetInt32() != 0,
        JsonTokenType.True => true,
        JsonTokenType.False => false,
        _ => throw new JsonException("Expected 0 or 1."),
    };

    public override void Write(Utf8JsonWriter writer, bool value, JsonSerializerOptions options) => writer.WriteNumberValue(value ? 1 : 0);
}
