using System.CommandLine;
using SegmentAnything.Imaging;

namespace SegmentAnything.Cli;

/// <summary>The sizes of the pictures in a folder, for annotations that leave them out.</summary>
internal sealed class ImageSizes
{
    private static readonly string[] Extensions = [".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".gif", ".avif", ".bmp"];

    private readonly string _folder;
    private readonly Dictionary<string, string> _byName = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (int, int)> _known = new(StringComparer.Ordinal);

    /// <summary>Looks at the names in a folder.</summary>
    /// <exception cref="UsageException">There is no such folder.</exception>
    public ImageSizes(string folder, string option = "--images")
    {
        if (!Directory.Exists(folder)) throw new UsageException($"{option}: there is no folder {folder}.");
        _folder = folder;
        foreach (string file in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            if (!IsPicture(file)) continue;
            _byName.TryAdd(Path.GetFileName(file), file);
            _byName.TryAdd(Path.GetFileNameWithoutExtension(file), file);
        }
    }

    /// <summary>The pictures of a folder itself, by name.</summary>
    public static IEnumerable<string> FilesOf(string folder) => Directory.EnumerateFiles(folder).Where(IsPicture).Order(StringComparer.Ordinal);

    private static bool IsPicture(string file) => Extensions.Contains(Path.GetExtension(file), StringComparer.OrdinalIgnoreCase);

    /// <summary>The option --images.</summary>
    public static Option<string?> CreateOption() => new("--images")
    {
        Description = "The folder of the pictures; their sizes are read from them where the annotations leave them out (YOLO, Kaggle).",
        HelpName = "FOLDER",
    };

    /// <summary>The size of a picture by its name, with or without extension.</summary>
    /// <exception cref="ImageFileException">The picture cannot be read.</exception>
    public (int Width, int Height)? Find(string name)
    {
        if (_known.TryGetValue(name, out (int, int) size)) return size;
        if (PathOf(name) is not { } path) return null;
        LoadedImage picture = ImageFile.Load(path);
        _known[name] = size = (picture.Width, picture.Height);
        return size;
    }

    /// <summary>The file of a picture by its name, with or without extension and folders; null where there is none.</summary>
    public string? PathOf(string name)
    {
        string file = name.Split('/', '\\')[^1];
        return _byName.GetValueOrDefault(file) ?? _byName.GetValueOrDefault(Path.GetFileNameWithoutExtension(file));
    }

    /// <summary>The folder.</summary>
    public override string ToString() => _folder;
}
