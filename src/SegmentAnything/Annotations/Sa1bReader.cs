using SegmentAnything.Annotations;

namespace SegmentAnything;

/// <summary>Reads a file in the form of the SA-1B data set, one annotation at a time.</summary>
/// <remarks>Memory is that of the largest annotation, whatever the size of the file. Other properties are passed over.</remarks>
public sealed class Sa1bReader : IDisposable
{
    private readonly JsonObjectReader _reader;
    private bool _started;

    private Sa1bReader(Stream stream) => _reader = new JsonObjectReader(stream);

    /// <summary>
    /// The image; null until it was read. Files of the data set have it before the annotations; where it comes after
    /// them, it is known when they were all read.
    /// </summary>
    public Sa1bImage? Image { get; private set; }

    /// <summary>Opens a file.</summary>
    /// <param name="path">Its path.</param>
    /// <exception cref="IOException">It cannot be opened.</exception>
    public static Sa1bReader Open(string path) => new(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1));

    /// <summary>Reads from a stream, which is disposed with the reader.</summary>
    /// <param name="stream">Stands at the start of the JSON.</param>
    public static Sa1bReader Open(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        return new Sa1bReader(stream);
    }

    /// <summary>Reads the annotations, in the order of the file. Can be called once.</summary>
    /// <exception cref="AnnotationFormatException">The file is not of this form.</exception>
    /// <exception cref="InvalidOperationException">The annotations were read already.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public IEnumerable<Sa1bAnnotation> ReadAnnotations()
    {
        if (_started) throw new InvalidOperationException("The annotations can be read once; open the file again.");
        _started = true;
        return Core();

        IEnumerable<Sa1bAnnotation> Core()
        {
            while (_reader.Read())
            {
                if (_reader.IsElement && _reader.Property == "annotations")
                    yield return _reader.Deserialize(AnnotationJsonContext.Default.Sa1bAnnotation);
                else if (!_reader.IsElement && _reader.Property == "image")
                    Image = _reader.Deserialize(AnnotationJsonContext.Default.Sa1bImage);
            }

            if (Image is null)
                throw new AnnotationFormatException("The file has no \"image\": it is not in the form of the SA-1B data set.");
        }
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _reader.Dispose();
}
