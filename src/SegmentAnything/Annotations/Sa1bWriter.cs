using System.Text.Json;
using SegmentAnything.Annotations;

namespace SegmentAnything;

/// <summary>Writes a file in the form of the SA-1B data set: one image and its masks.</summary>
/// <remarks>
/// Annotations are written as they are added, none is kept in memory. A file appears under its name when
/// <see cref="Complete"/> is called; disposed before, it leaves nothing behind.
/// <code>
/// using var writer = Sa1bWriter.Create("sa_1.json", new Sa1bImage { ImageId = 1, Width = 1800, Height = 1200, FileName = "sa_1.jpg" });
/// foreach (GeneratedMask mask in masks) writer.Add(mask);
/// writer.Complete();
/// </code>
/// Source: the SA-1B data set's description.
/// </remarks>
public sealed class Sa1bWriter : IDisposable
{
    private readonly AtomicJsonFile _file;
    private long _lastId;

    private Sa1bWriter(AtomicJsonFile file, Sa1bImage image)
    {
        _file = file;
        file.Json.WriteStartObject();
        file.Json.WritePropertyName("image"u8);
        JsonSerializer.Serialize(file.Json, image, AnnotationJsonContext.Default.Sa1bImage);
        file.Json.WriteStartArray("annotations"u8);
    }

    /// <summary>Starts a file.</summary>
    /// <param name="path">Its path; a file that is there is replaced when this one is complete.</param>
    /// <param name="image">What it is about.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static Sa1bWriter Create(string path, Sa1bImage image)
    {
        ArgumentNullException.ThrowIfNull(image);
        return new Sa1bWriter(new AtomicJsonFile(path), image);
    }

    /// <summary>Starts to write to a stream, which stays open.</summary>
    /// <param name="stream">Where to.</param>
    /// <param name="image">What it is about.</param>
    public static Sa1bWriter Create(Stream stream, Sa1bImage image)
    {
        ArgumentNullException.ThrowIfNull(image);
        return new Sa1bWriter(new AtomicJsonFile(stream), image);
    }

    /// <summary>Adds a mask.</summary>
    /// <param name="annotation">The mask and what is known of it.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Add(Sa1bAnnotation annotation)
    {
        ArgumentNullException.ThrowIfNull(annotation);
        _lastId = Math.Max(_lastId, annotation.Id);
        JsonSerializer.Serialize(_file.Json, annotation, AnnotationJsonContext.Default.Sa1bAnnotation);
        _file.FlushIfLarge();
    }

    /// <summary>Adds a mask of the automatic generator; its id is one more than the largest so far.</summary>
    /// <param name="mask">The mask.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Add(GeneratedMask mask) => Add(Sa1bAnnotation.From(mask, _lastId + 1));

    /// <summary>Ends the file and gives it its name.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="InvalidOperationException">It is complete already.</exception>
    public void Complete()
    {
        if (_file.Json.CurrentDepth > 0)
        {
            _file.Json.WriteEndArray();
            _file.Json.WriteEndObject();
        }

        _file.Complete();
    }

    /// <summary>Deletes the file unless it is complete.</summary>
    public void Dispose() => _file.Dispose();
}
