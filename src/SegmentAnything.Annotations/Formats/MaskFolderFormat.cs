using System.Globalization;
using System.Text;
using SegmentAnything.Annotations.Codecs;
using SegmentAnything.Rle;

namespace SegmentAnything.Annotations.Formats;

/// <summary>What the official script writes: a folder an image with a PNG a mask and a table of them, metadata.csv.</summary>
/// <remarks>Source: Segment Anything, scripts/amg.py (write_masks_to_folder).</remarks>
internal sealed class MaskFolderFormat : PerImageFormat
{
    private const string Table = "metadata.csv";

    private const string Header =
        "id,area,bbox_x0,bbox_y0,bbox_w,bbox_h,point_input_x,point_input_y,predicted_iou,stability_score,crop_box_x0,crop_box_y0,crop_box_w,crop_box_h";

    public override string Name => "amg-folder";

    public override string Description => "a folder an image with PNG masks and metadata.csv, as the official script writes them";

    internal override Keeps Keeps => Keeps.ModelScores;

    protected override string Extension => "";

    internal override bool Recognises(FileProbe probe) => probe.IsFolder && FindFiles(probe.Path).Any();

    protected override bool RecognisesFile(FileProbe probe) => false;

    protected override bool IsFile(string path) => false;

    protected override bool WritesFolders => true;

    protected override IEnumerable<string> FindFiles(string folder) =>
        File.Exists(Path.Combine(folder, Table)) ? [folder]
            : Directory.EnumerateDirectories(folder).Where(f => File.Exists(Path.Combine(f, Table))).Order(StringComparer.Ordinal);

    protected override ImageAnnotations ReadFile(string path, ReadContext context)
    {
        string table = Path.Combine(path, Table);
        using var csv = new CsvReader(table);
        string[] header = csv.Read() ?? throw csv.Fail("the table is empty; a line of names was expected");
        int id = CsvReader.Column(header, "id");
        if (id < 0) throw csv.Fail("the table has no column \"id\"");
        List<Annotation> annotations = [];
        int width = 0, height = 0;
        while (csv.Read() is { } row)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            if (row.Length != header.Length) throw csv.Fail($"{row.Length} values; {header.Length} were expected, as there are names");
            if (!int.TryParse(row[id], NumberStyles.None, CultureInfo.InvariantCulture, out int number)) throw csv.Fail($"the id \"{row[id]}\" is no whole number");
            string file = Path.Combine(path, $"{number}.png");
            if (!File.Exists(file)) throw csv.Fail($"the mask {number}.png is not there");
            RleMask mask = LabelPixels.ReadMask(InputFile.ReadAllBytes(file), file);
            if (width == 0) (width, height) = (mask.Width, mask.Height);
            if (mask.Width != width || mask.Height != height) throw new AnnotationFormatException($"{file}: the mask has {mask.Width}x{mask.Height} pixels, others of the image {width}x{height}");
            double? x = Number("point_input_x"), y = Number("point_input_y");
            annotations.Add(new Annotation
            {
                Id = number,
                Mask = mask,
                Area = Number("area"),
                Box = Rectangle("bbox", mask.IsEmpty ? 0 : 1),
                PredictedIou = Number("predicted_iou"),
                StabilityScore = Number("stability_score"),
                Points = x is { } px && y is { } py ? [new MaskPoint(px, py)] : [],
                CropBox = Rectangle("crop_box", 0),
            });

            double? Number(string name)
            {
                int column = CsvReader.Column(header, name);
                if (column < 0 || row[column].Length == 0) return null;
                if (!double.TryParse(row[column], NumberStyles.Float, CultureInfo.InvariantCulture, out double value)) throw csv.Fail($"{name} is \"{row[column]}\", a number was expected");
                return double.IsFinite(value) ? value : null;
            }

            // The script's boxes leave out the last column and row.
            PixelRectangle? Rectangle(string name, int more) =>
                (Number(name + "_x0"), Number(name + "_y0"), Number(name + "_w"), Number(name + "_h")) is ({ } left, { } top, { } w, { } h)
                    ? new PixelRectangle(left, top, w + more, h + more) : null;
        }

        return new ImageAnnotations(
            new AnnotationImage { FileName = Path.GetFileName(Path.GetFullPath(path).TrimEnd(Path.DirectorySeparatorChar)), Width = width, Height = height }, annotations);
    }

    protected override void WriteFile(string path, ImageAnnotations image, WriteContext context)
    {
        Directory.CreateDirectory(path);
        var table = new StringBuilder(Header);
        int number = 0;
        foreach (Annotation annotation in image.Annotations)
        {
            if (!context.Count(annotation, Keeps)) continue;
            Json.AnnotationJson.CheckFinite(annotation);
            if (annotation.Points.Count > 1) context.Losses.Add("points beyond the first", annotation.Points.Count - 1);
            using (var file = new AtomicFile(Path.Combine(path, $"{number}.png")))
            {
                LabelPixels.WriteMask(annotation.Mask!, 255, file.Stream);
                file.Complete();
            }

            PixelRectangle box = Sa1bWriter.Inclusive(annotation);
            table.Append('\n').Append(number).Append(',').Append(Whole(annotation.AreaOrMaskArea));
            foreach (double value in (ReadOnlySpan<double>)[box.X, box.Y, box.Width, box.Height]) table.Append(',').Append(Whole(value));
            table.Append(',').Append(annotation.Points is [var p, ..] ? Fraction(p.X) : "").Append(',').Append(annotation.Points is [var q, ..] ? Fraction(q.Y) : "");
            table.Append(',').Append(Fraction(annotation.PredictedIou)).Append(',').Append(Fraction(annotation.StabilityScore));
            PixelRectangle? crop = annotation.CropBox;
            foreach (double? value in (ReadOnlySpan<double?>)[crop?.X, crop?.Y, crop?.Width, crop?.Height]) table.Append(',').Append(value is { } known ? Whole(known) : "");
            number++;
        }

        AtomicFile.Write(Path.Combine(path, Table), Encoding.UTF8.GetBytes(table.ToString()));
    }

    // As Python writes whole and other numbers.
    private static string Whole(double value) => value == Math.Floor(value) ? value.ToString("F0", CultureInfo.InvariantCulture) : Fraction(value);

    private static string Fraction(double? value)
    {
        if (value is not { } known) return "";
        string text = known.ToString("R", CultureInfo.InvariantCulture).Replace('E', 'e');
        return text.Contains('.') || text.Contains('e') ? text : text + ".0";
    }
}
