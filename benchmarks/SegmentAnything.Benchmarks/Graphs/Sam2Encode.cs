using SegmentAnything.Benchmarks.Columns;
using SegmentAnything.Benchmarks.Machine;
using SegmentAnything.Checkpoints;
using SegmentAnything.Execution;
using SegmentAnything.Families.Sam2;
using SegmentAnything.Graphs;
using SegmentAnything.Networks;
using SegmentAnything.Tests.Families.Sam2;

namespace SegmentAnything.Benchmarks.Graphs;

/// <summary>
/// SAM 2's image encoder at its real sizes, with random weights: our own kernels, our graph, and the official operators one by one,
/// on the same weights and in turns. Time, share of the processor's peak, and the memory of a process that does nothing else.
/// </summary>
internal static class Sam2Encode
{
    /// <summary>Runs one command.</summary>
    /// <param name="args">Names of variants, a number of rounds, and <c>cpu</c> for one thread's processor time; <c>memory</c> is what this program starts.</param>
    public static int Run(string[] args)
    {
        switch (args)
        {
            case ["memory", "graph", var file, var name]:
                Sam2Layout sizes = LayoutOf(name);
                EncoderTurns.PrintMemory(sizes.ImageSize, Maps(sizes).Sum(map => map.Length), () =>
                {
                    ModelSession session = SessionFactory.Create(file);
                    return (EncoderTurns.Of(session, sizes.ImageSize, Maps(sizes)), session);
                });
                return 0;
            case ["memory", "own", var file, var name]:
                EncoderTurns.PrintMemory(1024, Maps(LayoutOf(name)).Sum(map => map.Length), () =>
                {
                    using StateDict weights = CheckpointReader.Open(file);
                    EncoderNetwork network = HieraNetwork.Build(weights, Sam2Layout.Of(weights, Spec(name)), TileOperations.WidthHere);
                    return (EncoderTurns.Of(network, new WorkSplitter(2)), network);
                });
                return 0;
        }

        int rounds = args.Select(a => int.TryParse(a, out int number) ? number : 0).FirstOrDefault(n => n > 0, 5);
        string[] names = [.. Sam2Layout.Published.Select(p => p.Name).Where(args.Contains)];
        if (names.Length == 0) names = ["tiny"];
        WorkTime clock = new(args.Contains("cpu"));
        ResultPage table = new("Sam2Encode");
        double peak = FmaPeak.Measure(clock.Threads);
        EncoderTurns.Begin(table, "SAM 2", rounds, peak, clock);
        foreach (string name in names) Measure(table, name, rounds, peak, clock);
        table.Save();
        return 0;
    }

    /// <summary>The network of a published size in our own kernels, with random weights.</summary>
    public static EncoderNetwork Network(string name)
    {
        StateDict weights = Weights(name);
        return HieraNetwork.Build(weights, Sam2Layout.Of(weights, Spec(name)), TileOperations.WidthHere);
    }

    private static void Measure(ResultPage table, string name, int rounds, double peak, WorkTime clock)
    {
        string folder = Directory.CreateTempSubdirectory("segment-anything-").FullName;
        try
        {
            StateDict weights = Weights(name);
            Sam2Layout layout = Sam2Layout.Of(weights, Spec(name));
            string checkpoint = Path.Combine(folder, "weights.safetensors");
            EncoderTurns.WriteCheckpoint(checkpoint, weights);
            using WorkSplitter splitter = new(clock.Threads);
            using EncoderNetwork network = HieraNetwork.Build(weights, layout, TileOperations.WidthHere);
            List<ModelSession> sessions = [];
            EncoderTurns.Encoder[] encoders =
            [
                Graph("official operators", o => OfficialHieraGraph.Build(weights, layout, o)),
                Graph("our graph, tiled", o => HieraEncoderGraph.Build(weights, layout, o)),
                new("our own kernels", network.WeightBytes / 1e6, EncoderTurns.MemoryOf("sam2-encode", "memory", "own", checkpoint, name), EncoderTurns.Of(network, splitter)),
            ];
            EncoderTurns.Measure(table, name, layout.ImageSize, Maps(layout), layout.MultiplyAdds(), rounds, peak, clock, encoders);
            foreach (ModelSession session in sessions) session.Dispose();

            EncoderTurns.Encoder Graph(string graph, Func<WeightOptions, GraphBuilder> build)
            {
                string path = Path.Combine(folder, $"{graph.Replace(' ', '-')}.onnx");
                double megabytes = EncoderTurns.WriteGraph(path, build);
                ModelSession session = SessionFactory.Create(path, ExecutionOptions.For(new CpuProvider(clock.Threads)));
                sessions.Add(session);
                return new(graph, megabytes, EncoderTurns.MemoryOf("sam2-encode", "memory", "graph", path, name), EncoderTurns.Of(session, layout.ImageSize, Maps(layout)));
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static Sam2Spec Spec(string name) => Sam2Layout.Published.Single(p => p.Name == name).Spec;

    private static InMemoryStateDict Weights(string name, bool valuesNeeded = true) =>
        RandomSam2.Weights(Spec(name), name == "base_plus" ? 14 : 7, 256, 32, 64, valuesNeeded);

    private static Sam2Layout LayoutOf(string name) => Sam2Layout.Of(Weights(name, valuesNeeded: false), Spec(name));

    private static EncoderTurns.Map[] Maps(Sam2Layout layout) =>
    [
        new("embedding", layout.Channels, layout.Grid), new(HieraEncoderGraph.HighRes0, layout.HighRes0, 4 * layout.Grid),
        new(HieraEncoderGraph.HighRes1, layout.HighRes1, 2 * layout.Grid),
    ];
}
