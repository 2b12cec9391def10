using System.Diagnostics;
using System.Globalization;
using SegmentAnything.Benchmarks.Columns;
using SegmentAnything.Benchmarks.Comparison;
using SegmentAnything.Benchmarks.Machine;
using SegmentAnything.Imaging;

namespace SegmentAnything.Benchmarks.Pipeline;

/// <summary>
/// Loading a checkpoint with <see cref="SamModel.Load(string, SamOptions?, CancellationToken)"/> the first time, when the image
/// encoder is built, and again: time and memory, each in a process of its own, with random weights of a published model's names and shapes.
/// </summary>
internal static class LoadTimes
{
    /// <summary>Measures, and writes a table.</summary>
    /// <param name="args">
    /// Names of models; without any the largest SAM 2.1 and ViT-L. <c>published [rounds]</c> for MobileSAM's published files in one process.
    /// <c>load FILE</c> is what this program starts.
    /// </param>
    public static int Run(string[] args)
    {
        if (args is ["load", var path])
        {
            Load(path);
            return 0;
        }

        if (args is ["published", ..]) return Published(args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 15);
        SamVariant[] variants = args.Length == 0
            ? [SamModels.MobileSam, SamModels.Sam21Tiny, SamModels.VitL, SamModels.Sam21Large]
            : [.. args.Select(name => SamModels.Find(name) ?? throw new ArgumentException($"There is no model '{name}'."))];
        ResultPage table = new("LoadTimes");
        table.Say($"{ResultPage.Machine}; random weights of the published names and shapes as float32 safetensors, whose file the system has in memory. "
            + "Each row is a process that loads the model and does nothing else: \"first\" builds the image encoder and keeps it, \"again\" finds it. "
            + "Peak of the resident memory with the pages of mapped files, and without.");
        table.Say("");
        table.Say("| model | checkpoint | | time | of it processor | peak | of it no file's |");
        table.Say("|---|---:|---|---:|---:|---:|---:|");
        foreach (SamVariant variant in variants)
        {
            using RandomModel model = RandomModel.Write(variant);
            foreach (string time in (string[])["first", "again"])
            {
                double[] found = [.. Start(model.Checkpoint).Split(' ').Select(v => double.Parse(v, CultureInfo.InvariantCulture))];
                table.Say(string.Create(CultureInfo.InvariantCulture,
                    $"| `{variant.Name}` | {new FileInfo(model.Checkpoint).Length / 1e6:F0} MB | {time} | {found[0]:F2} s | {found[1]:F2} s | {found[2]:F0} MB | {found[3]:F0} MB |"));
            }
        }

        if (args.Length == 0) table.Save();
        return 0;
    }

    // In turns with sessions of the same files; afterwards both must find the same object.
    private static int Published(int rounds)
    {
        ModelFiles files = ModelStore.Default.Find(SamModels.MobileSam);
        SamOptions graphs = new() { Execution = ExecutionOptions.For(new OnnxCpuProvider()) };
        (string Name, Func<IDisposable> Load)[] ways = [
            ("sessions of the published files", () => new StockFiles()),
            ("ours, in ONNX Runtime", () => SamModel.Load(SamModels.MobileSam, files, graphs)),
            ("ours, in our own kernels", () => SamModel.Load(SamModels.MobileSam, files)),
        ];
        CheckMasks(files, graphs);
        (double Time, double Processor)[][] found = [.. ways.Select(_ => new (double, double)[rounds + 1])];
        WorkTime clock = new(ofProcessor: false), processor = new(ofProcessor: true);
        for (int round = 0; round <= rounds; round++)
        {
            for (int way = 0; way < ways.Length; way++)
            {
                double time = 0, worked = processor.Measure(() => time = clock.Measure(() => ways[way].Load().Dispose()));
                found[way][round] = (time, worked);
            }
        }

        ResultPage table = new("LoadPublished");
        table.Say($"{ResultPage.Machine}; MobileSAM's published files, which the system has in memory, loaded {rounds} times in turns in one process; medians, the first round not counted.");
        table.Say("");
        table.Say("| | time | of the processor, all threads |");
        table.Say("|---|---:|---:|");
        for (int way = 0; way < ways.Length; way++)
        {
            double Median(Func<(double Time, double Processor), double> value) => found[way].Skip(1).Select(value).Order().ElementAt(rounds / 2);
            table.Say(string.Create(CultureInfo.InvariantCulture, $"| {ways[way].Name} | {1000 * Median(f => f.Time):F0} ms | {1000 * Median(f => f.Processor):F0} ms |"));
        }

        table.Save();
        return 0;
    }

    private static void CheckMasks(ModelFiles files, SamOptions graphs)
    {
        using SamModel own = SamModel.Load(SamModels.MobileSam, files), other = SamModel.Load(SamModels.MobileSam, files, graphs);
        using ImageEmbedding one = own.Encode(StillLife.Image.ToPixelBuffer()), two = other.Encode(StillLife.Image.ToPixelBuffer());
        double iou = own.Predict(one, Prompt.Point(163, 317)).Best.Mask.IntersectionOverUnion(other.Predict(two, Prompt.Point(163, 317)).Best.Mask);
        if (iou < 0.999) throw new InvalidOperationException($"Our kernels and ONNX Runtime find different masks: IoU {iou}.");
    }

    // Prints: seconds, seconds of the processor, MB, MB without files.
    private static void Load(string path)
    {
        using PeakMemory memory = new();
        using Process process = Process.GetCurrentProcess();
        TimeSpan before = process.TotalProcessorTime;
        long start = Stopwatch.GetTimestamp();
        using SamModel sam = SamModel.Load(path);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        process.Refresh();
        double worked = (process.TotalProcessorTime - before).TotalSeconds;
        (double all, double own) = memory.Read();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{seconds:F3} {worked:F3} {all:F1} {own:F1}"));
    }

    private static string Start(string checkpoint)
    {
        ProcessStartInfo start = new(Environment.ProcessPath!) { RedirectStandardOutput = true };
        if (Path.GetFileNameWithoutExtension(start.FileName) == "dotnet") start.ArgumentList.Add(typeof(LoadTimes).Assembly.Location);
        foreach (string arg in (string[])["load-times", "load", checkpoint]) start.ArgumentList.Add(arg);
        // What is built is kept beside the checkpoint, and goes with it.
        start.Environment["SEGMENTANYTHING_MODELS"] = Path.GetDirectoryName(checkpoint);
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output.Trim() : throw new InvalidOperationException($"load-times load {checkpoint} ended with {process.ExitCode}.");
    }
}
