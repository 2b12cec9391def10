using SegmentAnything.Imaging;

namespace SegmentAnything.Cli;

/// <summary>The picture that a command is about.</summary>
internal static class PictureFile
{
    /// <summary>Stands for standard input.</summary>
    public const string StandardInputName = "-";

    /// <summary>What help says of it.</summary>
    public const string Description = "JPEG, PNG, WebP, TIFF, GIF, AVIF; - is standard input";

    /// <summary>Opens standard input.</summary>
    internal static Func<Stream> OpenStandardInput { get; set; } = Console.OpenStandardInput;

    /// <summary>Reads a picture.</summary>
    /// <param name="path">A file's path, or <c>-</c>.</param>
    /// <param name="options">How it is read.</param>
    /// <param name="cancellation">Stops the reading.</param>
    /// <exception cref="ImageFileException">It is none, in a format that is not read, too large, or damaged.</exception>
    public static LoadedImage Load(string path, ImageReadOptions options, CancellationToken cancellation)
    {
        if (path != StandardInputName) return ImageFile.Load(path, options, cancellation);
        using Stream input = OpenStandardInput();
        return ImageFile.Load(input, options, cancellation);
    }
}
