using System.CommandLine;
using SegmentAnything.Annotations;

namespace SegmentAnything.Cli.Commands;

/// <summary><c>stats FILE|FOLDER...</c>: what the masks of annotations are like.</summary>
internal static class StatsCommand
{
    /// <summary>Describes the command.</summary>
    public static Command Create()
    {
        Argument<string[]> paths = new("FILE")
        {
            Description = "Annotations in any form that convert-annotations reads, or folders of such files.",
            Arity = ArgumentArity.OneOrMore,
        };
        Option<string?> images = ImageSizes.CreateOption();
        var command = new Command("stats", "Prints statistics of annotations: masks per image, sizes, concavity, where their centres lie.") { paths, images };
        command.SetAction((parsed, cancellation) => Task.FromResult(
            Run(parsed.GetRequiredValue(paths), parsed.GetValue(images), parsed.InvocationConfiguration.Output, cancellation)));
        return command;
    }

    private static int Run(string[] paths, string? images, TextWriter output, CancellationToken cancellation)
    {
        var statistics = new MaskStatistics();
        var options = new AnnotationReadOptions { SizeOf = images is null ? null : new ImageSizes(images).Find };
        foreach (string path in paths.SelectMany(Files))
        {
            using AnnotationReader reader = AnnotationFormat.Detect(path, cancellation).OpenRead(path, options);
            statistics.Add(reader, cancellation);
        }

        output.Write(statistics.ToReport());
        return Tool.Success;
    }

    // A folder of JSON files may hold any forms, each file for itself; other folders are of one form.
    private static IEnumerable<string> Files(string path)
    {
        if (!Directory.Exists(path)) return [path];
        string[] json = [.. Directory.EnumerateFiles(path).Where(f => Path.GetExtension(f).ToLowerInvariant() is ".json" or ".geojson").Order(StringComparer.Ordinal)];
        return json.Length > 0 ? json : [path];
    }
}
