using SegmentAnything.Kernels;
using SegmentAnything.Tests.Decoding;

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
    public void RunningSoftmaxColumns_TilesAndSegments_MatchDoublePrecision(int width) => DecoderKernelRunner.Run(width, new Columns());

    [Theory]
    [MemberData(nameof(Widths))]
    public void RunningSoftmaxRows_TilesAndSegments_MatchDoublePrecision(int width) => DecoderKernelRunner.Run(width, new Rows());

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

    private sealed class Heads : IWidthTest
    {
        public void Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct
        {
            foreach (int tokens in new[] { 1, 5, 7, 8, 9, 20 })
            {
                const int HeadCount = 3;
                int scoreRows = (tokens + 7) / 8 * 8;
                var random = new Random(tokens);
                float[] values = RandomDecoder.Values(random, HeadCount * scoreRows * Tile, 40);
                using DecoderKernelRunner.Memory scores = new(values), weights = new(HeadCount * tokens * Tile);
                DecoderKernels.SoftmaxHeads<TSimd, TVector>(scores.Pointer, scoreRows, HeadCount, tokens, weights.Pointer);
                weights.Check();

                // In place, the rows close up.
                DecoderKernels.SoftmaxHeads<TSimd, TVector>(scores.Pointer, scoreRows, HeadCount, tokens, scores.Pointer);
                Assert.True(weights.Span.SequenceEqual(scores.Span[..weights.Span.Length]));
                for (int head = 0; head < HeadCount; head++)
                {
                    for (int lane = 0; lane < Tile; lane++)
                    {
                        double[] expected = Softmax([.. Enumerable.Range(0, tokens).Select(t => (double)values[(((head * scoreRows) + t) * Tile) + lane])]);
                        for (int t = 0; t < tokens; t++) Assert.Equal(expected[t], weights[(((head * tokens) + t) * Tile) + lane], 1e-6);
                    }
                }
            }
        }
    }

    // 3 segments of 2 tiles, the last tile not full; what is accumulated is powers times values of 4 channels.
    private sealed class Columns : IWidthTest
    {
        private const int Segments = 3, Tiles = 6, Channels = 4, Last = 5;

        public void Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct
        {
            int columns = 2 * TSimd.Width, tokens = ((Tiles - 1) * Tile) + Last;
            foreach (double climb in new[] { 0, 1.3, -1.3 })
            {
                var random = new Random(1);
                float[] scores = Scores(random, tokens, columns, climb), values = RandomDecoder.Values(random, tokens * Channels);
                using DecoderKernelRunner.Memory reference = new(Segments * columns), sum = new(Segments * columns);
                using DecoderKernelRunner.Memory accumulated = new(Segments * Channels * columns), result = new(Channels * columns);
                for (int tile = 0; tile < Tiles; tile++)
                {
                    int count = Math.Min(Tile, tokens - (tile * Tile)), segment = tile / 2;
                    bool first = tile % 2 == 0;
                    using DecoderKernelRunner.Memory powers = new(scores[(tile * Tile * columns)..(((tile * Tile) + count) * columns)]);
                    float* target = accumulated.Pointer + (segment * Channels * columns);
                    DecoderKernels.RunningSoftmaxColumns<TSimd, TVector>(
                        powers.Pointer, columns, count, columns, reference.Pointer + (segment * columns), sum.Pointer + (segment * columns), target, Channels, first);
                    powers.Check();
                    for (int c = 0; c < Channels; c++)
                    {
                        for (int column = 0; column < columns; column++)
                        {
                            float total = first ? 0 : target[(c * columns) + column];
                            for (int i = 0; i < count; i++) total += powers[(i * columns) + column] * values[((((tile * Tile) + i) * Channels)) + c];
                            target[(c * columns) + column] = total;
                        }
                    }
                }

                DecoderKernels.CombineSegmentColumns<TSimd, TVector>(
                    Segments, Channels, columns, reference.Pointer, sum.Pointer, accumulated.Pointer, result.Pointer);
                result.Check();
                for (int column = 0; column < columns; column++)
                {
                    double[] weights = Softmax([.. Enumerable.Range(0, tokens).Select(i => (double)scores[(i * columns) + column])]);
                    for (int c = 0; c < Channels; c++)
                        Assert.Equal(Enumerable.Range(0, tokens).Sum(i => weights[i] * values[(i * Channels) + c]), result[(c * columns) + column], 1e-4);
                }
            }
        }
    }

    private sealed class Rows : IWidthTest
    {
        private const int Segments = 3, Tiles = 6, RowCount = 5, Last = 5;

        public void Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct
        {
            int channels = TSimd.Width, tokens = ((Tiles - 1) * Tile) + Last;
            foreach (double climb in new[] { 0, 1.3, -1.3 })
            {
                var random = new Random(2);
                float[] scores = Scores(random, tokens, RowCount, climb), values = RandomDecoder.Values(random, tokens * channels);
                using DecoderKernelRunner.Memory reference = new(Segments * RowCount), sum = new(Segments * RowCount);
                using DecoderKernelRunner.Memory accumulated = new(Segments * RowCount * channels), result = new(RowCount * channels);
                for (int tile = 0; tile < Tiles; tile++)
                {
                    int count = Math.Min(Tile, tokens - (tile * Tile)), segment = tile / 2;
                    bool first = tile % 2 == 0;
                    using DecoderKernelRunner.Memory powers = new(RowCount * Tile);
                    for (int row = 0; row < RowCount; row++)
                    {
                        for (int i = 0; i < count; i++) powers.Span[(row * Tile) + i] = scores[(((tile * Tile) + i) * RowCount) + row];
                    }

                    float* target = accumulated.Pointer + (segment * RowCount * channels);
                    DecoderKernels.RunningSoftmaxRows<TSimd, TVector>(
                        powers.Pointer, RowCount, count, reference.Pointer + (segment * RowCount), sum.Pointer + (segment * RowCount), target, channels, first);
                    powers.Check();
                    for (int row = 0; row < RowCount; row++)
                    {
                        for (int i = count; i < Tile; i++) Assert.Equal(0, powers[(row * Tile) + i]);
                        for (int c = 0; c < channels; c++)
                        {
                            float total = first ? 0 : target[(row * channels) + c];
                            for (int i = 0; i < count; i++) total += powers[(row * Tile) + i] * values[(((tile * Tile) + i) * channels) + c];
                            target[(row * channels) + c] = total;
                        }
                    }
                }

                DecoderKernels.CombineSegmentRows<TSimd, TVector>(
                    Segments, RowCount, channels, reference.Pointer, sum.Pointer, accumulated.Pointer, result.Pointer);
                result.Check();
                for (int row = 0; row < RowCount; row++)
                {
                    double[] weights = Softmax([.. Enumerable.Range(0, tokens).Select(i => (double)scores[(i * RowCount) + row])]);
                    for (int c = 0; c < channels; c++)
                        Assert.Equal(Enumerable.Range(0, tokens).Sum(i => weights[i] * values[(i * channels) + c]), result[(row * channels) + c], 1e-4);
                }
            }
        }
    }
}
