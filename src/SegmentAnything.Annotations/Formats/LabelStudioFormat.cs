using System.Text.Json;
using SegmentAnything.Annotations.Json;
using SegmentAnything.Rle;

namespace SegmentAnything.Annotations.Formats;

/// <summary>Label Studio's list of tasks: brush strokes as packed run lengths, polygons and rectangles in per cent.</summary>
/// <remarks>Source: Label Studio's documentation, and label-studio-converter's brush.py.</remarks>
internal sealed class LabelStudioFormat : AnnotationFormat
{
    public override string Name => "label-studio";

    public override string Description => "Label Studio's list of tasks, masks as brush strokes";

    internal override Keeps Keeps => Keeps.Categories | Keeps.Score | Keeps.Boxes;

    internal override bool Recognises(FileProbe probe) => probe.IsJsonList && probe.ElementHas("data");

    internal override AnnotationReader Open(string path, AnnotationReadOptions options) => new PlainReader(Read, path, options);

    internal override AnnotationWriter Create(string path, AnnotationWriteOptions options) => new Writer(path, options, Keeps);

    private static IEnumerable<ImageAnnotations> Read(ReadContext context)
    {
        using var pieces = JsonPieceReader.Open(context.Path);
        HashSet<long> ids = [];
        while (pieces.Read(context.Cancellation))
        {
            if (pieces.Property.Length > 0) throw pieces.Fail("the file is an object; a list of tasks was expected", 0);
            if (pieces.Kind != PieceKind.Element) continue;
            ImageAnnotations image = AnnotationJson.ReadPiece(pieces, (ref Utf8JsonReader reader) => ReadTask(JsonElement.ParseValue(ref reader), context), "task");
            if (!ids.Add(image.Image.Id))
            {
                long id = ids.Max() + 1;
                ids.Add(id);
                if (image.Image.Id != 0) context.Losses.Add("task numbers that are there twice, replaced");
                image = new ImageAnnotations(image.Image with { Id = id }, [.. image.Annotations.Select(a => a with { ImageId = id })]);
            }

            yield return image;
        }
    }

    private static ImageAnnotations ReadTask(JsonElement task, ReadContext context)
    {
        if (task.ValueKind != JsonValueKind.Object) throw new JsonValueException("a task is no object");
        long id = Find(task, "id") is { ValueKind: JsonValueKind.Number } number && number.TryGetInt64(out long whole) ? whole : 0;
        string name = Find(task, "data") switch
        {
            { ValueKind: JsonValueKind.Object } data when Find(data, "image") is { ValueKind: JsonValueKind.String } image => image.GetString()!,
            { ValueKind: JsonValueKind.Object } data => data.EnumerateObject().Select(p => p.Value).FirstOrDefault(v => v.ValueKind == JsonValueKind.String) is
            { ValueKind: JsonValueKind.String } first ? first.GetString()! : "",
            _ => "",
        };
        List<Annotation> annotations = [];
        int width = 0, height = 0;
        foreach (JsonElement result in Results(task, context))
        {
            context.Cancellation.ThrowIfCancellationRequested();
            if (result.ValueKind != JsonValueKind.Object || Find(result, "value") is not { ValueKind: JsonValueKind.Object } value) continue;
            int columns = Size(result, "original_width"), rows = Size(result, "original_height");
            if (columns == 0 || rows == 0) (columns, rows) = width > 0 ? (width, height) : context.SizeOf(name, context.Path);
            if (width == 0) (width, height) = (columns, rows);
            if (columns != width || rows != height) throw new JsonValueException($"result {annotations.Count} is of {columns}x{rows} pixels, others of the task of {width}x{height}");
            annotations.Add(ReadResult(result, value, id, width, height, annotations.Count, context));
        }

        return new ImageAnnotations(new AnnotationImage { Id = id, FileName = name, Width = width, Height = height }, annotations);
    }

    // Those of the first annotation that was not given up; where nobody annotated, those of the first prediction.
    private static List<JsonElement> Results(JsonElement task, ReadContext context)
    {
        foreach (string property in (ReadOnlySpan<string>)["annotations", "completions", "predictions"])
        {
            if (Find(task, property) is not { ValueKind: JsonValueKind.Array } list) continue;
            JsonElement[] given = [.. list.EnumerateArray().Where(a => a.ValueKind == JsonValueKind.Object
                && Find(a, "was_cancelled") is not { ValueKind: JsonValueKind.True } && Find(a, "result") is { ValueKind: JsonValueKind.Array })];
            if (given.Length == 0) continue;
            context.Losses.Add("further annotations of the same task", given.Length - 1);
            return [.. given[0].GetProperty("result").EnumerateArray()];
        }

        return Find(task, "result") is { ValueKind: JsonValueKind.Array } result ? [.. result.EnumerateArray()] : [];
    }

    private static Annotation ReadResult(JsonElement result, JsonElement value, long image, int width, int height, int index, ReadContext context)
    {
        string label = "";
        foreach (JsonProperty property in value.EnumerateObject())
        {
            if (!property.Name.EndsWith("labels", StringComparison.Ordinal) || property.Value.ValueKind != JsonValueKind.Array) continue;
            label = property.Value.EnumerateArray().FirstOrDefault() is { ValueKind: JsonValueKind.String } first ? first.GetString()! : "";
        }

        var annotation = new Annotation
        {
            ImageId = image,
            CategoryId = context.Categories.IdOf(label),
            Score = Find(result, "score") is { ValueKind: JsonValueKind.Number } score && double.IsFinite(score.GetDouble()) ? score.GetDouble() : null,
        };
        string place = $"result {index}";
        if (Find(value, "rle") is { ValueKind: JsonValueKind.Array } rle)
        {
            byte[] bytes = new byte[rle.GetArrayLength()];
            int i = 0;
            foreach (JsonElement element in rle.EnumerateArray())
            {
                if (element.ValueKind != JsonValueKind.Number || !element.TryGetByte(out bytes[i])) throw new JsonValueException($"{place}: number {i} of \"rle\" is no byte, 0 to 255");
                i++;
            }

            try
            {
                return annotation with { Mask = RunLengthText.FromLabelStudio(bytes, width, height) };
            }
            catch (RleFormatException e)
            {
                throw new JsonValueException($"{place}: \"rle\": {e.Reason}");
            }
        }

        if (Find(value, "points") is { ValueKind: JsonValueKind.Array } points)
        {
            double[] polygon = [.. points.EnumerateArray().SelectMany(point =>
            {
                if (point.ValueKind != JsonValueKind.Array || point.GetArrayLength() != 2 || point[0].ValueKind != JsonValueKind.Number || point[1].ValueKind != JsonValueKind.Number)
                    throw new JsonValueException($"{place}: a point is not [x, y]");
                return (double[])[point[0].GetDouble() * width / 100, point[1].GetDouble() * height / 100];
            })];
            (RleMask mask, IReadOnlyList<double[]>? polygons) = SegmentationJson.DrawPolygons([polygon], width, height, context.Losses, context.Cancellation);
            return annotation with { Mask = mask, Polygons = polygons };
        }

        if (Number("x") is { } x && Number("y") is { } y && Number("width") is { } w && Number("height") is { } h)
        {
            if (Number("rotation") is not (null or 0)) context.Losses.Add("rotations of boxes");
            annotation = annotation with { Box = new PixelRectangle(x * width / 100, y * height / 100, w * width / 100, h * height / 100) };
        }

        return annotation;

        double? Number(string name) => Find(value, name) is { ValueKind: JsonValueKind.Number } number && double.IsFinite(number.GetDouble()) ? number.GetDouble() : null;
    }

    private static int Size(JsonElement result, string name) => Find(result, name) switch
    {
        null or { ValueKind: JsonValueKind.Null } => 0,
        { ValueKind: JsonValueKind.Number } number when number.TryGetInt32(out int size) && size > 0 => size,
        _ => throw new JsonValueException($"\"{name}\" is no whole number from 1 to {int.MaxValue}"),
    };

    private static JsonElement? Find(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out JsonElement value) ? value : null;

    private sealed class Writer : AnnotationWriter
    {
        private readonly AtomicJsonFile _file;
        private readonly AnnotationWriteOptions _options;
        private readonly Keeps _keeps;

        public Writer(string path, AnnotationWriteOptions options, Keeps keeps)
        {
            (_options, _keeps) = (options, keeps);
            _file = new AtomicJsonFile(path);
            _file.Json.WriteStartArray();
        }

        public override void Add(ImageAnnotations image, IReadOnlyDictionary<long, AnnotationCategory> categories, CancellationToken cancellationToken = default)
        {
            ArgumentNullException.ThrowIfNull(image);
            _file.CheckOpen();
            WriteContext.CheckSizes(image);
            var context = new WriteContext(_options, categories, Losses, cancellationToken);
            Utf8JsonWriter json = _file.Json;
            json.WriteStartObject();
            json.WriteNumber("id"u8, image.Image.Id);
            json.WriteStartObject("data"u8);
            json.WriteString("image"u8, image.Image.FileName);
            json.WriteEndObject();
            json.WriteStartArray("annotations"u8);
            json.WriteStartObject();
            json.WriteStartArray("result"u8);
            Losses.Add("other properties", image.Image.Other.Count);
            int index = 0;
            foreach (Annotation annotation in image.Annotations)
            {
                if (!context.Count(annotation, _keeps)) continue;
                AnnotationJson.CheckFinite(annotation);
                WriteResult(json, annotation, image.Image, context, index++);
                _file.FlushIfLarge();
            }

            json.WriteEndArray();
            json.WriteEndObject();
            json.WriteEndArray();
            json.WriteEndObject();
        }

        public override void Complete()
        {
            _file.CheckOpen();
            _file.Json.WriteEndArray();
            _file.Complete();
        }

        private protected override void Dispose(bool disposing) => _file.Dispose();

        private static void WriteResult(Utf8JsonWriter json, Annotation annotation, AnnotationImage image, WriteContext context, int index)
        {
            string labels = annotation.Mask is null ? "rectanglelabels" : "brushlabels";
            json.WriteStartObject();
            json.WriteString("id"u8, annotation.Id is { } id ? $"a{id}" : $"r{index}");
            json.WriteString("type"u8, labels);
            json.WriteString("from_name"u8, annotation.Mask is null ? "box" : "brush");
            json.WriteString("to_name"u8, "image");
            json.WriteNumber("original_width"u8, image.Width);
            json.WriteNumber("original_height"u8, image.Height);
            json.WriteNumber("image_rotation"u8, 0);
            if (annotation.Score is { } score) json.WriteNumber("score"u8, score);
            json.WriteStartObject("value"u8);
            if (annotation.Mask is { } mask)
            {
                json.WriteString("format"u8, "rle");
                json.WriteStartArray("rle"u8);
                foreach (byte value in RunLengthText.ToLabelStudio(mask)) json.WriteNumberValue(value);
                json.WriteEndArray();
            }
            else
            {
                PixelRectangle box = annotation.Box!.Value;
                json.WriteNumber("x"u8, box.X * 100 / image.Width);
                json.WriteNumber("y"u8, box.Y * 100 / image.Height);
                json.WriteNumber("width"u8, box.Width * 100 / image.Width);
                json.WriteNumber("height"u8, box.Height * 100 / image.Height);
                json.WriteNumber("rotation"u8, 0);
            }

            json.WriteStartArray(labels);
            json.WriteStringValue(context.CategoryOf(annotation) is { Length: > 0 } category ? category : "object");
            json.WriteEndArray();
            json.WriteEndObject();
            json.WriteEndObject();
        }
    }
}
