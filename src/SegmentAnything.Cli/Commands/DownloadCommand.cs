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
        await ModelStore.Default.GetAsync(variant, progress: new Reporter(progress), cancellationToken: cancellation);
        progress.Say($"{variant.DisplayName} is in {Path.Combine(ModelStore.Default.Folders[0], variant.Name)}");
        return Tool.Success;
    }

    /// <summary>Says every tenth of a file.</summary>
    private sealed class Reporter(Progress progress) : IProgress<ModelDownloadProgress>
    {
        private (ModelFile? File, long Tenth) _said;

        public void Report(ModelDownloadProgress value)
        {
            long tenth = value.Total > 0 ? 10 * value.Received / value.Total.Value : 0;
            if (_said == (value.File, tenth)) return;
            _said = (value.File, tenth);
            progress.Say($"{value.File.FileName}: {value.Received / 1e6:F0} of {(value.Total ?? 0) / 1e6:F0} MB");
        }
    }
}
