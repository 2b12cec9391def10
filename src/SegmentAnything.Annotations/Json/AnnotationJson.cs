using System.Text.Json;
using SegmentAnything.Rle;

namespace SegmentAnything.Annotations.Json;

/// <summary>Annotations, pictures and categories as objects of JSON, by the names that COCO and SA-1B have for their properties.</summary>
internal static class AnnotationJson
{
    /// <summary>How deep annotations, pictures and categories may be nested: as deep as readers of JSON usually go.</summary>
    public const int MaxDepth = 64;

    /// <summary>Runs code that reads a piece; its errors get the file, the annotation and the place.</summary>
    /// <param name="pieces">Stands on the piece.</param>
    /// <param name="read">Reads it; the reader stands on its first token.</param>
    /// <param name="what">What the piece is, such as "annotation"; empty for a property of the file.</param>
    public static T ReadPiece<T>(JsonPieceReader pieces, PieceParser<T> read, string what = "")
    {
        int depth = what.Length > 0 ? MaxDepth : JsonPieceReader.MaxDepth;
        var reader = new Utf8JsonReader(pieces.Piece, new JsonReaderOptions { MaxDepth = depth, AllowTrailingCommas = true });
        reader.Read();
        try
        {
            return read(ref reader);
        }
        catch (Exception e) when (e is JsonValueException or RleFormatException)
        {
            throw pieces.Fail($"{Title()}: {(e is RleFormatException rle ? rle.Reason : e.Message)}", pieces.Position + reader.TokenStartIndex, e);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            string reason = e.Message.Contains("depth", StringComparison.Ordinal) ? $"nested deeper than {depth} levels" : $"not what was expected there: {e.Message}";
            throw pieces.Fail($"{Title()}: {reason}", pieces.Position + reader.TokenStartIndex, e);
        }

        string Title() => what.Length > 0 && FindId(pieces.Piece) is { } id ? $"{what} {id} ({pieces.Place})" : pieces.Place;
    }

    /// <summary>Reads an annotation of any format that is JSON. The mask is not drawn yet.</summary>
    /// <param name="reader">Stands on the start of the object.</param>
    public static AnnotationData ReadAnnotation(ref Utf8JsonReader reader)
    {
        JsonValues.RequireObject(ref reader, "an annotation");
        var found = new AnnotationData();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            reader.Read();
            switch (name)
            {
                case "id":
                    found.Id = JsonValues.ReadInteger(ref reader, name);
                    break;
                case "image_id":
                    found.ImageId = JsonValues.ReadInteger(ref reader, name);
                    break;
                case "category_id":
                    found.CategoryId = JsonValues.ReadInteger(ref reader, name);
                    break;
                case "segmentation":
                    found.Segmentation = SegmentationJson.Read(ref reader);
                    break;
                case "bbox":
                    found.Box = JsonValues.ReadRectangle(ref reader, name);
                    break;
                case "crop_box":
                    found.CropBox = JsonValues.ReadRectangle(ref reader, name);
                    break;
                case "point_coords":
                    found.Points = JsonValues.ReadPoints(ref reader, name);
                    break;
                case "iscrowd":
                    found.IsCrowd = JsonValues.ReadFlag(ref reader, name);
                    break;
                case "area" when JsonValues.TryReadNumber(ref reader, out double? number):
                    found.Area = number;
                    break;
                case "score" when JsonValues.TryReadNumber(ref reader, out double? number):
                    found.Score = number;
                    break;
                case "predicted_iou" when JsonValues.TryReadNumber(ref reader, out double? number):
                    found.PredictedIou = number;
                    break;
                case "stability_score" when JsonValues.TryReadNumber(ref reader, out double? number):
                    found.StabilityScore = number;
                    break;
                default:
                    JsonValues.ReadOther(ref reader, name, ref found.Other);
                    break;
            }
        }

        return found;
    }

    /// <summary>Reads a picture.</summary>
    /// <param name="reader">Stands on the start of the object.</param>
    /// <param name="idName">How its number is called.</param>
    /// <param name="requireId">Whether a picture without number is an error.</param>
    public static AnnotationImage ReadImage(ref Utf8JsonReader reader, string idName, bool requireId)
    {
        JsonValues.RequireObject(ref reader, "an image");
        long? id = null;
        int width = 0, height = 0;
        string fileName = "";
        Dictionary<string, JsonElement>? other = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            reader.Read();
            if (name == idName) id = JsonValues.ReadInteger(ref reader, name);
            else if (name == "width") width = JsonValues.ReadSize(ref reader, name);
            else if (name == "height") height = JsonValues.ReadSize(ref reader, name);
            else if (name == "file_name") fileName = JsonValues.ReadText(ref reader, name);
            else JsonValues.ReadOther(ref reader, name, ref other);
        }

        if (id is null && requireId) throw new JsonValueException($"the image has no \"{idName}\"");
        return new AnnotationImage { Id = id ?? 0, FileName = fileName, Width = width, Height = height, Other = JsonValues.Kept(other) };
    }

    /// <summary>Reads a category.</summary>
    /// <param name="reader">Stands on the start of the object.</param>
    public static AnnotationCategory ReadCategory(ref Utf8JsonReader reader)
    {
        JsonValues.RequireObject(ref reader, "a category");
        long? id = null;
        string categoryName = "", supercategory = "";
        Dictionary<string, JsonElement>? other = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            reader.Read();
            switch (name)
            {
                case "id":
                    id = JsonValues.ReadInteger(ref reader, name);
                    break;
                case "name":
                    categoryName = JsonValues.ReadText(ref reader, name);
                    break;
                case "supercategory":
                    supercategory = JsonValues.ReadText(ref reader, name);
                    break;
                default:
                    JsonValues.ReadOther(ref reader, name, ref other);
                    break;
            }
        }

        return new AnnotationCategory
        {
            Id = id ?? throw new JsonValueException("the category has no \"id\""),
            Name = categoryName,
            Supercategory = supercategory,
            Other = JsonValues.Kept(other),
        };
    }

    /// <summary>Writes a picture.</summary>
    public static void Write(Utf8JsonWriter json, AnnotationImage image, string idName)
    {
        json.WriteStartObject();
        json.WriteNumber(idName, image.Id);
        json.WriteNumber("width"u8, image.Width);
        json.WriteNumber("height"u8, image.Height);
        json.WriteString("file_name"u8, image.FileName);
        JsonValues.WriteOther(json, image.Other);
        json.WriteEndObject();
    }

    /// <summary>Writes a category.</summary>
    public static void Write(Utf8JsonWriter json, AnnotationCategory category)
    {
        json.WriteStartObject();
        json.WriteNumber("id"u8, category.Id);
        json.WriteString("name"u8, category.Name);
        json.WriteString("supercategory"u8, category.Supercategory);
        JsonValues.WriteOther(json, category.Other);
        json.WriteEndObject();
    }

    /// <summary>Writes what is known of an annotation beyond what its format always has.</summary>
    public static void WriteKnown(Utf8JsonWriter json, Annotation annotation, bool withScores)
    {
        if (annotation.Score is { } score) json.WriteNumber("score"u8, score);
        if (!withScores) return;
        if (annotation.PredictedIou is { } iou) json.WriteNumber("predicted_iou"u8, iou);
        if (annotation.StabilityScore is { } stability) json.WriteNumber("stability_score"u8, stability);
        if (annotation.Points.Count > 0) WritePoints(json, annotation.Points);
        if (annotation.CropBox is { } crop) WriteRectangle(json, "crop_box", crop);
    }

    /// <summary>Writes a number, or null where it is unknown.</summary>
    public static void WriteNumber(Utf8JsonWriter json, string name, double? number)
    {
        if (number is { } known) json.WriteNumber(name, known);
        else json.WriteNull(name);
    }

    /// <summary>Writes the points that prompted.</summary>
    public static void WritePoints(Utf8JsonWriter json, IReadOnlyList<MaskPoint> points)
    {
        json.WriteStartArray("point_coords"u8);
        foreach (MaskPoint point in points)
        {
            json.WriteStartArray();
            json.WriteNumberValue(point.X);
            json.WriteNumberValue(point.Y);
            json.WriteEndArray();
        }

        json.WriteEndArray();
    }

    /// <summary>Writes a rectangle, or null where it is unknown.</summary>
    public static void WriteRectangle(Utf8JsonWriter json, string name, PixelRectangle? rectangle)
    {
        if (rectangle is not var (x, y, width, height))
        {
            json.WriteNull(name);
            return;
        }

        json.WriteStartArray(name);
        json.WriteNumberValue(x);
        json.WriteNumberValue(y);
        json.WriteNumberValue(width);
        json.WriteNumberValue(height);
        json.WriteEndArray();
    }

    /// <summary>Throws unless every number of an annotation can be written.</summary>
    /// <exception cref="ArgumentException">One is NaN or infinite.</exception>
    public static void CheckFinite(Annotation annotation)
    {
        Check("area", annotation.Area);
        Check("score", annotation.Score);
        Check("predicted IoU", annotation.PredictedIou);
        Check("stability score", annotation.StabilityScore);
        CheckBox("box", annotation.Box);
        CheckBox("crop box", annotation.CropBox);
        foreach (MaskPoint point in annotation.Points) Check("point", point.X + point.Y);

        void CheckBox(string name, PixelRectangle? box)
        {
            if (box is var (x, y, width, height)) Check(name, x + y + width + height);
        }

        void Check(string name, double? value)
        {
            if (value is { } number && !double.IsFinite(number))
                throw new ArgumentException($"The {name} of {annotation.Title} is NaN or infinite, which JSON does not have; leave it null where it is unknown.", nameof(annotation));
        }
    }

    // Its own pass, as the error may stand before the number.
    private static string? FindId(ReadOnlySpan<byte> piece)
    {
        try
        {
            var reader = new Utf8JsonReader(piece, new JsonReaderOptions { MaxDepth = JsonPieceReader.MaxDepth, AllowTrailingCommas = true });
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) return null;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                bool isId = reader.ValueTextEquals("id"u8);
                reader.Read();
                if (isId && reader.TokenType is JsonTokenType.Number or JsonTokenType.String) return JsonValues.ReadInteger(ref reader, "id")?.ToString();
                reader.TrySkip();
            }
        }
        catch (Exception e) when (e is JsonException or JsonValueException)
        {
            // The message does without.
        }

        return null;
    }
}

/// <summary>Reads a value.</summary>
internal delegate T PieceParser<out T>(ref Utf8JsonReader reader);

/// <summary>An annotation as it stands in a file, before its mask is drawn.</summary>
internal sealed class AnnotationData
{
    public long? Id;
    public long? ImageId;
    public long? CategoryId;
    public SegmentationJson? Segmentation;
    public PixelRectangle? Box;
    public PixelRectangle? CropBox;
    public MaskPoint[] Points = [];
    public bool IsCrowd;
    public double? Area;
    public double? Score;
    public double? PredictedIou;
    public double? StabilityScore;
    public Dictionary<string, JsonElement>? Other;

    /// <summary>The annotation, with its mask drawn.</summary>
    /// <param name="imageId">Its picture.</param>
    /// <param name="width">Columns of the picture, or 0.</param>
    /// <param name="height">Rows of the picture, or 0.</param>
    /// <param name="inclusiveBox">Whether the box leaves out the last column and row.</param>
    /// <param name="losses">Counts what encloses nothing.</param>
    /// <param name="cancellation">Looked at while it is drawn.</param>
    public Annotation Finish(long imageId, int width, int height, bool inclusiveBox, AnnotationLosses losses, CancellationToken cancellation)
    {
        (RleMask? mask, IReadOnlyList<double[]>? polygons) = Segmentation?.Draw(width, height, losses, cancellation) ?? (null, null);
        PixelRectangle? box = Box;
        // An empty mask has the box 0, 0, 0, 0 in both ways of counting.
        if (inclusiveBox && box is var (x, y, w, h) && mask is not { IsEmpty: true }) box = new PixelRectangle(x, y, w + 1, h + 1);
        return new Annotation
        {
            Id = Id,
            ImageId = imageId,
            CategoryId = CategoryId,
            Mask = mask,
            Polygons = polygons,
            Box = box,
            Area = Area,
            IsCrowd = IsCrowd,
            Score = Score,
            PredictedIou = PredictedIou,
            StabilityScore = StabilityScore,
            Points = Points,
            CropBox = CropBox,
            Other = JsonValues.Kept(Other),
        };
    }
}
