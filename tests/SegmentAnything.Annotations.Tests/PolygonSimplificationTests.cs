using SegmentAnything.Rle;

namespace SegmentAnything.Annotations.Tests;

public class PolygonSimplificationTests
{
    private static readonly RleMask Disk = RleMask.FromBitmap(
        [.. Enumerable.Range(0, 200 * 200).Select(i => Math.Pow((i % 200) - 99.5, 2) + Math.Pow((i / 200) - 99.5, 2) is < 6400 and > 900 ? (byte)1 : (byte)0)], 200, 200);

    [Fact]
    public void Tolerance0_LosesNothing()
    {
        SimplifiedMask simple = PolygonSimplification.Simplify(Disk, 0);
        Assert.Equal(1, simple.IntersectionOverUnion);
        Assert.True(simple.HasHoles);
        Assert.Equal(Disk, RleMask.FromContours(simple.Polygons, 200, 200));
    }

    [Theory]
    [InlineData(0.8, 0.98)]
    [InlineData(2, 0.96)]
    [InlineData(8, 0.85)]
    public void Tolerance_FewerPointsAndTheLossIsMeasured(double tolerance, double least)
    {
        SimplifiedMask exact = PolygonSimplification.Simplify(Disk, 0), simple = PolygonSimplification.Simplify(Disk, tolerance);
        Assert.True(simple.Polygons.Sum(p => p.Coordinates.Length) < exact.Polygons.Sum(p => p.Coordinates.Length) / 2);
        Assert.InRange(simple.IntersectionOverUnion, least, 0.99999);
        Assert.Equal(RleMask.FromContours(simple.Polygons, 200, 200).IntersectionOverUnion(Disk), simple.IntersectionOverUnion);
        // Every point of the exact contours is near the simple ones.
        foreach ((MaskPolygon before, MaskPolygon after) in exact.Polygons.Zip(simple.Polygons))
        {
            for (int i = 0; i < before.Coordinates.Length; i += 2)
                Assert.InRange(Distance(before.Coordinates[i], before.Coordinates[i + 1], after.Coordinates), 0, tolerance + 1e-9);
        }
    }

    [Fact]
    public void SmallRegionsAndEmptyMasks_Stay()
    {
        SimplifiedMask simple = PolygonSimplification.Simplify(Make.Holed, 50);
        Assert.Equal(PolygonSimplification.Simplify(Make.Holed, 0).Polygons.Count, simple.Polygons.Count);
        Assert.Equal(1, PolygonSimplification.Simplify(RleMask.Empty(4, 4), 1).IntersectionOverUnion);
        Assert.Equal([0.0, 0, 4, 0, 4, 4, 0, 4], PolygonSimplification.Simplify((ReadOnlySpan<double>)[0, 0, 2, 0, 4, 0, 4, 4, 2, 4, 0, 4, 0, 2], 0));
    }

    [Fact]
    public void BadInput_IsRefused()
    {
        Assert.Throws<ArgumentException>(() => PolygonSimplification.Simplify(Disk, -1));
        Assert.Throws<ArgumentException>(() => PolygonSimplification.Simplify(Disk, double.NaN));
        Assert.Throws<ArgumentException>(() => PolygonSimplification.Simplify((ReadOnlySpan<double>)[1, 2, 3], 1));
    }

    private static double Distance(double x, double y, ReadOnlySpan<double> polygon)
    {
        double least = double.MaxValue;
        for (int i = 0; i < polygon.Length; i += 2)
        {
            int j = (i + 2) % polygon.Length;
            double dx = polygon[j] - polygon[i], dy = polygon[j + 1] - polygon[i + 1];
            double along = Math.Clamp((((x - polygon[i]) * dx) + ((y - polygon[i + 1]) * dy)) / Math.Max((dx * dx) + (dy * dy), 1e-300), 0, 1);
            least = Math.Min(least, Math.Sqrt(Math.Pow(x - polygon[i] - (along * dx), 2) + Math.Pow(y - polygon[i + 1] - (along * dy), 2)));
        }

        return least;
    }
}
