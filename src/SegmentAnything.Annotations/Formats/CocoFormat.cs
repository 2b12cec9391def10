using System.Text.Json;
using SegmentAnything.Annotations.Json;

namespace SegmentAnything.Annotations.Formats;

/// <summary>COCO instances; the masks as run lengths, or as polygons where they have no holes.</summary>
internal sealed class CocoFormat(bool polygons) : AnnotationFormat
{
    public override string Name => polygons ? "coco-polygons" : "coco";

    public override string Description => polygons ? "the same with polygons for masks without holes" : "COCO instances: many images, their objects, categories";

    public override bool CanRead => !polygons;

    internal override Keeps Keeps => Keeps.Categories | Keeps.Score | Keeps.ModelScores | Keeps.Crowds | Keeps.Boxes | Keeps.Other | Keeps.File;

    internal override bool Recognises(FileProbe probe) => probe.Has("images") || probe.Has("categories");

    internal override AnnotationReader Open(string path, AnnotationReadOptions options) => CocoReader.Open(path);

    internal override AnnotationWriter Create(string path, AnnotationWriteOptions options) => new Writer(path, options, polygons);

    private sealed class Writer(string path, AnnotationWriteOptions options, bool polygons) : AnnotationWriter
    {
        private readonly CocoWriter _writer = CocoWriter.Create(
            path, [], new CocoWriterOptions { Other = options.Other, Polygons = polygons, PolygonTolerance = options.PolygonTolerance });
        private readonly Dictionary<long, AnnotationCategory> _categories = [];
        private long? _object;

        public override void Add(ImageAnnotations image, IReadOnlyDictionary<long, AnnotationCategory> categories, CancellationToken cancellationToken = default)
        {
            ArgumentNullException.ThrowIfNull(image);
            ArgumentNullException.ThrowIfNull(categories);
            var context = new WriteContext(options, categories, Losses, cancellationToken);
            _writer.Add(image.Image);
            foreach (Annotation annotation in image.Annotations)
            {
                // COCO also has annotations that are not segmented at all, such as captions.
                cancellationToken.ThrowIfCancellationRequested();
                long category = annotation.CategoryId is { } id ? Known(id, context) : Object(context);
                bool renumber = annotation.Id is { } number && _writer.HasAnnotation(number);
                if (renumber) Losses.Add("annotation numbers that were there before, replaced");
                _writer.Add(annotation with { CategoryId = category, Id = renumber ? null : annotation.Id });
            }
        }

        public override void Complete()
        {
            _writer.Complete();
            Losses.Add(_writer.Losses);
        }

        private protected override void Dispose(bool disposing) => _writer.Dispose();

        private long Known(long id, WriteContext context)
        {
            if (_categories.ContainsKey(id)) return id;
            if (!context.Categories.TryGetValue(id, out AnnotationCategory? category))
            {
                category = new AnnotationCategory { Id = id, Name = $"category {id}" };
                Losses.Add("categories without a name");
            }

            _categories.Add(id, category);
            _writer.Add(category);
            return id;
        }

        // For objects that are of no category, as everything SAM finds is.
        private long Object(WriteContext context)
        {
            if (_object is { } known) return known;
            long id = 1;
            while (_categories.ContainsKey(id) || context.Categories.ContainsKey(id)) id++;
            _object = id;
            return Known(id, context with { Categories = new Dictionary<long, AnnotationCategory> { [id] = new() { Id = id, Name = "object" } } });
        }
    }
}

/// <summary>COCO's results: a list of detections, without images and categories.</summary>
internal sealed class CocoResultsFormat : AnnotationFormat
{
    public override string Name => "coco-results";

    public override string Description => "COCO results: a list of masks or boxes with scores";

    internal override Keeps Keeps => Keeps.Score | Keeps.ModelScores | Keeps.Crowds | Keeps.Boxes | Keeps.Other;

    internal override bool Recognises(FileProbe probe) => probe.IsJsonList && (probe.IsEmptyList || probe.ElementHas("image_id"));

    internal override AnnotationReader Open(string path, AnnotationReadOptions options) => new PlainReader(Read, path, options);

    internal override AnnotationWriter Create(string path, AnnotationWriteOptions options) => new Writer(path, options, Keeps);

    private static IEnumerable<ImageAnnotations> Read(ReadContext context)
    {
        // Sizes are those of the masks: a list may have boxes of an image before its masks.
        Dictionary<long, List<Annotation>> ofImage = [];
        using (var pieces = JsonPieceReader.Open(context.Path))
        {
            while (pieces.Read(context.Cancellation))
            {
                if (pieces.Property.Length > 0) throw pieces.Fail("the file is an object; a list of results was expected", 0);
                if (pieces.Kind != PieceKind.Element) continue;
                Annotation annotation = AnnotationJson.ReadPiece(pieces, (ref Utf8JsonReader reader) =>
                {
                    AnnotationData found = AnnotationJson.ReadAnnotation(ref reader);
                    long image = found.ImageId ?? throw new JsonValueException("the result has no \"image_id\"");
                    return found.Finish(image, 0, 0, inclusiveBox: false, context.Losses, context.Cancellation);
                }, "annotation");
                if (!ofImage.TryGetValue(annotation.ImageId, out List<Annotation>? list)) ofImage.Add(annotation.ImageId, list = []);
                if (annotation.Mask is { } mask && list.Find(a => a.Mask is not null)?.Mask is { } first && (mask.Width != first.Width || mask.Height != first.Height))
                    throw pieces.Fail($"{pieces.Place}: the mask has {mask.Width}x{mask.Height} pixels, another of image {annotation.ImageId} {first.Width}x{first.Height}", pieces.Position);
                list.Add(annotation);
            }
        }

        foreach ((long id, List<Annotation> list) in ofImage)
            yield return new ImageAnnotations(CocoReader.WithSize(new AnnotationImage { Id = id }, list), list);
    }

    private sealed class Writer(string path, AnnotationWriteOptions options, Keeps keeps) : AnnotationWriter
    {
        private readonly AtomicJsonFile _file = Begin(path);

        public override void Add(ImageAnnotations image, IReadOnlyDictionary<long, AnnotationCategory> categories, CancellationToken cancellationToken = default)
        {
            ArgumentNullException.ThrowIfNull(image);
            _file.CheckOpen();
            var context = new WriteContext(options, categories, Losses, cancellationToken);
            if (image.Image.FileName.Length > 0) Losses.Add("names of images");
            foreach (Annotation annotation in image.Annotations)
            {
                if (!context.Count(annotation, keeps)) continue;
                AnnotationJson.CheckFinite(annotation);
                WriteContext.CheckSize(annotation, annotation.Mask is null || image.Image.Width > 0 ? image.Image : image.Image with { Width = annotation.Mask.Width, Height = annotation.Mask.Height });
                Utf8JsonWriter json = _file.Json;
                json.WriteStartObject();
                if (annotation.Id is { } id) json.WriteNumber("id"u8, id);
                json.WriteNumber("image_id"u8, image.Image.Id);
                json.WriteNumber("category_id"u8, annotation.CategoryId ?? 1);
                if (annotation.Mask is { } mask)
                {
                    json.WritePropertyName("segmentation"u8);
                    SegmentationJson.Write(json, mask);
                }

                AnnotationJson.WriteRectangle(json, "bbox", annotation.BoxOrMaskBox);
                // Evaluation sorts by it; what has no score is as certain as its model thinks, or certain.
                json.WriteNumber("score"u8, annotation.Score ?? annotation.PredictedIou ?? 1);
                if (annotation.IsCrowd) json.WriteNumber("iscrowd"u8, 1);
                AnnotationJson.WriteKnown(json, annotation with { Score = null }, withScores: true);
                JsonValues.WriteOther(json, annotation.Other);
                json.WriteEndObject();
                _file.FlushIfLarge();
            }
        }

        public override void Complete()
        {
            _file.CheckOpen();
            _file.Json.WriteEndArray();
            _file.Complete();
        }

        private protected override void Dispose(bool disposing) => _file.Dispose();

        private static AtomicJsonFile Begin(string path)
        {
            var file = new AtomicJsonFile(path);
            file.Json.WriteStartArray();
            return file;
        }
    }
}
