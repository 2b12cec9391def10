using SegmentAnything.Rle.Kernels;

namespace SegmentAnything.Rle.Tests;

/// <summary>Polygons that a few bytes describe and that gigabytes would be drawn for.</summary>
public class PolygonLimitTests
{
    // From one side of the mask to the other and back again.
    private static double[] Zigzag(int points, int width, int height)
    {
        var polygon = new double[2 * points];
        for (int i = 0; i < points; i++) (polygon[2 * i], polygon[(2 * i) + 1]) = (i % 2 == 0 ? 0 : width, i * (double)height / points);
        return polygon;
    }

    [Fact]
    public void Polygon_OfManyCrossings_IsRefusedBeforeItIsDrawn()
    {
        double[] polygon = Zigzag(4000, 65535, 32767);
        var error = Assert.Throws<RleFormatException>(() => RleMask.FromPolygon(polygon, 65535, 32767));
        Assert.Contains("Simplify the outlines", error.Message, StringComparison.Ordinal);
        Assert.Throws<RleFormatException>(() => RleMask.FromContours([new MaskPolygon(polygon, isHole: false)], 65535, 32767));
    }

    [Fact]
    public void Polygons_TogetherOfManyCrossings_AreRefused()
    {
        // Each crosses 40 x 20,000 times, so 42 are too many; in columns of few rows, where crossings are bits, and in tall ones.
        foreach (int height in new[] { 2000, 8000 })
        {
            double[] polygon = Zigzag(40, 20000, height);
            Assert.Throws<RleFormatException>(() => RleMask.FromPolygons([.. Enumerable.Repeat(polygon, 50)], 20000, height));
            Assert.Equal(RleMask.FromPolygon(polygon, 20000, height), RleMask.FromPolygons([polygon, polygon], 20000, height));
        }
    }

    [Fact]
    public void TallPolygon_OfManyCrossings_EqualsTheDefinition()
    {
        // More than are sorted at once; corners below the frame, whose crossings have the position of the next column's first pixel.
        const int Width = 300, Height = 5000;
        var random = new Random(5);
        double[] polygon = [.. Enumerable.Range(0, 200).SelectMany(_ => new[] { (random.NextDouble() * 400) - 50, (random.NextDouble() * 6000) - 500 })];
        RleMask mask = RleMask.FromPolygon(polygon, Width, Height);
        Assert.True(mask.Counts.Length > 4096);
        Assert.Equal(RleKernels.FillPolygonsScalar([polygon], Width, Height), mask.Counts.ToArray());
    }

    [Fact]
    public void Cancelled_StopsWithinAPolygon()
    {
        using var stopped = new CancellationTokenSource();
        stopped.Cancel();
        foreach (int height in new[] { 1000, 10000 })
        {
            double[] polygon = Zigzag(100, 10000, height);
            Assert.Throws<OperationCanceledException>(() => RleMask.FromPolygon(polygon, 10000, height, stopped.Token));
            Assert.Throws<OperationCanceledException>(() => RleMask.FromPolygons([polygon], 10000, height, stopped.Token));
            Assert.Throws<OperationCanceledException>(() => RleMask.FromContours([new MaskPolygon(polygon, isHole: false)], 10000, height, stopped.Token));
        }
    }
}
