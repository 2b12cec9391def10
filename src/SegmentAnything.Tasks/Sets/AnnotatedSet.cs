using System.Text.Json;
using SegmentAnything.Annotations;
using SegmentAnything.Evaluation;
using SegmentAnything.Rle;

namespace SegmentAnything.Tasks;

/// <summary>What people annotated in images, from a file of any format, as the tasks and their measures take it.</summary>
/// <remarks>
/// The one place where annotations become ground truth and detections. Every object has a number of its own here: numbers that
/// occur twice, as in label maps, where each image counts from 1, are replaced. Objects without a category are of one that is called
/// "object". Immutable; may be shared between threads. All masks are held in memory, as run lengths.
/// </remarks>
public sealed class AnnotatedSet
{
    private static readonly string[] LvisFields = ["neg_category_ids", "not_exhaustive_category_ids"];

    private readonly Dictionary<long, AnnotationCategory> _categories;

    /// <summary>Gathers a set.</summary>
    /// <param name="images">The images with their annotations.</param>
    /// <param name="categories">The categories; none where all objects are of one kind.</param>
    /// <exception cref="ArgumentException">
    /// There is no image, no object in any, an image without a size, or two with one number; an object is of a category that is not
    /// there, or has a mask of another size than its image.
    /// </exception>
    public AnnotatedSet(IEnumerable<ImageAnnotations> images, IEnumerable<AnnotationCategory>? categories = null)
    {
        ArgumentNullException.ThrowIfNull(images);
        _categories = (categories ?? []).ToDictionary(category => category.Id);
        Images = Numbered([.. images]);
        if (Images.Count == 0) throw new ArgumentException("The set has no image, so there is nothing to evaluate.", nameof(images));
        if (Images.FirstOrDefault(image => image.Image.Width < 1 || image.Image.Height < 1)?.Image is { } unknown)
            throw new ArgumentException($"The size of image {unknown.Id} '{unknown.FileName}' is not known, and its objects have to be compared.", nameof(images));
        if (!Images.SelectMany(image => image.Annotations).Any(HasShape))
            throw new ArgumentException($"The set has {Images.Count} images and no object with a mask or a box, so there is nothing to evaluate.", nameof(images));
        IsLvis = Images.Any(image => LvisFields.Any(image.Image.Other.ContainsKey));
        Evaluation = new EvaluationSet(Images.Select(ToEvaluation), _categories.Values.Select(ToEvaluation), Images.SelectMany(image => image.Annotations).Where(HasShape).Select(ToTruth));
    }

    /// <summary>The images with their annotations; every annotation has a number and a category.</summary>
    public IReadOnlyList<ImageAnnotations> Images { get; }

    /// <summary>The categories by number.</summary>
    public IReadOnlyDictionary<long, AnnotationCategory> Categories => _categories;

    /// <summary>The same as ground truth for <see cref="InstanceEvaluation"/>.</summary>
    public EvaluationSet Evaluation { get; }

    /// <summary>Whether images say which categories were looked for in them, as LVIS' do.</summary>
    public bool IsLvis { get; }

    /// <summary>Reads a set.</summary>
    /// <param name="path">A file or a folder of any format that <see cref="AnnotationFormat"/> reads.</param>
    /// <param name="options">What the reader needs beyond it.</param>
    /// <param name="cancellationToken">Looked at between annotations.</param>
    /// <exception cref="AnnotationFormatException">It is of no format that is known, or malformed.</exception>
    /// <exception cref="ArgumentException">As for the constructor; the message begins with the path.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static AnnotatedSet Read(string path, AnnotationReadOptions? options = null, CancellationToken cancellationToken = default)
    {
        using AnnotationReader reader = AnnotationFormat.Detect(path, cancellationToken).OpenRead(path, options);
        ImageAnnotations[] images = [.. reader.ReadImages(cancellationToken)];
        try
        {
            return new AnnotatedSet(images, reader.Categories.Values);
        }
        catch (ArgumentException e)
        {
            throw new ArgumentException($"{path}: {e.Message}", e);
        }
    }

    /// <summary>Reads what a model found, such as a file of COCO's results.</summary>
    /// <param name="path">A file or a folder of any format that <see cref="AnnotationFormat"/> reads.</param>
    /// <param name="options">What the reader needs beyond it.</param>
    /// <param name="cancellationToken">Looked at between annotations.</param>
    /// <returns>
    /// The detections in the order of the file. The score is the file's, else the model's predicted IoU, else 1; the box is the
    /// file's, and null where it has none.
    /// </returns>
    /// <inheritdoc cref="Read" path="/exception"/>
    public static IReadOnlyList<Detection> ReadDetections(string path, AnnotationReadOptions? options = null, CancellationToken cancellationToken = default)
    {
        using AnnotationReader reader = AnnotationFormat.Detect(path, cancellationToken).OpenRead(path, options);
        Detection[] detections = [.. reader.ReadImages(cancellationToken).SelectMany(ToDetections)];
        return detections.Length > 0 ? detections : throw new ArgumentException($"{path}: holds no detection, so there is nothing to evaluate.");
    }

    /// <summary>What was found in one image, as <see cref="ReadDetections"/> gives it.</summary>
    /// <param name="image">The image, as it was read.</param>
    public static IEnumerable<Detection> ToDetections(ImageAnnotations image)
    {
        ArgumentNullException.ThrowIfNull(image);
        return image.Annotations.Select(annotation => ToDetection(annotation, image.Image.Id));
    }

    /// <summary>The objects of an image that can be segmented: those with a mask that is not empty and no crowd's.</summary>
    /// <param name="image">One of <see cref="Images"/>.</param>
    public static IEnumerable<Annotation> ObjectsOf(ImageAnnotations image)
    {
        ArgumentNullException.ThrowIfNull(image);
        return image.Annotations.Where(annotation => annotation.Mask is { IsEmpty: false } && !annotation.IsCrowd);
    }

    /// <summary>What the file says of an object in a field of its own, to tell groups of objects apart.</summary>
    /// <param name="annotation">The object.</param>
    /// <param name="field">A name in <see cref="Annotation.Other"/>, or "category" for the category's name.</param>
    /// <returns>The value as text; null where the object has no such field.</returns>
    public string? ValueOf(Annotation annotation, string field)
    {
        ArgumentNullException.ThrowIfNull(annotation);
        if (annotation.Other.TryGetValue(field, out JsonElement value))
            return value.ValueKind switch { JsonValueKind.String => value.GetString(), JsonValueKind.Null => null, _ => value.GetRawText() };
        return field == "category" && annotation.CategoryId is { } id ? _categories[id].Name : null;
    }

    private static bool HasShape(Annotation annotation) => annotation.Mask is not null || annotation.Box is not null;

    private static ObjectBox? BoxOf(Annotation annotation) => annotation.Box is { } box ? new ObjectBox(box.X, box.Y, box.Width, box.Height) : null;

    private static Detection ToDetection(Annotation annotation, long imageId) =>
        new(imageId, annotation.CategoryId ?? 1, annotation.Score ?? annotation.PredictedIou ?? 1) { Mask = annotation.Mask, Box = BoxOf(annotation) };

    private static EvaluationImage ToEvaluation(ImageAnnotations image) => new(image.Image.Id, image.Image.Width, image.Image.Height)
    {
        NegativeCategoryIds = Numbers(image.Image, LvisFields[0]),
        NotExhaustiveCategoryIds = Numbers(image.Image, LvisFields[1]),
    };

    private static EvaluationCategory ToEvaluation(AnnotationCategory category) => new(category.Id, category.Name)
    {
        Frequency = category.Other.TryGetValue("frequency", out JsonElement group) && group.ValueKind == JsonValueKind.String
            ? group.GetString() switch { "r" => CategoryFrequency.Rare, "c" => CategoryFrequency.Common, "f" => CategoryFrequency.Frequent, _ => null }
            : null,
    };

    private static long[] Numbers(AnnotationImage image, string field)
    {
        if (!image.Other.TryGetValue(field, out JsonElement list) || list.ValueKind == JsonValueKind.Null) return [];
        if (list.ValueKind != JsonValueKind.Array) throw new ArgumentException($"\"{field}\" of image {image.Id} is {list.GetRawText()}; a list of category numbers was expected.");
        return
        [
            .. list.EnumerateArray().Select(value => value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long number)
                ? number : throw new ArgumentException($"\"{field}\" of image {image.Id} holds {value.GetRawText()}; category numbers were expected.")),
        ];
    }

    private GroundTruth ToTruth(Annotation annotation) => new(annotation.Id!.Value, annotation.ImageId, annotation.CategoryId!.Value)
    {
        Mask = annotation.Mask,
        Box = BoxOf(annotation),
        Area = annotation.Area,
        IsCrowd = annotation.IsCrowd,
        // COCO's own code overwrites such a field.
        IsIgnored = IsLvis && annotation.Other.TryGetValue("ignore", out JsonElement ignore)
            && (ignore.ValueKind == JsonValueKind.True || (ignore.ValueKind == JsonValueKind.Number && ignore.GetDouble() != 0)),
    };

    private ImageAnnotations[] Numbered(ImageAnnotations[] images)
    {
        long last = images.SelectMany(image => image.Annotations).Max(annotation => annotation.Id) ?? 0;
        long? unnamed = null;
        // Formats without a list of categories may still have their numbers.
        if (_categories.Count == 0)
        {
            foreach (long id in images.SelectMany(image => image.Annotations).Select(annotation => annotation.CategoryId).OfType<long>().Distinct())
                _categories.Add(id, new AnnotationCategory { Id = id, Name = $"category {id}" });
        }

        HashSet<long> taken = [];
        return [.. images.Select(image => image with { Annotations = [.. image.Annotations.Select(annotation => annotation with
        {
            ImageId = image.Image.Id,
            Id = annotation.Id is { } id && taken.Add(id) ? id : ++last,
            CategoryId = annotation.CategoryId ?? Unnamed(),
        })] })];

        long Unnamed()
        {
            if (unnamed is { } known) return known;
            long id = _categories.Count == 0 ? 1 : _categories.Keys.Max() + 1;
            _categories.Add(id, new AnnotationCategory { Id = id, Name = "object" });
            unnamed = id;
            return id;
        }
    }
}
