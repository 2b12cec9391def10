using System.Diagnostics;
using System.Globalization;
using SegmentAnything.Benchmarks.Columns;
using SegmentAnything.Benchmarks.Machine;
using SegmentAnything.Checkpoints;
using SegmentAnything.Encoders;
using SegmentAnything.Execution;
using SegmentAnything.Families.Sam1;
using SegmentAnything.Loading;
using SegmentAnything.Models;
using SegmentAnything.ModelTests.Graphs;

namespace SegmentAnything.Benchmarks.Graphs;

/// <summary>
/// From a checkpoint of a ViT to a loaded image encoder: time and memory, each in a process of its own, with random weights
/// that are written to a file first.
/// </summary>
internal static class VitBuild
{
    private static Dictionary<string, VitLayout> Models => VitEncode.Models;

    /// <summary>Runs one command.</summary>
    /// <param name="args">
    /// Nothing for all models, or letters of models; <c>write LETTER FILE</c> and <c>build FILE FOLDER float16|float32</c> are
    /// what this program starts.
    /// </param>
    public static int Run(string[] args)
    {
        switch (args)
        {
            case ["write", var letter, var path]:
                Write(Models[letter], path);
                return 0;
            case ["build", var path, var folder, var type]:
                Build(path, folder, type == "float16");
                return 0;
            default:
                return Table(args.Length > 0 ? args : [.. Models.Keys]);
        }
    }

    private static int Table(string[] letters)
    {
        ResultPage table = new("VitBuild");
        table.Say("Resident memory of a process that does nothing else: its peak, with the pages of files that are mapped, and without. "
            + "A checkpoint is float32, of random weights; building includes its SHA-256.");
        table.Say("");
        table.Say("| model | checkpoint | stored as | encoder | build | peak | of it no file's | load | peak after loading | of it no file's | peak / size |");
        table.Say("|---|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|");
        string folder = Directory.CreateTempSubdirectory("segment-anything-").FullName;
        try
        {
            foreach (string letter in letters)
            {
                string checkpoint = Path.Combine(folder, $"vit-{letter}.safetensors");
                Start("write", letter, checkpoint);
                foreach (string type in (string[])["float32", "float16"])
                {
                    string built = Path.Combine(folder, type);
                    double[] found = [.. Start("build", checkpoint, built, type).Split(' ').Select(v => double.Parse(v, CultureInfo.InvariantCulture))];
                    table.Say($"| ViT-{letter} | {Length(checkpoint):F0} MB | {type} | {found[0]:F0} MB | {found[1]:F1} s | {found[2]:F0} MB | {found[3]:F0} MB "
                        + $"| {found[4]:F1} s | {found[5]:F0} MB | {found[6]:F0} MB | {found[5] / found[0]:F2} |");
                    Directory.Delete(built, recursive: true);
                }

                File.Delete(checkpoint);
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        table.Save();
        return 0;
    }

    // Prints: MB of the encoder; seconds, MB and anonymous MB of building; the same of loading.
    private static void Build(string checkpoint, string folder, bool half)
    {
        using var memory = new PeakMemory();
        long start = Stopwatch.GetTimestamp();
        string path;
        using (OpenedModel opened = OpenedModel.OfCheckpoint(checkpoint)) path = EncoderCache.Build(opened.Model, folder, new EncoderBuildOptions { Half = half });
        double building = Stopwatch.GetElapsedTime(start).TotalSeconds;
        (double builtAll, double builtOwn) = memory.Read();
        memory.Restart();

        start = Stopwatch.GetTimestamp();
        using ModelSession session = SessionFactory.Create(path, ExecutionOptions.Default, half ? SessionTuning.HalfWeights : SessionTuning.Default);
        double loading = Stopwatch.GetElapsedTime(start).TotalSeconds;
        (double loadedAll, double loadedOwn) = memory.Read();
        double size = Directory.GetFiles(Path.GetDirectoryName(path)!).Sum(Length);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{size:F1} {building:F2} {builtAll:F1} {builtOwn:F1} {loading:F2} {loadedAll:F1} {loadedOwn:F1}"));
    }

    private static void Write(VitLayout layout, string path)
    {
        using var weights = new RandomVit(layout);
        EncoderTurns.WriteCheckpoint(path, weights);
    }

    private static string Start(params string[] args)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true };
        if (Path.GetFileNameWithoutExtension(start.FileName) == "dotnet") start.ArgumentList.Add(typeof(VitBuild).Assembly.Location);
        start.ArgumentList.Add("vit-build");
        foreach (string arg in args) start.ArgumentList.Add(arg);
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output.Trim() : throw new InvalidOperationException($"vit-build {string.Join(' ', args)} ended with {process.ExitCode}.");
    }

    private static double Length(string path) => new FileInfo(path).Length / 1e6;
}
