using SegmentAnything.Kernels;

namespace SegmentAnything.Tests.Kernels;

public unsafe class DecoderKernelsSoftmaxTests
{
    private const int Tile = DecoderKernels.TileTokens;

    public static TheoryData<int> Widths => DecoderKernelRunner.Widths;

    [Theory]
    [MemberData(nameof(Widths))]
    public void SoftmaxHeads_AnyTokenCount_MatchesDoublePrecision(int width) => DecoderKernelRunner.Run(width, new Heads());

    [Theory]
    [MemberData(nameof(Widths))]
    public void RunningSoftmax_TilesAndSegments_MatchDoublePrecision(int width) => DecoderKernelRunner.Run(width, new Running());

    [Theory]
    [InlineData(1, 4)]
    [InlineData(7, 32)]
    [InlineData(13, 6)]
    public void TokenAttention_AnySize_MatchesDoublePrecision(int tokens, int headWidth)
    {
        const int HeadCount = 8;
        int stride = (HeadCount * headWidth) + 3;
        var random = new Random(tokens);
        using DecoderKernelRunner.Memory q = new(RandomDecoder.Values(random, tokens * stride)), k = new(RandomDecoder.Values(random, tokens * stride));
        using DecoderKernelRunner.Memory v = new(RandomDecoder.Values(random, tokens * stride)), scores = new(tokens), result = new(tokens * stride);
        DecoderKernels.TokenAttention(q.Pointer, k.Pointer, v.Pointer, tokens, HeadCount, headWidth, stride, scores.Pointer, result.Pointer);
        for (int head = 0; head < HeadCount; head++)
        {
            for (int t = 0; t < tokens; t++)
            {
                double[] weights = Softmax([.. Enumerable.Range(0, tokens).Select(s => Enumerable.Range(head * headWidth, headWidth)
                    .Sum(c => (double)q[(t * stride) + c] * k[(s * stride) + c]))]);
                for (int c = head * headWidth; c < (head + 1) * headWidth; c++)
                    Assert.Equal(Enumerable.Range(0, tokens).Sum(s => weights[s] * v[(s * stride) + c]), result[(t * stride) + c], 1e-5);
            }
        }

        result.Check();
        scores.Check();
    }

    private static double[] Softmax(double[] scores)
    {
        double max = scores.Max();
        double[] powers = [.. scores.Select(s => Math.Pow(2, s - max))];
        double sum = powers.Sum();
        return [.. powers.Select(p => p / sum)];
    }

    // Scores of image token i: they climb, so that later tiles exceed the earlier references by more than the headroom.
    private static float[] Scores(Random random, int rows, int columns, double climb) =>
        [.. RandomDecoder.Values(random, rows * columns, 5).Select((v, i) => (float)(v + (climb * (i / columns))))];

    private static float[] Positive(Random random, int count) => [.. RandomDecoder.Values(random, count).Select(v => MathF.Abs(v) + 0.1f)];

    private sealed class Heads : IWidthTest
    {
        public void Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct
        {
            foreach (int tokens in new[] { 1, 5, 7, 8, 9, 20 })
            {
                const int HeadCount = 3;
                var random = new Random(tokens);
                float[] values = RandomDecoder.Values(random, HeadCount * tokens * Tile, 40), factors = Positive(random, Tile), totals = Positive(random, Tile);
                using DecoderKernelRunner.Memory scores = new(values), weights = new(HeadCount * tokens * Tile), factor = new(factors), total = new(totals);
                using DecoderKernelRunner.Memory fewer = new(HeadCount * (tokens - 1) * Tile);
                DecoderKernels.SoftmaxHeads<TSimd, TVector>(scores.Pointer, HeadCount, tokens, factor.Pointer, total.Pointer, 0, weights.Pointer);
                weights.Check();

                DecoderKernels.SoftmaxHeads<TSimd, TVector>(scores.Pointer, HeadCount, tokens, factor.Pointer, total.Pointer, 1, fewer.Pointer);
                fewer.Check();
                for (int head = 0; head < HeadCount; head++)
                {
                    int rest = (tokens - 1) * Tile;
                    Assert.True(fewer.Span.Slice(head * rest, rest).SequenceEqual(weights.Span.Slice((head * tokens * Tile) + Tile, rest)));
                }

                DecoderKernels.SoftmaxHeads<TSimd, TVector>(scores.Pointer, HeadCount, tokens, factor.Pointer, total.Pointer, 0, scores.Pointer);
                Assert.True(weights.Span.SequenceEqual(scores.Span));
                for (int head = 0; head < HeadCount; head++)
                {
                    for (int lane = 0; lane < Tile; lane++)
                    {
                        double[] expected = Softmax([.. Enumerable.Range(0, tokens).Select(t => (double)values[(((head * tokens) + t) * Tile) + lane] * factors[lane])]);
                        for (int t = 0; t < tokens; t++) Assert.Equal(expected[t] * totals[lane], weights[(((head * tokens) + t) * Tile) + lane], 5e-6);
                    }
                }
            }
        }
    }

    // 3 segments of 2 tiles, the last tile not full; what is summed is powers times factors times values of 4 channels.
    private sealed class Running : IWidthTest
    {
        private const int Segments = 3, Tiles = 6, Queries = 5, Channels = 4, Last = 5;

        public void Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct
        {
            int columns = (Queries + TSimd.Width - 1) / TSimd.Width * TSimd.Width, tokens = ((Tiles - 1) * Tile) + Last;
            foreach (double climb in new[] { 0, 1.3, -1.3 })
            {
                var random = new Random(2);
                float[] scores = Scores(random, tokens, Queries, climb), values = RandomDecoder.Values(random, tokens * Channels), factors = Positive(random, Tiles * Tile);
                using DecoderKernelRunner.Memory reference = new(Segments * columns), sum = new(Segments * columns), rescale = new(Queries);
                using DecoderKernelRunner.Memory accumulated = new(Segments * Channels * columns), result = new(Channels * columns);
                bool everRaised = false;
                for (int tile = 0; tile < Tiles; tile++)
                {
                    int count = Math.Min(Tile, tokens - (tile * Tile)), segment = tile / 2;
                    bool first = tile % 2 == 0;
                    using DecoderKernelRunner.Memory powers = new(Queries * Tile), factor = new(factors[(tile * Tile)..((tile + 1) * Tile)]);
                    for (int row = 0; row < Queries; row++)
                    {
                        for (int i = 0; i < count; i++) powers.Span[(row * Tile) + i] = scores[(((tile * Tile) + i) * Queries) + row];
                    }

                    bool raised = DecoderKernels.RunningSoftmax<TSimd, TVector>(
                        powers.Pointer, Queries, count, factor.Pointer, reference.Pointer + (segment * columns), sum.Pointer + (segment * columns), rescale.Pointer, first);
                    everRaised |= raised;
                    powers.Check();
                    rescale.Check();
                    float* target = accumulated.Pointer + (segment * Channels * columns);
                    for (int row = 0; row < Queries; row++)
                    {
                        for (int i = count; i < Tile; i++) Assert.Equal(0, powers[(row * Tile) + i]);
                        for (int c = 0; c < Channels; c++)
                        {
                            float total = first ? 0 : target[(c * columns) + row] * (raised ? rescale[row] : 1);
                            for (int i = 0; i < count; i++) total += powers[(row * Tile) + i] * values[(((tile * Tile) + i) * Channels) + c];
                            target[(c * columns) + row] = total;
                        }
                    }
                }

                Assert.Equal(climb > 0, everRaised);
                DecoderKernels.SegmentShares<TSimd, TVector>(Segments, columns, reference.Pointer, sum.Pointer);
                DecoderKernels.CombineSegments<TSimd, TVector>(
                    Segments, Channels, columns, reference.Pointer, accumulated.Pointer, Channels * columns, result.Pointer);
                reference.Check();
                result.Check();
                for (int row = 0; row < Queries; row++)
                {
                    double[] weights = Softmax([.. Enumerable.Range(0, tokens).Select(i => (double)scores[(i * Queries) + row] * factors[i])]);
                    for (int c = 0; c < Channels; c++)
                        Assert.Equal(Enumerable.Range(0, tokens).Sum(i => weights[i] * factors[i] * values[(i * Channels) + c]), result[(c * columns) + row], 1e-4);
                }
            }
        }
    }
}
