using System.Text.Json;
using SegmentAnything.Annotations.Json;

namespace SegmentAnything.Annotations;

/// <summary>Writes a file in the form of the SA-1B data set: one image and its masks.</summary>
/// <remarks>
/// Annotations are written as they are added, none is kept in memory. A file appears under its name when
/// <see cref="Complete"/> is called; disposed before, it leaves nothing behind.
/// <code>
/// using var writer = Sa1bWriter.Create("sa_1.json", new AnnotationImage { Id = 1, Width = 1800, Height = 1200, FileName = "sa_1.jpg" });
/// foreach (RleMask mask in masks) writer.Add(Annotation.From(mask));
/// writer.Complete();
/// </code>
/// Source: the SA-1B data set's description.
/// </remarks>
public sealed class Sa1bWriter : IDisposable
{
    private readonly AtomicJsonFile _file;
    private readonly AnnotationImage _image;
    private long _lastId;

    private Sa1bWriter(AtomicJsonFile file, AnnotationImage image)
    {
        _file = file;
        _image = image;
        file.Json.WriteStartObject();
        file.Json.WritePropertyName("image"u8);
        AnnotationJson.Write(file.Json, image, "image_id");
        file.Json.WriteStartArray("annotations"u8);
    }

    /// <summary>Starts a file.</summary>
    /// <param name="path">Its path; a file that is there is replaced when this one is complete.</param>
    /// <param name="image">What it is about.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static Sa1bWriter Create(string path, AnnotationImage image)
    {
        ArgumentNullException.ThrowIfNull(image);
        return new Sa1bWriter(new AtomicJsonFile(path), image);
    }

    /// <summary>Starts to write to a stream, which stays open.</summary>
    /// <param name="stream">Where to.</param>
    /// <param name="image">What it is about.</param>
    public static Sa1bWriter Create(Stream stream, AnnotationImage image)
    {
        ArgumentNullException.ThrowIfNull(image);
        return new Sa1bWriter(new AtomicJsonFile(stream), image);
    }

    /// <summary>Adds a mask. Without a number it gets one more than the largest so far.</summary>
    /// <param name="annotation">The mask and what is known of it.</param>
    /// <exception cref="ArgumentException">It has no mask, one of another size than the image, or a number that is NaN or infinite.</exception>
    /// <exception cref="InvalidOperationException">The file is complete.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Add(Annotation annotation)
    {
        ArgumentNullException.ThrowIfNull(annotation);
        _file.CheckOpen();
        if (annotation.Mask is not { } mask)
            throw new ArgumentException($"{annotation.Title} has no mask, which SA-1B has no place for.", nameof(annotation));
        AnnotationJson.CheckFinite(annotation);
        WriteContext.CheckSize(annotation, _image);
        long id = annotation.Id ?? _lastId + 1;
        _lastId = Math.Max(_lastId, id);
        Utf8JsonWriter json = _file.Json;
        json.WriteStartObject();
        WriteMask(json, annotation);
        json.WriteNumber("id"u8, id);
        AnnotationJson.WriteNumber(json, "stability_score", annotation.StabilityScore);
        if (annotation.CategoryId is { } category) json.WriteNumber("category_id"u8, category);
        if (annotation.IsCrowd) json.WriteNumber("iscrowd"u8, 1);
        AnnotationJson.WriteKnown(json, annotation, withScores: false);
        JsonValues.WriteOther(json, annotation.Other);
        json.WriteEndObject();
        _file.FlushIfLarge();
    }

    /// <summary>Ends the file and gives it its name.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="InvalidOperationException">It is complete already.</exception>
    public void Complete()
    {
        _file.CheckOpen();
        _file.Json.WriteEndArray();
        _file.Json.WriteEndObject();
        _file.Complete();
    }

    /// <summary>Deletes the file unless it is complete.</summary>
    public void Dispose() => _file.Dispose();

    // What SA-1B and the official generator's list have in common, up to the crop box.
    internal static void WriteMask(Utf8JsonWriter json, Annotation annotation)
    {
        AnnotationJson.WriteRectangle(json, "bbox", Inclusive(annotation));
        json.WriteNumber("area"u8, annotation.AreaOrMaskArea);
        json.WritePropertyName("segmentation"u8);
        SegmentationJson.Write(json, annotation.Mask!);
        AnnotationJson.WriteNumber(json, "predicted_iou", annotation.PredictedIou);
        AnnotationJson.WritePoints(json, annotation.Points);
        AnnotationJson.WriteRectangle(json, "crop_box", annotation.CropBox);
    }

    // SA-1B's boxes are the differences of the last and the first column and row.
    internal static PixelRectangle Inclusive(Annotation annotation)
    {
        (double x, double y, double width, double height) = annotation.BoxOrMaskBox!.Value;
        return annotation.Mask!.IsEmpty ? new PixelRectangle(x, y, width, height) : new PixelRectangle(x, y, width - 1, height - 1);
    }
}
