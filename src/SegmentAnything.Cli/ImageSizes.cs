using System.CommandLine;
using SegmentAnything.Imaging;

namespace SegmentAnything.Cli;

/// <summary>The sizes of the pictures in a folder, for annotations that leave them out.</summary>
internal sealed class ImageSizes
{
    private readonly string _folder;
    private readonly Dictionary<string, string> _byName = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (int, int)> _known = new(StringComparer.Ordinal);

    /// <summary>Looks at the names in a folder.</summary>
    /// <exception cref="UsageException">There is no such folder.</exception>
    public ImageSizes(string folder)
    {
        if (!Directory.Exists(folder)) throw new UsageException($"--images: there is no folder {folder}.");
        _folder = folder;
        string[] extensions = [".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".gif", ".avif", ".bmp"];
        foreach (string file in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            if (!extensions.Contains(Path.GetExtension(file), StringComparer.OrdinalIgnoreCase)) continue;
            _byName.TryAdd(Path.GetFileName(file), file);
            _byName.TryAdd(Path.GetFileNameWithoutExtension(file), file);
        }
    }

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
        string file = name.Split('/', '\\')[^1];
        if (!_byName.TryGetValue(file, out string? path) && !_byName.TryGetValue(Path.GetFileNameWithoutExtension(file), out path)) return null;
        LoadedImage picture = ImageFile.Load(path);
        _known[name] = size = (picture.Width, picture.Height);
        return size;
    }

    /// <summary>The folder.</summary>
    public override string ToString() => _folder;
}
