using SegmentAnything.Kernels;

namespace SegmentAnything.Tests.Kernels;

public unsafe class DecoderKernelsLayerNormTests
{
    private const int Tile = DecoderKernels.TileTokens;

    public static TheoryData<int> Widths => DecoderKernelRunner.Widths;

    [Theory]
    [MemberData(nameof(Widths))]
    public void LayerNorm_TilesAndRows_MatchDoublePrecision(int width) => DecoderKernelRunner.Run(width, new Norms());

    private sealed class Norms : IWidthTest
    {
        public void Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct
        {
            foreach (int channels in new[] { 1, 8, 33, 256 })
            {
                var random = new Random(channels);

                // A mean far from zero: a variance from sums of squares would lose its digits here.
                float[] values = [.. RandomDecoder.Values(random, channels * Tile).Select(v => v + 30)];
                float[] weight = RandomDecoder.Values(random, channels), bias = RandomDecoder.Values(random, channels);
                float[] epsilon = [.. RandomDecoder.Values(random, Tile).Select(v => MathF.Abs(v) * 0.1f)];
                using DecoderKernelRunner.Memory source = new(values), w = new(weight), b = new(bias), e = new(epsilon);
                using DecoderKernelRunner.Memory pieces = new(DecoderKernels.GeluTable.ToArray());
                DecoderKernels.LayerNormGeluTile<TSimd, TVector>(source.Pointer, channels, w.Pointer, b.Pointer, e.Pointer, pieces.Pointer);
                for (int lane = 0; lane < Tile; lane++)
                {
                    double[] expected = Norm([.. Enumerable.Range(0, channels).Select(c => values[(c * Tile) + lane])], weight, bias, epsilon[lane]);
                    for (int c = 0; c < channels; c++)
                    {
                        int at = (c * Tile) + lane;
                        Assert.Equal(ReferenceMaskDecoder.Gelu(expected[c]), source[at], 1e-4);
                    }
                }

                source.Check();
            }

            foreach (int width in new[] { 16, 48, 256 })
            {
                var random = new Random(width);
                float[] values = [.. RandomDecoder.Values(random, 3 * width).Select(v => v - 20)];
                float[] weight = RandomDecoder.Values(random, width), bias = RandomDecoder.Values(random, width);
                using DecoderKernelRunner.Memory rows = new(values), w = new(weight), b = new(bias);
                DecoderKernels.LayerNormRows<TSimd, TVector>(rows.Pointer, 3, width, w.Pointer, b.Pointer, 1e-5f);
                for (int row = 0; row < 3; row++)
                {
                    double[] expected = Norm(values[(row * width)..((row + 1) * width)], weight, bias, 1e-5);
                    for (int i = 0; i < width; i++) Assert.Equal(expected[i], rows[(row * width) + i], 2e-4);
                }

                rows.Check();
            }
        }

        private static double[] Norm(float[] values, float[] weight, float[] bias, double epsilon)
        {
            double mean = values.Average(v => (double)v), variance = values.Average(v => (v - mean) * (v - mean));
            return [.. values.Select((v, i) => ((v - mean) / Math.Sqrt(variance + epsilon) * weight[i]) + bias[i])];
        }
    }
}
