using System.Diagnostics;
using SegmentAnything.Automatic;
using SegmentAnything.Benchmarks.Columns;
using SegmentAnything.Benchmarks.Machine;
using SegmentAnything.Benchmarks.Pipeline;
using SegmentAnything.Imaging;
using SegmentAnything.Masks;
using SegmentAnything.Rle;

namespace SegmentAnything.Benchmarks.Comparison;

/// <summary>
/// The automatic generator's whole grid against a loop over the published files, in one process; the masks are compared.
/// </summary>
internal static class GridRatios
{
    private const double SameMask = 0.99, FoundAgain = 0.9;

    /// <summary>Measures and writes a Markdown table to the console and among the results.</summary>
    /// <param name="arguments">
    /// <c>--side N</c>: points per side (32; fewer are for trying and are not written among the results);
    /// <c>--rounds N</c>: rounds of ours (5); <c>--image FILE</c>: a picture to be used instead of the still life.
    /// </param>
    public static int Run(string[] arguments)
    {
        int side = int.Parse(Argument(arguments, "--side") ?? "32"), rounds = int.Parse(Argument(arguments, "--rounds") ?? "5");
        PixelBuffer image = LoadImage(Argument(arguments, "--image"), out string name);
        AutomaticMaskOptions options = new() { PointsPerSide = side };
        using SamModel sam = SamModel.Load(SamModels.MobileSam);
        using StockGrid stock = new();
        GeneratedMasks all = sam.GenerateMasks(image, options), third = sam.GenerateMasks(image, options with { PromptFraction = 1 / 3.0 });
        double peak = FmaPeak.Measure(Environment.ProcessorCount);

        // Ours in turns, half before the long loop and half after it.
        List<Timing> whole = [], plain = [], fewer = [];
        List<RleMask> withoutSavings = [];
        void Ours(int times)
        {
            for (int round = 0; round < times; round++)
            {
                whole.Add(Measure(() => Parts(sam.GenerateMasks(image, options))));
                plain.Add(Measure(() =>
                {
                    withoutSavings = GenerateWithoutSavings(sam, image, options, out string parts);
                    return parts;
                }));
                fewer.Add(Measure(() => Parts(sam.GenerateMasks(image, options with { PromptFraction = 1 / 3.0 }))));
            }
        }

        Ours((rounds + 1) / 2);
        List<RleMask> expected = [];
        Timing loop = Measure(() =>
        {
            expected = stock.Generate(image, side, options);
            return Parts(stock.Times.Encode, stock.Times.Decode, stock.Times.Masks);
        });
        Ours(rounds / 2);

        Require(withoutSavings.SequenceEqual(all.Select(m => m.Mask)), "the masks without and with the savings");
        int same = Matched(expected, [.. all.Select(m => m.Mask)], SameMask);
        Require(Math.Abs(expected.Count - all.Count) <= 1 && same >= expected.Count - 1,
            $"{expected.Count} masks of the published files, {all.Count} of ours, {same} of them the same");
        int again = all.Count(a => third.Any(t => t.Mask.IntersectionOverUnion(a.Mask) >= FoundAgain));

        ResultPage table = new("GridRatios");
        CropStatistics counts = all.Crops[0];
        table.Say($"{ResultPage.Machine}, "
            + $"{ResultPage.Vectors}, FMA peak {peak:F0} GFLOP/s; {name}, {image.Size}; a grid of {side}x{side} points; "
            + $"the loop once, ours medians of {rounds} rounds before and after it.");
        table.Say("");
        table.Say($"Masks: {expected.Count} by the published files, {all.Count} by ours, {same} of them the same (IoU of {SameMask} or more, one to one). "
            + $"Of {counts.Candidates} candidates {counts.AfterPredictedIou} pass the predicted IoU, {counts.AfterStability} of these are stable, {counts.AfterSuppression} are left after suppression. "
            + $"A third of the prompts finds {again} of the {all.Count} again (IoU of {FoundAgain} or more).");
        table.Say("");
        table.Say("| the whole grid | time | ratio | encode | decode | masks | of the peak | cores busy |");
        table.Say("|---|---:|---:|---:|---:|---:|---:|---:|");
        Row("the published files, one prompt a call, plain C# behind", loop, side * side, StockFiles.PromptMultiplyAdds);
        Row("ours, every mask upscaled and measured to the end", Median(plain), side * side, PipelineBenchmarks.GridPromptMultiplyAdds);
        Row("ours", Median(whole), side * side, PipelineBenchmarks.GridPromptMultiplyAdds);
        Row("ours, a third of the prompts", Median(fewer), third.Crops[0].Candidates / 3, PipelineBenchmarks.GridPromptMultiplyAdds);

        if (side < 32) return 0;
        table.Save();
        return 0;

        void Row(string work, Timing run, int prompts, double multiplyAdds)
        {
            double share = 2 * prompts * multiplyAdds / run.Seconds / 1e9 / peak;
            table.Say($"| {work} | {run.Seconds:F2} s | {loop.Seconds / run.Seconds:F1}x | {run.Parts} | {share:P0} | {run.Busy:P0} |");
        }
    }

    // What the generator did before it left out what cannot count: all masks upscaled, all of a mask measured.
    private static List<RleMask> GenerateWithoutSavings(SamModel sam, PixelBuffer image, AutomaticMaskOptions options, out string parts)
    {
        long begin = Stopwatch.GetTimestamp();
        var encoder = new ModelCropEncoder(sam.Encoder, sam.PromptEncoder, sam.Decoder);
        using IEncodedCrop encoded = encoder.Encode(image, default);
        (double X, double Y)[] points = [.. PointGrid.Build(options.PointsPerSide).Select(p => (p.X * image.Width, p.Y * image.Height))];
        int values = encoded.LowResSize * encoded.LowResSize, masks = encoded.MasksPerPoint;
        int most = Math.Min(options.PointsPerBatch, points.Length);
        float[] logits = GC.AllocateUninitializedArray<float>(most * masks * values), scores = new float[most * masks];
        CropBox whole = new(0, 0, image.Width, image.Height, 0);
        List<Candidate> candidates = [];
        TimeSpan encode = Stopwatch.GetElapsedTime(begin), decode = default, masking = default;
        for (int start = 0; start < points.Length; start += most)
        {
            int count = Math.Min(most, points.Length - start) * masks;
            long before = Stopwatch.GetTimestamp();
            encoded.Decode(points.AsSpan(start, count / masks), float.NegativeInfinity, logits.AsSpan(0, count * values), scores.AsSpan(0, count), default);
            long decoded = Stopwatch.GetTimestamp();
            int[] passing = [.. Enumerable.Range(0, count).Where(i => scores[i] > options.PredIouThreshold)];
            MaskMeasurement[] measured = new MaskMeasurement[passing.Length];
            Parallel.For(0, passing.Length, i => measured[i] = encoded.Upscaler.Measure(
                logits.AsSpan(passing[i] * values, values), MaskMeasurement.Threshold, options.StabilityScoreOffset));
            for (int i = 0; i < passing.Length; i++)
            {
                if (!(measured[i].StabilityScore >= options.StabilityScoreThreshold)) continue;
                (int x0, int y0, int x1, int y1) = measured[i].InclusiveBox;
                candidates.Add(new Candidate((start * masks) + passing[i], measured[i].Mask, measured[i].Area, new Box(x0, y0, x1, y1),
                    scores[passing[i]], measured[i].StabilityScore, 0, 0, whole));
            }

            decode += Stopwatch.GetElapsedTime(before, decoded);
            masking += Stopwatch.GetElapsedTime(decoded);
        }

        parts = Parts(encode, decode, masking);
        return [.. CandidateFilter.SuppressWithinCrop(candidates, options.BoxNmsThreshold).Select(c => c.Mask)];
    }

    private static PixelBuffer LoadImage(string? path, out string name)
    {
        if (path is not null)
        {
            name = $"the picture {Path.GetFileName(path)}";
            return ImageFile.Load(path).ToPixelBuffer();
        }

        name = "the still life of the demo, enlarged";
        return PipelineBenchmarks.Picture();
    }

    // One to one: each expected mask takes the best that is still free.
    private static int Matched(List<RleMask> expected, List<RleMask> found, double least)
    {
        int matched = 0;
        foreach (RleMask mask in expected)
        {
            RleMask? best = found.MaxBy(m => m.IntersectionOverUnion(mask));
            if (best is null || best.IntersectionOverUnion(mask) < least) continue;
            found.Remove(best);
            matched++;
        }

        return matched;
    }

    private static string Parts(GeneratedMasks masks) =>
        Parts(masks.Crops[0].EncodeTime, masks.Crops[0].DecodeTime, masks.Crops[0].MaskTime);

    private static string Parts(TimeSpan encode, TimeSpan decode, TimeSpan masks) =>
        $"{encode.TotalSeconds:F2} s | {decode.TotalSeconds:F2} s | {masks.TotalSeconds:F2} s";

    private static string? Argument(string[] arguments, string name)
    {
        int index = Array.IndexOf(arguments, name);
        return index < 0 || index + 1 == arguments.Length ? null : arguments[index + 1];
    }

    private static Timing Measure(Func<string> action)
    {
        // ONNX Runtime's threads spin for a while after a run: whoever comes next would be measured with one core less.
        Thread.Sleep(40);
        using Process process = Process.GetCurrentProcess();
        TimeSpan before = process.TotalProcessorTime;
        long start = Stopwatch.GetTimestamp();
        string parts = action();
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        process.Refresh();
        return new Timing(seconds, parts, (process.TotalProcessorTime - before).TotalSeconds / seconds / Environment.ProcessorCount);
    }

    private static Timing Median(List<Timing> runs) => runs.OrderBy(r => r.Seconds).ElementAt(runs.Count / 2);

    private static void Require(bool holds, string otherwise)
    {
        if (!holds) throw new InvalidOperationException($"The answers are not the same: {otherwise}.");
    }

    /// <summary>One measurement: how long, its parts, and the share of all cores' time that was used.</summary>
    private readonly record struct Timing(double Seconds, string Parts, double Busy);
}
