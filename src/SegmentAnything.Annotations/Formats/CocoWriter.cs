using System.Text.Json;
using SegmentAnything.Annotations.Json;
using SegmentAnything.Rle;

namespace SegmentAnything.Annotations;

/// <summary>How a COCO file is written.</summary>
public sealed record CocoWriterOptions
{
    /// <summary>What the file says of itself: COCO's info and licenses, by name.</summary>
    public IReadOnlyDictionary<string, JsonElement>? Other { get; init; }

    /// <summary>The images, where they are known: they are then written before the annotations, and no other can be added.</summary>
    public IReadOnlyCollection<AnnotationImage>? Images { get; init; }

    /// <summary>
    /// Whether a mask without holes is written as polygons, and only one with holes as run lengths. Polygons that a mask was drawn
    /// from are written as they are in any case.
    /// </summary>
    public bool Polygons { get; init; }

    /// <summary>How far such polygons may lie from the mask's border, in pixels; 0 for exact ones.</summary>
    public double PolygonTolerance { get; init; }
}

/// <summary>Writes a COCO instances file.</summary>
/// <remarks>
/// Annotations are written as they are added, none is kept in memory. Images and categories that are given to begin with stand
/// before them; those that are added later are remembered and stand at the end. A file appears under its name when
/// <see cref="Complete"/> is called; disposed before, it leaves nothing behind. Source: the COCO data format.
/// </remarks>
public sealed class CocoWriter : IDisposable
{
    private readonly AtomicJsonFile _file;
    private readonly CocoWriterOptions _options;
    private readonly Dictionary<long, AnnotationImage> _images = [];
    private readonly Dictionary<long, AnnotationCategory> _categories = [];
    private readonly bool _categoriesWritten;
    private readonly IdSet _ids = new();
    private long _lastId;

    private CocoWriter(AtomicJsonFile file, IEnumerable<AnnotationCategory> categories, CocoWriterOptions? options)
    {
        _file = file;
        _options = options ?? new CocoWriterOptions();
        try
        {
            foreach (AnnotationCategory category in categories) Add(category);
            foreach (AnnotationImage image in _options.Images ?? []) Check(image);
        }
        catch
        {
            file.Dispose();
            throw;
        }

        Utf8JsonWriter json = file.Json;
        json.WriteStartObject();
        if (_options.Other is not null) JsonValues.WriteOther(json, _options.Other);
        if (_options.Images is not null) WriteImages();
        _categoriesWritten = _categories.Count > 0;
        if (_categoriesWritten) WriteCategories();
        json.WriteStartArray("annotations"u8);
    }

    /// <summary>Starts a file.</summary>
    /// <param name="path">Its path; a file that is there is replaced when this one is complete.</param>
    /// <param name="categories">The categories that annotations refer to; with none, they can be added later.</param>
    /// <param name="options">How it is written.</param>
    /// <exception cref="ArgumentException">Two categories or images have one number, or an image has no size.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static CocoWriter Create(string path, IEnumerable<AnnotationCategory> categories, CocoWriterOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(categories);
        return new CocoWriter(new AtomicJsonFile(path), categories, options);
    }

    /// <summary>Starts to write to a stream, which stays open.</summary>
    /// <param name="stream">Where to.</param>
    /// <param name="categories">The categories that annotations refer to; with none, they can be added later.</param>
    /// <param name="options">How it is written.</param>
    /// <exception cref="ArgumentException">Two categories or images have one number, or an image has no size.</exception>
    public static CocoWriter Create(Stream stream, IEnumerable<AnnotationCategory> categories, CocoWriterOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(categories);
        return new CocoWriter(new AtomicJsonFile(stream), categories, options);
    }

    /// <summary>What polygons lose of the masks, counted.</summary>
    internal AnnotationLosses Losses { get; } = new();

    /// <summary>Adds an image.</summary>
    /// <param name="image">The image.</param>
    /// <exception cref="ArgumentException">There is an image of this number, it has no size, or the images were given to begin with.</exception>
    public void Add(AnnotationImage image)
    {
        ArgumentNullException.ThrowIfNull(image);
        if (_options.Images is not null) throw new ArgumentException($"Image {image.Id} is not among those that were given to begin with.", nameof(image));
        Check(image);
    }

    /// <summary>Adds a category.</summary>
    /// <param name="category">The category.</param>
    /// <exception cref="ArgumentException">There is a category of this number, or the categories were given to begin with.</exception>
    public void Add(AnnotationCategory category)
    {
        ArgumentNullException.ThrowIfNull(category);
        if (_categoriesWritten) throw new ArgumentException($"Category {category.Id} is not among those that were given to begin with.", nameof(category));
        if (!_categories.TryAdd(category.Id, category)) throw new ArgumentException($"There is a category of number {category.Id} already.", nameof(category));
    }

    /// <summary>Adds an object. Without a number it gets one more than the largest so far.</summary>
    /// <param name="annotation">The object; its image and its category were added before.</param>
    /// <exception cref="ArgumentException">
    /// There is no image or category of this number, the image has another size than the mask, there is an annotation of this
    /// number, a polygon has fewer than three points, or a number is NaN or infinite.
    /// </exception>
    /// <exception cref="InvalidOperationException">The file is complete.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Add(Annotation annotation)
    {
        ArgumentNullException.ThrowIfNull(annotation);
        _file.CheckOpen();
        if (!_images.TryGetValue(annotation.ImageId, out AnnotationImage? image))
            throw new ArgumentException($"There is no image of number {annotation.ImageId}; add it before its objects.", nameof(annotation));
        if (annotation.CategoryId is not { } category)
            throw new ArgumentException($"{annotation.Title} has no category, which COCO's readers expect; give it one, such as \"object\".", nameof(annotation));
        if (!_categories.ContainsKey(category))
            throw new ArgumentException($"There is no category of number {category}; give it to begin with, or add it before its objects.", nameof(annotation));
        AnnotationJson.CheckFinite(annotation);
        WriteContext.CheckSize(annotation, image);
        CheckPolygons(annotation);
        long id = annotation.Id ?? _lastId + 1;
        if (!_ids.Add(id)) throw new ArgumentException($"There is an annotation of number {id} already.", nameof(annotation));
        _lastId = Math.Max(_lastId, id);

        Utf8JsonWriter json = _file.Json;
        json.WriteStartObject();
        json.WriteNumber("id"u8, id);
        json.WriteNumber("image_id"u8, annotation.ImageId);
        json.WriteNumber("category_id"u8, category);
        json.WritePropertyName("segmentation"u8);
        WriteSegmentation(json, annotation);
        json.WriteNumber("area"u8, annotation.AreaOrMaskArea);
        if (annotation.BoxOrMaskBox is { } box) AnnotationJson.WriteRectangle(json, "bbox", box);
        json.WriteNumber("iscrowd"u8, annotation.IsCrowd ? 1 : 0);
        AnnotationJson.WriteKnown(json, annotation, withScores: true);
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
        if (_options.Images is null) WriteImages();
        if (!_categoriesWritten) WriteCategories();
        _file.Json.WriteEndObject();
        _file.Complete();
    }

    /// <summary>Deletes the file unless it is complete.</summary>
    public void Dispose() => _file.Dispose();

    /// <summary>Whether an annotation of this number was added.</summary>
    internal bool HasAnnotation(long id) => _ids.Contains(id);

    private void Check(AnnotationImage image)
    {
        if (image.Width <= 0 || image.Height <= 0)
            throw new ArgumentException($"Image {image.Id} has {image.Width}x{image.Height} pixels; COCO's readers expect its size.", nameof(image));
        if (!_images.TryAdd(image.Id, image)) throw new ArgumentException($"There is an image of number {image.Id} already.", nameof(image));
    }

    private static void CheckPolygons(Annotation annotation)
    {
        for (int i = 0; i < annotation.Polygons?.Count; i++)
        {
            double[] polygon = annotation.Polygons[i];
            if (polygon.Length < 6 || polygon.Length % 2 != 0)
                throw new ArgumentException($"Polygon {i} of {annotation.Title} has {polygon.Length} coordinates; at least three points, x and y of each, were expected.", nameof(annotation));
            if (Array.Exists(polygon, c => !double.IsFinite(c)))
                throw new ArgumentException($"Polygon {i} of {annotation.Title} has a coordinate that is NaN or infinite.", nameof(annotation));
        }
    }

    private void WriteSegmentation(Utf8JsonWriter json, Annotation annotation)
    {
        if (annotation.Mask is not { } mask)
        {
            json.WriteStartArray();
            json.WriteEndArray();
        }
        else if (annotation.Polygons is { Count: > 0 } polygons)
        {
            SegmentationJson.Write(json, polygons);
        }
        else if (_options.Polygons && !annotation.IsCrowd && !mask.IsEmpty && PolygonSimplification.Simplify(mask, _options.PolygonTolerance) is { HasHoles: false } simple)
        {
            Losses.AddLossOf(simple);
            SegmentationJson.Write(json, [.. simple.Polygons.Select(p => p.ToArray())]);
        }
        else
        {
            SegmentationJson.Write(json, mask);
        }
    }

    private void WriteImages()
    {
        _file.Json.WriteStartArray("images"u8);
        foreach (AnnotationImage image in _images.Values)
        {
            AnnotationJson.Write(_file.Json, image, "id");
            _file.FlushIfLarge();
        }

        _file.Json.WriteEndArray();
    }

    private void WriteCategories()
    {
        _file.Json.WriteStartArray("categories"u8);
        foreach (AnnotationCategory category in _categories.Values) AnnotationJson.Write(_file.Json, category);
        _file.Json.WriteEndArray();
    }

    /// <summary>Numbers that were used: a bit each, so that millions take little.</summary>
    private sealed class IdSet
    {
        private readonly Dictionary<long, ulong> _blocks = [];

        public bool Contains(long id) => (_blocks.GetValueOrDefault(id >> 6) & (1UL << (int)(id & 63))) != 0;

        public bool Add(long id)
        {
            ulong bit = 1UL << (int)(id & 63);
            ref ulong block = ref System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(_blocks, id >> 6, out _);
            if ((block & bit) != 0) return false;
            block |= bit;
            return true;
        }
    }
}
