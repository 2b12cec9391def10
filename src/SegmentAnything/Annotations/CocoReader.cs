using SegmentAnything.Annotations;

namespace SegmentAnything;

/// <summary>Reads a COCO instances file, one annotation at a time.</summary>
/// <remarks>
/// Images and categories are kept, annotations are not: memory is that of these lists and the largest annotation,
/// whatever the size of the file. Other properties are passed over.
/// </remarks>
public sealed class CocoReader : IDisposable
{
    private readonly JsonObjectReader _reader;
    private readonly Dictionary<long, CocoImage> _images = [];
    private readonly Dictionary<long, CocoCategory> _categories = [];
    private bool _started;

    private CocoReader(Stream stream) => _reader = new JsonObjectReader(stream);

    /// <summary>The images read so far, by number. All are known when the annotations were read.</summary>
    public IReadOnlyDictionary<long, CocoImage> Images => _images;

    /// <summary>The categories read so far, by number. All are known when the annotations were read.</summary>
    public IReadOnlyDictionary<long, CocoCategory> Categories => _categories;

    /// <summary>Opens a file.</summary>
    /// <param name="path">Its path.</param>
    /// <exception cref="IOException">It cannot be opened.</exception>
    public static CocoReader Open(string path) => new(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1));

    /// <summary>Reads from a stream, which is disposed with the reader.</summary>
    /// <param name="stream">Stands at the start of the JSON.</param>
    public static CocoReader Open(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        return new CocoReader(stream);
    }

    /// <summary>Reads the annotations, in the order of the file. Can be called once.</summary>
    /// <exception cref="AnnotationFormatException">The file is not of this form.</exception>
    /// <exception cref="InvalidOperationException">The annotations were read already.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public IEnumerable<CocoAnnotation> ReadAnnotations()
    {
        if (_started) throw new InvalidOperationException("The annotations can be read once; open the file again.");
        _started = true;
        return Core();

        IEnumerable<CocoAnnotation> Core()
        {
            while (_reader.Read())
            {
                if (!_reader.IsElement) continue;
                switch (_reader.Property)
                {
                    case "annotations":
                        yield return _reader.Deserialize(AnnotationJsonContext.Default.CocoAnnotation);
                        break;
                    case "images":
                        CocoImage image = _reader.Deserialize(AnnotationJsonContext.Default.CocoImage);
                        if (!_images.TryAdd(image.Id, image))
                            throw new AnnotationFormatException($"Two images have the number {image.Id}.", _reader.Position);
                        break;
                    case "categories":
                        CocoCategory category = _reader.Deserialize(AnnotationJsonContext.Default.CocoCategory);
                        if (!_categories.TryAdd(category.Id, category))
                            throw new AnnotationFormatException($"Two categories have the number {category.Id}.", _reader.Position);
                        break;
                }
            }
        }
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _reader.Dispose();
}
