using SegmentAnything.Graphs;

namespace SegmentAnything.Tests.Graphs;

public class Int8MatrixTests
{
    [Theory]
    [InlineData(Int8Matrix.LargestOf16BitSums)]
    [InlineData(Int8Matrix.LargestOf32BitSums)]
    public void Of_RandomWeights_RoundsToTheNearestMultipleOfEachOutputsScale(int largest)
    {
        const int outputs = 7, inputs = 11;
        var random = new Random(1);
        float[] weight = [.. Enumerable.Range(0, outputs * inputs).Select(i => (random.NextSingle() - 0.5f) * (1 + i / inputs))];
        weight.AsSpan(3 * inputs, inputs).Clear();

        Int8Matrix matrix = Int8Matrix.Of(weight, outputs, largest);

        for (int o = 0; o < outputs; o++)
        {
            int most = 0;
            for (int i = 0; i < inputs; i++)
            {
                int value = matrix.Values[i * outputs + o];
                most = Math.Max(most, Math.Abs(value));
                Assert.InRange(Math.Abs(value * matrix.Scales[o] - weight[o * inputs + i]), 0, 0.5001f * matrix.Scales[o]);
            }

            Assert.Equal(o == 3 ? 0 : largest, most);
        }
    }

    [Fact]
    public void LargestOf16BitSums_InTwoProductsWithBytes_DoesNotOverflow()
    {
        Assert.InRange(2 * byte.MaxValue * Int8Matrix.LargestOf16BitSums, 0, short.MaxValue);
        Assert.True(2 * byte.MaxValue * (Int8Matrix.LargestOf16BitSums + 2) > short.MaxValue, "One could have more.");
    }

    [Theory]
    [InlineData(Int8Matrix.LargestOf16BitSums)]
    [InlineData(Int8Matrix.LargestOf32BitSums)]
    public void IntegerProduct_OfTheLargestValues_EqualsPlainLoops(int largest)
    {
        // The largest weights against the largest activations: where sums of 16 bits would saturate.
        const int rows = 5, inputs = 64, outputs = 33;
        if (largest > Int8Matrix.LargestHere) Assert.Skip("This processor adds in 16 bits.");
        var random = new Random(2);
        float[] x = [.. Enumerable.Range(0, rows * inputs).Select(i => i % 3 == 0 ? 10f : -0.5f + random.NextSingle())];
        float[] weight = [.. Enumerable.Range(0, outputs * inputs).Select(i => i % 5 == 4 ? random.NextSingle() : i / inputs % 2 == 0 ? 1f : -1f)];
        float[] bias = [.. Enumerable.Range(0, outputs).Select(o => (float)o)];
        Int8Matrix matrix = Int8Matrix.Of(weight, outputs, largest);
        GraphBuilder g = new("product");
        Value product = g.IntegerProduct(
            g.Quantize(g.Input("x", rows, inputs)), g.Integers8("w", matrix.Values, inputs, outputs), g.Constant("scales", matrix.Scales, outputs), g.Constant("bias", bias, outputs));
        g.Output("y", product, rows, outputs);

        float[] found = EncoderRunner.Run(g, x);

        // As ONNX defines DynamicQuantizeLinear.
        float scale = (x.Max() - x.Min()) / 255;
        int zero = (int)MathF.Round(-x.Min() / scale);
        for (int r = 0; r < rows; r++)
        {
            for (int o = 0; o < outputs; o++)
            {
                int sum = 0;
                for (int i = 0; i < inputs; i++)
                    sum += ((int)Math.Clamp(MathF.Round(x[r * inputs + i] / scale) + zero, 0, 255) - zero) * matrix.Values[i * outputs + o];
                Assert.Equal(sum * (double)scale * matrix.Scales[o] + bias[o], found[r * outputs + o], 1e-3);
            }
        }
    }
}
