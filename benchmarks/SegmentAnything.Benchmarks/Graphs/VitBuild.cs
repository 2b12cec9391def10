using System.Diagnostics;
using System.Globalization;
using System.Text;
using SegmentAnything.Benchmarks.Columns;
using SegmentAnything.Benchmarks.Machine;
using SegmentAnything.Checkpoints;
using SegmentAnything.Execution;
using SegmentAnything.Families.Sam1;
using SegmentAnything.Graphs;
using SegmentAnything.Models;
using SegmentAnything.ModelTests.Graphs;

namespace SegmentAnything.Benchmarks.Graphs;

/// <summary>
/// From a checkpoint of a ViT to a loaded image encoder: time and memory, each in a process of its own, with random weights
/// that are written to a file first; then how fast it encodes beside the processor's peak.
/// </summary>
internal static class VitBuild
{
    private static readonly Dictionary<string, VitLayout> Models = new(StringComparer.OrdinalIgnoreCase)
    {
        ["B"] = RandomVit.Published(768, 12, 12, 2, 5, 8, 11),
        ["L"] = RandomVit.Published(1024, 24, 16, 5, 11, 17, 23),
        ["H"] = RandomVit.Published(1280, 32, 16, 7, 15, 23, 31),
    };

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

    /// <summary>Encoding with each form and number of threads, beside the peak.</summary>
    /// <param name="rounds">Runs of each; the best counts, because other programs only ever slow down.</param>
    public static int Encode(int rounds)
    {
        VitLayout layout = Models["B"];
        using var weights = new RandomVit(layout);
        double gigaFlop = 2e-9 * layout.MultiplyAdds();
        float[] image = new float[3 * 1024 * 1024], embedding = new float[256 * 64 * 64];
        for (int i = 0; i < image.Length; i++) image[i] = MathF.Sin(i * 0.001f) + MathF.Cos(i / 1024 * 0.01f);
        EncoderForm tiled = EncoderForm.Tiled;
        (string Name, EncoderForm Form, bool Half)[] forms =
        [
            ("tiled", tiled, false),
            ("tiled, float16 weights", tiled, true),
            ("plain", EncoderForm.Plain, false),
            ("tiled, MLP parts of half the size", tiled with { ValuesOfPart = tiled.ValuesOfPart / 2 }, false),
            ("tiled, MLP parts of twice the size", tiled with { ValuesOfPart = tiled.ValuesOfPart * 2 }, false),
            ("tiled, scores of half the size", tiled with { ScoresOfPart = tiled.ScoresOfPart / 2 }, false),
            ("tiled, scores of twice the size", tiled with { ScoresOfPart = tiled.ScoresOfPart * 2 }, false),
        ];
        ResultPage table = new("VitEncode");
        table.Say($"ViT-B, random weights, a picture of 1024x1024: {gigaFlop:F0} GFLOP. The best of {rounds} runs of the graph alone.");
        table.Say("");
        table.Say("| form | threads | time | GFLOP/s | FMA peak | of the peak |");
        table.Say("|---|---:|---:|---:|---:|---:|");
        int[] threadCounts = [.. new[] { 1, Environment.ProcessorCount }.Distinct()];
        double[] peaks = [.. threadCounts.Select(t => FmaPeak.Measure(t))];
        float[]? expected = null;
        foreach ((string name, EncoderForm form, bool half) in forms)
        {
            string folder = Directory.CreateTempSubdirectory("segment-anything-").FullName;
            try
            {
                CheckpointModelBuilder.Write(RandomVit.Model(weights), "random", folder, new CheckpointModelOptions { Form = form, Half = half }, default);
                foreach ((int threads, double peak) in threadCounts.Zip(peaks))
                {
                    using ModelSession session = SessionFactory.Create(Path.Combine(folder, CheckpointModelBuilder.EncoderFileName),
                        ExecutionOptions.For(new CpuProvider(threads)), half ? EncoderSource.HalfTuning : SessionTuning.Default);
                    double best = double.MaxValue;
                    for (int round = 0; round <= rounds; round++)
                    {
                        using TensorList inputs = new(), outputs = new();
                        inputs.Add("image", image.AsMemory(), 1, 3, 1024, 1024);
                        outputs.Add("embedding", embedding.AsMemory(), 1, 256, 64, 64);
                        long start = Stopwatch.GetTimestamp();
                        session.Run(inputs.AsSpan(), outputs.AsSpan());
                        // The first run allocates.
                        if (round > 0) best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
                    }

                    expected ??= [.. embedding];
                    float difference = expected.Zip(embedding, (a, b) => MathF.Abs(a - b)).Max(), most = expected.Max(MathF.Abs);
                    if (!(difference <= (half ? 0.1f : 1e-3f) * most)) throw new InvalidOperationException($"{name}: the embedding differs by {difference} of {most}.");
                    table.Say($"| {name} | {threads} | {best * 1e3:F0} ms | {gigaFlop / best:F0} | {peak:F0} | {gigaFlop / best / peak:P0} |");
                }
            }
            finally
            {
                Directory.Delete(folder, recursive: true);
            }
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
        using (OpenedModel opened = OpenedModel.OfCheckpoint(checkpoint)) path = CheckpointModelBuilder.Build(opened.Model, folder, new CheckpointModelOptions { Half = half });
        double building = Stopwatch.GetElapsedTime(start).TotalSeconds;
        (double builtAll, double builtOwn) = memory.Read();
        memory.Restart();

        start = Stopwatch.GetTimestamp();
        using ModelSession session = SessionFactory.Create(path, ExecutionOptions.Default, half ? EncoderSource.HalfTuning : SessionTuning.Default);
        double loading = Stopwatch.GetElapsedTime(start).TotalSeconds;
        (double loadedAll, double loadedOwn) = memory.Read();
        double size = Directory.GetFiles(Path.GetDirectoryName(path)!).Sum(Length);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{size:F1} {building:F2} {builtAll:F1} {builtOwn:F1} {loading:F2} {loadedAll:F1} {loadedOwn:F1}"));
    }

    // A safetensors file, one tensor at a time.
    private static void Write(VitLayout layout, string path)
    {
        using var weights = new RandomVit(layout);
        StringBuilder header = new("{");
        long offset = 0;
        foreach (TensorInfo tensor in weights.Tensors.Values)
        {
            long end = offset + (sizeof(float) * tensor.Count);
            header.Append(CultureInfo.InvariantCulture, $"{(offset > 0 ? "," : "")}\"{tensor.Name}\":{{\"dtype\":\"F32\",\"shape\":[{string.Join(',', tensor.Shape)}],\"data_offsets\":[{offset},{end}]}}");
            offset = end;
        }

        using FileStream file = File.Create(path);
        byte[] json = Encoding.UTF8.GetBytes(header.Append('}').ToString());
        file.Write(BitConverter.GetBytes((long)json.Length));
        file.Write(json);
        foreach (TensorInfo tensor in weights.Tensors.Values)
            file.Write(System.Runtime.InteropServices.MemoryMarshal.AsBytes(weights.ReadAny(tensor.Name).AsSpan()));
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
