using System.Text.Json;
using SegmentAnything.Annotations.Json;

namespace SegmentAnything.Annotations;

/// <summary>Reads a COCO instances file, one annotation at a time.</summary>
/// <remarks>
/// Images and categories are kept, annotations are not: memory is that of these lists and the largest annotation,
/// whatever the size of the file. A file that has images after annotations is read twice.
/// </remarks>
public sealed class CocoReader : AnnotationReader
{
    private readonly Stream _stream;
    private readonly long _start;
    private readonly JsonPieceReader _pieces;
    private readonly Dictionary<long, AnnotationImage> _images = [];
    private readonly Dictionary<long, AnnotationCategory> _categories = [];
    private Dictionary<string, JsonElement>? _other;
    private Dictionary<string, List<JsonElement>>? _otherLists;
    private bool _started;
    private bool _imagesKnown;

    private CocoReader(Stream stream, string name)
    {
        _stream = stream;
        _start = stream.CanSeek ? stream.Position : 0;
        _pieces = new JsonPieceReader(stream, name);
    }

    /// <summary>The images by number, as the file has them. All are known when the first annotation is given.</summary>
    public IReadOnlyDictionary<long, AnnotationImage> Images => _images;

    /// <inheritdoc/>
    public override IReadOnlyDictionary<long, AnnotationCategory> Categories => _categories;

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, JsonElement> Other => JsonValues.Kept(_other);

    /// <summary>Opens a file.</summary>
    /// <param name="path">Its path.</param>
    /// <exception cref="IOException">It cannot be opened.</exception>
    public static CocoReader Open(string path) => new(InputFile.Open(path), path);

    /// <summary>Reads from a stream, which is disposed with the reader.</summary>
    /// <param name="stream">Stands at the start of the JSON. Must be seekable where images come after annotations.</param>
    public static CocoReader Open(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        return new CocoReader(stream, "the stream");
    }

    /// <summary>Reads the annotations, in the order of the file. Can be called once, and not together with <see cref="ReadImages"/>.</summary>
    /// <param name="cancellationToken">Looked at between annotations.</param>
    /// <exception cref="AnnotationFormatException">The file is not of this form.</exception>
    /// <exception cref="InvalidOperationException">The annotations were read already.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public IEnumerable<Annotation> ReadAnnotations(CancellationToken cancellationToken = default)
    {
        if (_started) throw new InvalidOperationException("The annotations can be read once; open the file again.");
        _started = true;
        return Core();

        IEnumerable<Annotation> Core()
        {
            bool any = false;
            while (_pieces.Read(cancellationToken))
            {
                switch (_pieces.Property, _pieces.Kind)
                {
                    case ("images" or "annotations" or "categories", PieceKind.Value):
                        throw _pieces.FailExpectedList();
                    case ("images", PieceKind.ListStart):
                        any = true;
                        break;
                    case ("images", _):
                        if (!_imagesKnown) ReadImage(_pieces);
                        break;
                    case ("annotations", PieceKind.Element):
                        // Polygons need the size of their image.
                        if (!_imagesKnown && _images.Count == 0) FindImages(cancellationToken);
                        yield return AnnotationJson.ReadPiece(_pieces, (ref Utf8JsonReader reader) => ReadAnnotation(ref reader, cancellationToken), "annotation");
                        break;
                    case ("annotations" or "categories", PieceKind.ListStart):
                        any = true;
                        break;
                    case ("categories", _):
                        AnnotationCategory category = AnnotationJson.ReadPiece(_pieces, AnnotationJson.ReadCategory, "category");
                        if (!_categories.TryAdd(category.Id, category)) throw FailTwice(_pieces, "category", category.Id);
                        break;
                    default:
                        ReadOther();
                        break;
                }
            }

            if (_pieces.Property.Length == 0 || !any)
                throw _pieces.Fail("the file has neither \"images\" nor \"annotations\": it is not in the form of COCO");
            foreach ((string name, List<JsonElement> list) in _otherLists ?? [])
                (_other ??= new(StringComparer.Ordinal))[name] = JsonValues.Parse($"[{string.Join(',', list.Select(e => e.GetRawText()))}]");
        }
    }

    /// <inheritdoc/>
    /// <remarks>Annotations of an image are anywhere in the file: all masks are kept until it was read.</remarks>
    public override IEnumerable<ImageAnnotations> ReadImages(CancellationToken cancellationToken = default)
    {
        IEnumerable<Annotation> annotations = ReadAnnotations(cancellationToken);
        return Core();

        IEnumerable<ImageAnnotations> Core()
        {
            Dictionary<long, List<Annotation>> ofImage = [];
            foreach (Annotation annotation in annotations)
            {
                if (!ofImage.TryGetValue(annotation.ImageId, out List<Annotation>? list)) ofImage.Add(annotation.ImageId, list = []);
                list.Add(annotation);
            }

            foreach (AnnotationImage image in _images.Values)
                yield return new ImageAnnotations(WithSize(image, ofImage.GetValueOrDefault(image.Id)), ofImage.GetValueOrDefault(image.Id) ?? []);
        }
    }

    // An image without a size has that of its masks.
    internal static AnnotationImage WithSize(AnnotationImage image, List<Annotation>? annotations) =>
        (image.Width == 0 || image.Height == 0) && annotations?.Find(a => a.Mask is not null)?.Mask is { } mask
            ? image with { Width = mask.Width, Height = mask.Height } : image;

    private protected override void Dispose(bool disposing) => _pieces.Dispose();

    private Annotation ReadAnnotation(ref Utf8JsonReader reader, CancellationToken cancellation)
    {
        AnnotationData found = AnnotationJson.ReadAnnotation(ref reader);
        if (found.ImageId is not { } id) throw new JsonValueException("the annotation has no \"image_id\"");
        if (!_images.TryGetValue(id, out AnnotationImage? image)) throw new JsonValueException($"the annotation names image {id}, which is not in the file");
        return found.Finish(id, image.Width, image.Height, inclusiveBox: false, Losses, cancellation);
    }

    private void ReadImage(JsonPieceReader pieces)
    {
        AnnotationImage image = AnnotationJson.ReadPiece(pieces, (ref Utf8JsonReader reader) => AnnotationJson.ReadImage(ref reader, "id", requireId: true), "image");
        if (!_images.TryAdd(image.Id, image)) throw FailTwice(pieces, "image", image.Id);
    }

    private void ReadOther() => AnnotationJson.ReadPiece(_pieces, (ref Utf8JsonReader reader) =>
    {
        if (_pieces.Kind == PieceKind.Value)
        {
            JsonValues.ReadOther(ref reader, _pieces.Property, ref _other);
            return true;
        }

        _otherLists ??= new(StringComparer.Ordinal);
        if (!_otherLists.TryGetValue(_pieces.Property, out List<JsonElement>? list)) _otherLists.Add(_pieces.Property, list = []);
        if (_pieces.Kind == PieceKind.ListStart) return true;
        Dictionary<string, JsonElement>? element = null;
        JsonValues.ReadOther(ref reader, "", ref element);
        list.Add(element![""]);
        return true;
    });

    private void FindImages(CancellationToken cancellationToken)
    {
        if (!_stream.CanSeek) throw _pieces.Fail("images come after annotations, and the stream cannot be read twice; give a file");
        long position = _stream.Position;
        _stream.Position = _start;
        var pieces = new JsonPieceReader(_stream, _pieces.Name);
        while (pieces.Read(cancellationToken))
        {
            if (pieces.Property != "images") continue;
            if (pieces.Kind == PieceKind.Value) throw pieces.FailExpectedList();
            if (pieces.Kind == PieceKind.Element) ReadImage(pieces);
        }

        _imagesKnown = true;
        _stream.Position = position;
    }

    private static AnnotationFormatException FailTwice(JsonPieceReader pieces, string what, long id) =>
        pieces.Fail($"{what} id {id} twice ({pieces.Place}); each is expected once", pieces.Position);
}
