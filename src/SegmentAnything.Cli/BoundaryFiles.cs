using SegmentAnything.Imaging;
using SegmentAnything.Rle;
using SegmentAnything.Tasks;

namespace SegmentAnything.Cli;

/// <summary>Boundaries that people drew, as files of a folder.</summary>
internal static class BoundaryFiles
{
    /// <summary>The file or the folder of a picture's boundaries.</summary>
    /// <param name="folder">Where they are.</param>
    /// <param name="name">The picture's name without extension.</param>
    /// <exception cref="FileNotFoundException">There is none.</exception>
    public static string Find(string folder, string name)
    {
        string[] places = [Path.Combine(folder, name + ".mat"), Path.Combine(folder, name + ".png"), Path.Combine(folder, name)];
        return places.FirstOrDefault(Path.Exists) ?? throw new FileNotFoundException($"{folder} has no boundaries of '{name}': neither {name}.mat, {name}.png nor a folder {name}.");
    }

    /// <summary>Reads what <see cref="Find"/> gave.</summary>
    /// <returns>A mask a person.</returns>
    /// <exception cref="InvalidDataException">A file is damaged, or people's pictures have several sizes.</exception>
    public static IReadOnlyList<RleMask> Read(string path, CancellationToken cancellation)
    {
        if (path.EndsWith(".mat", StringComparison.OrdinalIgnoreCase)) return BsdsBoundaries.Read(path);
        string[] files = Directory.Exists(path) ? [.. ImageSizes.FilesOf(path)] : [path];
        if (files.Length == 0) throw new InvalidDataException($"{path}: holds no picture of a person's boundaries.");
        RleMask[] drawn = [.. files.Select(file =>
        {
            LoadedImage picture = ImageFile.Load(file, cancellationToken: cancellation);
            byte[] bits = new byte[picture.Width * picture.Height];
            for (int i = 0; i < bits.Length; i++) bits[i] = picture.Pixels.AsSpan(3 * i, 3).ContainsAnyExcept((byte)0) ? (byte)1 : (byte)0;
            return RleMask.FromBitmap(bits, picture.Width, picture.Height);
        })];
        return drawn.FirstOrDefault(other => other.Width != drawn[0].Width || other.Height != drawn[0].Height) is { } odd
            ? throw new InvalidDataException($"{path}: one person drew {drawn[0].Width}x{drawn[0].Height} pixels, another {odd.Width}x{odd.Height}.") : drawn;
    }

    /// <summary>The boundaries of objects: their pixels that lie beside one that is not theirs.</summary>
    public static RleMask BoundaryOf(IReadOnlyList<RleMask> objects) => RleMask.Union([.. objects.Select(mask => mask.Complement().Dilate(1, StructuringElement.Disk).Intersection(mask))]);
}
