using System.Collections.ObjectModel;
using System.Text.Json;

namespace SegmentAnything.Annotations;

/// <summary>Reads annotations of any format, picture by picture. <see cref="AnnotationFormat.OpenRead"/> makes one.</summary>
public abstract class AnnotationReader : IDisposable
{
    private protected AnnotationReader()
    {
    }

    /// <summary>The categories read so far, by number. All are known when the pictures were read.</summary>
    public abstract IReadOnlyDictionary<long, AnnotationCategory> Categories { get; }

    /// <summary>What the file says of itself, such as COCO's info and licenses, by name. Known when the pictures were read.</summary>
    public virtual IReadOnlyDictionary<string, JsonElement> Other => ReadOnlyDictionary<string, JsonElement>.Empty;

    /// <summary>What was found and cannot be carried over, counted.</summary>
    public AnnotationLosses Losses { get; } = new();

    /// <summary>Reads the pictures, each with all of its annotations. Can be called once.</summary>
    /// <param name="cancellationToken">Looked at between annotations.</param>
    /// <exception cref="AnnotationFormatException">The file is malformed.</exception>
    /// <exception cref="InvalidOperationException">It was read already.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public abstract IEnumerable<ImageAnnotations> ReadImages(CancellationToken cancellationToken = default);

    /// <summary>Closes the file.</summary>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    private protected abstract void Dispose(bool disposing);
}

/// <summary>A reader whose format is one function.</summary>
internal sealed class PlainReader(Func<ReadContext, IEnumerable<ImageAnnotations>> read, string path, AnnotationReadOptions options) : AnnotationReader
{
    private readonly CategoryTable _categories = new();
    private bool _started;

    public override IReadOnlyDictionary<long, AnnotationCategory> Categories => _categories.ById;

    public override IEnumerable<ImageAnnotations> ReadImages(CancellationToken cancellationToken = default)
    {
        if (_started) throw new InvalidOperationException("The annotations can be read once; open the file again.");
        _started = true;
        return read(new ReadContext(path, options, _categories, Losses, cancellationToken));
    }

    // The function opens and closes the file itself.
    private protected override void Dispose(bool disposing)
    {
    }
}

/// <summary>What the functions that read a format share.</summary>
internal sealed record ReadContext(
    string Path, AnnotationReadOptions Options, CategoryTable Categories, AnnotationLosses Losses, CancellationToken Cancellation)
{
    /// <summary>The size of a picture that its file does not give.</summary>
    /// <exception cref="AnnotationFormatException">Nobody knows it.</exception>
    public (int Width, int Height) SizeOf(string name, string file)
    {
        (int Width, int Height)? size = Options.SizeOf?.Invoke(name) ?? Options.Size;
        if (size is not (int width, int height))
            throw new AnnotationFormatException($"{file}: the size of the image \"{name}\" is not in the file; say where the images are, or how large they are");
        if (width <= 0 || height <= 0) throw new AnnotationFormatException($"{file}: the image \"{name}\" is said to have {width}x{height} pixels; at least 1x1 was expected");
        return (width, height);
    }
}

/// <summary>Categories, found by name and numbered from 1 in the order in which they come up.</summary>
internal sealed class CategoryTable
{
    private readonly Dictionary<string, long> _byName = new(StringComparer.Ordinal);
    private readonly Dictionary<long, AnnotationCategory> _byId = [];
    private long _last;

    public IReadOnlyDictionary<long, AnnotationCategory> ById => _byId;

    /// <summary>The number of a name; a new one where it is new, null where it is empty.</summary>
    public long? IdOf(string name)
    {
        if (name.Length == 0) return null;
        if (_byName.TryGetValue(name, out long id)) return id;
        Add(new AnnotationCategory { Id = ++_last, Name = name });
        return _last;
    }

    /// <summary>Adds a category that has a number; says whether the number was free.</summary>
    public bool Add(AnnotationCategory category)
    {
        if (!_byId.TryAdd(category.Id, category)) return false;
        _byName.TryAdd(category.Name, category.Id);
        _last = Math.Max(_last, category.Id);
        return true;
    }
}
