using System.CommandLine;

namespace SegmentAnything.Cli.Commands;

/// <summary><c>download [MODEL]</c>: gets a model's files into the model store.</summary>
internal static class DownloadCommand
{
    /// <summary>Describes the command.</summary>
    public static Command Create()
    {
        Argument<string> name = new("MODEL")
        {
            Description = $"One of {string.Join(", ", SamModels.All.Select(v => v.Name))}.",
            DefaultValueFactory = _ => SamModels.MobileSam.Name,
        };
        var command = new Command("download", "Downloads a model into the model store; what is there already stays.") { name };
        command.SetAction((parsed, cancellation) => RunAsync(parsed.GetRequiredValue(name), new Progress(parsed.InvocationConfiguration.Error), cancellation));
        return command;
    }

    private static async Task<int> RunAsync(string name, Progress progress, CancellationToken cancellation)
    {
        SamVariant variant = SamModels.Find(name) ?? throw new UsageException(
            $"'{name}' is not the name of a model; the names are {string.Join(", ", SamModels.All.Select(v => v.Name))}.");
        // Everything is read here, so that the other commands need not.
        foreach (FileVerification file in ModelVerifier.Verify(variant, ModelStore.Default, cancellation))
        {
            if (file.Problem is { } problem) progress.Say($"{file.Path}: {problem}: it is fetched again.");
        }

        ModelFiles files = await ModelStore.Default.GetAsync(variant, progress: new DownloadReporter(progress), cancellationToken: cancellation);
        progress.Say($"{variant.DisplayName} is in {Path.GetDirectoryName(files.FindPath(variant.Files[0].Role))}");
        return Tool.Success;
    }
}
