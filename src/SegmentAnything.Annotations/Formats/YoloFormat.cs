using System.Globalization;
using System.Text;
using SegmentAnything.Annotations.Codecs;
using SegmentAnything.Rle;

namespace SegmentAnything.Annotations.Formats;

/// <summary>YOLO's segmentation labels: a text an image, a line an object, its class and one polygon in parts of the image.</summary>
/// <remarks>
/// A line holds one polygon. A mask of several regions or with holes is written as one that goes from contour to contour and back
/// on the same line, which encloses what they enclose.
/// </remarks>
internal sealed class YoloFormat : PerImageFormat
{
    private const string Labels = "labels";

    // What an object without a category is called.
    private const string Nameless = "object";

    public override string Name => "yolo";

    public override string Description => "YOLO segmentation: labels/NAME.txt and data.yaml";

    internal override Keeps Keeps => Keeps.Categories;

    protected override string Extension => ".txt";

    protected override bool RecognisesFile(FileProbe probe)
    {
        if (probe.Extension != ".txt") return false;
        string[] words = probe.Start.Split('\n')[0].Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return words.Length == 0 || (words.Length >= 5 && int.TryParse(words[0], NumberStyles.None, CultureInfo.InvariantCulture, out _));
    }

    protected override string PathOf(string folder, string name) => Path.Combine(folder, Labels, name + Extension);

    protected override IEnumerable<string> FindFiles(string folder)
    {
        string labels = Path.Combine(folder, Labels);
        bool below = Directory.Exists(labels);
        return Directory.EnumerateFiles(below ? labels : folder, "*.txt", below ? SearchOption.AllDirectories : SearchOption.TopDirectoryOnly)
            .Where(f => !Path.GetFileName(f).Equals("classes.txt", StringComparison.OrdinalIgnoreCase)).Order(StringComparer.Ordinal);
    }

    protected override void BeginReading(string folder, ReadContext context)
    {
        foreach (string place in (ReadOnlySpan<string>)[folder, Path.GetDirectoryName(folder) ?? folder])
        {
            string list = Path.Combine(place, "classes.txt");
            string? yaml = File.Exists(list) ? null : new[] { "data.yaml", "dataset.yaml", "data.yml" }.Select(name => Path.Combine(place, name)).FirstOrDefault(File.Exists);
            if (!File.Exists(list) && yaml is null) continue;
            IEnumerable<(long Id, string Name)> names = yaml is not null
                ? YoloNames.Read([.. InputFile.ReadLines(yaml)], yaml)
                : InputFile.ReadLines(list).Where(l => l.Trim().Length > 0).Select((name, i) => ((long)i, name.Trim()));
            foreach ((long id, string name) in names) context.Categories.Add(new AnnotationCategory { Id = id, Name = name });
            return;
        }
    }

    protected override ImageAnnotations ReadFile(string path, ReadContext context)
    {
        string name = Path.GetFileNameWithoutExtension(path);
        (int width, int height) = context.SizeOf(name, path);
        List<Annotation> annotations = [];
        int number = 0;
        foreach (string line in InputFile.ReadLines(path))
        {
            context.Cancellation.ThrowIfCancellationRequested();
            number++;
            string[] words = line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            if (words.Length == 0) continue;
            // Some tools write the class with a point.
            if (!TryNumber(words[0], out double label) || label != Math.Floor(label) || label is < 0 or > int.MaxValue)
                throw Fail($"the class is \"{Shorten(words[0])}\"; a whole number from 0 was expected");
            double[] values = new double[words.Length - 1];
            for (int i = 0; i < values.Length; i++)
            {
                if (!TryNumber(words[i + 1], out values[i]) || !double.IsFinite(values[i])) throw Fail($"\"{Shorten(words[i + 1])}\" is no number");
                const double Over = 2; // a little outside is usual, pixels instead of parts are a mistake
                if (values[i] is < -Over or > Over) throw Fail($"{words[i + 1]} is no part of the image's width or height; 0 to 1 was expected");
            }

            context.Categories.Add(new AnnotationCategory { Id = (long)label, Name = ((long)label).ToString(CultureInfo.InvariantCulture) });
            annotations.Add(values.Length switch
            {
                4 or 5 => new Annotation
                {
                    CategoryId = (long)label,
                    Box = new PixelRectangle((values[0] - (values[2] / 2)) * width, (values[1] - (values[3] / 2)) * height, values[2] * width, values[3] * height),
                    Score = values.Length == 5 ? values[4] : null,
                },
                >= 6 => ReadPolygon(values, (long)label),
                _ => throw Fail($"{values.Length} numbers follow the class; a polygon of at least three points (6 numbers) or a box (4) was expected"),
            });
        }

        return new ImageAnnotations(new AnnotationImage { FileName = name, Width = width, Height = height }, annotations);

        Annotation ReadPolygon(double[] values, long label)
        {
            int coordinates = values.Length - (values.Length % 2);
            double[] polygon = new double[coordinates];
            for (int i = 0; i < coordinates; i++) polygon[i] = values[i] * (i % 2 == 0 ? width : height);
            RleMask mask;
            try
            {
                mask = RleMask.FromPolygon(polygon, width, height, context.Cancellation);
            }
            catch (RleFormatException e)
            {
                throw Fail(e.Reason);
            }

            return new Annotation { CategoryId = label, Mask = mask, Polygons = [polygon], Score = coordinates < values.Length ? values[^1] : null };
        }

        AnnotationFormatException Fail(string message) => new($"{path}: line {number}: {message}");
    }

    protected override void WriteFile(string path, ImageAnnotations image, WriteContext context)
    {
        var text = new StringBuilder();
        foreach (Annotation annotation in image.Annotations)
        {
            if (!context.Count(annotation, Keeps)) continue;
            RleMask mask = annotation.Mask!;
            if (mask.IsEmpty)
            {
                context.Losses.Add("masks without a pixel");
                continue;
            }

            double[] polygon;
            if (annotation.Polygons is [var only])
            {
                polygon = only;
            }
            else
            {
                SimplifiedMask simple = PolygonSimplification.Simplify(mask, context.Options.PolygonTolerance, context.Cancellation);
                context.Losses.AddLossOf(simple);
                polygon = Join(simple.Polygons);
            }

            string category = context.CategoryOf(annotation);
            if (category.Length == 0) category = Nameless;
            int label = context.ClassNames.IndexOf(category);
            if (label < 0)
            {
                label = context.ClassNames.Count;
                context.ClassNames.Add(category);
            }

            text.Append(label);
            for (int i = 0; i < polygon.Length; i++)
                text.Append(' ').Append((polygon[i] / (i % 2 == 0 ? mask.Width : mask.Height)).ToString("0.#########", CultureInfo.InvariantCulture));
            text.Append('\n');
        }

        AtomicFile.Write(path, Encoding.UTF8.GetBytes(text.ToString()));
    }

    protected override void EndWriting(string folder, IReadOnlyList<string> classNames)
    {
        var yaml = new StringBuilder("path: .\ntrain: images\nval: images\nnames:\n");
        for (int i = 0; i < classNames.Count; i++) yaml.Append("  ").Append(i).Append(": ").Append(YoloNames.Quote(classNames[i])).Append('\n');
        AtomicFile.Write(Path.Combine(folder, "data.yaml"), Encoding.UTF8.GetBytes(yaml.ToString()));
    }

    /// <summary>One closed line through all contours; it goes back on itself between them, so nothing is enclosed there.</summary>
    internal static double[] Join(IReadOnlyList<MaskPolygon> contours)
    {
        if (contours.Count == 1) return contours[0].ToArray();
        ReadOnlySpan<double> first = contours[0].Coordinates;
        List<double> joined = [.. first, first[0], first[1]];
        foreach (MaskPolygon contour in contours.Skip(1))
        {
            ReadOnlySpan<double> points = contour.Coordinates;
            // The nearest point makes the shortest way, which some programs draw a pixel wide.
            int near = 0;
            for (int i = 2; i < points.Length; i += 2)
            {
                if (Distance(points, i) < Distance(points, near)) near = i;
            }

            joined.AddRange(points[near..]);
            joined.AddRange(points[..near]);
            joined.AddRange(points.Slice(near, 2));
            joined.AddRange(first[..2]);
        }

        return [.. joined];

        double Distance(ReadOnlySpan<double> points, int at)
        {
            double dx = points[at] - contours[0].Coordinates[0], dy = points[at + 1] - contours[0].Coordinates[1];
            return (dx * dx) + (dy * dy);
        }
    }

    private static bool TryNumber(string word, out double value) => double.TryParse(word, NumberStyles.Float, CultureInfo.InvariantCulture, out value);

    private static string Shorten(string word) => word.Length <= 20 ? word : word[..20] + "...";
}
