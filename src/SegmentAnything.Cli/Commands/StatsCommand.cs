using System.CommandLine;

namespace SegmentAnything.Cli.Commands;

/// <summary><c>stats FILE...</c>: what the masks of annotation files are like.</summary>
internal static class StatsCommand
{
    /// <summary>Describes the command.</summary>
    public static Command Create()
    {
        Argument<string[]> files = new("FILE")
        {
            Description = "Annotations in SA-1B or COCO form.",
            Arity = ArgumentArity.OneOrMore,
        };
        var command = new Command("stats", "Prints statistics of annotation files: masks per image, sizes, concavity, where their centres lie.") { files };
        command.SetAction((parsed, cancellation) => Task.FromResult(Run(parsed.GetRequiredValue(files), parsed.InvocationConfiguration.Output, cancellation)));
        return command;
    }

    private static int Run(string[] files, TextWriter output, CancellationToken cancellation)
    {
        var statistics = new MaskStatistics();
        foreach (string file in files) AnnotationFile.AddTo(statistics, file, cancellation);
        output.Write(statistics.ToReport());
        return Tool.Success;
    }
}
