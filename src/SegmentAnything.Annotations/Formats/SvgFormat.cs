using System.Globalization;
using System.Text;
using System.Xml;
using SegmentAnything.Rle;

namespace SegmentAnything.Annotations.Formats;

/// <summary>SVG: a path a mask, over a picture of the image's size.</summary>
internal sealed class SvgFormat : PerImageFormat
{
    public override string Name => "svg";

    public override string Description => "an SVG an image, a path a mask";

    public override bool CanRead => false;

    internal override Keeps Keeps => Keeps.Categories;

    protected override string Extension => ".svg";

    protected override bool RecognisesFile(FileProbe probe) => false;

    protected override ImageAnnotations ReadFile(string path, ReadContext context) => throw new NotSupportedException();

    protected override void WriteFile(string path, ImageAnnotations image, WriteContext context)
    {
        using var file = new AtomicFile(path);
        using (var xml = XmlWriter.Create(file.Stream, new XmlWriterSettings { Indent = true, CloseOutput = false, Encoding = new UTF8Encoding(false) }))
        {
            xml.WriteStartElement("svg", "http://www.w3.org/2000/svg");
            xml.WriteAttributeString("viewBox", string.Create(CultureInfo.InvariantCulture, $"0 0 {image.Image.Width} {image.Image.Height}"));
            xml.WriteAttributeString("width", image.Image.Width.ToString());
            xml.WriteAttributeString("height", image.Image.Height.ToString());
            if (image.Image.FileName.Length > 0) xml.WriteElementString("title", CvatFormat.Printable(image.Image.FileName));
            foreach (Annotation annotation in image.Annotations)
            {
                if (!context.Count(annotation, Keeps)) continue;
                RleMask mask = annotation.Mask!;
                xml.WriteStartElement("path");
                if (annotation.Id is { } id) xml.WriteAttributeString("id", $"annotation-{id}");
                if (context.CategoryOf(annotation) is { Length: > 0 } category) xml.WriteAttributeString("data-category", CvatFormat.Printable(category));
                // The golden angle: neighbours in the list have colours that lie apart.
                double hue = (annotation.Id ?? 0) * 137.508 % 360;
                xml.WriteAttributeString("fill", string.Create(CultureInfo.InvariantCulture, $"hsl({hue:F0},80%,55%)"));
                xml.WriteAttributeString("fill-opacity", "0.5");
                xml.WriteAttributeString("fill-rule", "evenodd");
                xml.WriteAttributeString("d", Path(mask, context));
                xml.WriteEndElement();
            }

            xml.WriteEndElement();
        }

        file.Complete();
    }

    private static string Path(RleMask mask, WriteContext context)
    {
        if (context.Options.PolygonTolerance == 0) return mask.ToSvgPath();
        SimplifiedMask simple = PolygonSimplification.Simplify(mask, context.Options.PolygonTolerance, context.Cancellation);
        context.Losses.AddLossOf(simple);
        var path = new StringBuilder();
        foreach (MaskPolygon polygon in simple.Polygons)
        {
            ReadOnlySpan<double> points = polygon.Coordinates;
            for (int i = 0; i < points.Length; i += 2) path.Append(CultureInfo.InvariantCulture, $"{(i == 0 ? 'M' : 'L')}{points[i]} {points[i + 1]}");
            path.Append('Z');
        }

        return path.ToString();
    }
}
