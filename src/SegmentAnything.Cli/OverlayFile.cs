using SegmentAnything.Imaging;

namespace SegmentAnything.Cli;

/// <summary>A drawing as a file: its name says which format.</summary>
internal static class OverlayFile
{
    /// <summary>Checks the name before any work is done.</summary>
    /// <param name="path">A file's path, or null.</param>
    /// <exception cref="UsageException">It ends as the name of another format.</exception>
    public static void Check(string? path)
    {
        if (path is null || FormatOf(path) is not null) return;
        throw new UsageException($"--overlay '{path}': drawings are written as PNG or JPEG; give a name that ends in .png, .jpg or .jpeg.");
    }

    /// <summary>The bytes of the file.</summary>
    public static byte[] Encode(string path, LoadedImage drawing) => FormatOf(path) == "JPEG" ? drawing.ToJpeg() : drawing.ToPng();

    /// <summary>Writes the file.</summary>
    /// <exception cref="IOException">It cannot be written; the message names it.</exception>
    public static void Write(string path, LoadedImage drawing) => AtomicFile.Write(path, Encode(path, drawing));

    // A device or a pipe has no ending, and gets PNG.
    private static string? FormatOf(string path) => Path.GetExtension(path).ToUpperInvariant() switch
    {
        ".PNG" or "" => "PNG",
        ".JPG" or ".JPEG" => "JPEG",
        _ => null,
    };
}
