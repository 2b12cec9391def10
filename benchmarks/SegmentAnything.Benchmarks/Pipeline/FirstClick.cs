using SegmentAnything.Benchmarks.Columns;
using SegmentAnything.Benchmarks.Machine;

namespace SegmentAnything.Benchmarks.Pipeline;

/// <summary>The first click on a new image beside later ones, where encoding prepares the image and where it does not.</summary>
internal static class FirstClick
{
    private const int WarmUps = 3, LaterClicks = 5;

    /// <summary>Measures MobileSAM, and writes a Markdown table to the console and to the results.</summary>
    /// <param name="args">Rounds; "cpu".</param>
    public static int Run(string[] args)
    {
        int rounds = args.Select(a => int.TryParse(a, out int number) ? number : 0).FirstOrDefault(n => n > 0, 9);
        WorkTime clock = new(args.Contains("cpu"));
        SamOptions options = new() { Execution = ExecutionOptions.For(new CpuProvider(clock.Threads)) };
        using SamModel prepares = SamModel.Load(SamModels.MobileSam, options);
        using SamModel waits = SamModel.Load(SamModels.MobileSam, options with { PreparesEncodedImages = false });
        SamModel[] models = [prepares, waits];
        PixelBuffer image = PipelineBenchmarks.Picture();
        Prompt click = PipelineBenchmarks.Points()[27];
        List<double>[][] times = [.. models.Select(_ => (List<double>[])[[], [], []])];
        for (int round = -WarmUps; round < rounds; round++)
        {
            MaskPrediction[] first = new MaskPrediction[models.Length];
            for (int model = 0; model < models.Length; model++)
            {
                ImageEmbedding embedding = null!;
                double encoding = clock.Measure(() => embedding = models[model].Encode(image));
                double firstClick = clock.Measure(() => first[model] = models[model].Predict(embedding, click));
                double later = Enumerable.Range(0, LaterClicks).Select(_ => clock.Measure(() => models[model].Predict(embedding, click).Dispose())).Order().ElementAt(LaterClicks / 2);
                embedding.Dispose();
                if (round < 0) continue;
                times[model][0].Add(encoding);
                times[model][1].Add(firstClick);
                times[model][2].Add(later);
            }

            if (!first[0].Best.Mask.Equals(first[1].Best.Mask)) throw new InvalidOperationException("The masks are not the same.");
        }

        ResultPage table = new("FirstClick");
        table.Say($"{ResultPage.Machine}; MobileSAM, a picture of {image.Size}, three masks; medians of {rounds} rounds in turns, a new image each: {clock.Name}.");
        table.Say("");
        table.Say("| | encoding | first click | a later click | first to later |");
        table.Say("|---|---:|---:|---:|---:|");
        for (int model = 0; model < models.Length; model++)
        {
            double[] medians = [.. times[model].Select(t => t.Order().ElementAt(rounds / 2) * 1e3)];
            string what = model == 0 ? "encoding prepares the image" : "the first click does";
            table.Say($"| {what} | {medians[0]:F1} ms | {medians[1]:F1} ms | {medians[2]:F1} ms | {medians[1] / medians[2]:F1}x |");
        }

        table.Save();
        return 0;
    }
}
