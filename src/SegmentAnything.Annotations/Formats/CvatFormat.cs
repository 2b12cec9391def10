using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Xml;
using SegmentAnything.Annotations.Json;
using SegmentAnything.Rle;

namespace SegmentAnything.Annotations.Formats;

/// <summary>CVAT's XML for images, version 1.1: masks, polygons and boxes.</summary>
/// <remarks>Source: CVAT's documentation, XML annotation format.</remarks>
internal sealed class CvatFormat : AnnotationFormat
{
    // What a shape has beside its place; kept as it stands.
    private static readonly string[] KeptAttributes = ["source", "occluded", "z_order", "group_id"];

    public override string Name => "cvat";

    public override string Description => "CVAT's XML for images 1.1";

    internal override Keeps Keeps => Keeps.Categories | Keeps.Boxes;

    internal override bool Recognises(FileProbe probe) => probe.Extension == ".xml" && probe.Start.Contains("<annotations", StringComparison.Ordinal);

    internal override AnnotationReader Open(string path, AnnotationReadOptions options) => new PlainReader(Read, path, options);

    internal override AnnotationWriter Create(string path, AnnotationWriteOptions options) => new Writer(path, options, Keeps);

    /// <summary>A text without the characters that XML has no place for.</summary>
    internal static string Printable(string text) => text.All(XmlConvert.IsXmlChar) ? text : string.Concat(text.Select(c => XmlConvert.IsXmlChar(c) ? c : '?'));

    private static IEnumerable<ImageAnnotations> Read(ReadContext context)
    {
        using FileStream stream = InputFile.Open(context.Path);
        using var xml = XmlReader.Create(stream, new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null, IgnoreComments = true, IgnoreWhitespace = true });
        HashSet<long> ids = [];
        while (true)
        {
            ImageAnnotations? image;
            try
            {
                if (!xml.ReadToFollowing("image")) yield break;
                image = ReadImage(xml, context, ids);
            }
            catch (XmlException e)
            {
                throw new AnnotationFormatException($"{context.Path}: not XML as CVAT writes it: {e.Message}", innerException: e);
            }

            yield return image;
        }
    }

    private static ImageAnnotations ReadImage(XmlReader xml, ReadContext context, HashSet<long> ids)
    {
        string name = xml.GetAttribute("name") ?? "";
        string title = $"image \"{name}\"";
        var image = new AnnotationImage
        {
            Id = Integer(xml, "id", title, context, 0),
            FileName = name,
            Width = (int)Integer(xml, "width", title, context, 0),
            Height = (int)Integer(xml, "height", title, context, 0),
        };
        if (!ids.Add(image.Id)) throw Fail(context, $"image id {image.Id} twice; each is expected once");
        if (image.Width == 0 || image.Height == 0)
        {
            (int width, int height) = context.SizeOf(name, context.Path);
            image = image with { Width = width, Height = height };
        }

        List<Annotation> annotations = [];
        if (xml.IsEmptyElement) return new ImageAnnotations(image, annotations);
        int depth = xml.Depth;
        while (xml.Read() && xml.Depth > depth)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            if (xml.NodeType != XmlNodeType.Element || xml.Depth != depth + 1 || xml.Name == "tag") continue;
            annotations.Add(ReadShape(xml, image, $"{xml.Name} {annotations.Count} of {title}", context));
        }

        return new ImageAnnotations(image, annotations);
    }

    private static Annotation ReadShape(XmlReader xml, AnnotationImage image, string title, ReadContext context)
    {
        Dictionary<string, JsonElement>? other = null;
        foreach (string attribute in KeptAttributes)
        {
            if (xml.GetAttribute(attribute) is { } value) (other ??= new(StringComparer.Ordinal))[attribute] = JsonValues.TextElement(value);
        }

        var annotation = new Annotation { ImageId = image.Id, CategoryId = context.Categories.IdOf(xml.GetAttribute("label") ?? "") };
        try
        {
            switch (xml.Name)
            {
                case "mask":
                    int left = (int)Integer(xml, "left", title, context), top = (int)Integer(xml, "top", title, context);
                    int width = (int)Integer(xml, "width", title, context), height = (int)Integer(xml, "height", title, context);
                    if (left < 0 || top < 0 || width <= 0 || height <= 0 || (long)left + width > image.Width || (long)top + height > image.Height)
                        throw Fail(context, $"{title}: the mask of {width}x{height} pixels at {left}, {top} does not lie inside the image of {image.Width}x{image.Height}");
                    RleMask crop = RunLengthText.FromCvat(xml.GetAttribute("rle") ?? throw Fail(context, $"{title} has no rle"), width, height);
                    annotation = annotation with { Mask = crop.Pad(left, top, image.Width - left - width, image.Height - top - height) };
                    break;
                case "polygon":
                    (RleMask mask, IReadOnlyList<double[]>? polygons) = SegmentationJson.DrawPolygons(
                        [Points(xml.GetAttribute("points") ?? "", title, context)], image.Width, image.Height, context.Losses, context.Cancellation);
                    annotation = annotation with { Mask = mask, Polygons = polygons };
                    break;
                case "box":
                    double x0 = Number(xml, "xtl", title, context), y0 = Number(xml, "ytl", title, context);
                    annotation = annotation with { Box = new PixelRectangle(x0, y0, Number(xml, "xbr", title, context) - x0, Number(xml, "ybr", title, context) - y0) };
                    break;
            }
        }
        catch (Exception e) when (e is JsonValueException or RleFormatException)
        {
            throw Fail(context, $"{title}: {(e is RleFormatException rle ? rle.Reason : e.Message)}", e);
        }

        return annotation with { Other = JsonValues.Kept(ReadAttributes(xml, other)) };
    }

    // <attribute name="...">value</attribute> inside of the shape.
    private static Dictionary<string, JsonElement>? ReadAttributes(XmlReader xml, Dictionary<string, JsonElement>? other)
    {
        if (xml.IsEmptyElement) return other;
        int depth = xml.Depth;
        var attributes = new Dictionary<string, string>(StringComparer.Ordinal);
        string? name = null;
        while (xml.Read() && xml.Depth > depth)
        {
            if (xml is { NodeType: XmlNodeType.Element, Name: "attribute" }) attributes[name = xml.GetAttribute("name") ?? ""] = "";
            else if (xml.NodeType is XmlNodeType.Text or XmlNodeType.CDATA && name is not null) attributes[name] += xml.Value;
        }

        if (attributes.Count == 0) return other;
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            foreach ((string key, string value) in attributes) json.WriteString(key, value);
            json.WriteEndObject();
        }

        (other ??= new(StringComparer.Ordinal))["attributes"] = JsonValues.Parse(Encoding.UTF8.GetString(stream.ToArray()));
        return other;
    }

    private static double[] Points(string text, string title, ReadContext context)
    {
        List<double> points = [];
        foreach (string point in text.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            string[] xy = point.Split(',');
            if (xy.Length != 2 || !Parse(xy[0], out double x) || !Parse(xy[1], out double y)) throw Fail(context, $"{title}: the point \"{point}\" is not x,y");
            points.Add(x);
            points.Add(y);
        }

        return [.. points];
    }

    private static bool Parse(string text, out double value) => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value);

    private static long Integer(XmlReader xml, string name, string title, ReadContext context, long? missing = null)
    {
        string? text = xml.GetAttribute(name);
        if (text is null && missing is { } value) return value;
        return int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number) ? number
            : throw Fail(context, $"{title}: {name} is \"{text}\"; a whole number was expected");
    }

    private static double Number(XmlReader xml, string name, string title, ReadContext context) =>
        Parse(xml.GetAttribute(name) ?? "", out double value) && double.IsFinite(value) ? value
            : throw Fail(context, $"{title}: {name} is \"{xml.GetAttribute(name)}\"; a number was expected");

    private static AnnotationFormatException Fail(ReadContext context, string message, Exception? cause = null) => new($"{context.Path}: {message}", innerException: cause);

    private sealed class Writer : AnnotationWriter
    {
        private readonly AtomicFile _file;
        private readonly XmlWriter _xml;
        private readonly AnnotationWriteOptions _options;
        private readonly Keeps _keeps;
        private bool _completed;

        public Writer(string path, AnnotationWriteOptions options, Keeps keeps)
        {
            (_options, _keeps) = (options, keeps);
            _file = new AtomicFile(path);
            _xml = XmlWriter.Create(_file.Stream, new XmlWriterSettings { Indent = true, CloseOutput = false, Encoding = new UTF8Encoding(false) });
            _xml.WriteStartElement("annotations");
            _xml.WriteElementString("version", "1.1");
        }

        public override void Add(ImageAnnotations image, IReadOnlyDictionary<long, AnnotationCategory> categories, CancellationToken cancellationToken = default)
        {
            ArgumentNullException.ThrowIfNull(image);
            if (_completed) throw new InvalidOperationException("The file is complete already.");
            WriteContext.CheckSizes(image);
            var context = new WriteContext(_options, categories, Losses, cancellationToken);
            _xml.WriteStartElement("image");
            _xml.WriteAttributeString("id", image.Image.Id.ToString());
            _xml.WriteAttributeString("name", Printable(image.Image.FileName));
            _xml.WriteAttributeString("width", image.Image.Width.ToString());
            _xml.WriteAttributeString("height", image.Image.Height.ToString());
            Losses.Add("other properties", image.Image.Other.Count);
            foreach (Annotation annotation in image.Annotations)
            {
                if (!context.Count(annotation, _keeps | Keeps.Other)) continue;
                if (annotation.Mask is { IsEmpty: true }) Losses.Add("masks without a pixel");
                else WriteShape(annotation, context);
            }

            _xml.WriteEndElement();
        }

        public override void Complete()
        {
            if (_completed) throw new InvalidOperationException("The file is complete already.");
            _completed = true;
            _xml.WriteEndElement();
            _xml.Dispose();
            _file.Complete();
        }

        private protected override void Dispose(bool disposing)
        {
            if (!_completed) _xml.Dispose();
            _completed = true;
            _file.Dispose();
        }

        private void WriteShape(Annotation annotation, WriteContext context)
        {
            _xml.WriteStartElement(annotation.Mask is null ? "box" : annotation.Polygons is [_] ? "polygon" : "mask");
            _xml.WriteAttributeString("label", context.CategoryOf(annotation) is { Length: > 0 } category ? Printable(category) : "object");
            foreach ((string name, string usual) in (ReadOnlySpan<(string, string)>)[("source", "manual"), ("occluded", "0"), ("z_order", "0"), ("group_id", "")])
            {
                string value = annotation.Other.TryGetValue(name, out JsonElement kept) && kept.ValueKind is JsonValueKind.String or JsonValueKind.Number ? kept.ToString() : usual;
                if (value.Length > 0) _xml.WriteAttributeString(name, Printable(value));
            }

            if (annotation.Mask is not { } mask)
            {
                PixelRectangle box = annotation.Box!.Value;
                Write("xtl", box.X);
                Write("ytl", box.Y);
                Write("xbr", box.X + box.Width);
                Write("ybr", box.Y + box.Height);
            }
            else if (annotation.Polygons is [var polygon])
            {
                var text = new StringBuilder();
                for (int i = 0; i < polygon.Length; i += 2) text.Append(CultureInfo.InvariantCulture, $"{(i == 0 ? "" : ";")}{polygon[i]:R},{polygon[i + 1]:R}");
                _xml.WriteAttributeString("points", text.ToString());
            }
            else
            {
                MaskBox box = mask.BoundingBox;
                _xml.WriteAttributeString("rle", RunLengthText.ToCvat(mask.Crop(box)));
                Write("left", box.X);
                Write("top", box.Y);
                Write("width", box.Width);
                Write("height", box.Height);
            }

            foreach ((string name, JsonElement value) in annotation.Other)
            {
                if (name == "attributes" && value.ValueKind == JsonValueKind.Object)
                {
                    foreach (JsonProperty attribute in value.EnumerateObject()) WriteAttribute(attribute.Name, attribute.Value);
                }
                else if (!KeptAttributes.Contains(name))
                {
                    Losses.Add("other properties");
                }
            }

            _xml.WriteEndElement();

            void Write(string name, double value) => _xml.WriteAttributeString(name, value.ToString("R", CultureInfo.InvariantCulture));
        }

        private void WriteAttribute(string name, JsonElement value)
        {
            _xml.WriteStartElement("attribute");
            _xml.WriteAttributeString("name", Printable(name));
            _xml.WriteString(Printable(value.ToString()));
            _xml.WriteEndElement();
        }
    }
}
