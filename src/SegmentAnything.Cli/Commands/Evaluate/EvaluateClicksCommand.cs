using System.CommandLine;
using System.Globalization;
using System.Text;
using SegmentAnything.Evaluation;
using SegmentAnything.Imaging;
using SegmentAnything.Tasks;

namespace SegmentAnything.Cli.Commands.Evaluate;

/// <summary><c>evaluate points</c> and <c>evaluate clicks</c>: how masks improve from click to click of a simulated person.</summary>
internal static class EvaluateClicksCommand
{
    // What the paper's figures have: up to 9 points. Interactive segmentation counts up to 20 clicks.
    private const int PaperPoints = 9, InteractiveClicks = 20, TrainingRounds = 11;

    /// <summary>Describes <c>evaluate points</c>.</summary>
    public static Command CreatePoints() => Create(
        "points", "Masks from 1, 2, 3, 5, 9 points: mIoU and oracle, for several models and sets.", "--points", "points", PaperPoints);

    /// <summary>Describes <c>evaluate clicks</c>.</summary>
    public static Command CreateClicks() => Create(
        "clicks", "Interactive segmentation: how many clicks until a mask is good enough (NoC).", "--clicks", "clicks", InteractiveClicks);

    private static Command Create(string name, string description, string limitName, string unit, int limitDefault)
    {
        var set = new SetOptions();
        var model = new ModelOptions(several: true);
        var pictures = new PictureOptions();
        Option<int?> limit = OptionOf.Whole(limitName, unit, 1, 100, $"The most {unit} an object gets ({limitDefault}).");
        Option<bool> random = new("--random-points") { Description = "The first point is anywhere on the object, not in its centre." };
        Option<int?> seed = OptionOf.Whole("--seed", "a seed", int.MinValue, int.MaxValue, "Chooses the random points (0): the same seed gives the same points.");
        Option<string?> group = new("--group-by") { Description = "Report groups of objects apart: a field of the annotations, or category.", HelpName = "FIELD" };
        Option<string> person = OptionOf.Word(
            "--simulate", "Who clicks: where the error is thickest (evaluation), or as the model was trained, with noise (training).", "evaluation", "training");
        Option<bool> multimask = new("--multimask-always") { Description = "Three masks after every click, of which the most confident is taken; else only after the first." };
        Option<bool> box = new("--box-oracle") { Description = "Also give mIoU of the masks from the boxes around the objects." };
        Option<string?> csv = new("--csv") { Description = "Write the objects one by one as CSV.", HelpName = "FILE" };
        Option<string?> plot = new("--plot") { Description = "Draw the curves of mIoU.", HelpName = "FILE.svg" };

        var command = new Command(name, description) { limit, random, seed, group, person, multimask, box, csv, plot };
        set.AddTo(command);
        model.AddTo(command);
        pictures.AddTo(command);
        command.SetAction((parsed, cancellation) =>
        {
            bool training = parsed.GetRequiredValue(person) == "training";
            if (training && parsed.GetValue(limit) is not null) throw new UsageException($"--simulate training has {TrainingRounds} rounds; leave out {limitName}.");
            var options = new ClickSimulationOptions
            {
                Person = training ? SimulatedPerson.Training : SimulatedPerson.Evaluation,
                MaxClicks = training ? TrainingRounds : parsed.GetValue(limit) ?? limitDefault,
                RandomFirstClick = parsed.GetValue(random),
                Seed = parsed.GetValue(seed) ?? 0,
                AlwaysMultiple = parsed.GetValue(multimask),
            };
            var progress = new Progress(parsed.InvocationConfiguration.Error);
            (string? csvPath, string? plotPath) = (parsed.GetValue(csv), parsed.GetValue(plot));
            if (plotPath is not null && Path.GetExtension(plotPath).ToUpperInvariant() is not (".SVG" or ""))
                throw new UsageException($"--plot '{plotPath}': plots are written as SVG; give a name that ends in .svg.");
            set.NoteInputs(parsed, model.NoteInputs(parsed, new OutputFiles())).Writes(csvPath, $"--csv {csvPath}").Writes(plotPath, $"--plot {plotPath}");
            PictureSet[] sets = set.Read(parsed, pictures, progress, cancellation);
            IReadOnlyList<string> models = model.NamesOf(parsed);
            var results = new Dictionary<string, EvaluatedObject[]>();
            foreach (string each in models)
            {
                using SamModel sam = model.Load(each, parsed, progress, cancellation);
                results.Add(each, [.. sets.SelectMany(one => ClickEvaluation.Run(
                    sam, one.Name, one.Annotated, one.Load, options, parsed.GetValue(group), parsed.GetValue(box),
                    new ImageProgress(progress, $"{each}, {one.Name}", one.Annotated.Images.Count), cancellation))]);
            }

            Write(results, options.MaxClicks, unit, csvPath, plotPath, parsed.InvocationConfiguration.Output);
            return Task.FromResult(Tool.Success);
        });
        return command;
    }

    private static void Write(Dictionary<string, EvaluatedObject[]> results, int most, string unit, string? csv, string? plot, TextWriter output)
    {
        bool compared = results.Count > 1;
        var text = new StringBuilder();
        foreach ((string model, EvaluatedObject[] objects) in results)
        {
            text.Append(compared ? $"### {model}\n\n" : "").Append(new ClickReport(objects, most).ToMarkdown()).Append(compared ? "\n" : "");
        }

        if (compared) AppendComparison(text, results, most);

        // Models told apart as sets are, so that one file holds all.
        var report = new ClickReport(results.SelectMany(pair => pair.Value.Select(o => compared ? o with { Set = $"{pair.Key}: {o.Set}" } : o)), most);
        if (csv is not null) ResultFile.Write(csv, report.ToCsv(), output);
        if (plot is not null)
        {
            PlotLine[] lines = [.. report.Sets.Select(name => new PlotLine(name, [.. Enumerable.Range(1, most).Select(n => ((double)n, report.CurveOf(name).MeanAfter(n)))]))];
            ResultFile.Write(plot, LinePlot.ToSvg($"mIoU after a number of {unit}", unit, "mIoU", lines, (0, 1)), output);
        }

        if (csv != "-" && plot != "-") output.Write(text);
    }

    // Object by object: the same objects were clicked on with each model.
    private static void AppendComparison(StringBuilder text, Dictionary<string, EvaluatedObject[]> results, int most)
    {
        (string first, EvaluatedObject[] reference) = results.First();
        int[] numbers = [.. new[] { 1, 3, 9 }.Where(n => n <= most)];
        text.Append(CultureInfo.InvariantCulture, $"Difference to {first}, object by object, with 95 % intervals of a bootstrap over images:\n\n");
        text.Append(CultureInfo.InvariantCulture, $"| model |{string.Concat(numbers.Select(n => $" mIoU@{n} |"))}\n|---|{string.Concat(numbers.Select(_ => "---:|"))}\n");
        // Images of different sets may have one number.
        var groups = new Dictionary<(string, long), long>();
        long[] images = [.. reference.Select(o => groups.TryGetValue((o.Set, o.ImageId), out long known) ? known : groups[(o.Set, o.ImageId)] = groups.Count)];
        foreach ((string model, EvaluatedObject[] objects) in results.Skip(1))
        {
            text.Append(CultureInfo.InvariantCulture, $"| {model} |");
            foreach (int n in numbers)
            {
                double[] theirs = new ClickCurve(objects.Select(o => o.Result.Qualities), most).After(n), ours = new ClickCurve(reference.Select(o => o.Result.Qualities), most).After(n);
                Estimate difference = SampleStatistics.PairedBootstrap(theirs, ours, images);
                text.Append(CultureInfo.InvariantCulture, $" {difference.Value:+0.000;-0.000;0.000} ({difference.Low:+0.000;-0.000;0.000} to {difference.High:+0.000;-0.000;0.000}) |");
            }

            text.Append('\n');
        }
    }
}
