using System.Text.Json;
using SegmentAnything.Annotations.Codecs;
using SegmentAnything.Annotations.Json;
using SegmentAnything.Rle;

namespace SegmentAnything.Annotations.Formats;

/// <summary>labelme's files: shapes of one image. Shapes of one label and one group are one object.</summary>
/// <remarks>
/// A mask of several regions is written as several polygons of one group. Polygons have no holes here: a mask with holes is
/// written as a shape of the type mask, a small PNG. Source: labelme 5's label_file.py and its examples' labelme2coco.py.
/// </remarks>
internal sealed class LabelmeFormat : PerImageFormat
{
    private const string GroupId = "group_id";

    public override string Name => "labelme";

    public override string Description => "labelme's JSON, a file an image";

    internal override Keeps Keeps => Keeps.Categories | Keeps.Score | Keeps.Boxes | Keeps.Other;

    protected override string Extension => ".json";

    protected override bool RecognisesFile(FileProbe probe) => probe.Has("shapes");

    protected override ImageAnnotations ReadFile(string path, ReadContext context)
    {
        using var pieces = JsonPieceReader.Open(path);
        string fileName = "";
        int width = 0, height = 0;
        Dictionary<string, JsonElement>? other = null;
        List<(Shape Shape, long Index, long Position)> shapes = [];
        bool any = false;
        while (pieces.Read(context.Cancellation))
        {
            switch (pieces.Property, pieces.Kind)
            {
                case ("shapes", PieceKind.Value):
                    throw pieces.FailExpectedList();
                case ("shapes", PieceKind.ListStart):
                    any = true;
                    break;
                case ("shapes", _):
                    shapes.Add((AnnotationJson.ReadPiece(pieces, ReadShape, "shape"), pieces.Index, pieces.Position));
                    break;
                case (_, PieceKind.Value):
                    AnnotationJson.ReadPiece(pieces, (ref Utf8JsonReader reader) =>
                    {
                        switch (pieces.Property)
                        {
                            case "imagePath":
                                fileName = JsonValues.ReadText(ref reader, "imagePath");
                                break;
                            case "imageWidth":
                                width = JsonValues.ReadSize(ref reader, "imageWidth");
                                break;
                            case "imageHeight":
                                height = JsonValues.ReadSize(ref reader, "imageHeight");
                                break;
                            case "imageData":
                                if (reader.TokenType != JsonTokenType.Null) context.Losses.Add("pictures inside of annotation files");
                                break;
                            default:
                                JsonValues.ReadOther(ref reader, pieces.Property, ref other);
                                break;
                        }

                        return true;
                    });
                    break;
            }
        }

        if (!any) throw pieces.Fail("the file has no \"shapes\": it is not labelme's");
        if (width == 0 || height == 0) (width, height) = context.SizeOf(fileName.Length > 0 ? fileName : Path.GetFileNameWithoutExtension(path), path);
        List<Annotation> annotations = [];
        Dictionary<(string, long), int> groups = [];
        foreach ((Shape shape, long index, long position) in shapes)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            Annotation annotation;
            try
            {
                annotation = Draw(shape, width, height, context);
            }
            catch (Exception e) when (e is JsonValueException or RleFormatException or AnnotationFormatException)
            {
                string reason = e is RleFormatException rle ? rle.Reason : e.Message;
                throw pieces.Fail($"element {index} of \"shapes\" (\"{shape.Label}\"): {reason}", position, e);
            }

            if (shape.Group is { } group && annotation.Mask is not null)
            {
                if (groups.TryGetValue((shape.Label, group), out int at))
                {
                    Annotation first = annotations[at];
                    annotations[at] = first with
                    {
                        Mask = first.Mask!.Union(annotation.Mask),
                        Polygons = first.Polygons is { } some && annotation.Polygons is { } more ? [.. some, .. more] : null,
                    };
                    continue;
                }

                groups.Add((shape.Label, group), annotations.Count);
            }

            annotations.Add(annotation);
        }

        var image = new AnnotationImage { FileName = fileName, Width = width, Height = height, Other = JsonValues.Kept(other) };
        return new ImageAnnotations(image, annotations);
    }

    protected override void WriteFile(string path, ImageAnnotations image, WriteContext context)
    {
        using var file = new AtomicJsonFile(path);
        Utf8JsonWriter json = file.Json;
        json.WriteStartObject();
        if (!image.Image.Other.ContainsKey("version")) json.WriteString("version"u8, "5.5.0");
        if (!image.Image.Other.ContainsKey("flags"))
        {
            json.WriteStartObject("flags"u8);
            json.WriteEndObject();
        }

        JsonValues.WriteOther(json, image.Image.Other);
        json.WriteStartArray("shapes"u8);
        long lastGroup = image.Annotations.Select(GroupOf).Max() ?? 0;
        foreach (Annotation annotation in image.Annotations)
        {
            if (!context.Count(annotation, Keeps)) continue;
            AnnotationJson.CheckFinite(annotation);
            string label = context.CategoryOf(annotation) is { Length: > 0 } category ? category : "object";
            if (annotation.Mask is not { } mask)
            {
                PixelRectangle box = annotation.Box!.Value;
                WriteShape(json, annotation, label, null, "rectangle", [box.X, box.Y, box.X + box.Width, box.Y + box.Height]);
                continue;
            }

            if (mask.IsEmpty)
            {
                context.Losses.Add("masks without a pixel");
                continue;
            }

            IReadOnlyList<double[]>? polygons = annotation.Polygons;
            if (polygons is null && PolygonSimplification.Simplify(mask, context.Options.PolygonTolerance, context.Cancellation) is { HasHoles: false } simple)
            {
                context.Losses.AddLossOf(simple);
                polygons = [.. simple.Polygons.Select(p => p.ToArray())];
            }

            if (polygons is null)
            {
                MaskBox box = mask.BoundingBox;
                using var png = new MemoryStream();
                LabelPixels.WriteMask(mask.Crop(box), 1, png);
                // The corners are pixels, both of them inside.
                WriteShape(json, annotation, label, null, "mask", [box.X, box.Y, box.Right - 1, box.Bottom - 1], png.ToArray());
            }
            else
            {
                long? group = polygons.Count > 1 ? GroupOf(annotation) ?? ++lastGroup : null;
                foreach (double[] polygon in polygons) WriteShape(json, annotation, label, group, "polygon", polygon);
            }

            file.FlushIfLarge();
        }

        json.WriteEndArray();
        json.WriteString("imagePath"u8, image.Image.FileName);
        json.WriteNull("imageData"u8);
        json.WriteNumber("imageHeight"u8, image.Image.Height);
        json.WriteNumber("imageWidth"u8, image.Image.Width);
        json.WriteEndObject();
        file.Complete();
    }

    private static long? GroupOf(Annotation annotation) =>
        annotation.Other.TryGetValue(GroupId, out JsonElement group) && group.ValueKind == JsonValueKind.Number && group.TryGetInt64(out long number) ? number : null;

    private static void WriteShape(Utf8JsonWriter json, Annotation annotation, string label, long? group, string type, double[] points, byte[]? png = null)
    {
        json.WriteStartObject();
        json.WriteString("label"u8, label);
        json.WriteStartArray("points"u8);
        for (int i = 0; i < points.Length; i += 2)
        {
            json.WriteStartArray();
            json.WriteNumberValue(points[i]);
            json.WriteNumberValue(points[i + 1]);
            json.WriteEndArray();
        }

        json.WriteEndArray();
        group ??= GroupOf(annotation);
        if (group is { } known) json.WriteNumber(GroupId, known);
        else json.WriteNull(GroupId);
        json.WriteString("shape_type"u8, type);
        if (!annotation.Other.ContainsKey("flags"))
        {
            json.WriteStartObject("flags"u8);
            json.WriteEndObject();
        }

        if (png is null) json.WriteNull("mask"u8);
        else json.WriteBase64String("mask"u8, png);
        if (annotation.Id is { } id) json.WriteNumber("id"u8, id);
        if (annotation.Score is { } score) json.WriteNumber("score"u8, score);
        foreach ((string name, JsonElement value) in annotation.Other)
        {
            if (name == GroupId) continue;
            json.WritePropertyName(name);
            value.WriteTo(json);
        }

        json.WriteEndObject();
    }

    private static Shape ReadShape(ref Utf8JsonReader reader)
    {
        JsonValues.RequireObject(ref reader, "a shape");
        var shape = new Shape();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            reader.Read();
            switch (name)
            {
                case "label":
                    shape.Label = JsonValues.ReadText(ref reader, name);
                    break;
                case "points":
                    shape.Points = JsonValues.ReadPoints(ref reader, name);
                    break;
                case "shape_type":
                    shape.Type = JsonValues.ReadText(ref reader, name);
                    break;
                case "mask" when reader.TokenType == JsonTokenType.Null:
                    break;
                case "mask" when reader.TokenType == JsonTokenType.String:
                    if (!reader.TryGetBytesFromBase64(out shape.Png)) throw new JsonValueException("\"mask\" is no base64 text");
                    break;
                case "id" when reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out long id):
                    shape.Id = id;
                    break;
                case "score" when JsonValues.TryReadNumber(ref reader, out double? score):
                    shape.Score = score;
                    break;
                case GroupId when reader.TokenType == JsonTokenType.Null:
                    break;
                default:
                    if (name == GroupId && reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out long group)) shape.Group = group;
                    JsonValues.ReadOther(ref reader, name, ref shape.Other);
                    break;
            }
        }

        return shape;
    }

    private static Annotation Draw(Shape shape, int width, int height, ReadContext context)
    {
        MaskPoint[] points = shape.Points;
        var annotation = new Annotation { Id = shape.Id, CategoryId = context.Categories.IdOf(shape.Label), Score = shape.Score, Other = JsonValues.Kept(shape.Other) };
        switch (shape.Type)
        {
            case "mask":
                if (shape.Png is null || points.Length != 2) throw new JsonValueException("a shape of the type mask has two points and a \"mask\"");
                RleMask crop = LabelPixels.ReadMask(shape.Png, "its \"mask\"");
                (double left, double top) = points[0];
                if (left < 0 || top < 0 || left != Math.Floor(left) || top != Math.Floor(top) || left + crop.Width > width || top + crop.Height > height)
                    throw new JsonValueException($"the mask of {crop.Width}x{crop.Height} pixels at {left}, {top} does not lie inside the image of {width}x{height}");
                return annotation with { Mask = crop.Pad((int)left, (int)top, width - (int)left - crop.Width, height - (int)top - crop.Height) };
            case "rectangle" when points.Length == 2:
                ((double x0, double y0), (double x1, double y1)) = (points[0], points[1]);
                return Polygon([x0, y0, x1, y0, x1, y1, x0, y1]);
            case "circle" when points.Length == 2:
                return Polygon(Circle(points[0], points[1]));
            case "polygon" or "rectangle" or "":
                return Polygon([.. points.SelectMany(p => (double[])[p.X, p.Y])]);
            default: // points and lines enclose nothing
                return annotation;
        }

        Annotation Polygon(double[] polygon)
        {
            (RleMask mask, IReadOnlyList<double[]>? polygons) = SegmentationJson.DrawPolygons([polygon], width, height, context.Losses, context.Cancellation);
            return annotation with { Mask = mask, Polygons = polygons };
        }
    }

    // A point about every pixel of the circumference, within reason.
    private static double[] Circle(MaskPoint center, MaskPoint edge)
    {
        double radius = Math.Sqrt(Math.Pow(edge.X - center.X, 2) + Math.Pow(edge.Y - center.Y, 2));
        int points = (int)Math.Clamp(2 * Math.PI * radius, 16, 720);
        double[] polygon = new double[2 * points];
        for (int i = 0; i < points; i++)
        {
            (double sin, double cos) = Math.SinCos(2 * Math.PI * i / points);
            (polygon[2 * i], polygon[(2 * i) + 1]) = (center.X + (radius * cos), center.Y + (radius * sin));
        }

        return polygon;
    }

    private sealed class Shape
    {
        public string Label = "";
        public string Type = "polygon";
        public MaskPoint[] Points = [];
        public byte[]? Png;
        public long? Group;
        public long? Id;
        public double? Score;
        public Dictionary<string, JsonElement>? Other;
    }
}
