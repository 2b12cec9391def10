using System.Collections.ObjectModel;
using System.Text.Json;
using SegmentAnything.Annotations.Json;

namespace SegmentAnything.Annotations;

/// <summary>Reads a file in the form of the SA-1B data set, one annotation at a time.</summary>
/// <remarks>
/// Memory is that of the largest annotation, whatever the size of the file. A file that has its image after the annotations is
/// read twice.
/// </remarks>
public sealed class Sa1bReader : AnnotationReader
{
    private readonly Stream _stream;
    private readonly long _start;
    private readonly JsonPieceReader _pieces;
    private Dictionary<string, JsonElement>? _other;
    private bool _started;

    private Sa1bReader(Stream stream, string name)
    {
        _stream = stream;
        _start = stream.CanSeek ? stream.Position : 0;
        _pieces = new JsonPieceReader(stream, name);
    }

    /// <summary>The image; null until it was read, which is before the first annotation is given.</summary>
    public AnnotationImage? Image { get; private set; }

    /// <summary>None: SA-1B has no categories.</summary>
    public override IReadOnlyDictionary<long, AnnotationCategory> Categories => ReadOnlyDictionary<long, AnnotationCategory>.Empty;

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, JsonElement> Other => JsonValues.Kept(_other);

    /// <summary>Opens a file.</summary>
    /// <param name="path">Its path.</param>
    /// <exception cref="IOException">It cannot be opened.</exception>
    public static Sa1bReader Open(string path) => new(InputFile.Open(path), path);

    /// <summary>Reads from a stream, which is disposed with the reader.</summary>
    /// <param name="stream">Stands at the start of the JSON. Must be seekable where the image comes after the annotations.</param>
    public static Sa1bReader Open(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        return new Sa1bReader(stream, "the stream");
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
            while (_pieces.Read(cancellationToken))
            {
                switch (_pieces.Property, _pieces.Kind)
                {
                    case ("image", _):
                        ReadImage(_pieces);
                        break;
                    case ("annotations", PieceKind.Element):
                        if (Image is null) FindImage(cancellationToken);
                        yield return AnnotationJson.ReadPiece(_pieces, (ref Utf8JsonReader reader) => ReadAnnotation(ref reader, cancellationToken), "annotation");
                        break;
                    case ("annotations", PieceKind.Value):
                        throw _pieces.FailExpectedList();
                    case (not "annotations", PieceKind.Value):
                        AnnotationJson.ReadPiece(_pieces, (ref Utf8JsonReader reader) =>
                        {
                            JsonValues.ReadOther(ref reader, _pieces.Property, ref _other);
                            return true;
                        });
                        break;
                }
            }

            if (Image is null) throw FailNoImage();
        }
    }

    /// <inheritdoc/>
    public override IEnumerable<ImageAnnotations> ReadImages(CancellationToken cancellationToken = default)
    {
        IEnumerable<Annotation> annotations = ReadAnnotations(cancellationToken);
        return Core();

        IEnumerable<ImageAnnotations> Core()
        {
            Annotation[] all = [.. annotations];
            yield return new ImageAnnotations(Image!, all);
        }
    }

    private protected override void Dispose(bool disposing) => _pieces.Dispose();

    private Annotation ReadAnnotation(ref Utf8JsonReader reader, CancellationToken cancellation) =>
        AnnotationJson.ReadAnnotation(ref reader).Finish(Image!.Id, Image.Width, Image.Height, inclusiveBox: true, Losses, cancellation);

    private void ReadImage(JsonPieceReader pieces)
    {
        if (pieces.Kind != PieceKind.Value) throw pieces.Fail("\"image\" is a list; the one image of the file was expected, an object", pieces.Position);
        Image = AnnotationJson.ReadPiece(pieces, (ref Utf8JsonReader reader) => AnnotationJson.ReadImage(ref reader, "image_id", requireId: false));
    }

    // The masks' size is compared with the image's, which comes later.
    private void FindImage(CancellationToken cancellationToken)
    {
        if (!_stream.CanSeek) throw _pieces.Fail("the image comes after the annotations, and the stream cannot be read twice; give a file");
        long position = _stream.Position;
        _stream.Position = _start;
        var pieces = new JsonPieceReader(_stream, _pieces.Name);
        while (Image is null && pieces.Read(cancellationToken))
        {
            if (pieces.Property == "image") ReadImage(pieces);
        }

        if (Image is null) throw FailNoImage();
        _stream.Position = position;
    }

    private AnnotationFormatException FailNoImage() => _pieces.Fail("the file has no \"image\": it is not in the form of the SA-1B data set");
}
