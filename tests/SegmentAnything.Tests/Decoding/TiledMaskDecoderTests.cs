using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;

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

        using var engine = new TiledMaskDecoder(weights, threads: 2, vectorWidth);
        using IPreparedImage image = engine.Prepare(embedding, dense, CancellationToken.None);
        float[] logits = new float[Prompts * 4 * 16 * grid * grid], iou = new float[Prompts * 4];
        engine.Decode(image, tokens, Prompts, sparse, 0, 4, logits, iou, CancellationToken.None);

        var reference = new ReferenceMaskDecoder(weights);
        for (int prompt = 0; prompt < Prompts; prompt++)
        {
            (double[] expected, double[] expectedIou) = reference.Decode(embedding, dense, tokens[(prompt * sparse * channels)..((prompt + 1) * sparse * channels)]);
            int count = expected.Length;
            AssertClose(expected, logits.AsSpan(prompt * count, count));
            AssertClose(expectedIou, iou.AsSpan(prompt * 4, 4));
        }
    }

    private static void AssertClose(double[] expected, ReadOnlySpan<float> actual)
    {
        double largest = expected.Max(Math.Abs), difference = 0;
        for (int i = 0; i < expected.Length; i++) difference = Math.Max(difference, Math.Abs(expected[i] - actual[i]));
        Assert.True(largest > 0.01, $"The network answers nothing: largest value {largest}.");
        Assert.True(
            difference <= RelativeTolerance * largest,
            $"Largest difference {difference}, allowed {RelativeTolerance * largest} (largest value {largest}).");
    }
}
