using SegmentAnything.Kernels;
using SegmentAnything.Masks;
using SegmentAnything.Rle;

namespace SegmentAnything.Tests.Masks;

public class BicubicMaskUpscalerTests
{
    // Sixteen products in float32, and positions in float32 at sides of up to a few thousand.
    private const double RelativeTolerance = 5e-5;

    [Theory]
    [InlineData(8, 1, 1)]
    [InlineData(8, 5, 3)]
    [InlineData(16, 16, 16)]
    [InlineData(16, 37, 20)]
    [InlineData(32, 63, 129)]
    [InlineData(32, 301, 77)]
    [InlineData(64, 640, 481)]
    public void UpscaleLogits_AnySize_IsTheDefinition(int side, int width, int height)
    {
        float[] low = Logits(side, seed: width);
        float[] found = new float[width * height];
        new BicubicMaskUpscaler(side, new ImageSize(width, height)).UpscaleLogits(low, found);
        double largest = low.Max(Math.Abs);
        for (int y = 0; y < height; y++)
        {
            for (int x = 0; x < width; x++) Assert.Equal(At(low, side, x, y, width, height), found[(y * width) + x], RelativeTolerance * largest);
        }
    }

    [Fact]
    public void UpscaleLogits_Constant_StaysConstant()
    {
        float[] found = new float[50 * 70];
        float[] low = new float[16 * 16];
        Array.Fill(low, 3.5f);
        new BicubicMaskUpscaler(16, new ImageSize(50, 70)).UpscaleLogits(low, found);
        Assert.All(found, value => Assert.Equal(3.5f, value, 1e-5f));
    }

    [Theory]
    [InlineData(0f, 1f)]
    [InlineData(0.7f, 0.5f)]
    [InlineData(-2f, 0f)]
    public void Measure_AnyCutoff_CountsThePixelsAboveIt(float cutoff, float offset)
    {
        BicubicMaskUpscaler upscaler = new(32, new ImageSize(211, 97));
        float[] low = Logits(32, seed: 5), full = new float[211 * 97];
        upscaler.UpscaleLogits(low, full);

        MaskMeasurement found = upscaler.Measure(low, cutoff, offset);

        RleMask expected = RleMask.FromBitmap([.. full.Select(v => v > cutoff ? (byte)1 : (byte)0)], 211, 97);
        Assert.Equal(expected, found.Mask);
        Assert.Equal(
            (full.Count(v => v > cutoff - offset), full.Count(v => v > cutoff), full.Count(v => v > cutoff + offset)),
            (found.LowerArea, found.Area, found.UpperArea));
        float stability = (float)full.Count(v => v > cutoff + offset) / full.Count(v => v > cutoff - offset);
        Assert.Equal(stability, found.StabilityScore);
        Assert.True(upscaler.TryMeasure(low, cutoff, offset, stability, out MaskMeasurement kept));
        Assert.Equal(expected, kept.Mask);
        Assert.False(upscaler.TryMeasure(low, cutoff, offset, MathF.BitIncrement(stability), out _));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void Measure_SeveralMasksOnThreads_GivesEachAsAlone(int threads)
    {
        BicubicMaskUpscaler upscaler = new(16, new ImageSize(120, 90));
        float[][] masks = [.. Enumerable.Range(0, 7).Select(i => Logits(16, seed: i))];
        MaskMeasurement[] found = new MaskMeasurement[masks.Length];
        using WorkSplitter splitter = new(threads);
        upscaler.Measure([.. masks.SelectMany(m => m)], 0, 1, splitter, found, TestContext.Current.CancellationToken);
        for (int i = 0; i < masks.Length; i++)
        {
            MaskMeasurement alone = upscaler.Measure(masks[i], 0, 1);
            Assert.Equal((alone.Mask, alone.LowerArea, alone.Area, alone.UpperArea), (found[i].Mask, found[i].LowerArea, found[i].Area, found[i].UpperArea));
        }
    }

    [Fact]
    public void Measure_WrongArguments_AreRefused()
    {
        BicubicMaskUpscaler upscaler = new(16, new ImageSize(12, 9));
        using WorkSplitter splitter = new(1);
        Assert.Throws<ArgumentException>(() => upscaler.Measure(new float[300], 0, 1, splitter, new MaskMeasurement[2], default));
        Assert.Throws<ArgumentOutOfRangeException>(() => upscaler.Measure(new float[256], 0, -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => upscaler.UpscaleLogits(new float[255], new float[108]));
        Assert.Throws<ArgumentOutOfRangeException>(() => upscaler.UpscaleLogits(new float[256], new float[107]));
    }

    [Fact]
    public void Measure_Cancelled_Stops()
    {
        BicubicMaskUpscaler upscaler = new(16, new ImageSize(12, 9));
        using WorkSplitter splitter = new(2);
        Assert.ThrowsAny<OperationCanceledException>(() =>
            upscaler.Measure(new float[512], 0, 1, splitter, new MaskMeasurement[2], new CancellationToken(canceled: true)));
    }

    [Theory]
    [InlineData(5, 3)]
    [InlineData(14, 64)]
    [InlineData(16, 16)]
    [InlineData(32, 64)]
    public void Matrix_AnySizes_IsTheFilterOfEachPosition(int from, int to)
    {
        float[] matrix = BicubicAxis.Matrix(from, to), values = [.. Enumerable.Range(0, from).Select(i => MathF.Sin(i))];
        for (int i = 0; i < to; i++)
        {
            double found = 0;
            for (int j = 0; j < from; j++) found += matrix[(i * from) + j] * (double)values[j];
            Assert.Equal(Along(j => values[j], i, from, to), found, 1e-5);
        }
    }

    // The filter along one axis after the other, in double precision.
    private static double At(float[] low, int side, int x, int y, int width, int height) =>
        Along(row => Along(column => low[(row * side) + column], x, side, width), y, side, height);

    private static double Along(Func<int, double> values, int position, int source, int length)
    {
        double at = ((position + 0.5) * source / length) - 0.5;
        int first = (int)Math.Floor(at);
        double sum = 0;
        for (int k = -1; k <= 2; k++) sum += Filter(Math.Abs(at - (first + k))) * values(Math.Clamp(first + k, 0, source - 1));
        return sum;
    }

    // Keys' cubic convolution with PyTorch's a = -0.75.
    private static double Filter(double x) => x <= 1 ? (1.25 * x * x * x) - (2.25 * x * x) + 1 : x < 2 ? (-0.75 * x * x * x) + (3.75 * x * x) - (6 * x) + 3 : 0;

    private static float[] Logits(int side, int seed)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, side * side).Select(i => (8 * MathF.Sin(0.3f * (i % side)) * MathF.Cos(0.2f * (i / side))) + (2 * random.NextSingle()) - 1)];
    }
}
