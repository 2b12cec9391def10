using System.Text.Json;
using SegmentAnything.Annotations;

namespace SegmentAnything;

/// <summary>Writes a COCO instances file.</summary>
/// <remarks>
/// Annotations are written as they are added; images, of which the file has a list too, are remembered until the end.
/// A file appears under its name when <see cref="Complete"/> is called; disposed before, it leaves nothing behind.
/// Source: the COCO data format.
/// </remarks>
public sealed class CocoWriter : IDisposable
{
    private readonly AtomicJsonFile _file;
    private readonly Dictionary<long, CocoImage> _images = [];

    private CocoWriter(AtomicJsonFile file, IEnumerable<CocoCategory> categories)
    {
        _file = file;
        file.Json.WriteStartObject();
        file.Json.WriteStartArray("categories"u8);
        foreach (CocoCategory category in categories)
            JsonSerializer.Serialize(file.Json, category, AnnotationJsonContext.Default.CocoCategory);
        file.Json.WriteEndArray();
        file.Json.WriteStartArray("annotations"u8);
    }

    /// <summary>Starts a file.</summary>
    /// <param name="path">Its path; a file that is there is replaced when this one is complete.</param>
    /// <param name="categories">The categories that annotations refer to.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static CocoWriter Create(string path, IEnumerable<CocoCategory> categories)
    {
        ArgumentNullException.ThrowIfNull(categories);
        return new CocoWriter(new AtomicJsonFile(path), categories);
    }

    /// <summary>Starts to write to a stream, which stays open.</summary>
    /// <param name="stream">Where to.</param>
    /// <param name="categories">The categories that annotations refer to.</param>
    public static CocoWriter Create(Stream stream, IEnumerable<CocoCategory> categories)
    {
        ArgumentNullException.ThrowIfNull(categories);
        return new CocoWriter(new AtomicJsonFile(stream), categories);
    }

    /// <summary>Adds an image.</summary>
    /// <param name="image">The image.</param>
    /// <exception cref="ArgumentException">There is an image of this number.</exception>
    public void Add(CocoImage image)
    {
        ArgumentNullException.ThrowIfNull(image);
        if (!_images.TryAdd(image.Id, image)) throw new ArgumentException($"There is an image of number {image.Id} already.", nameof(image));
    }

    /// <summary>Adds an object.</summary>
    /// <param name="annotation">The object; its image was added before.</param>
    /// <exception cref="ArgumentException">There is no image of this number, or it has another size than the mask.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Add(CocoAnnotation annotation)
    {
        ArgumentNullException.ThrowIfNull(annotation);
        if (!_images.TryGetValue(annotation.ImageId, out CocoImage? image))
            throw new ArgumentException($"There is no image of number {annotation.ImageId}; add it before its objects.", nameof(annotation));
        if (annotation.Segmentation.Mask is { } mask && (mask.Width != image.Width || mask.Height != image.Height))
        {
            throw new ArgumentException(
                $"The mask has {mask.Width}x{mask.Height} pixels and image {image.Id} has {image.Width}x{image.Height}.", nameof(annotation));
        }

        JsonSerializer.Serialize(_file.Json, annotation, AnnotationJsonContext.Default.CocoAnnotation);
        _file.FlushIfLarge();
    }

    /// <summary>Ends the file and gives it its name.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="InvalidOperationException">It is complete already.</exception>
    public void Complete()
    {
        if (_file.Json.CurrentDepth > 0)
        {
            _file.Json.WriteEndArray();
            _file.Json.WriteStartArray("images"u8);
            foreach (CocoImage image in _images.Values)
            {
                JsonSerializer.Serialize(_file.Json, image, AnnotationJsonContext.Default.CocoImage);
                _file.FlushIfLarge();
            }

            _file.Json.WriteEndArray();
            _file.Json.WriteEndObject();
        }

        _file.Complete();
    }

    /// <summary>Deletes the file unless it is complete.</summary>
    public void Dispose() => _file.Dispose();
}
