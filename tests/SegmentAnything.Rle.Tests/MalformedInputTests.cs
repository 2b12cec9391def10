using System.Text;
using System.Text.Json;

namespace SegmentAnything.Rle.Tests;

/// <summary>Whatever is wrong with the data, one exception says where and why.</summary>
public class MalformedInputTests
{
    [Theory]
    [InlineData("12\t", 2, "0x09")]
    [InlineData("1p2", 1, "0x70")]
    [InlineData("/", 0, "0x2F")]
    [InlineData("5é", 1, "U+00E9")]
    [InlineData("5\u0130", 1, "U+0130")]
    [InlineData("5\ud83d\ude00", 1, "U+D83D")]
    [InlineData("12P", 3, "cut off")]
    [InlineData("PPPPPPPP0", 7, "more than 7 characters")]
    [InlineData("@", 0, "negative")]
    [InlineData("O", 0, "negative")]
    [InlineData("111J", 3, "negative")]
    [InlineData("oooooo?", 0, "at most 2147483647")]
    [InlineData("", 0, "add up to 0")]
    [InlineData("5", 1, "add up to 5")]
    [InlineData("56", 2, "add up to 11")]
    [InlineData("=", 0, "add up to 13")]
    public void CocoString_Malformed_ThrowsWithPositionAndReason(string text, long position, string reason)
    {
        RleFormatException exception = Assert.Throws<RleFormatException>(() => RleMask.FromCocoString(text, 4, 3));
        Assert.Equal(position, exception.Position);
        Assert.Contains(reason, exception.Reason, StringComparison.Ordinal);
        Assert.Contains(exception.Reason, exception.Message, StringComparison.Ordinal);
        Assert.Contains($"at position {position}", exception.Message, StringComparison.Ordinal);
        if (Ascii.IsValid(text))
            Assert.Equal(position, Assert.Throws<RleFormatException>(() => RleMask.FromCocoString(Encoding.ASCII.GetBytes(text), 4, 3)).Position);
    }

    [Theory]
    [InlineData(new[] { -1, 13 }, 0, "-1")]
    [InlineData(new[] { 3, -5, 14 }, 1, "-5")]
    [InlineData(new[] { 3, 10 }, 1, "13")]
    [InlineData(new[] { int.MaxValue, int.MaxValue, 14 }, 0, "2147483647")]
    [InlineData(new[] { 3, 4 }, 2, "7")]
    [InlineData(new int[0], 0, "0")]
    public void Counts_Malformed_ThrowWithPositionAndReason(int[] counts, long position, string reason)
    {
        RleFormatException exception = Assert.Throws<RleFormatException>(() => RleMask.FromCounts(counts, 4, 3));
        Assert.Equal(position, exception.Position);
        Assert.Contains(reason, exception.Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 3)]
    [InlineData(3, 0)]
    [InlineData(0, 0)]
    [InlineData(-1, 3)]
    [InlineData(3, -1)]
    [InlineData(int.MinValue, int.MinValue)]
    [InlineData(65536, 32768)]
    [InlineData(int.MaxValue, 2)]
    public void Size_ThatHoldsNoMask_ThrowsEverywhere(int width, int height)
    {
        Action[] actions =
        [
            () => RleMask.FromBitmap([1, 2, 3], width, height),
            () => RleMask.FromColumnMajor([1, 2, 3], width, height),
            () => RleMask.FromLogits([1, 2, 3], width, height),
            () => RleMask.FromCounts([1], width, height),
            () => RleMask.FromCocoString("1", width, height),
            () => RleMask.FromCocoString("1"u8, width, height),
            () => RleMask.FromBox(1, 1, 1, 1, width, height),
            () => RleMask.FromBox(new MaskBox(1, 1, 1, 1), width, height),
            () => RleMask.FromPolygon([1, 1, 2, 2, 3, 1], width, height),
            () => RleMask.FromPolygons([[1, 1, 2, 2, 3, 1]], width, height),
            () => RleMask.FromContours([], width, height),
            () => RleMask.Empty(width, height),
            () => RleMask.Full(width, height),
        ];
        foreach (Action action in actions)
            Assert.Contains($"{width} x {height}", Assert.Throws<RleFormatException>(action).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Pixels_ThatDoNotFitTheSize_Throw()
    {
        Assert.Throws<RleFormatException>(() => RleMask.FromBitmap(new byte[11], 4, 3));
        Assert.Throws<RleFormatException>(() => RleMask.FromBitmap(new byte[100], 4, 3, stride: 3));
        Assert.Throws<RleFormatException>(() => RleMask.FromBitmap(new byte[100], 4, 3, stride: -4));
        Assert.Throws<RleFormatException>(() => RleMask.FromBitmap(new byte[13], 4, 3, stride: 5));
        Assert.Throws<RleFormatException>(() => RleMask.FromBitmap(new byte[13], 4, 3, stride: int.MaxValue));
        Assert.Throws<RleFormatException>(() => RleMask.FromColumnMajor(new byte[11], 4, 3));
        Assert.Throws<RleFormatException>(() => RleMask.FromColumnMajor(new byte[13], 4, 3));
        Assert.Throws<RleFormatException>(() => RleMask.FromLogits(new float[11], 4, 3));
        Assert.Throws<RleFormatException>(() => RleMask.FromLogits(new float[12], 4, 3, cutoff: float.NaN));
        RleMask mask = RleMask.Full(4, 3);
        Assert.Throws<ArgumentException>(() => mask.ToBitmap(new byte[11]));
        Assert.Throws<ArgumentException>(() => mask.ToBitmap(new byte[100], stride: 3));
        Assert.Throws<ArgumentException>(() => mask.ToColumnMajor(new byte[11]));
        Assert.Throws<ArgumentNullException>(() => RleMask.FromCocoString((string)null!, 4, 3));
    }

    [Fact]
    public void Masks_OfDifferentSizes_AreNotCombined()
    {
        RleMask a = RleMask.Full(4, 3), turned = RleMask.Full(3, 4);
        Func<object>[] actions =
        [
            () => a.Union(turned), () => a.Intersection(turned), () => a.Difference(turned), () => a.SymmetricDifference(turned),
            () => a.IntersectionArea(turned), () => a.IntersectionOverUnion(turned), () => a.BoundaryIntersectionOverUnion(turned),
            () => RleMask.Union([a, turned]), () => IouMatrix.Masks([a], [turned]), () => IouMatrix.Boundaries([a], [turned]),
            () => NonMaximumSuppression.Masks([a, turned], [1, 2], 0.5),
        ];
        foreach (Func<object> action in actions)
            Assert.Contains("4 x 3 and 3 x 4", Assert.Throws<RleFormatException>(action).Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(new double[] { 1, 1, 2, 2, 3 }, 5)]
    [InlineData(new double[] { 1, 1, 2, 2 }, 4)]
    [InlineData(new double[0], 0)]
    [InlineData(new[] { 1, 1, 2, double.NaN, 3, 1 }, 3)]
    [InlineData(new[] { 1, 1, double.PositiveInfinity, 2, 3, 1 }, 2)]
    [InlineData(new[] { 1, 1, 2, 2, 3, -1.5e8 }, 5)]
    public void Polygon_Malformed_ThrowsWithPosition(double[] polygon, long position)
    {
        Assert.Equal(position, Assert.Throws<RleFormatException>(() => RleMask.FromPolygon(polygon, 4, 3)).Position);
        Assert.Equal(position, Assert.Throws<RleFormatException>(() => RleMask.FromPolygons([polygon], 4, 3)).Position);
        Assert.Equal(position, Assert.Throws<RleFormatException>(() => new MaskPolygon(polygon, isHole: false)).Position);
    }

    [Fact]
    public void Polygons_NoneOrNull_Throw()
    {
        Assert.Throws<RleFormatException>(() => RleMask.FromPolygons([], 4, 3));
        Assert.Throws<ArgumentNullException>(() => RleMask.FromPolygons(null!, 4, 3));
        Assert.Throws<ArgumentNullException>(() => RleMask.FromPolygons([null!], 4, 3));
        Assert.Throws<ArgumentNullException>(() => RleMask.FromContours([null!], 4, 3));
        Assert.Throws<RleFormatException>(() => RleMask.FromBox(double.NaN, 0, 1, 1, 4, 3));
        Assert.Throws<RleFormatException>(() => RleMask.FromBox(0, 0, double.MaxValue, 1, 4, 3));
    }

    [Fact]
    public void Lists_ThatDoNotFitTogether_Throw()
    {
        RleMask mask = RleMask.Full(4, 3);
        Assert.Throws<ArgumentException>(() => IouMatrix.Masks([mask], [mask], [true, false]));
        Assert.Throws<ArgumentException>(() => IouMatrix.Boxes([1, 2, 3], [1, 2, 3, 4]));
        Assert.Throws<ArgumentException>(() => IouMatrix.Boxes([1, 2, 3, 4], [1, 2, 3, 4], [true, false]));
        Assert.Throws<ArgumentNullException>(() => IouMatrix.Masks([mask], [null!]));
        Assert.Throws<ArgumentNullException>(() => IouMatrix.Masks(null!, [mask]));
        Assert.Throws<ArgumentException>(() => NonMaximumSuppression.Boxes([1, 2, 3, 4], [1, 2], 0.5));
        Assert.Throws<ArgumentException>(() => NonMaximumSuppression.Boxes([1, 2, 3, 4], [1], [1, 2], 0.5));
        Assert.Throws<ArgumentException>(() => NonMaximumSuppression.Masks([mask], [1, 2], 0.5));
    }

    [Theory]
    [InlineData("[1,2]")]
    [InlineData("\"0\"")]
    [InlineData("{\"counts\":\"<\"}")]
    [InlineData("{\"size\":[3,4]}")]
    [InlineData("{\"size\":[3],\"counts\":\"<\"}")]
    [InlineData("{\"size\":[3,4,5],\"counts\":\"<\"}")]
    [InlineData("{\"size\":[3,\"4\"],\"counts\":\"<\"}")]
    [InlineData("{\"size\":[3,4.5],\"counts\":\"<\"}")]
    [InlineData("{\"size\":12,\"counts\":\"<\"}")]
    [InlineData("{\"size\":[0,4],\"counts\":\"<\"}")]
    [InlineData("{\"size\":[3,4],\"counts\":12}")]
    [InlineData("{\"size\":[3,4],\"counts\":\"=\"}")]
    [InlineData("{\"size\":[3,4],\"counts\":\"~\"}")]
    [InlineData("{\"size\":[3,4],\"counts\":\"\\ud800\"}")]
    [InlineData("{\"size\":[3,4],\"counts\":[12,\"1\"]}")]
    [InlineData("{\"size\":[3,4],\"counts\":[12.5]}")]
    [InlineData("{\"size\":[3,4],\"counts\":[99999999999]}")]
    [InlineData("{\"size\":[3,4],\"counts\":[[12]]}")]
    [InlineData("{\"size\":[3,4],\"counts\":[-1,13]}")]
    public void Json_Malformed_Throws(string json) =>
        Assert.Throws<RleFormatException>(() => JsonSerializer.Deserialize(json, RleJsonContext.Default.RleMask));

    [Theory]
    [InlineData("{\"size\":[3,4],\"counts\":\"<\"")]
    [InlineData("{\"size\":[3,")]
    [InlineData("{")]
    public void Json_CutOff_ThrowsTheReadersException(string json) =>
        Assert.ThrowsAny<JsonException>(() => JsonSerializer.Deserialize(json, RleJsonContext.Default.RleMask));
}
