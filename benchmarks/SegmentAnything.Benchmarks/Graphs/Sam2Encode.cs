using System.Diagnostics;
using System.Globalization;
using SegmentAnything.Benchmarks.Columns;
using SegmentAnything.Benchmarks.Machine;
using SegmentAnything.Checkpoints;
using SegmentAnything.Execution;
using SegmentAnything.Families.Sam2;
using SegmentAnything.Graphs;
using SegmentAnything.Tests.Families.Sam2;

namespace SegmentAnything.Benchmarks.Graphs;

/// <summary>
/// SAM 2's image encoder at its real sizes, with random weights: ours, and the official operators one by one, on the same
/// weights and in turns. Time, share of the processor's peak, and the memory of a process that does nothing else.
/// </summary>
internal static class Sam2Encode
{
    // Sums of a few hundred terms in two orders, through up to 48 blocks.
    private const float Tolerance = 1e-3f;

    /// <summary>Runs one command.</summary>
    /// <param name="args">Names of variants, a number of rounds, and <c>cpu</c> for one thread's processor time; <c>memory VARIANT FOLDER</c> is what this program starts.</param>
    public static int Run(string[] args)
    {
        if (args is ["memory", var file])
        {
            Memory(file);
            return 0;
        }

        int rounds = args.Select(a => int.TryParse(a, out int number) ? number : 0).FirstOrDefault(n => n > 0, 5);
        string[] names = [.. Sam2Layout.Published.Select(p => p.Name).Where(args.Contains)];
        if (names.Length == 0) names = ["tiny"];
        WorkTime clock = new(args.Contains("cpu"));
        ResultPage table = new("Sam2Encode");
        double peak = FmaPeak.Measure(clock.Threads);
        table.Say($"{ResultPage.Machine}, FMA peak {peak:F0} GFLOP/s; random weights, a picture of 1024x1024; {rounds} rounds in turns, medians of the graph alone: {clock.Name}. "
            + "Memory is the peak of a process that loads the file and encodes once, without the pages of mapped files.");
        table.Say("");
        table.Say("| SAM 2 | graph | weights | time | against official | GFLOP/s | of the peak | memory | beyond the weights |");
        table.Say("|---|---|---:|---:|---:|---:|---:|---:|---:|");
        foreach (string name in names) Measure(table, name, rounds, peak, clock);
        table.Save();
        return 0;
    }

    private static void Measure(ResultPage table, string name, int rounds, double peak, WorkTime clock)
    {
        Sam2Spec spec = Sam2Layout.Published.Single(p => p.Name == name).Spec;
        string folder = Directory.CreateTempSubdirectory("segment-anything-").FullName;
        try
        {
            StateDict weights = RandomSam2.Weights(spec, name == "base_plus" ? 14 : 7, 256, 32, 64);
            Sam2Layout layout = Sam2Layout.Of(weights, spec);
            double gigaFlop = 2e-9 * layout.MultiplyAdds();
            (string Name, string Path, double Megabytes)[] graphs =
            [
                Write("official operators", o => OfficialHieraGraph.Build(weights, layout, o)),
                Write("ours, tiled", o => HieraEncoderGraph.Build(weights, layout, o)),
                Write("ours, plain", o => HieraEncoderGraph.Build(weights, layout, o, EncoderForm.Plain)),
            ];
            (double All, double Anonymous)[] memory = [.. graphs.Select(g => Start(g.Path))];
            double[][] times = Times(layout, [.. graphs.Select(g => g.Path)], rounds, clock);
            double[] medians = [.. times.Select(t => t.Order().ElementAt(t.Length / 2))];
            for (int i = 0; i < graphs.Length; i++)
            {
                table.Say($"| {name} | {graphs[i].Name} | {graphs[i].Megabytes:F0} MB | {medians[i] * 1e3:F0} ms | {medians[0] / medians[i]:F2}x | {gigaFlop / medians[i]:F0} | {gigaFlop / medians[i] / peak:P0} "
                    + $"| {memory[i].All:F0} MB ({memory[i].Anonymous:F0}) | {memory[i].All - graphs[i].Megabytes:F0} MB |");
            }

            (string, string, double) Write(string graph, Func<WeightOptions, GraphBuilder> build)
            {
                string path = Path.Combine(folder, $"{graph.Replace(' ', '-')}.onnx"), data = Path.ChangeExtension(path, ".weights");
                using (FileStream stream = File.Create(data))
                    File.WriteAllBytes(path, build(new WeightOptions(External: new ExternalWeights(stream, Path.GetFileName(data)))).ToBytes());
                return (graph, path, (new FileInfo(path).Length + new FileInfo(data).Length) / 1e6);
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static double[][] Times(Sam2Layout layout, string[] paths, int rounds, WorkTime clock)
    {
        ModelSession[] sessions = [.. paths.Select(p => SessionFactory.Create(p, ExecutionOptions.For(new CpuProvider(clock.Threads))))];
        try
        {
            double[][] times = [.. paths.Select(_ => new double[rounds])];
            float[][]? expected = null;
            // The first run allocates.
            for (int round = -1; round < rounds; round++)
            {
                for (int i = 0; i < sessions.Length; i++)
                {
                    float[][] maps = Maps(layout);
                    double seconds = Encode(layout, sessions[i], maps, clock);
                    if (round >= 0) times[i][round] = seconds;
                    expected ??= maps;
                    foreach ((float[] map, float[] right) in maps.Zip(expected)) Compare(map, right, paths[i]);
                }
            }

            return times;
        }
        finally
        {
            foreach (ModelSession session in sessions) session.Dispose();
        }
    }

    private static void Compare(float[] map, float[] right, string what)
    {
        float difference = 0, most = 0;
        for (int i = 0; i < map.Length; i++)
        {
            float distance = MathF.Abs(map[i] - right[i]);
            if (!(distance <= difference)) difference = distance;
            most = Math.Max(most, MathF.Abs(right[i]));
        }

        if (!(difference <= Tolerance * most)) throw new InvalidOperationException($"{what}: a map differs by {difference} of {most}.");
    }

    private static float[][] Maps(Sam2Layout layout)
    {
        int grid = layout.Grid;
        return [new float[layout.Channels * grid * grid], new float[layout.HighRes0 * 16 * grid * grid], new float[layout.HighRes1 * 4 * grid * grid]];
    }

    private static double Encode(Sam2Layout layout, ModelSession session, float[][] maps, WorkTime clock)
    {
        int size = layout.ImageSize, grid = layout.Grid;
        float[] image = new float[3 * size * size];
        for (int i = 0; i < image.Length; i++) image[i] = MathF.Sin(i * 0.001f) + MathF.Cos(i / size * 0.01f);
        using TensorList inputs = new(), outputs = new();
        inputs.Add("image", image.AsMemory(), 1, 3, size, size);
        outputs.Add("embedding", maps[0].AsMemory(), 1, layout.Channels, grid, grid);
        outputs.Add(HieraEncoderGraph.HighRes0, maps[1].AsMemory(), 1, layout.HighRes0, 4 * grid, 4 * grid);
        outputs.Add(HieraEncoderGraph.HighRes1, maps[2].AsMemory(), 1, layout.HighRes1, 2 * grid, 2 * grid);
        return clock.Measure(() => session.Run(inputs.AsSpan(), outputs.AsSpan()));
    }

    // Prints MB: all, and of it no file's.
    private static void Memory(string path)
    {
        using PeakMemory memory = new();
        using ModelSession session = SessionFactory.Create(path);
        // The sizes are in the file; the specification only carries them.
        int size = session.Inputs["image"].Dimensions[^1], channels = session.Outputs["embedding"].Dimensions[1];
        Sam2Layout layout = new(Sam2Spec.Tiny with { ImageSize = size }, [], 4, 7, 8, channels,
            session.Outputs[HieraEncoderGraph.HighRes0].Dimensions[1], session.Outputs[HieraEncoderGraph.HighRes1].Dimensions[1], false, false);
        Encode(layout, session, Maps(layout), new WorkTime(ofProcessor: false));
        (double all, double anonymous) = memory.Read();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{all:F1} {anonymous:F1}"));
    }

    private static (double All, double Anonymous) Start(string path)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true };
        if (Path.GetFileNameWithoutExtension(start.FileName) == "dotnet") start.ArgumentList.Add(typeof(Sam2Encode).Assembly.Location);
        foreach (string arg in new[] { "sam2-encode", "memory", path }) start.ArgumentList.Add(arg);
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0) throw new InvalidOperationException($"sam2-encode memory ended with {process.ExitCode}.");
        double[] numbers = [.. output.Trim().Split(' ').Select(v => double.Parse(v, CultureInfo.InvariantCulture))];
        return (numbers[0], numbers[1]);
    }
}
