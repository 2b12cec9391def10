namespace SegmentAnything.Annotations;

/// <summary>
/// Writes annotations in any format, picture by picture. <see cref="AnnotationFormat.CreateWriter"/> makes one. A file appears
/// under its name when <see cref="Complete"/> is called, or, where each picture has a file of its own, when its picture is added.
/// </summary>
public abstract class AnnotationWriter : IDisposable
{
    private protected AnnotationWriter()
    {
    }

    /// <summary>What the format has no place for, counted.</summary>
    public AnnotationLosses Losses { get; } = new();

    /// <summary>Adds a picture and its annotations.</summary>
    /// <param name="image">The picture, added once, with all of its annotations.</param>
    /// <param name="categories">The categories that they refer to, by number.</param>
    /// <param name="cancellationToken">Looked at between annotations.</param>
    /// <exception cref="ArgumentException">
    /// A mask has another size than its picture, a number is NaN or infinite, a category is unknown, or another picture has the
    /// same number or the same file.
    /// </exception>
    /// <exception cref="InvalidOperationException">The format takes one picture a file, and there is one already.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public abstract void Add(ImageAnnotations image, IReadOnlyDictionary<long, AnnotationCategory> categories, CancellationToken cancellationToken = default);

    /// <summary>Ends the file and gives it its name.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="InvalidOperationException">It is complete already, or nothing was added to a format of one picture a file.</exception>
    public abstract void Complete();

    /// <summary>Deletes the file unless it is complete.</summary>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    private protected abstract void Dispose(bool disposing);
}

/// <summary>What a format has a place for.</summary>
[Flags]
internal enum Keeps
{
    /// <summary>Masks alone.</summary>
    Masks = 0,

    /// <summary>What an object is.</summary>
    Categories = 1,

    /// <summary>A detector's score.</summary>
    Score = 2,

    /// <summary>Predicted IoU, stability score, the points and the crop.</summary>
    ModelScores = 4,

    /// <summary>Whether it is a crowd.</summary>
    Crowds = 8,

    /// <summary>Annotations that have a box and no mask.</summary>
    Boxes = 16,

    /// <summary>Properties by other names.</summary>
    Other = 32,

    /// <summary>What a file says of itself.</summary>
    File = 64,
}

/// <summary>What the functions that write a format share.</summary>
internal sealed record WriteContext(
    AnnotationWriteOptions Options, IReadOnlyDictionary<long, AnnotationCategory> Categories, AnnotationLosses Losses, CancellationToken Cancellation)
{
    private static readonly System.Buffers.SearchValues<char> Unusual = System.Buffers.SearchValues.Create(":*?\"<>|");

    /// <summary>The names of the categories in the order in which they came up, for formats that number them from 0; the same in all images.</summary>
    public List<string> ClassNames { get; init; } = [];

    /// <summary>The name of an annotation's category; empty where it has none.</summary>
    public string CategoryOf(Annotation annotation) =>
        annotation.CategoryId is not { } id ? ""
            : Categories.TryGetValue(id, out AnnotationCategory? category) ? (category.Name.Length > 0 ? category.Name : $"category {id}")
            : $"category {id}";

    /// <summary>Counts what is lost of an annotation.</summary>
    /// <returns>Whether anything of it can be written.</returns>
    public bool Count(Annotation annotation, Keeps keeps)
    {
        Cancellation.ThrowIfCancellationRequested();
        if (annotation.Mask is null && (!keeps.HasFlag(Keeps.Boxes) || annotation.Box is null))
        {
            Losses.Add("annotations without a mask");
            return false;
        }

        if (annotation.CategoryId is not null && !keeps.HasFlag(Keeps.Categories)) Losses.Add("categories of annotations");
        if (annotation.Score is not null && !keeps.HasFlag(Keeps.Score)) Losses.Add("scores");
        if ((annotation.PredictedIou is not null || annotation.StabilityScore is not null || annotation.Points.Count > 0) && !keeps.HasFlag(Keeps.ModelScores))
            Losses.Add("predicted IoUs, stability scores and points");
        if (annotation.IsCrowd && !keeps.HasFlag(Keeps.Crowds)) Losses.Add("marks of crowds");
        if (!keeps.HasFlag(Keeps.Other)) Losses.Add("other properties", annotation.Other.Count);
        return true;
    }

    /// <summary>Throws where a mask is not of its picture's size.</summary>
    public static void CheckSizes(ImageAnnotations image)
    {
        foreach (Annotation annotation in image.Annotations) CheckSize(annotation, image.Image);
    }

    /// <summary>Throws where a mask is not of its picture's size.</summary>
    public static void CheckSize(Annotation annotation, AnnotationImage image)
    {
        if (annotation.Mask is { } mask && (mask.Width != image.Width || mask.Height != image.Height))
            throw new ArgumentException($"The mask of {annotation.Title} has {mask.Width}x{mask.Height} pixels and image {image.Id} has {image.Width}x{image.Height}.", nameof(annotation));
    }

    /// <summary>The name for a picture's own file: its file's, without folder and extension; its number where it has none.</summary>
    public static string NameOf(AnnotationImage image)
    {
        // A name of another system, or one that leads elsewhere, must not.
        string name = Path.GetFileNameWithoutExtension(image.FileName.Split('/', '\\')[^1]);
        bool usable = name.Trim('.', ' ').Length > 0 && !name.AsSpan().ContainsAnyInRange('\0', '\x1f') && !name.AsSpan().ContainsAny(Unusual);
        return usable ? name : image.Id.ToString();
    }
}
