using SegmentAnything.Benchmarks.Columns;
using SegmentAnything.Benchmarks.Machine;
using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;
using SegmentAnything.Execution;
using SegmentAnything.Families;
using SegmentAnything.Families.HqSam;
using SegmentAnything.Families.Sam1;
using SegmentAnything.Families.Sam2;
using SegmentAnything.Graphs;
using SegmentAnything.Tests.Families.Sam2;

namespace SegmentAnything.Benchmarks.Decoding;

/// <summary>
/// A family's mask decoder at its real size, with random weights: our kernels, our graphs, and the official operators one by one
/// as an ONNX graph, on the same weights and in turns. From tokens to low-resolution logits, predicted IoUs and object scores.
/// </summary>
internal static class FamilyDecode
{
    // Of the largest value; sums in another order, through two layers.
    private const float Tolerance = 1e-3f;

    // Prompts of a batch, and how many of them the official operators may be given at a time: what is fastest is tried first.
    private const int Batch = 64;
    private static readonly int[] OfficialBatches = [1, 2, 4, 8, 16];

    // A further click is made so often in a turn, and the first times do not count: the caches have what the other ways left there.
    private const int Clicks = 6, UncountedClicks = 2;

    // Rounds that do not count: the runtime compiles the methods around the kernels anew after some calls.
    private const int WarmUps = 3;

    // A click and what fills up.
    private const int Tokens = 2;

    // Three masks of each point, as for an ambiguous prompt.
    private const int First = 1, Masks = 3;

    /// <summary>Measures, and writes a Markdown table to the console and to the results.</summary>
    /// <param name="family">sam2, or hq for HQ-SAM ViT-B.</param>
    /// <param name="args">Rounds; "cpu".</param>
    public static int Run(string family, string[] args)
    {
        int rounds = args.Select(a => int.TryParse(a, out int number) ? number : 0).FirstOrDefault(n => n > 0, 9);
        WorkTime clock = new(args.Contains("cpu"));
        ExecutionOptions execution = ExecutionOptions.For(new CpuProvider(clock.Threads));
        (FamilyModel model, GraphBuilder graph) = family == "hq" ? HqSam() : Sam2();
        bool hasScores = model.Capabilities.ObjectScores;
        int channels = model.Features[0].Channels;
        using WorkSplitter splitter = new(clock.Threads);
        using IMaskDecoderEngine kernels = model.CreateDecoder(new SamOptions { Execution = execution }, splitter).Engine;
        using IMaskDecoderEngine graphs = model.CreateDecoder(new SamOptions { Execution = execution, Decoder = DecoderBackend.Graph }, splitter).Engine;
        using ModelSession official = SessionFactory.Create(graph.ToBytes(), "the official operators", execution);
        Random random = new(5);
        float[] features = Values(random, model.Features.Sum(f => f.Length)), dense = model.ReadWithoutMask(), tokens = Values(random, Batch * Tokens * channels);
        int maskSize = model.LowResSize * model.LowResSize;
        ResultPage table = new(family == "hq" ? "HqSamDecode" : "Sam2Decode");
        table.Say($"{ResultPage.Machine}; random weights of the published size, {model.LowResSize}x{model.LowResSize} logits, {Masks} masks a prompt; medians of {rounds} rounds in turns: {clock.Name}; in a turn a further click is made {Clicks} times, the first {UncountedClicks} not counted.");
        table.Say("");
        table.Say("| prompts | official operators | our graphs | our kernels | kernels against official |");
        table.Say("|---|---:|---:|---:|---:|");
        foreach (int prompts in new[] { 1, Batch })
        {
            float[][] logits = [.. Enumerable.Range(0, 3).Select(_ => new float[prompts * Masks * maskSize])];
            float[][] iou = [.. Enumerable.Range(0, 3).Select(_ => new float[prompts * Masks])];
            float[][] scores = [.. Enumerable.Range(0, 3).Select(_ => new float[hasScores ? prompts : 0])];
            foreach (bool prepares in prompts == 1 ? new[] { true, false } : [false])
            {
                using IPreparedImage inKernels = kernels.Prepare(features, dense, null, default), inGraphs = graphs.Prepare(features, dense, null, default);
                int[] sizes = prompts == 1 ? [1] : OfficialBatches;
                int together = sizes.MinBy(size => Enumerable.Range(0, 3).Min(_ => clock.Measure(() => AsOfficial(size, Math.Min(prompts, OfficialBatches[^1])))));
                Action[] ways =
                [
                    () => AsOfficial(together, prompts),
                    () => Ours(graphs, inGraphs, 1),
                    () => Ours(kernels, inKernels, 2),
                ];
                double[][] times = [.. ways.Select(_ => new double[rounds])];
                for (int round = prompts > 1 ? -1 : -WarmUps; round < rounds; round++)
                {
                    for (int way = 0; way < ways.Length; way++)
                    {
                        double seconds = prompts > 1 || prepares ? clock.Measure(ways[way]) : OfClick(ways[way]);
                        if (round >= 0) times[way][round] = seconds;
                    }
                }

                for (int way = 1; way < ways.Length; way++)
                {
                    Compare(logits[0], logits[way], "logits");
                    Compare(iou[0], iou[way], "predicted IoU");
                    Compare(scores[0], scores[way], "object scores");
                }

                double[] medians = [.. times.Select(t => t.Order().ElementAt(rounds / 2) * 1e3)];
                string what = prompts > 1 ? $"{prompts}; {together} at a time for the official operators" : prepares ? "1, the first of an image" : "1, a further one";
                table.Say($"| {what} | {medians[0]:F1} ms | {medians[1]:F1} ms | {medians[2]:F1} ms | {medians[0] / medians[2]:F1}x |");

                double OfClick(Action click)
                {
                    for (int i = 0; i < UncountedClicks; i++) click();
                    return Enumerable.Range(0, Clicks - UncountedClicks).Select(_ => clock.Measure(click)).Order().ElementAt((Clicks - UncountedClicks) / 2);
                }

                void AsOfficial(int most, int count) => Official(official, model, features, dense, tokens, count, most, logits[0], iou[0], scores[0]);

                void Ours(IMaskDecoderEngine engine, IPreparedImage known, int index)
                {
                    using IPreparedImage? fresh = prepares ? engine.Prepare(features, dense, null, default) : null;
                    DecodeRequest request = new()
                    {
                        Image = fresh ?? known,
                        Tokens = tokens.AsSpan(0, prompts * Tokens * channels),
                        Prompts = prompts,
                        TokensPerPrompt = Tokens,
                        Wanted = new WantedMasks(First, Masks),
                    };
                    engine.Decode(request, new DecodeResult { Logits = logits[index], PredictedIou = iou[index], ObjectScores = scores[index] }, default);
                }
            }
        }

        table.Save();
        return 0;
    }

    private static (FamilyModel Model, GraphBuilder Official) Sam2()
    {
        FamilyModel model = new Sam2Family().Recognise(RandomSam2.Weights(Sam2Spec.Tiny, 7, 256, 32, 64))!;
        Sam2Layout layout = ((Sam2Model)model).Layout;
        return (model, Sam2DecoderGraph.Build(model.Weights, layout, Sam2Family.LayoutOf(model.Weights, layout)));
    }

    private static (FamilyModel Model, GraphBuilder Official) HqSam()
    {
        HqSamLayout layout = new(Channels: 256, EarlyChannels: 768, CompressedChannels: 256, EncodedChannels: 64, RefinedChannels: 64, MaskChannels: 32, MlpLayers: 3);
        Dictionary<string, (int[], float[])> tensors = [];
        foreach ((string name, int[] shape) in RandomSam2.Sam1Tensors(256, 32, 64).Concat(layout.Tensors())) tensors[name] = (shape, RandomSam2.Values(name, shape));
        InMemoryStateDict weights = new("random weights", tensors);
        DecoderLayout decoder = Sam1Model.LayoutOf(weights);
        return (new HqSamModel(1024, 64, decoder, layout) { Weights = weights }, HqSamAddition.Build(weights, layout, decoder, 64));
    }

    private static void Official(
        ModelSession session, FamilyModel model, float[] features, float[] dense, float[] tokens, int prompts, int most, float[] logits, float[] iou, float[] scores)
    {
        int channels = model.Features[0].Channels, maskSize = model.LowResSize * model.LowResSize, all = model.Masks.Tokens;
        float[] low = new float[most * all * maskSize], allIou = new float[most * all];
        for (int start = 0; start < prompts; start += most)
        {
            using TensorList inputs = new(), outputs = new();
            int offset = 0;
            foreach (FeatureMapShape map in model.Features)
            {
                inputs.Add(map.Name, features.AsMemory(offset, map.Length), 1, map.Channels, map.Side, map.Side);
                offset += map.Length;
            }

            inputs.Add("dense", dense.AsMemory(), 1, channels, 1, 1);
            inputs.Add("sparse", tokens.AsMemory(start * Tokens * channels, most * Tokens * channels), most, Tokens, channels);
            outputs.Add("low_res", low.AsMemory(), most, all, model.LowResSize, model.LowResSize);
            outputs.Add("iou", allIou.AsMemory(), most, all);
            if (scores.Length > 0) outputs.Add("object_score", scores.AsMemory(start, most), most, 1);
            session.Run(inputs.AsSpan(), outputs.AsSpan());
            for (int i = 0; i < most; i++)
            {
                low.AsSpan(((i * all) + First) * maskSize, Masks * maskSize).CopyTo(logits.AsSpan((start + i) * Masks * maskSize));
                allIou.AsSpan((i * all) + First, Masks).CopyTo(iou.AsSpan((start + i) * Masks));
            }
        }
    }

    private static void Compare(float[] expected, float[] found, string what)
    {
        float difference = 0, most = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            if (!(MathF.Abs(expected[i] - found[i]) <= difference)) difference = MathF.Abs(expected[i] - found[i]);
            most = Math.Max(most, MathF.Abs(expected[i]));
        }

        if (!(difference <= Tolerance * most)) throw new InvalidOperationException($"The {what} differ by {difference} of {most}.");
    }

    private static float[] Values(Random random, int count)
    {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) values[i] = (2 * random.NextSingle()) - 1;
        return values;
    }
}
