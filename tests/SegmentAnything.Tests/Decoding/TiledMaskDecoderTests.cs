using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;
using SegmentAnything.Execution;
using SegmentAnything.Kernels;

namespace SegmentAnything.Tests.Decoding;

public class TiledMaskDecoderTests
{
    /// <summary>
    /// Logits of the random networks below are of the order of 10; a float engine that sums in another order stays within
    /// this part of the largest, as the published network's do within 1e-3.
    /// </summary>
    private const double RelativeTolerance = 2e-5;

    // channels, grid, sparse tokens: grids whose tokens fill no whole tile, one below a tile, token counts around a block of 8.
    public static TheoryData<int, int, int, int> Shapes => new(
        from width in new[] { 4, 8, 16 }
        from shape in new[] { (32, 5, 0), (32, 8, 2), (64, 9, 3), (64, 7, 4), (256, 8, 2), (96, 16, 12), (32, 20, 30) }
        select (width, shape.Item1, shape.Item2, shape.Item3));

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Decode_AnyShapeAndVectorWidth_MatchesDoublePrecision(int vectorWidth, int channels, int grid, int sparse)
    {
        using StateDict weights = RandomDecoder.Weights(channels, mlp: (2 * channels) + 16, iouHidden: 40, iouDepth: 3, seed: channels + grid);
        var random = new Random(grid + sparse);
        const int Prompts = 3;
        float[] embedding = RandomDecoder.Values(random, channels * grid * grid, 0.5);
        float[] dense = RandomDecoder.Values(random, channels, 0.5);
        float[] tokens = RandomDecoder.Values(random, Prompts * sparse * channels);

        using var splitter = new WorkSplitter(2);
        using var engine = new TiledMaskDecoder(weights, RandomDecoder.LayoutOf(weights), splitter, vectorWidth);
        using IPreparedImage image = engine.Prepare(embedding, dense, null, CancellationToken.None);
        float[] logits = new float[Prompts * 4 * 16 * grid * grid], iou = new float[Prompts * 4];
        engine.Run(image, tokens, Prompts, sparse, new WantedMasks(0, 4), logits, iou);

        var reference = new ReferenceMaskDecoder(weights);
        for (int prompt = 0; prompt < Prompts; prompt++)
        {
            (double[] expected, double[] expectedIou) = reference.Decode(embedding, dense, tokens[(prompt * sparse * channels)..((prompt + 1) * sparse * channels)]);
            int count = expected.Length;
            AssertClose(expected, logits.AsSpan(prompt * count, count));
            AssertClose(expectedIou, iou.AsSpan(prompt * 4, 4));
        }
    }

    // Neither is a constant of the engine's: both come from what was recognised.
    [Theory]
    [InlineData(16, 4, 2)]
    [InlineData(8, 1, 3)]
    [InlineData(16, 3, 0)]
    public void Decode_OtherHeadsAndMasks_MatchDoublePrecision(int heads, int masks, int sparse)
    {
        const int Channels = 64, Grid = 9;
        using StateDict weights = RandomDecoder.Weights(Channels, 96, 32, 2, seed: heads + masks, masks: masks);
        DecoderLayout layout = RandomDecoder.LayoutOf(weights, heads);
        Assert.True(TiledMaskDecoder.Supports(layout));
        Random random = new(masks);
        float[] embedding = RandomDecoder.Values(random, Channels * Grid * Grid, 0.5), dense = RandomDecoder.Values(random, Channels, 0.5);
        float[] tokens = RandomDecoder.Values(random, sparse * Channels), logits = new float[masks * 16 * Grid * Grid], iou = new float[masks];
        using WorkSplitter splitter = new(2);
        using TiledMaskDecoder engine = new(weights, layout, splitter);
        using IPreparedImage image = engine.Prepare(embedding, dense, null, CancellationToken.None);
        engine.Run(image, tokens, 1, sparse, new WantedMasks(0, masks), logits, iou);
        (double[] expected, double[] expectedIou) = new ReferenceMaskDecoder(weights, heads).Decode(embedding, dense, tokens);
        AssertClose(expected, logits);
        AssertClose(expectedIou, iou);
        Assert.Throws<ArgumentOutOfRangeException>(() => engine.Run(image, tokens, 1, sparse, new WantedMasks(0, masks + 1), logits, iou));
    }

    [Fact]
    public void Decode_DenseMaskPrompt_MatchesDoublePrecision()
    {
        const int Channels = 64, Grid = 8;
        using Scene scene = new(Channels, Grid, prompts: 1, sparse: 0, seed: 3, denseMask: true);
        float[] logits = new float[scene.LogitCount(4)], iou = new float[4];
        scene.Decode(scene.Tokens, 1, 0, 4, logits, iou);
        (double[] expected, double[] expectedIou) = new ReferenceMaskDecoder(scene.Weights).Decode(scene.Embedding, scene.Dense, []);
        AssertClose(expected, logits);
        AssertClose(expectedIou, iou);
    }

    // What the prompt encoder makes of a mask has few dimensions, which the engine finds; other values have not.
    [Theory]
    [InlineData(4, 64, 8, 0)]
    [InlineData(8, 256, 8, 2)]
    [InlineData(16, 256, 9, 2)]
    [InlineData(16, 32, 10, 30)]
    public void Decode_EncodedMaskBesideTheImageWithout_MatchesDoublePrecision(int vectorWidth, int channels, int grid, int sparse)
    {
        const int Prompts = 2;
        using StateDict weights = RandomDecoder.Weights(channels, 2 * channels, 32, 3, seed: 21);
        var random = new Random(21);
        int positions = grid * grid, features = 16;
        float[] widen = weights.ReadAny("prompt_encoder.mask_downscaling.6.weight"), bias = weights.ReadAny("prompt_encoder.mask_downscaling.6.bias");
        float[] embedding = RandomDecoder.Values(random, channels * positions, 0.5), values = RandomDecoder.Values(random, features * positions, 0.3);
        float[] tokens = RandomDecoder.Values(random, Prompts * sparse * channels), encoded = new float[embedding.Length];
        for (int i = 0; i < encoded.Length; i++)
        {
            int channel = i / positions;
            encoded[i] = bias[channel];
            for (int f = 0; f < features; f++) encoded[i] += widen[(channel * features) + f] * values[(f * positions) + (i % positions)];
        }

        using WorkSplitter splitter = new(2);
        using TiledMaskDecoder engine = new(weights, RandomDecoder.LayoutOf(weights), splitter, vectorWidth);
        using IPreparedImage without = engine.Prepare(embedding, weights.ReadAny("prompt_encoder.no_mask_embed.weight"), null, CancellationToken.None);
        float[] none = encoded.ToArray();
        none[encoded.Length / 2] += 1;
        foreach ((float[] dense, bool isMask) in new[] { (encoded, true), (none, false) })
        {
            using IPreparedImage image = engine.Prepare(embedding, dense, without, CancellationToken.None);
            Assert.Equal(isMask, ((TiledPreparedImage)image).MaskRows > 0);
            float[] logits = new float[Prompts * 4 * 16 * positions], iou = new float[Prompts * 4];
            engine.Run(image, tokens, Prompts, sparse, new WantedMasks(0, 4), logits, iou);
            ReferenceMaskDecoder reference = new(weights);
            for (int prompt = 0; prompt < Prompts; prompt++)
            {
                (double[] expected, double[] expectedIou) = reference.Decode(embedding, dense, tokens[(prompt * sparse * channels)..((prompt + 1) * sparse * channels)]);
                AssertClose(expected, logits.AsSpan(prompt * expected.Length, expected.Length));
                AssertClose(expectedIou, iou.AsSpan(prompt * 4, 4));
            }
        }
    }

    // Scores of some hundred: the running softmax has to raise its reference many times.
    [Fact]
    public void Decode_LargeScores_MatchesDoublePrecision()
    {
        const int Channels = 64, Grid = 16;
        using StateDict weights = RandomDecoder.Weights(Channels, 96, 32, 2, seed: 8, attentionGain: 12);
        var random = new Random(8);
        float[] embedding = RandomDecoder.Values(random, Channels * Grid * Grid, 2), dense = RandomDecoder.Values(random, Channels);
        float[] tokens = RandomDecoder.Values(random, 2 * Channels, 2);
        float[] logits = new float[4 * 16 * Grid * Grid], iou = new float[4];
        using var splitter = new WorkSplitter(2);
        using var engine = new TiledMaskDecoder(weights, RandomDecoder.LayoutOf(weights), splitter);
        using IPreparedImage image = engine.Prepare(embedding, dense, null, CancellationToken.None);
        engine.Run(image, tokens, 1, 2, new WantedMasks(0, 4), logits, iou);
        (double[] expected, _) = new ReferenceMaskDecoder(weights).Decode(embedding, dense, tokens);
        Assert.All(logits, v => Assert.True(float.IsFinite(v)));

        // Softmax over such scores amplifies the last bits of its input, so the tolerance is that much wider.
        AssertClose(expected, logits, 100 * RelativeTolerance);
    }

    [Fact]
    public void Decode_SomeOfTheMasks_EqualsThoseOfAll()
    {
        using Scene scene = new(64, 9, prompts: 3, sparse: 2, seed: 4);
        int size = 16 * 9 * 9;
        float[] all = new float[3 * 4 * size], allIou = new float[12];
        scene.Decode(scene.Tokens, 3, 0, 4, all, allIou);
        foreach ((int first, int count) in new[] { (0, 1), (1, 3), (2, 1), (1, 2), (3, 1) })
        {
            float[] logits = new float[3 * count * size], iou = new float[3 * count];
            scene.Decode(scene.Tokens, 3, first, count, logits, iou);
            for (int prompt = 0; prompt < 3; prompt++)
            {
                for (int mask = 0; mask < count; mask++)
                {
                    AssertClose(
                        [.. all.AsSpan(((prompt * 4) + first + mask) * size, size).ToArray().Select(v => (double)v)],
                        logits.AsSpan(((prompt * count) + mask) * size, size));
                    Assert.Equal(allIou[(prompt * 4) + first + mask], iou[(prompt * count) + mask], 1e-4f);
                }
            }
        }
    }

    [Fact]
    public void Decode_LeastPredictedIou_LeavesOutMasksBelowItAndNoOthers()
    {
        const int Prompts = 24, Masks = 3;
        using Scene scene = new(64, 9, Prompts, sparse: 2, seed: 14);
        using GraphMaskDecoder graphs = Graphs(scene.Weights, 9);
        using IPreparedImage graphImage = graphs.Prepare(scene.Embedding, scene.Dense, null, CancellationToken.None);
        int size = scene.LogitCount(1);
        float[] all = new float[Prompts * Masks * size], allIou = new float[Prompts * Masks];
        scene.Decode(scene.Tokens, Prompts, 1, Masks, all, allIou);
        float[] graphAll = new float[all.Length], graphIou = new float[allIou.Length];
        graphs.Run(graphImage, scene.Tokens, Prompts, 2, new WantedMasks(1, Masks), graphAll, graphIou);
        HashSet<int> wantedCounts = [];
        foreach (float least in (float[])[allIou.Min(), .. allIou.Order().Where((_, i) => i % 9 == 8), float.MaxValue])
        {
            float[] logits = new float[all.Length], iou = new float[allIou.Length];
            logits.AsSpan().Fill(-7);
            scene.Engine.Run(scene.Image, scene.Tokens, Prompts, 2, new WantedMasks(1, Masks, least), logits, iou);
            Assert.Equal(allIou, iou);
            float[] graphLogits = new float[all.Length];
            graphs.Run(graphImage, scene.Tokens, Prompts, 2, new WantedMasks(1, Masks, least), graphLogits, iou);
            Assert.Equal(graphIou, iou);
            for (int mask = 0; mask < allIou.Length; mask++)
            {
                ReadOnlySpan<float> found = logits.AsSpan(mask * size, size);
                if (allIou[mask] >= least) Assert.True(found.SequenceEqual(all.AsSpan(mask * size, size)), $"mask {mask}, least {least}");
                else Assert.Equal(-1, found.IndexOfAnyExcept(-7));
                if (graphIou[mask] >= least) Assert.True(graphLogits.AsSpan(mask * size, size).SequenceEqual(graphAll.AsSpan(mask * size, size)), $"graph's mask {mask}");
            }

            for (int prompt = 0; prompt < Prompts; prompt++) wantedCounts.Add(allIou.AsSpan(prompt * Masks, Masks).ToArray().Count(v => v >= least));
        }

        Assert.Equal([0, 1, 2, 3], wantedCounts.Order());
    }

    // Tiles do not end with rows: some rows more than asked for may be written, and none below these.
    [Fact]
    public void Decode_SomeRowsOfTheGrid_EqualsThoseOfAllAndLeavesTheRest()
    {
        const int Grid = 20, Masks = 3, Prompts = 5;
        using Scene scene = new(32, Grid, Prompts, sparse: 2, seed: 15);
        int size = scene.LogitCount(1);
        float[] all = new float[Prompts * Masks * size], iou = new float[Prompts * Masks];
        scene.Decode(scene.Tokens, Prompts, 1, Masks, all, iou);
        for (int rows = 0; rows <= Grid + 1; rows++)
        {
            float[] logits = new float[all.Length];
            logits.AsSpan().Fill(-7);
            scene.Engine.Run(scene.Image, scene.Tokens, Prompts, 2, new WantedMasks(1, Masks, GridRows: rows), logits, iou);
            int wanted = Math.Min(rows, Grid) * 16 * Grid, mostWritten = Math.Min(size, wanted + (((DecoderKernels.TileTokens / Grid) + 1) * 16 * Grid));
            for (int mask = 0; mask < Prompts * Masks; mask++)
            {
                ReadOnlySpan<float> found = logits.AsSpan(mask * size, size);
                Assert.True(found[..wanted].SequenceEqual(all.AsSpan(mask * size, wanted)), $"{rows} rows, mask {mask}");
                Assert.Equal(-1, found[mostWritten..].IndexOfAnyExcept(-7));
            }
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(8)]
    [InlineData(19)]
    public void Decode_BatchOfAnySize_EqualsEachPromptAloneBitForBit(int prompts)
    {
        using Scene scene = new(32, 12, prompts, sparse: 2, seed: 5);
        float[] together = new float[scene.LogitCount(3) * prompts], togetherIou = new float[3 * prompts];
        scene.Decode(scene.Tokens, prompts, 1, 3, together, togetherIou);
        float[] alone = new float[scene.LogitCount(3)], aloneIou = new float[3];
        for (int prompt = 0; prompt < prompts; prompt++)
        {
            scene.Decode(scene.Tokens.AsSpan(prompt * 64, 64), 1, 1, 3, alone, aloneIou);
            Assert.True(alone.AsSpan().SequenceEqual(together.AsSpan(prompt * alone.Length, alone.Length)), $"prompt {prompt} of {prompts}");
            Assert.True(aloneIou.AsSpan().SequenceEqual(togetherIou.AsSpan(prompt * 3, 3)), $"prompt {prompt} of {prompts}");
        }
    }

    [Fact]
    public void Decode_OneToFourThreads_GivesTheSameBits()
    {
        float[]? expected = null;
        for (int threads = 1; threads <= 4; threads++)
        {
            using Scene scene = new(32, 16, prompts: 6, sparse: 2, seed: 6, threads: threads);
            float[] logits = new float[6 * scene.LogitCount(4)];
            scene.Decode(scene.Tokens, 6, 0, 4, logits, new float[24]);
            expected ??= logits;
            Assert.True(expected.AsSpan().SequenceEqual(logits), $"{threads} threads");
        }
    }

    [Fact]
    public async Task Decode_ManyCallersAtOnce_EachGetsItsOwnAnswer()
    {
        using Scene scene = new(32, 16, prompts: 8, sparse: 2, seed: 7, threads: 3);
        int size = scene.LogitCount(3);
        float[] expected = new float[8 * size];
        scene.Decode(scene.Tokens, 8, 1, 3, expected, new float[24]);
        await Task.WhenAll(Enumerable.Range(0, 6).Select(caller => Task.Run(() =>
        {
            for (int round = 0; round < 12; round++)
            {
                int first = (caller + round) % 8, count = Math.Min(1 + (round % 5), 8 - first);
                float[] logits = new float[count * size];
                scene.Decode(scene.Tokens.AsSpan(first * 64, count * 64), count, 1, 3, logits, new float[count * 3]);
                Assert.True(expected.AsSpan(first * size, count * size).SequenceEqual(logits), $"caller {caller}, round {round}");
            }
        })));
    }

    [Fact]
    public void Decode_Cancelled_ThrowsAndTheDecoderGoesOn()
    {
        using Scene scene = new(32, 16, prompts: 8, sparse: 2, seed: 10);
        float[] expected = new float[8 * scene.LogitCount(3)], logits = new float[expected.Length], iou = new float[24];
        scene.Decode(scene.Tokens, 8, 1, 3, expected, iou);
        using CancellationTokenSource cancelled = new();
        cancelled.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => scene.Engine.Run(scene.Image, scene.Tokens, 8, 2, new WantedMasks(1, 3), logits, iou, cancelled.Token));
        Assert.ThrowsAny<OperationCanceledException>(() => scene.Engine.Run(scene.Image, scene.Tokens.AsSpan(0, 64), 1, 2, new WantedMasks(1, 3), logits.AsSpan(0, scene.LogitCount(3)), iou.AsSpan(0, 3), cancelled.Token));
        Assert.ThrowsAny<OperationCanceledException>(() => scene.Engine.Prepare(scene.Embedding, scene.Dense, null, cancelled.Token));
        scene.Decode(scene.Tokens, 8, 1, 3, logits, iou);
        Assert.True(expected.AsSpan().SequenceEqual(logits));
    }

    [Fact]
    public void Decode_WrongArguments_SaysWhatWasExpected()
    {
        using Scene scene = new(32, 8, prompts: 2, sparse: 1, seed: 11);
        using Scene other = new(32, 8, prompts: 2, sparse: 1, seed: 11);
        float[] logits = new float[2 * scene.LogitCount(3)], iou = new float[6];
        Assert.Throws<ArgumentException>(() => scene.Engine.Run(other.Image, scene.Tokens, 2, 1, new WantedMasks(1, 3), logits, iou));
        Assert.Throws<ArgumentOutOfRangeException>(() => scene.Engine.Run(scene.Image, scene.Tokens, 2, 1, new WantedMasks(2, 3), logits, iou));
        Assert.Contains("expected 128", Assert.Throws<ArgumentException>(
            () => scene.Engine.Run(scene.Image, scene.Tokens, 4, 1, new WantedMasks(1, 3), logits, iou)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => scene.Engine.Run(scene.Image, scene.Tokens, 2, 1, new WantedMasks(1, 3), logits.AsSpan(1), iou, CancellationToken.None));
        Assert.Throws<ArgumentException>(() => scene.Engine.Prepare(scene.Embedding.AsSpan(1), scene.Dense, null, CancellationToken.None));
        Assert.Throws<ArgumentException>(() => scene.Engine.Prepare(scene.Embedding, scene.Dense.AsSpan(1), null, CancellationToken.None));
        scene.Engine.Run(scene.Image, [], 0, 1, new WantedMasks(1, 3), [], [], CancellationToken.None);
    }

    // The second opinion: other arithmetic, other code, the same weights.
    [Theory]
    [InlineData(32, 8, 2, 3)]
    [InlineData(64, 16, 0, 1)]
    [InlineData(256, 16, 7, 2)]
    public void Decode_RandomPrompts_AgreesWithTheGraphs(int channels, int grid, int sparse, int prompts)
    {
        using Scene scene = new(channels, grid, prompts, sparse, seed: 12);
        using GraphMaskDecoder graphs = Graphs(scene.Weights, grid);
        using IPreparedImage image = graphs.Prepare(scene.Embedding, scene.Dense, null, CancellationToken.None);
        foreach ((int first, int count) in new[] { (0, 1), (1, 3), (0, 4) })
        {
            float[] expected = new float[prompts * scene.LogitCount(count)], logits = new float[expected.Length];
            float[] expectedIou = new float[prompts * count], iou = new float[prompts * count];
            graphs.Run(image, scene.Tokens, prompts, sparse, new WantedMasks(first, count), expected, expectedIou);
            scene.Decode(scene.Tokens, prompts, first, count, logits, iou);
            AssertClose([.. expected.Select(v => (double)v)], logits, 2 * RelativeTolerance);
            AssertClose([.. expectedIou.Select(v => (double)v)], iou, 2 * RelativeTolerance);
        }
    }

    [Fact]
    public void Supports_OtherNetworks_IsFalse()
    {
        using StateDict fits = RandomDecoder.Weights(32, 48, 16, 2, seed: 1), tooNarrow = RandomDecoder.Weights(48, 48, 16, 2, seed: 1);
        DecoderLayout layout = RandomDecoder.LayoutOf(fits);
        Assert.True(TiledMaskDecoder.Supports(layout));
        Assert.False(TiledMaskDecoder.Supports(RandomDecoder.LayoutOf(tooNarrow)));
        Assert.False(TiledMaskDecoder.Supports(layout with { MaskTokens = 5 }));
        Assert.False(TiledMaskDecoder.Supports(layout with { Heads = 4 }));
        Assert.False(TiledMaskDecoder.Supports(layout with { Layers = 3 }));
    }

    private static GraphMaskDecoder Graphs(StateDict weights, int grid)
    {
        DecoderLayout layout = RandomDecoder.LayoutOf(weights);
        FeatureMapShape embedding = new(FeatureMapShape.Embedding, layout.Channels, grid);
        return new GraphMaskDecoder(DecoderGraphs.Build(weights, layout, grid), [embedding], 4 * grid, ExecutionOptions.Default);
    }

    private static void AssertClose(double[] expected, ReadOnlySpan<float> actual, double tolerance = RelativeTolerance)
    {
        double largest = expected.Max(Math.Abs), difference = 0;
        for (int i = 0; i < expected.Length; i++) difference = Math.Max(difference, Math.Abs(expected[i] - actual[i]));
        Assert.True(largest > 0.01, $"The network answers nothing: largest value {largest}.");
        Assert.True(
            difference <= tolerance * largest,
            $"Largest difference {difference}, allowed {tolerance * largest} (largest value {largest}).");
    }

    /// <summary>A random network with an engine, a prepared image and prompts.</summary>
    private sealed class Scene : IDisposable
    {
        private readonly int _grid;
        private readonly int _sparse;
        private readonly WorkSplitter _splitter;

        public Scene(int channels, int grid, int prompts, int sparse, int seed, int threads = 2, bool denseMask = false)
        {
            (_grid, _sparse) = (grid, sparse);
            Weights = RandomDecoder.Weights(channels, 2 * channels, 32, 3, seed);
            var random = new Random(seed);
            Embedding = RandomDecoder.Values(random, channels * grid * grid, 0.5);
            Dense = RandomDecoder.Values(random, denseMask ? Embedding.Length : channels, 0.5);
            Tokens = RandomDecoder.Values(random, prompts * sparse * channels);
            _splitter = new WorkSplitter(threads);
            Engine = new TiledMaskDecoder(Weights, RandomDecoder.LayoutOf(Weights), _splitter);
            Image = Engine.Prepare(Embedding, Dense, null, CancellationToken.None);
        }

        public StateDict Weights { get; }

        public float[] Embedding { get; }

        public float[] Dense { get; }

        public float[] Tokens { get; }

        public TiledMaskDecoder Engine { get; }

        public IPreparedImage Image { get; }

        public int LogitCount(int masks) => masks * 16 * _grid * _grid;

        public void Decode(ReadOnlySpan<float> tokens, int prompts, int first, int masks, Span<float> logits, Span<float> iou) =>
            Engine.Run(Image, tokens, prompts, _sparse, new WantedMasks(first, masks), logits, iou);

        public void Dispose()
        {
            Image.Dispose();
            Engine.Dispose();
            _splitter.Dispose();
            Weights.Dispose();
        }
    }
}
