using System.Diagnostics;
using System.Globalization;
using SegmentAnything.Benchmarks.Columns;
using SegmentAnything.Benchmarks.Graphs;
using SegmentAnything.Benchmarks.Machine;
using SegmentAnything.Checkpoints;
using SegmentAnything.Families.Sam1;
using SegmentAnything.Kernels;
using SegmentAnything.Networks;
using SegmentAnything.Onnx;

namespace SegmentAnything.Benchmarks.Kernels;

/// <summary>MobileSAM's image encoder in our own kernels, phase by phase, beside the processor's FMA peak.</summary>
/// <remarks>
/// With <c>cpu</c>, one thread and its processor time: what other programs on the machine do lengthens it least.
/// </remarks>
internal static unsafe class EncoderPeak
{
    public static int Run(string[] arguments)
    {
        WorkTime clock = new(arguments.Contains("cpu"));
        int rounds = arguments.Select(a => int.TryParse(a, out int n) ? n : 0).Append(0).Max() is > 0 and int given ? given : 10;
        string name = arguments.FirstOrDefault(a => a.StartsWith("vit-", StringComparison.Ordinal) || a.StartsWith("sam2-", StringComparison.Ordinal), "mobile-sam");
        using EncoderNetwork network = Network(name);
        using WorkSplitter splitter = new(clock.Threads);
        float[] image = RandomImage(network.InputLength), maps = new float[network.Outputs.Sum()];
        double[][] seconds = [.. network.Phases.Select(_ => new double[rounds])];
        using NetworkRun run = new(network);
        fixed (float* source = image, destination = maps)
        {
            for (int round = name == "mobile-sam" ? -2 : -1; round < rounds; round++)
            {
                Stopwatch watch = Stopwatch.StartNew();
                TimeSpan before = Process.GetCurrentProcess().TotalProcessorTime;
                int measured = round;
                run.Run(source, destination, splitter, CancellationToken.None, phase =>
                {
                    TimeSpan now = Process.GetCurrentProcess().TotalProcessorTime;
                    if (measured >= 0) seconds[phase][measured] = clock.Threads == 1 ? (now - before).TotalSeconds : watch.Elapsed.TotalSeconds;
                    watch.Restart();
                    before = now;
                });
            }
        }

        double peak = FmaPeak.Measure(clock.Threads);
        ResultPage table = new(name == "mobile-sam" ? "EncoderPeak" : $"EncoderPeak.{name}");
        table.Say($"{name}: {ResultPage.Machine}, vectors of {network.Operations.Width} floats, FMA peak {peak:F0} GFLOP/s; {clock.Name}, medians of {rounds}; "
            + $"{network.PicturesLength * 4 / 1e6:F1} MB of pictures, {network.ScratchLength * 4 / 1e6:F2} MB a thread, {network.WeightBytes / 1e6:F1} MB of weights.");
        table.Say("");
        table.Say("| phase | items | M multiply-adds | ms | GFLOP/s | of the peak |");
        table.Say("|---|---:|---:|---:|---:|---:|");
        double all = 0;
        for (int phase = 0; phase < network.Phases.Length; phase++)
        {
            double median = seconds[phase].Order().ElementAt(rounds / 2);
            all += median;
            Row($"{phase} {network.Phases[phase].GetType().Name.Replace("Phase", "", StringComparison.Ordinal)}", network.Phases[phase].Items.ToString(CultureInfo.InvariantCulture), network.Phases[phase].MultiplyAdds, median);
        }

        Row("all", "", network.Phases.Sum(p => p.MultiplyAdds), all);
        table.Save();
        return 0;

        void Row(string name, string items, double multiplyAdds, double time)
        {
            double rate = 2 * multiplyAdds / time / 1e9;
            table.Say($"| {name} | {items} | {multiplyAdds / 1e6:F0} | {time * 1e3:F1} | {rate:F0} | {rate / peak:P0} |");
        }
    }

    private static EncoderNetwork Network(string name)
    {
        if (name.StartsWith("vit-", StringComparison.Ordinal)) return VitEncode.Network(name[4..]);
        if (name.StartsWith("sam2-", StringComparison.Ordinal)) return Sam2Encode.Network(name[5..]);
        ModelFiles files = ModelStore.Default.Find(SamModels.MobileSam);
        using StateDict weights = TinyVitOnnxImport.Read(OnnxFile.Parse(files.Read(ModelFileRole.Encoder).Span, "encoder.onnx"), "encoder.onnx");
        return TinyVitNetwork.Build(weights, TinyVitLayout.Of(weights), early: false, FmaPeak.WidestVector);
    }

    private static float[] RandomImage(int length)
    {
        Random random = new(1);
        return [.. Enumerable.Range(0, length).Select(_ => (4 * random.NextSingle()) - 2)];
    }
}
