using System.Diagnostics;
using SegmentAnything.Benchmarks.Columns;
using SegmentAnything.Benchmarks.Kernels;
using SegmentAnything.Benchmarks.Machine;
using SegmentAnything.Benchmarks.Pipeline;
using SegmentAnything.Rle;

namespace SegmentAnything.Benchmarks.Comparison;

/// <summary>
/// The library against the published ONNX files, in one process, in turns, medians; answers are compared first. The same
/// work where it can be: from pixels to an embedding, from a click to run lengths at source size (of ours: three masks).
/// </summary>
internal static class StockRatios
{
    private const int WarmUps = 8;

    private const int Pause = 40;

    /// <summary>Short work is done this often in a turn, and the first two times do not count: threads wake up in them.</summary>
    private const int Repeats = 10;

    /// <summary>Measures and writes a Markdown table to the console.</summary>
    /// <param name="rounds">How often each is measured.</param>
    public static int Run(int rounds)
    {
        PixelBuffer image = PipelineBenchmarks.Picture();
        ImageSize size = image.Size;
        using StockFiles stock = new();
        using SamModel sam = SamModel.Load(SamModels.MobileSam);
        using SamModel graphs = SamModel.Load(SamModels.MobileSam, new SamOptions { Decoder = DecoderBackend.Graph });

        float[] stockEmbedding = stock.Encode(image);
        using ImageEmbedding embedding = sam.Encode(image);
        double difference = 0;
        for (int i = 0; i < stockEmbedding.Length; i++) difference = Math.Max(difference, Math.Abs(stockEmbedding[i] - embedding.Values[i]));
        Require(difference < 1e-4, $"embeddings differ by {difference}");

        Prompt[] points = PipelineBenchmarks.Points();
        foreach (Prompt prompt in points.Take(8))
        {
            RleMask expected = stock.Mask(stockEmbedding, size, prompt.Points[0].X, prompt.Points[0].Y);
            foreach (SamModel model in (SamModel[])[sam, graphs])
            {
                double overlap = model.Predict(embedding, prompt).Max(m => m.Mask.IntersectionOverUnion(expected));
                Require(overlap >= 0.999, $"masks at {prompt} overlap by {overlap}");
            }
        }

        ResultPage table = new("StockRatios");
        double peak = FmaPeak.Measure(Environment.ProcessorCount);
        double limit = 2e-9 * PipelineBenchmarks.PromptMultiplyAdds / peak, graphLimit = 2e-9 * DecoderPeak.FormedMultiplyAdds / peak;
        table.Say($"{ResultPage.Machine}, "
            + $"{ResultPage.Vectors}, FMA peak {peak:F0} GFLOP/s; a picture of {size}; medians of {rounds} turns or more; in a turn a click is made {Repeats} times, the first two not counted.");
        table.Say("");
        table.Say("| work | stock files | ours | ratio | of the peak |");
        table.Say("|---|---:|---:|---:|---:|");
        Row(table, "pixels to embedding (ours: prepared for prompts, too)", rounds, 1, 1, 0, () => stock.Encode(image), () => sam.Encode(image).Dispose());
        Prompt click = points[27];
        Action stockClick = () => stock.Mask(stockEmbedding, size, click.Points[0].X, click.Points[0].Y);
        Row(table, "one click: one mask (stock), three masks (ours)", rounds * 3, 1, 1, limit, stockClick, () => sam.Predict(embedding, click).Dispose());
        // All logits in new memory, as also without keeping them until the collector runs.
        List<MaskPrediction> kept = [];
        Row(table, "the same, all predictions kept", rounds * 3, 1, 1, limit, stockClick, () => kept.Add(sam.Predict(embedding, click)));
        PipelineBenchmarks.Dispose([.. kept]);
        kept.Clear();
        Row(table, "the same, our graphs", rounds * 3, 1, 1, graphLimit, stockClick, () => graphs.Predict(embedding, click).Dispose());
        Row(table, $"a prompt of a batch of {points.Length}: one mask (stock), three masks (ours)", rounds, 1, points.Length, limit,
            stockClick, () => PipelineBenchmarks.Dispose(sam.Predict(embedding, points)));
        Row(table, $"a prompt of a batch of {points.Length}: one mask (stock), four masks (ours)", rounds, 1, points.Length, limit,
            stockClick, () => PipelineBenchmarks.Dispose(sam.Predict(embedding, points, MaskSelection.All)));
        Row(table, "the same, our graphs", rounds, 1, points.Length, graphLimit, stockClick, () => PipelineBenchmarks.Dispose(graphs.Predict(embedding, points, MaskSelection.All)));
        Action grid = () => sam.GenerateMasks(image);
        grid();
        double seconds = Median([.. Enumerable.Range(0, 3).Select(_ => Time(grid))]);
        table.Say($"| the automatic 32x32 grid | | {seconds:F1} s | | {2 * 1024 * PipelineBenchmarks.GridPromptMultiplyAdds / seconds / 1e9 / peak:P0} |");

        table.Say("");
        table.Say($"Distance of two cores at the end: {CoreDistance.Measure():F0} ns. Above {CoreDistance.FarNanoseconds} they share no cache, and ONNX Runtime is slower (EncoderRatios).");
        table.Save();
        return 0;
    }

    private static void Row(ResultPage table, string work, int rounds, int stockItems, int ourItems, double limit, Action stock, Action ours)
    {
        List<double> stockTimes = [], ourTimes = [];
        // Long enough for the just-in-time compiler to have finished with both.
        for (int i = 0; i < WarmUps; i++)
        {
            stock();
            ours();
        }

        for (int i = 0; i < rounds; i++)
        {
            Measure(stock, stockItems, stockTimes);
            Measure(ours, ourItems, ourTimes);
        }

        double before = Median(stockTimes);
        double after = Median(ourTimes);
        string share = limit > 0 ? $"{limit / after:P0}" : "";
        table.Say($"| {work} | {before * 1e3:F1} ms | {after * 1e3:F1} ms | {before / after:F1}x | {share} |");
    }

    private static void Measure(Action action, int items, List<double> times)
    {
        // ONNX Runtime's threads spin for a while after a run: whoever comes next would be measured with one core less.
        Thread.Sleep(Pause);
        double first = Time(action);
        if (first > 0.1)
        {
            times.Add(first / items);
            return;
        }

        Time(action);
        for (int i = 2; i < Repeats; i++) times.Add(Time(action) / items);
    }

    private static double Time(Action action)
    {
        long start = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static double Median(List<double> values)
    {
        values.Sort();
        return values[values.Count / 2];
    }

    private static void Require(bool holds, string otherwise)
    {
        if (!holds) throw new InvalidOperationException($"The answers are not the same: {otherwise}.");
    }
}
