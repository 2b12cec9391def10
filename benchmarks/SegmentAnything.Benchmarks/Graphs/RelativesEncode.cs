using SegmentAnything.Benchmarks.Columns;
using SegmentAnything.Benchmarks.Machine;
using SegmentAnything.Checkpoints;
using SegmentAnything.Execution;
using SegmentAnything.Families.EfficientSam;
using SegmentAnything.Families.EfficientVitSam;
using SegmentAnything.Graphs;

namespace SegmentAnything.Benchmarks.Graphs;

/// <summary>
/// The image encoders of EfficientViT-SAM L0 and EfficientSAM-Ti at their real sizes, with random weights: ours, and the
/// official operators one by one, on the same weights and in turns.
/// </summary>
internal static class RelativesEncode
{
    // Sums of a few hundred terms in two orders, through a dozen blocks.
    private const float Tolerance = 1e-3f;

    /// <summary>Measures, and writes a table.</summary>
    /// <param name="args">
    /// A number of rounds, <c>cpu</c> for one thread's processor time, <c>profile</c> to print where the time of each graph goes instead,
    /// node by node.
    /// </param>
    public static int Run(string[] args)
    {
        int rounds = args.Select(a => int.TryParse(a, out int number) ? number : 0).FirstOrDefault(n => n > 0, 5);
        WorkTime clock = new(args.Contains("cpu"));
        ResultPage table = new("RelativesEncode");
        bool isProfile = args.Contains("profile");
        double peak = FmaPeak.Measure(clock.Threads);
        table.Say($"{ResultPage.Machine}, FMA peak {peak:F0} GFLOP/s; random weights; {rounds} rounds in turns, medians of the graph alone: {clock.Name}.");
        table.Say("");
        table.Say("| image encoder | graph | time | against official | GFLOP/s | of the peak |");
        table.Say("|---|---|---:|---:|---:|---:|");

        EfficientVitLayout vit = L0();
        StateDict vitWeights = Random(vit.Tensors());
        Measure(table, "EfficientViT-SAM L0", vit.ImageSize, vit.Grid, vit.MultiplyAdds(), isProfile ? 0 : rounds, peak, clock,
            OfficialRelativesGraphs.EfficientVit(vitWeights, vit), EfficientVitEncoderGraph.Build(vitWeights, vit));

        EfficientSamLayout ti = new(1024, 16, 192, 3, 12, 768, 64, 256);
        StateDict tiWeights = Random(ti.Tensors());
        float[] positions = tiWeights.ReadAny(EfficientSamLayout.Prefix + "pos_embed")[ti.Channels..];
        Measure(table, "EfficientSAM-Ti", ti.ImageSize, ti.Grid, ti.MultiplyAdds(), isProfile ? 0 : rounds, peak, clock,
            OfficialRelativesGraphs.EfficientSam(tiWeights, ti, positions), EfficientSamEncoderGraph.Build(tiWeights, ti));
        if (!isProfile) table.Save();
        return 0;
    }

    private static EfficientVitLayout L0()
    {
        EfficientVitBlock Fused(int hidden) => new(EfficientVitBlockKind.Fused, hidden);
        EfficientVitBlock Inverted(int hidden) => new(EfficientVitBlockKind.Inverted, hidden);
        EfficientVitBlock attention = new(EfficientVitBlockKind.Attention, 3072, 5, 32);
        return new EfficientVitLayout(1024,
        [
            new(32, [new(EfficientVitBlockKind.Residual, 32)]),
            new(64, [Fused(512), Fused(256)]),
            new(128, [Fused(1024), Fused(512)]),
            new(256, [Inverted(2048), Inverted(1024), Inverted(1024), Inverted(1024), Inverted(1024)]),
            new(512, [Inverted(6144), attention, attention, attention, attention]),
        ], 256, 256, 4, 256);
    }

    // Sizes of values that keep activations near one.
    private static InMemoryStateDict Random(IEnumerable<(string Name, int[] Shape)> tensors)
    {
        Random random = new(1);
        return new InMemoryStateDict("random", tensors.ToDictionary(t => t.Name, t =>
        {
            float[] values = new float[t.Shape.Aggregate(1, (product, size) => product * size)];
            int inputs = Math.Max(1, values.Length / t.Shape[0]);
            bool isScale = t.Name.EndsWith("running_var", StringComparison.Ordinal) || (t.Shape.Length == 1 && t.Name.EndsWith("weight", StringComparison.Ordinal));
            float spread = t.Shape.Length == 1 ? 0.1f : 1.4f / MathF.Sqrt(inputs);
            for (int i = 0; i < values.Length; i++) values[i] = (isScale ? 1 : 0) + (spread * ((2 * random.NextSingle()) - 1));
            return (t.Shape, values);
        }));
    }

    private static void Measure(
        ResultPage table, string name, int size, int grid, long multiplyAdds, int rounds, double peak, WorkTime clock, params GraphBuilder[] graphs)
    {
        string[] names = ["official operators", "ours, tiled"];
        float[] image = new float[3 * size * size];
        for (int i = 0; i < image.Length; i++) image[i] = MathF.Sin(i * 0.001f) + MathF.Cos(i / size * 0.01f);
        if (rounds == 0)
        {
            for (int i = 0; i < graphs.Length; i++) NodeTimes.Print(graphs[i], $"{name}, {names[i]}", clock.Threads, session => Encode(session));
            return;
        }

        ModelSession[] sessions = [.. graphs.Select((g, i) => SessionFactory.Create(g.ToBytes(), names[i], ExecutionOptions.For(new CpuProvider(clock.Threads))))];
        double[][] times = [.. sessions.Select(_ => new double[rounds])];
        float[]? expected = null;
        // The first run allocates.
        for (int round = -1; round < rounds; round++)
        {
            for (int i = 0; i < sessions.Length; i++)
            {
                (float[] embedding, double seconds) = Encode(sessions[i]);
                if (round >= 0) times[i][round] = seconds;
                expected ??= embedding;
                float difference = embedding.Zip(expected, (a, b) => MathF.Abs(a - b)).Max(), most = expected.Max(MathF.Abs);
                if (!(difference <= Tolerance * most)) throw new InvalidOperationException($"{name}, {names[i]}: the embedding differs by {difference} of {most}.");
            }
        }

        double[] medians = [.. times.Select(t => t.Order().ElementAt(t.Length / 2))];
        double gigaFlop = 2e-9 * multiplyAdds;
        for (int i = 0; i < sessions.Length; i++)
        {
            table.Say($"| {name} | {names[i]} | {medians[i] * 1e3:F0} ms | {medians[0] / medians[i]:F2}x | {gigaFlop / medians[i]:F0} | {gigaFlop / medians[i] / peak:P0} |");
            sessions[i].Dispose();
        }

        (float[] Embedding, double Seconds) Encode(ModelSession session)
        {
            float[] embedding = new float[256 * grid * grid];
            using TensorList inputs = new(), outputs = new();
            inputs.Add("image", image.AsMemory(), 1, 3, size, size);
            outputs.Add("embedding", embedding.AsMemory(), 1, 256, grid, grid);
            return (embedding, clock.Measure(() => session.Run(inputs.AsSpan(), outputs.AsSpan())));
        }
    }
}
