using System.Diagnostics;
using System.Numerics.Tensors;
using SegmentAnything.Benchmarks.Columns;
using SegmentAnything.Benchmarks.Machine;
using SegmentAnything.Checkpoints;
using SegmentAnything.Families.Sam1;
using SegmentAnything.Graphs;
using SegmentAnything.Imaging;
using SegmentAnything.Onnx;

namespace SegmentAnything.Benchmarks.Comparison;

/// <summary>
/// MobileSAM's image encoder, in one process and in turns: the published ONNX file, ours in our own kernels, our graph, and that in
/// int8. From pixels to an embedding. Then what int8 costs: errors of the embedding, and how well masks agree.
/// </summary>
/// <remarks>
/// How fast two threads are together depends on whether their cores share a cache, which the host of a virtual machine
/// changes from minute to minute. So the distance is measured before and after each run, and near and far are told apart.
/// </remarks>
internal static class EncoderRatios
{
    private const int Pause = 60, WarmUps = 4, PointsAcross = 16;

    // What the automatic generator asks of a mask before it keeps it.
    private const float GoodPredictedIou = 0.88f, GoodStability = 0.95f;

    /// <summary>Measures, and writes Markdown tables to the console and to the results.</summary>
    /// <param name="rounds">How often each is measured.</param>
    /// <param name="paths">Pictures to compare masks on; by default the three of the reference data, or else the still life.</param>
    public static int Run(int rounds, string[] paths)
    {
        (string Name, LoadedImage Image)[] pictures = Pictures(paths);
        using StockFiles stock = new();
        using SamModel float32 = SamModel.Load(SamModels.MobileSam);
        using SamModel int8 = SamModel.Load(SamModels.MobileSam, new SamOptions { EncoderPrecision = EncoderPrecision.Int8 });
        // Whoever configures sessions gets the encoder as a graph.
        using SamModel graph = SamModel.Load(SamModels.MobileSam, new SamOptions { Execution = ExecutionOptions.Default with { ConfigureSession = _ => { } } });
        PixelBuffer image = pictures[0].Image.ToPixelBuffer();

        foreach (SamModel model in (SamModel[])[float32, graph])
        {
            using ImageEmbedding embedding = model.Encode(image);
            double difference = TensorPrimitives.Distance(stock.Encode(image), embedding.Values) / TensorPrimitives.Norm(embedding.Values);
            if (!(difference < 1e-5)) throw new InvalidOperationException($"The float32 embeddings are not the same: they differ by {difference:e1}.");
        }

        ResultPage table = new("EncoderRatios");
        double peak = FmaPeak.Measure(Environment.ProcessorCount), operations = 2 * MultiplyAdds();
        table.Say($"{ResultPage.Machine}, "
            + $"FMA peak {peak:F0} GFLOP/s; a picture of {image.Size}; {operations / 2e9:F1} G multiply-adds; {rounds} rounds, taken in turns; ratios are of medians.");
        table.Say("");
        table.Say("| pixels to embedding | cores | runs | median | fastest | against the published file | against ours in float32 | G operations/s | of the float32 peak |");
        table.Say("|---|---|---:|---:|---:|---:|---:|---:|---:|");
        Sample[][] samples = Times(rounds, () => stock.Encode(image), () => float32.Encode(image).Dispose(), () => int8.Encode(image).Dispose(), () => graph.Encode(image).Dispose());
        string[] names = ["published ONNX file", "ours, float32, own kernels", "ours, int8", "ours, float32, graph on ONNX Runtime"];
        foreach (bool far in (bool[])[false, true])
        {
            double[][] times = [.. samples.Select(s => s.Where(t => t.Far == far).Select(t => t.Seconds).Order().ToArray())];
            if (times.Any(t => t.Length == 0)) continue;
            double[] medians = [.. times.Select(t => t[t.Length / 2])];
            for (int i = 0; i < names.Length; i++)
            {
                double rate = operations / medians[i] / 1e9;
                table.Say($"| {names[i]} | {(far ? "far" : "near")} | {times[i].Length} | {medians[i] * 1e3:F0} ms | {times[i][0] * 1e3:F0} ms | {medians[0] / medians[i]:F2}x | {medians[1] / medians[i]:F2}x | {rate:F0} | {rate / peak:P0} |");
            }
        }

        table.Say("");
        table.Say($"Near: a value passes from one thread to the other in less than {CoreDistance.FarNanoseconds} ns, before and after a run; far: it does not. Runs in which that changed do not count.");
        table.Say("");
        table.Say($"int8 against float32; masks of {PointsAcross}x{PointsAcross} points, three of each. Good masks are those that the automatic generator would keep: "
            + $"predicted IoU from {GoodPredictedIou} and stability from {GoodStability}, in float32.");
        table.Say("");
        table.Say("| picture | embedding, relative RMS error | cosine | masks | IoU, mean | 5th percentile | good masks | IoU, mean | 5th percentile | predicted IoU differs by, mean |");
        table.Say("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
        List<MaskPair> all = [];
        foreach ((string name, LoadedImage picture) in pictures)
        {
            using ImageEmbedding expected = float32.Encode(picture.ToPixelBuffer()), found = int8.Encode(picture.ToPixelBuffer());
            List<MaskPair> pairs = Compare(float32, expected, found);
            all.AddRange(pairs);
            table.Say($"| {name} | {RelativeError(expected.Values, found.Values):P2} | {TensorPrimitives.CosineSimilarity(expected.Values, found.Values):F5} | {Describe(pairs)} |");
        }

        if (pictures.Length > 1) table.Say($"| together | | | {Describe(all)} |");
        table.Save();
        return 0;
    }

    /// <summary>The same mask of the same prompt from two embeddings.</summary>
    private readonly record struct MaskPair(double Iou, double PredictedIouDifference, bool Good);

    private static double RelativeError(ReadOnlySpan<float> expected, ReadOnlySpan<float> found) =>
        TensorPrimitives.Distance(expected, found) / TensorPrimitives.Norm(expected);

    private static List<MaskPair> Compare(SamModel sam, ImageEmbedding expected, ImageEmbedding found)
    {
        (int width, int height) = (expected.SourceSize.Width, expected.SourceSize.Height);
        Prompt[] prompts = [.. Enumerable.Range(0, PointsAcross * PointsAcross).Select(i => Prompt.Point(
            (i % PointsAcross + 0.5f) * width / PointsAcross, (i / PointsAcross + 0.5f) * height / PointsAcross))];
        MaskPrediction[] before = sam.Predict(expected, prompts), after = sam.Predict(found, prompts);
        List<MaskPair> pairs = [];
        for (int i = 0; i < prompts.Length; i++)
        {
            foreach (PredictedMask mask in before[i])
            {
                PredictedMask other = after[i].Single(m => m.MaskToken == mask.MaskToken);
                double iou = mask.Mask.Area + other.Mask.Area == 0 ? 1 : mask.Mask.IntersectionOverUnion(other.Mask);
                bool good = mask.PredictedIou >= GoodPredictedIou && mask.StabilityScore >= GoodStability;
                pairs.Add(new MaskPair(iou, Math.Abs(mask.PredictedIou - other.PredictedIou), good));
            }
        }

        return pairs;
    }

    private static string Describe(List<MaskPair> pairs)
    {
        double[] ious = [.. pairs.Select(p => p.Iou).Order()], good = [.. pairs.Where(p => p.Good).Select(p => p.Iou).Order()];
        return $"{ious.Length} | {ious.Average():F4} | {ious[ious.Length / 20]:F3} | {good.Length} | "
            + (good.Length == 0 ? "| |" : $"{good.Average():F4} | {good[good.Length / 20]:F3} |")
            + $" {pairs.Average(p => p.PredictedIouDifference):F4}";
    }

    /// <summary>What the network's formulas need, padding of windows and the overlap of strips not counted.</summary>
    private static double MultiplyAdds()
    {
        ModelFiles files = ModelStore.Default.Find(SamModels.MobileSam);
        using StateDict weights = TinyVitOnnxImport.Read(OnnxFile.Parse(files.Read(ModelFileRole.Encoder).Span, "encoder.onnx"), "encoder.onnx");
        TinyVitLayout layout = TinyVitLayout.Of(weights);
        int grid = layout.ImageSize / 4;
        double sum = 4.0 * grid * grid * layout.StemChannels * 27 + (double)grid * grid * layout.StemChannels * layout.Stages[0].Channels * 9;
        for (int s = 0; s < layout.Stages.Length; s++)
        {
            TinyVitStage stage = layout.Stages[s];
            double tokens = (double)grid * grid, c = stage.Channels;
            double block = s == 0
                ? 2 * c * stage.Hidden + 9 * stage.Hidden
                : 4 * c * c + 2 * c * stage.Window * stage.Window + 9 * c + 2 * c * stage.Hidden;
            sum += stage.Depth * tokens * block;
            if (stage.Stride == 0) continue;
            grid /= stage.Stride;
            double next = layout.Stages[s + 1].Channels;
            sum += tokens * c * next + (double)grid * grid * (9 * next + next * next);
        }

        double output = layout.OutputChannels;
        return sum + (double)grid * grid * (layout.Stages[^1].Channels * output + 9 * output * output);
    }

    private static (string, LoadedImage)[] Pictures(string[] paths)
    {
        if (paths.Length == 0 && Environment.GetEnvironmentVariable("SEGMENTANYTHING_GOLDEN") is { } golden)
            paths = [.. new[] { "truck", "groceries", "picture1" }.Select(n => Path.Combine(golden, "predictor", n, "input_decoded.png"))];
        return paths.Length == 0
            ? [("still life", StillLife.Image)]
            : [.. paths.Select(p => (Path.GetFileNameWithoutExtension(p) is "input_decoded" ? Path.GetFileName(Path.GetDirectoryName(p)!) : Path.GetFileNameWithoutExtension(p), ImageFile.Load(p)))];
    }

    /// <summary>One run, and where the cores were.</summary>
    private readonly record struct Sample(double Seconds, bool Far);

    private static Sample[][] Times(int rounds, params Action[] works)
    {
        List<Sample>[] samples = [.. works.Select(_ => new List<Sample>())];
        for (int round = -WarmUps; round < rounds; round++)
        {
            for (int i = 0; i < works.Length; i++)
            {
                // ONNX Runtime's threads spin for a while after a run: whoever comes next would be measured with one core less.
                Thread.Sleep(Pause);
                bool far = CoreDistance.AreFar();
                long start = Stopwatch.GetTimestamp();
                works[i]();
                double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
                if (round >= 0 && CoreDistance.AreFar() == far) samples[i].Add(new Sample(seconds, far));
            }
        }

        return [.. samples.Select(s => s.ToArray())];
    }
}
