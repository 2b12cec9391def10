using System.CommandLine;
using SegmentAnything.Imaging;

namespace SegmentAnything.Cli;

/// <summary>The sizes of the pictures in a folder, for annotations that leave them out.</summary>
internal sealed class ImageSizes
{
    private static readonly string[] Extensions = [".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".gif", ".avif", ".bmp"];

    private readonly string _folder;
    private readonly Dictionary<string, List<string>> _byName = new(StringComparer.Ordinal);
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
            Add(Path.GetFileName(file), file);
            Add(Path.GetFileNameWithoutExtension(file), file);
        }

        void Add(string name, string file)
        {
            if (!_byName.TryGetValue(name, out List<string>? files)) _byName.Add(name, files = []);
            files.Add(file);
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
    /// <exception cref="InvalidDataException">Several pictures have the name, and are of different sizes.</exception>
    public (int Width, int Height)? Find(string name)
    {
        if (_known.TryGetValue(name, out (int, int) size)) return size;
        if (FilesCalled(name) is not { } paths) return null;
        // Masks that are drawn at another picture's size are wrong, and look right.
        foreach (string path in paths)
        {
            LoadedImage picture = ImageFile.Load(path);
            if (path != paths[0] && (picture.Width, picture.Height) != size)
                throw new InvalidDataException($"{_folder} has several pictures called {name} of different sizes: {paths[0]} has {size.Item1}x{size.Item2} pixels, {path} {picture.Width}x{picture.Height}. Give a folder with the one that is meant.");
            size = (picture.Width, picture.Height);
        }

        _known[name] = size;
        return size;
    }

    /// <summary>The file of a picture by its name, with or without extension; null where there is none.</summary>
    /// <exception cref="InvalidDataException">Several pictures have the name, and none lies where the name says.</exception>
    public string? PathOf(string name)
    {
        if (FilesCalled(name) is not { } paths) return null;
        string there = Path.GetFullPath(Path.Combine(_folder, name));
        return paths is [var only] ? only
            : paths.Find(path => Path.GetFullPath(path) == there)
            ?? throw new InvalidDataException($"{_folder} has several pictures called {name}: {paths[0]} and {paths[1]}. Give a folder with the one that is meant.");
    }

    private List<string>? FilesCalled(string name)
    {
        string file = name.Split('/', '\\')[^1];
        return _byName.GetValueOrDefault(file) ?? _byName.GetValueOrDefault(Path.GetFileNameWithoutExtension(file));
    }

    /// <summary>The folder.</summary>
    public override string ToString() => _folder;
}
