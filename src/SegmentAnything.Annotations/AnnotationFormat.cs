using SegmentAnything.Annotations.Formats;

namespace SegmentAnything.Annotations;

/// <summary>A format of segmentation annotations: the one place for everything about it.</summary>
public abstract class AnnotationFormat
{
    private protected AnnotationFormat()
    {
    }

    /// <summary>Every format, in the order in which a file is tried.</summary>
    public static IReadOnlyList<AnnotationFormat> All { get; } =
    [
        new Sa1bFormat(),
        new CocoFormat(polygons: false),
        new CocoFormat(polygons: true),
        new CocoResultsFormat(),
        new MaskListFormat(official: true),
        new MaskListFormat(official: false),
        new LabelmeFormat(),
        new LabelStudioFormat(),
        new GeoJsonFormat(),
        new CvatFormat(),
        new KaggleFormat(),
        new MaskFolderFormat(),
        new YoloFormat(),
        new LabelMapFormat(),
        new SvgFormat(),
    ];

    /// <summary>Its name in the tool, such as <c>sa-1b</c>.</summary>
    public abstract string Name { get; }

    /// <summary>What it is, in a line.</summary>
    public abstract string Description { get; }

    /// <summary>Whether it can be read.</summary>
    public virtual bool CanRead => true;

    /// <summary>Whether it can be written.</summary>
    public virtual bool CanWrite => true;

    /// <summary>What of an annotation it has a place for.</summary>
    internal abstract Keeps Keeps { get; }

    /// <summary>The format of a name.</summary>
    /// <param name="name">Such as <c>sa-1b</c>; case does not matter.</param>
    /// <exception cref="ArgumentException">There is no such format.</exception>
    public static AnnotationFormat Find(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return All.FirstOrDefault(format => string.Equals(format.Name, name, StringComparison.OrdinalIgnoreCase))
            ?? throw new ArgumentException($"There is no annotation format \"{name}\"; there are {string.Join(", ", All.Select(f => f.Name))}.", nameof(name));
    }

    /// <summary>Says what a file or a folder is, from its contents.</summary>
    /// <param name="path">A file, or a folder whose files are annotations.</param>
    /// <param name="cancellationToken">Looked at while a long file is gone through.</param>
    /// <exception cref="AnnotationFormatException">It is none of the formats that can be read.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static AnnotationFormat Detect(string path, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        FileProbe probe = FileProbe.Of(path, cancellationToken);
        return All.FirstOrDefault(format => format.CanRead && format.Recognises(probe)) ?? throw new AnnotationFormatException(probe.Unknown());
    }

    /// <summary>Opens a file, or a folder of files, of this format.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="options">What the reader needs beyond the file.</param>
    /// <exception cref="NotSupportedException">The format can only be written.</exception>
    /// <exception cref="IOException">It cannot be opened.</exception>
    public AnnotationReader OpenRead(string path, AnnotationReadOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return CanRead ? Open(path, options ?? new AnnotationReadOptions()) : throw new NotSupportedException($"{Name} can be written and not read.");
    }

    /// <summary>Starts a file, or a folder of files, of this format.</summary>
    /// <param name="path">
    /// Its path. A format of one file a picture takes a file (a path with the format's extension) or a folder, which is created;
    /// files that are there are replaced.
    /// </param>
    /// <param name="options">How it is written.</param>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    /// <exception cref="NotSupportedException">The format can only be read.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public AnnotationWriter CreateWriter(string path, AnnotationWriteOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= new AnnotationWriteOptions();
        options.Validate();
        return CanWrite ? Create(path, options) : throw new NotSupportedException($"{Name} can be read and not written.");
    }

    /// <summary>Its name.</summary>
    public override string ToString() => Name;

    /// <summary>Whether a file is of this format.</summary>
    internal abstract bool Recognises(FileProbe probe);

    /// <summary>Opens a file.</summary>
    internal abstract AnnotationReader Open(string path, AnnotationReadOptions options);

    /// <summary>Starts a file.</summary>
    internal abstract AnnotationWriter Create(string path, AnnotationWriteOptions options);
}
