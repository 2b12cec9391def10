using System.Text;
using SegmentAnything.Annotations.Codecs;
using SegmentAnything.Rle;

namespace SegmentAnything.Annotations.Formats;

/// <summary>Kaggle's tables: a row a mask, the image's name and pairs of start and length.</summary>
internal sealed class KaggleFormat : AnnotationFormat
{
    private static readonly string[] Names = ["ImageId", "Image_Id", "id", "image", "img"];
    private static readonly string[] Masks = ["EncodedPixels", "annotation", "rle", "rle_mask", "predicted", "encoding"];

    public override string Name => "kaggle";

    public override string Description => "a CSV table with Kaggle's run lengths: ImageId,EncodedPixels";

    internal override Keeps Keeps => Keeps.Masks;

    internal override bool Recognises(FileProbe probe)
    {
        if (probe.Extension != ".csv") return false;
        string[] header = probe.Start.Split('\n')[0].Trim().Split(',');
        return Names.Any(n => header.Contains(n, StringComparer.OrdinalIgnoreCase)) && Masks.Any(m => header.Contains(m, StringComparer.OrdinalIgnoreCase));
    }

    internal override AnnotationReader Open(string path, AnnotationReadOptions options) => new PlainReader(Read, path, options);

    internal override AnnotationWriter Create(string path, AnnotationWriteOptions options) => new Writer(path, options, Keeps);

    private static IEnumerable<ImageAnnotations> Read(ReadContext context)
    {
        Dictionary<string, (AnnotationImage Image, List<Annotation> Annotations)> images = new(StringComparer.Ordinal);
        using (var csv = new CsvReader(context.Path))
        {
            string[] header = csv.Read() ?? throw csv.Fail("the table is empty; a line of names was expected");
            int name = CsvReader.Column(header, Names), mask = CsvReader.Column(header, Masks), width = CsvReader.Column(header, "width"), height = CsvReader.Column(header, "height");
            if (name < 0 || mask < 0) throw csv.Fail($"the columns are {string.Join(", ", header)}; ImageId and EncodedPixels were expected");
            while (csv.Read() is { } row)
            {
                context.Cancellation.ThrowIfCancellationRequested();
                if (row.Length != header.Length) throw csv.Fail($"{row.Length} values; {header.Length} were expected, as there are names");
                if (!images.TryGetValue(row[name], out (AnnotationImage Image, List<Annotation> Annotations) image))
                {
                    (int Width, int Height) size = width >= 0 && height >= 0 && int.TryParse(row[width], out int w) && int.TryParse(row[height], out int h) && w > 0 && h > 0
                        ? (w, h) : context.SizeOf(row[name], context.Path);
                    image = (new AnnotationImage { Id = images.Count + 1, FileName = row[name], Width = size.Width, Height = size.Height }, []);
                    images.Add(row[name], image);
                }

                // An image without a mask has a row as well, with nothing or -1 in it.
                string pairs = row[mask].Trim();
                if (pairs.Length == 0 || pairs == "-1") continue;
                try
                {
                    image.Annotations.Add(new Annotation { ImageId = image.Image.Id, Mask = RunLengthText.FromKaggle(pairs, image.Image.Width, image.Image.Height) });
                }
                catch (RleFormatException e)
                {
                    throw csv.Fail($"the mask of {row[name]}: {e.Reason}");
                }
            }
        }

        foreach ((AnnotationImage image, List<Annotation> annotations) in images.Values) yield return new ImageAnnotations(image, annotations);
    }

    private sealed class Writer : AnnotationWriter
    {
        private readonly AtomicFile _file;
        private readonly StreamWriter _text;
        private readonly AnnotationWriteOptions _options;
        private readonly Keeps _keeps;
        private bool _completed;

        public Writer(string path, AnnotationWriteOptions options, Keeps keeps)
        {
            (_options, _keeps) = (options, keeps);
            _file = new AtomicFile(path);
            _text = new StreamWriter(_file.Stream, new UTF8Encoding(false), leaveOpen: true) { NewLine = "\n" };
            _text.WriteLine("ImageId,EncodedPixels");
        }

        public override void Add(ImageAnnotations image, IReadOnlyDictionary<long, AnnotationCategory> categories, CancellationToken cancellationToken = default)
        {
            ArgumentNullException.ThrowIfNull(image);
            if (_completed) throw new InvalidOperationException("The file is complete already.");
            WriteContext.CheckSizes(image);
            var context = new WriteContext(_options, categories, Losses, cancellationToken);
            string name = CsvReader.Quote(image.Image.FileName.Length > 0 ? image.Image.FileName : image.Image.Id.ToString());
            int written = 0;
            foreach (Annotation annotation in image.Annotations)
            {
                if (!context.Count(annotation, _keeps)) continue;
                if (annotation.Mask!.IsEmpty)
                {
                    Losses.Add("masks without a pixel");
                    continue;
                }

                _text.WriteLine($"{name},{RunLengthText.ToKaggle(annotation.Mask)}");
                written++;
            }

            if (written == 0) _text.WriteLine($"{name},");
        }

        public override void Complete()
        {
            if (_completed) throw new InvalidOperationException("The file is complete already.");
            _completed = true;
            _text.Dispose();
            _file.Complete();
        }

        private protected override void Dispose(bool disposing)
        {
            if (!_completed) _text.Dispose();
            _completed = true;
            _file.Dispose();
        }
    }
}
