using SegmentAnything.Kernels;

namespace SegmentAnything.Tests.Kernels;

public unsafe class DecoderKernelsCoordinatesTests
{
    private const int Tile = DecoderKernels.TileTokens;

    public static TheoryData<int> Widths => DecoderKernelRunner.Widths;

    [Theory]
    [MemberData(nameof(Widths))]
    public void VectorProduct_MatchesDoublePrecision(int width) => DecoderKernelRunner.Run(width, new VectorProducts());

    [Theory]
    [MemberData(nameof(Widths))]
    public void ImageMoments_AnyChannels_MatchDoublePrecision(int width) => DecoderKernelRunner.Run(width, new Moments());

    [Theory]
    [MemberData(nameof(Widths))]
    public void LengthAndDeviation_AnyRows_MatchDoublePrecision(int width) => DecoderKernelRunner.Run(width, new Lengths());

    [Fact]
    public void Deviation_SquareRoundedBelowZero_CountsAsZero() => DecoderKernelRunner.Run(8, new Negative());

    private sealed class Moments : IWidthTest
    {
        public void Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct
        {
            foreach (int channels in new[] { 1, 7, 256 })
            {
                var random = new Random(channels);
                float[] keys = [.. RandomDecoder.Values(random, channels * Tile).Select(v => v + 20)], constant = RandomDecoder.Values(random, channels);
                float[] weight = RandomDecoder.Values(random, channels), between = RandomDecoder.Values(random, channels);
                using DecoderKernelRunner.Memory k = new(keys), c = new(constant), w = new(weight), b = new(between), moments = new(3 * Tile);
                DecoderKernels.ImageMoments<TSimd, TVector>(k.Pointer, channels, c.Pointer, w.Pointer, b.Pointer, moments.Pointer);
                moments.Check();
                for (int lane = 0; lane < Tile; lane++)
                {
                    double[] x = Centred([.. Enumerable.Range(0, channels).Select(i => (double)keys[(i * Tile) + lane] + constant[i])]);
                    double[] y = Centred([.. x.Select((v, i) => v * weight[i])]);
                    Assert.Equal(x.Sum(v => v * v), moments[lane], 1e-5 * channels);
                    Assert.Equal(y.Sum(v => v * v), moments[Tile + lane], 1e-5 * channels);
                    Assert.Equal(x.Select((v, i) => v * between[i]).Sum(), moments[(2 * Tile) + lane], 1e-5 * channels);
                }
            }
        }

        private static double[] Centred(double[] values) => [.. values.Select(v => v - values.Average())];
    }

    private sealed class Lengths : IWidthTest
    {
        public void Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct
        {
            foreach (int rows in new[] { 1, 16, 57 })
            {
                var random = new Random(rows);
                float[] a = RandomDecoder.Values(random, rows * Tile), b = RandomDecoder.Values(random, rows * Tile);
                float[] squares = [.. RandomDecoder.Values(random, Tile).Select(v => v + 500)], products = RandomDecoder.Values(random, Tile);
                float[] factors = [.. RandomDecoder.Values(random, Tile).Select(v => MathF.Abs(v) + 0.1f)];
                using DecoderKernelRunner.Memory x = new(a), y = new(b), square = new(squares), product = new(products), factor = new(factors);
                float[] weights = RandomDecoder.Values(random, rows);
                using DecoderKernelRunner.Memory weight = new(weights), weighted = new(Tile);
                DecoderKernels.WeightedSum<TSimd, TVector>(x.Pointer, rows, weight.Pointer, product.Pointer, weighted.Pointer);
                using DecoderKernelRunner.Memory sum = new(Tile), deviation = new(Tile), scale = new(Tile), added = new(rows * Tile);
                DecoderKernels.SquareOfSum<TSimd, TVector>(square.Pointer, product.Pointer, 3, factor.Pointer, sum.Pointer);
                DecoderKernels.AddTwiceProduct<TSimd, TVector>(x.Pointer, y.Pointer, rows, sum.Pointer);
                DecoderKernels.Deviation<TSimd, TVector>(sum.Pointer, 256, 1e-2f, factor.Pointer, deviation.Pointer, scale.Pointer);
                DecoderKernels.AddScaled<TSimd, TVector>(x.Pointer, y.Pointer, factor.Pointer, rows, added.Pointer);
                foreach (DecoderKernelRunner.Memory memory in (DecoderKernelRunner.Memory[])[sum, deviation, scale, added, weighted]) memory.Check();
                for (int lane = 0; lane < Tile; lane++)
                {
                    double f = factors[lane], length = squares[lane] + (2 * products[lane] * f) + (3 * f * f);
                    for (int row = 0; row < rows; row++)
                    {
                        int at = (row * Tile) + lane;
                        length += 2.0 * a[at] * b[at];
                        Assert.Equal(a[at] + (f * b[at]), added[at], 1e-5);
                    }

                    Assert.Equal(products[lane] + Enumerable.Range(0, rows).Sum(row => (double)weights[row] * a[(row * Tile) + lane]), weighted[lane], 1e-4);
                    double expected = Math.Sqrt((length / 256) + (1e-2 * f * f));
                    Assert.Equal(length, sum[lane], 1e-3);
                    Assert.Equal(expected, deviation[lane], 1e-5);
                    Assert.Equal(1 / expected, scale[lane], 1e-5);
                }
            }
        }
    }

    private sealed class Negative : IWidthTest
    {
        public void Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct
        {
            float[] ones = new float[Tile];
            ones.AsSpan().Fill(1);
            using DecoderKernelRunner.Memory square = new([.. ones.Select(v => -1e-6f * v)]), factor = new(ones), deviation = new(Tile), scale = new(Tile);
            DecoderKernels.Deviation<TSimd, TVector>(square.Pointer, 4, 4, factor.Pointer, deviation.Pointer, scale.Pointer);
            Assert.Equal(-1, deviation.Span.IndexOfAnyExcept(2f));
            Assert.Equal(-1, scale.Span.IndexOfAnyExcept(0.5f));
        }
    }

    private sealed class VectorProducts : IWidthTest
    {
        public void Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct
        {
            foreach ((int rows, int columns) in new[] { (4, 16), (8, 48), (12, 160) })
            {
                var random = new Random(rows);
                int stride = columns + 16;
                float[] vector = RandomDecoder.Values(random, rows), matrix = RandomDecoder.Values(random, rows * stride), start = RandomDecoder.Values(random, columns);
                using DecoderKernelRunner.Memory v = new(vector), m = new(matrix), s = new(start), fromStart = new(columns), fromZero = new(columns);
                DecoderKernels.VectorProduct<TSimd, TVector>(v.Pointer, rows, m.Pointer, stride, columns, s.Pointer, fromStart.Pointer);
                DecoderKernels.VectorProduct<TSimd, TVector>(v.Pointer, rows, m.Pointer, stride, columns, null, fromZero.Pointer);
                fromStart.Check();
                fromZero.Check();
                for (int i = 0; i < columns; i++)
                {
                    double sum = Enumerable.Range(0, rows).Sum(row => (double)vector[row] * matrix[(row * stride) + i]);
                    Assert.Equal(sum, fromZero[i], 1e-5);
                    Assert.Equal(start[i] + sum, fromStart[i], 1e-5);
                }
            }
        }
    }
}
