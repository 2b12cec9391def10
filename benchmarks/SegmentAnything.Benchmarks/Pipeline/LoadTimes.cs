using System.Diagnostics;
using System.Globalization;
using SegmentAnything.Benchmarks.Columns;
using SegmentAnything.Benchmarks.Comparison;
using SegmentAnything.Benchmarks.Machine;

namespace SegmentAnything.Benchmarks.Pipeline;

/// <summary>
/// Loading a checkpoint with <see cref="SamModel.Load(string, SamOptions?, CancellationToken)"/> the first time, when the image
/// encoder is built, and again: time and memory, each in a process of its own, with random weights of a published model's names and shapes.
/// </summary>
internal static class LoadTimes
{
    /// <summary>Measures, and writes a table.</summary>
    /// <param name="args">Names of models; without any the largest SAM 2.1 and ViT-L. <c>load FILE</c> is what this program starts.</param>
    public static int Run(string[] args)
    {
        if (args is ["load", var path])
        {
            Load(path);
            return 0;
        }

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
