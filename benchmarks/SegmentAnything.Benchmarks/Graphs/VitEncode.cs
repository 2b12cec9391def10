using SegmentAnything.Benchmarks.Columns;
using SegmentAnything.Benchmarks.Machine;
using SegmentAnything.Checkpoints;
using SegmentAnything.Execution;
using SegmentAnything.Families.Sam1;
using SegmentAnything.Graphs;
using SegmentAnything.ModelTests.Graphs;
using SegmentAnything.Networks;

namespace SegmentAnything.Benchmarks.Graphs;

/// <summary>
/// SAM's ViT image encoders at their real sizes, with random weights: our own kernels, our graph, and the official operators (the
/// plain form of the graph), on the same weights and in turns.
/// </summary>
internal static class VitEncode
{
    private const string Command = "vit-encode";

    /// <summary>The published sizes.</summary>
    public static Dictionary<string, VitLayout> Models { get; } = new(StringComparer.OrdinalIgnoreCase)
    {
        ["B"] = RandomVit.Published(768, 12, 12, 2, 5, 8, 11),
        ["L"] = RandomVit.Published(1024, 24, 16, 5, 11, 17, 23),
        ["H"] = RandomVit.Published(1280, 32, 16, 7, 15, 23, 31),
    };

    /// <summary>Runs one command.</summary>
    /// <param name="args">Letters of models, a number of rounds, and <c>cpu</c> for one thread's processor time; <c>memory</c> is what this program starts.</param>
    public static int Run(string[] args)
    {
        switch (args)
        {
            case ["memory", "graph", var file, var letter]:
                EncoderTurns.PrintMemory(1024, MapsOf(Models[letter]).Sum(map => map.Length), () =>
                {
                    ModelSession session = SessionFactory.Create(file);
                    return (EncoderTurns.Of(session, 1024, MapsOf(Models[letter])), session);
                });
                return 0;
            case ["memory", "own", var file, var letter]:
                EncoderTurns.PrintMemory(1024, MapsOf(Models[letter]).Sum(map => map.Length), () =>
                {
                    using StateDict weights = CheckpointReader.Open(file);
                    EncoderNetwork network = VitNetwork.Build(weights, Models[letter], early: false, TileOperations.WidthHere);
                    return (EncoderTurns.Of(network, new WorkSplitter(2)), network);
                });
                return 0;
        }

        int rounds = args.Select(a => int.TryParse(a, out int number) ? number : 0).FirstOrDefault(n => n > 0, 3);
        string[] letters = [.. Models.Keys.Where(args.Contains)];
        if (letters.Length == 0) letters = ["B"];
        WorkTime clock = new(args.Contains("cpu"));
        ResultPage table = new("VitEncode");
        double peak = FmaPeak.Measure(clock.Threads);
        EncoderTurns.Begin(table, "model", rounds, peak, clock);
        foreach (string letter in letters) Measure(table, letter, rounds, peak, clock);
        table.Save();
        return 0;
    }

    /// <summary>The network of a published size in our own kernels, with random weights.</summary>
    public static EncoderNetwork Network(string letter)
    {
        using RandomVit weights = new(Models[letter]);
        return VitNetwork.Build(weights, Models[letter], early: false, TileOperations.WidthHere);
    }

    private static void Measure(ResultPage table, string letter, int rounds, double peak, WorkTime clock)
    {
        string folder = Directory.CreateTempSubdirectory("segment-anything-").FullName;
        try
        {
            VitLayout layout = Models[letter];
            using RandomVit weights = new(layout);
            string checkpoint = Path.Combine(folder, "weights.safetensors");
            EncoderTurns.WriteCheckpoint(checkpoint, weights);
            using WorkSplitter splitter = new(clock.Threads);
            using EncoderNetwork network = VitNetwork.Build(weights, layout, early: false, TileOperations.WidthHere);
            List<ModelSession> sessions = [];
            EncoderTurns.Encoder[] encoders =
            [
                Graph("official operators", EncoderForm.Plain),
                Graph("our graph, tiled", EncoderForm.Tiled),
                new("our own kernels", network.WeightBytes / 1e6, EncoderTurns.MemoryOf(Command, "memory", "own", checkpoint, letter), EncoderTurns.Of(network, splitter)),
            ];
            EncoderTurns.Measure(table, $"ViT-{letter}", layout.ImageSize, MapsOf(layout), layout.MultiplyAdds(), rounds, peak, clock, encoders);
            foreach (ModelSession session in sessions) session.Dispose();

            EncoderTurns.Encoder Graph(string graph, EncoderForm form)
            {
                string path = Path.Combine(folder, $"{graph.Replace(' ', '-')}.onnx");
                double megabytes = EncoderTurns.WriteGraph(path, options => VitEncoderGraph.Build(weights, options, form));
                ModelSession session = SessionFactory.Create(path, ExecutionOptions.For(new CpuProvider(clock.Threads)));
                sessions.Add(session);
                return new(graph, megabytes, EncoderTurns.MemoryOf(Command, "memory", "graph", path, letter), EncoderTurns.Of(session, layout.ImageSize, MapsOf(layout)));
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static EncoderTurns.Map[] MapsOf(VitLayout layout) => [new("embedding", layout.OutputChannels, layout.Grid)];
}
