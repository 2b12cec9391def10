using System.CommandLine;
using SegmentAnything.Imaging;

namespace SegmentAnything.Cli;

/// <summary>How pictures are read, alike in every command that reads one.</summary>
internal sealed class PictureOptions
{
    private readonly Option<long?> _maxPixels = OptionOf.Whole<long>(
        "--max-pixels", "pixels", 1, (long)int.MaxValue, $"The most pixels that a picture may have ({ImageReadOptions.Default.MaxPixels}).");

    private readonly Option<string> _stretch = OptionOf.Word(
        "--stretch", "How samples of 16 bits become 8: none (the upper 8), range (least to greatest of the picture), percentiles (2nd to 98th).",
        "none", "range", "percentiles");

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        command.Options.Add(_maxPixels);
        command.Options.Add(_stretch);
    }

    /// <summary>What the command line says.</summary>
    public ImageReadOptions Read(ParseResult parsed) => new()
    {
        MaxPixels = parsed.GetValue(_maxPixels) ?? ImageReadOptions.Default.MaxPixels,
        Stretch = parsed.GetRequiredValue(_stretch) switch
        {
            "range" => SampleStretch.Range,
            "percentiles" => SampleStretch.Percentiles,
            _ => SampleStretch.None,
        },
    };

    /// <summary>Reads a picture, and says what should be known of it.</summary>
    /// <exception cref="ImageFileException">It cannot be read.</exception>
    public LoadedImage Load(string path, ParseResult parsed, Progress progress, CancellationToken cancellation)
    {
        LoadedImage picture = PictureFile.Load(path, Read(parsed), cancellation);
        if (HintOf(picture) is { } hint) progress.Say($"{path}: {hint}");
        return picture;
    }

    /// <summary>What should be known of a picture, in the tool's terms; null for nothing.</summary>
    public static string? HintOf(LoadedImage picture) => picture.Hint?.Replace("stretch them", "give --stretch percentiles", StringComparison.Ordinal);
}
