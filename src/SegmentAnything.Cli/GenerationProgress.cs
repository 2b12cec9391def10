using System.Globalization;
using Spectre.Console;

namespace SegmentAnything.Cli;

/// <summary>Shows how far the automatic generator is with each image: bars on a terminal, plain lines elsewhere.</summary>
internal abstract class GenerationProgress : IProgress<MaskGenerationProgress>
{
    /// <summary>Does the work and shows its progress.</summary>
    /// <param name="error">Where to. Bars are drawn only when this is the process's own terminal.</param>
    /// <param name="paths">The images, in the order in which they are done.</param>
    /// <param name="work">Does it.</param>
    public static async Task RunAsync(TextWriter error, IReadOnlyList<string> paths, Func<GenerationProgress, Task> work)
    {
        if (Progress.TerminalOf(error) is { } terminal)
        {
            IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(terminal) });
            if (console.Profile.Capabilities.Interactive)
            {
                List<string> lines = [];
                await console.Progress()
                    .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn(), new SpinnerColumn())
                    .StartAsync(context => work(new Bars(context, paths, lines)));
                foreach (string line in lines) error.WriteLine(line);
                return;
            }
        }

        await work(new Lines(error, paths));
    }

    /// <summary>Called by the generator.</summary>
    public abstract void Report(MaskGenerationProgress value);

    /// <summary>The current image is done; the next one follows.</summary>
    public void Finish(string path, GeneratedMasks masks) => Next(string.Create(CultureInfo.InvariantCulture,
        $"{path}: {masks.Count} masks in {Progress.Format(masks.Elapsed)} (encode {Sum(masks, c => c.EncodeTime)}, decode {Sum(masks, c => c.DecodeTime)}, masks {Sum(masks, c => c.MaskTime)}, suppression {Sum(masks, c => c.SuppressionTime)})"));

    /// <summary>The current image could not be read; the next one follows.</summary>
    public void Fail(string path, string reason) => Next($"error: {(reason.Contains(path, StringComparison.Ordinal) ? "" : path + ": ")}{reason.ReplaceLineEndings(" ")}");

    /// <summary>Says something of the current image.</summary>
    public abstract void Say(string line);

    /// <summary>Tells of the image that is done and goes on to the next.</summary>
    protected abstract void Next(string line);

    private static string Sum(GeneratedMasks masks, Func<CropStatistics, TimeSpan> time) =>
        Progress.Format(TimeSpan.FromTicks(masks.Crops.Sum(crop => time(crop).Ticks)));

    private sealed class Bars(ProgressContext context, IReadOnlyList<string> paths, List<string> lines) : GenerationProgress
    {
        private int _image;
        private ProgressTask? _task;

        public override void Report(MaskGenerationProgress value)
        {
            _task ??= context.AddTask(Markup.Escape(PrintableWriter.Show(Path.GetFileName(paths[_image]))));
            _task.Value = 100 * value.Fraction;
        }

        public override void Say(string line) => lines.Add(PrintableWriter.Show(line));

        protected override void Next(string line)
        {
            lines.Add(PrintableWriter.Show(line));
            _task?.StopTask();
            _task = null;
            _image++;
        }
    }

    private sealed class Lines(TextWriter error, IReadOnlyList<string> paths) : GenerationProgress
    {
        private const int Quarters = 4;
        private int _image;
        private int _quarter;

        public override void Report(MaskGenerationProgress value)
        {
            int quarter = (int)(value.Fraction * Quarters);
            if (quarter <= _quarter || quarter == Quarters) return;
            _quarter = quarter;
            error.WriteLine($"{PrintableWriter.Show(paths[_image])}: {100 * quarter / Quarters} %");
        }

        public override void Say(string line) => error.WriteLine(PrintableWriter.Show(line));

        protected override void Next(string line)
        {
            error.WriteLine(PrintableWriter.Show(line));
            _quarter = 0;
            _image++;
        }
    }
}
