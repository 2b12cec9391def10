using System.CommandLine;
using SegmentAnything.Evaluation;
using SegmentAnything.Imaging;
using SegmentAnything.Rle;
using SegmentAnything.Tasks;

namespace SegmentAnything.Cli.Commands.Evaluate;

/// <summary><c>evaluate edges FOLDER --truth FOLDER</c>: edges, whoever found them, against the boundaries that people drew.</summary>
internal static class EvaluateEdgesCommand
{
    /// <summary>Describes the command.</summary>
    public static Command Create()
    {
        Argument<string> folder = new("FOLDER")
        {
            Description = $"Edges as grey pictures, 0 for none, such as the command edges writes. {SetOptions.StillLife}: the model finds those of the picture that the tool draws.",
        };
        Option<string?> truth = new("--truth")
        {
            Description = "What people drew: for the edges NAME.png a file NAME.mat of BSDS500, NAME.png, or a folder NAME of a picture a person, in which what is not black is a boundary.",
            HelpName = "FOLDER",
        };
        Option<double?> distance = OptionOf.Real("--max-distance", "a part of the diagonal", 0.0, 1, $"How far an edge and a boundary may lie apart, as a part of the diagonal ({EdgeBenchmarkOptions.Bsds.MaxDistance}; NYUD has 0.011).");
        Option<string?> plot = new("--plot") { Description = "Draw precision over recall.", HelpName = "FILE.svg" };
        var settings = new EdgeOptions();
        var model = new ModelOptions();
        var command = new Command("edges", "Edges against the boundaries that people drew, as BSDS500 does: ODS, OIS, AP, R50.") { folder, truth, distance, plot };
        settings.AddTo(command);
        model.AddTo(command);
        command.SetAction((parsed, cancellation) =>
        {
            (string edges, string? people, string? plotPath) = (parsed.GetRequiredValue(folder), parsed.GetValue(truth), parsed.GetValue(plot));
            if (plotPath is not null && Path.GetExtension(plotPath).ToUpperInvariant() is not (".SVG" or ""))
                throw new UsageException($"--plot '{plotPath}': plots are written as SVG; give a name that ends in .svg.");
            var progress = new Progress(parsed.InvocationConfiguration.Error);
            var options = EdgeBenchmarkOptions.Bsds with { MaxDistance = parsed.GetValue(distance) ?? EdgeBenchmarkOptions.Bsds.MaxDistance };
            OutputFiles files = model.NoteInputs(parsed, new OutputFiles());
            EdgeCounts[] counts;
            if (edges == SetOptions.StillLife && !Directory.Exists(edges))
            {
                if (people is not null) throw new UsageException($"--truth is for a folder of edges; the boundaries of {SetOptions.StillLife} are known.");
                files.Writes(plotPath, $"--plot {plotPath}");
                using SamModel sam = model.Load(parsed, progress, cancellation);
                EdgeMap map = progress.Run("The still life: edges", () => EdgesCommand.Detect(sam, StillLife.Image.ToPixelBuffer(), settings.Read(parsed), cancellation));
                RleMask[] objects = [.. StillLife.Objects.Select(o => RleMask.FromBitmap(o.Mask, StillLife.Width, StillLife.Height))];
                counts = [EdgeBenchmark.Count(map.ToLevels(), [BoundaryFiles.BoundaryOf(objects)], options, cancellation)];
            }
            else
            {
                if (people is null) throw new UsageException("Nothing says what people drew; give --truth FOLDER.");
                files.Reads(edges, $"the edges {edges}").Reads(people, $"--truth {people}").Writes(plotPath, $"--plot {plotPath}");
                counts = Count(edges, people, options, progress, cancellation);
            }

            EdgeScores scores = EdgeBenchmark.Gather(counts);
            if (plotPath is not null)
            {
                PlotLine line = new("edges", [.. scores.Curve.Where(score => score.Precision > 0).Select(score => (score.Recall, score.Precision))]);
                ResultFile.Write(plotPath, LinePlot.ToSvg("Edges: precision and recall", "recall", "precision", [line], (0, 1)), parsed.InvocationConfiguration.Output);
            }

            if (plotPath != "-")
            {
                parsed.InvocationConfiguration.Output.Write(FormattableString.Invariant(
                    $"| images | ODS | OIS | AP | R50 |\n|---:|---:|---:|---:|---:|\n| {counts.Length} | {scores.DataSetScale.F:0.000} | {scores.ImageScale.F:0.000} | {scores.AveragePrecision:0.000} | {scores.RecallAtHalf:0.000} |\n"));
            }

            return Task.FromResult(Tool.Success);
        });
        return command;
    }

    private static EdgeCounts[] Count(string edges, string people, EdgeBenchmarkOptions options, Progress progress, CancellationToken cancellation)
    {
        if (!Directory.Exists(edges)) throw new UsageException($"There is no folder {edges}.");
        if (!Directory.Exists(people)) throw new UsageException($"--truth: there is no folder {people}.");
        string[] files = [.. Directory.EnumerateFiles(edges).Where(file => Path.GetExtension(file).Equals(".png", StringComparison.OrdinalIgnoreCase)).Order(StringComparer.Ordinal)];
        if (files.Length == 0) throw new UsageException($"{edges} holds no PNG file, so there is nothing to evaluate.");
        // Before the long work: every picture of edges has boundaries.
        foreach (string file in files) BoundaryFiles.Find(people, Path.GetFileNameWithoutExtension(file));
        var counts = new EdgeCounts[files.Length];
        var told = new ImageProgress(progress, edges, files.Length);
        int done = 0;
        Parallel.For(0, files.Length, new ParallelOptions { CancellationToken = cancellation, MaxDegreeOfParallelism = Environment.ProcessorCount }, i =>
        {
            IReadOnlyList<RleMask> drawn = BoundaryFiles.Read(BoundaryFiles.Find(people, Path.GetFileNameWithoutExtension(files[i])), cancellation);
            LoadedImage picture = ImageFile.Load(files[i], cancellationToken: cancellation);
            if (picture.Width != drawn[0].Width || picture.Height != drawn[0].Height)
                throw new InvalidDataException($"{files[i]} has {picture.Width}x{picture.Height} pixels, but what people drew has {drawn[0].Width}x{drawn[0].Height}.");
            byte[] levels = new byte[picture.Width * picture.Height];
            for (int p = 0; p < levels.Length; p++) levels[p] = picture.Pixels[3 * p];
            counts[i] = EdgeBenchmark.Count(levels, drawn, options, cancellation);
            lock (told) told.Report(++done);
        });
        return counts;
    }
}
