using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;
using SegmentAnything.Tests.References;

namespace SegmentAnything.Tests.Decoding;

public sealed class MaskPromptNetworkTests
{
    // Sums of 16 products of float32 values near 1, and GELU's 1.5e-6, through two norms.
    private const double Tolerance = 1e-4;

    private const string Prefix = "prompt_encoder.mask_downscaling.";

    [Theory]
    [InlineData(1, 32)]
    [InlineData(3, 40)]
    [InlineData(5, 32)]
    [InlineData(64, 256)]
    public void MaskDownscaling_IsTheConvolutionsAsPublished(int grid, int channels)
    {
        StateDict weights = RandomDecoder.Weights(channels, mlp: 64, iouHidden: 32, iouDepth: 3, seed: grid);
        float[] mask = RandomMask(grid);
        double[] expected = Plain(weights, mask, grid);
        float[] dense = new float[channels * grid * grid];
        Array.Fill(dense, float.NaN);

        new MaskDownscaling(weights, grid).Encode(mask, dense, TestContext.Current.CancellationToken);

        for (int i = 0; i < dense.Length; i++) Assert.Equal(expected[i], dense[i], Tolerance * Math.Max(1, Math.Abs(expected[i])));
    }

    [Fact]
    public void MaskDownscaling_OfWhatWasCancelled_Stops()
    {
        MaskDownscaling network = new(RandomDecoder.Weights(32, mlp: 64, iouHidden: 32, iouDepth: 3, seed: 1), 4);
        Assert.Throws<OperationCanceledException>(() => network.Encode(RandomMask(4), new float[32 * 16], new CancellationToken(canceled: true)));
    }

    [Fact]
    public void MaskAsItIs_PutsThePixelsOfAPositionIntoItsFirstChannels()
    {
        const int grid = 3, side = 4 * grid, channels = 18;
        float[] mask = RandomMask(grid), dense = new float[channels * grid * grid];
        Array.Fill(dense, float.NaN);

        new MaskAsItIs(channels, grid).Encode(mask, dense, TestContext.Current.CancellationToken);

        for (int y = 0; y < side; y++)
        {
            for (int x = 0; x < side; x++) Assert.Equal(mask[(y * side) + x], dense[(((4 * (y % 4)) + (x % 4)) * grid * grid) + (y / 4 * grid) + (x / 4)]);
        }

        Assert.All(dense[(16 * grid * grid)..], v => Assert.Equal(0, v));
        Assert.Throws<CheckpointException>(() => new MaskAsItIs(15, grid));
    }

    private static float[] RandomMask(int grid)
    {
        Random random = new(grid);
        return [.. Enumerable.Range(0, 16 * grid * grid).Select(_ => (float)((random.NextDouble() * 40) - 20))];
    }

    private static double[] Plain(StateDict weights, float[] mask, int grid)
    {
        double[] x = Array.ConvertAll(mask, v => (double)v);
        x = Normalised(Convolved(x, 1, 4 * grid, "0", 2), 2 * grid, "1");
        x = Normalised(Convolved(x, weights.ShapeOf(Prefix + "0.bias")[0], 2 * grid, "3", 2), grid, "4");
        return Convolved(x, weights.ShapeOf(Prefix + "3.bias")[0], grid, "6", 1);

        double[] Convolved(double[] source, int inputs, int side, string name, int kernel)
        {
            float[] weight = weights.ReadAny($"{Prefix}{name}.weight"), bias = weights.ReadAny($"{Prefix}{name}.bias");
            int to = side / kernel;
            double[] result = new double[bias.Length * to * to];
            for (int i = 0; i < result.Length; i++)
            {
                int o = i / (to * to), y = i / to % to, x = i % to;
                result[i] = bias[o];
                for (int c = 0; c < inputs; c++)
                {
                    for (int dy = 0; dy < kernel; dy++)
                    {
                        for (int dx = 0; dx < kernel; dx++)
                            result[i] += weight[(((((o * inputs) + c) * kernel) + dy) * kernel) + dx] * source[(((c * side) + (y * kernel) + dy) * side) + (x * kernel) + dx];
                    }
                }
            }

            return result;
        }

        double[] Normalised(double[] source, int side, string name)
        {
            float[] scale = weights.ReadAny($"{Prefix}{name}.weight"), shift = weights.ReadAny($"{Prefix}{name}.bias");
            int positions = side * side;
            double[] result = new double[source.Length];
            for (int p = 0; p < positions; p++)
            {
                double[] values = [.. Enumerable.Range(0, scale.Length).Select(c => source[(c * positions) + p])];
                values = PlainMath.Norm(values, scale, shift, 1e-6);
                for (int c = 0; c < scale.Length; c++) result[(c * positions) + p] = PlainMath.Gelu(values[c]);
            }

            return result;
        }
    }
}
