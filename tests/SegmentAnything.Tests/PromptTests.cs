namespace SegmentAnything.Tests;

public sealed class PromptTests
{
    [Fact]
    public void And_ReturnsANewPromptAndLeavesTheOldOneAsItWas()
    {
        Prompt point = Prompt.Point(1, 2);
        Prompt both = point.AndPoint(3, 4, foreground: false).AndBox(0, 0, 9, 9);
        Assert.Single(point.Points);
        Assert.Null(point.BoxInSource);
        Assert.Equal([new PointPrompt(1, 2), new PointPrompt(3, 4, PointLabel.Background)], both.Points);
        Assert.Equal(new Box(0, 0, 9, 9), both.BoxInSource);
    }

    [Fact]
    public void IsAmbiguous_OnlyForOnePointAlone()
    {
        Assert.True(Prompt.Point(1, 2).IsAmbiguous);
        Assert.False(Prompt.Point(1, 2).AndPoint(3, 4).IsAmbiguous);
        Assert.False(Prompt.Point(1, 2).AndBox(0, 0, 9, 9).IsAmbiguous);
        Assert.False(Prompt.Point(1, 2).AndMask(new float[4]).IsAmbiguous);
        Assert.False(Prompt.Box(0, 0, 9, 9).IsAmbiguous);
    }

    [Theory]
    [InlineData(float.NaN, 0)]
    [InlineData(0, float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity, 0)]
    public void Point_NotFinite_IsRefused(float x, float y) =>
        Assert.Contains("finite", Assert.Throws<ArgumentOutOfRangeException>(() => Prompt.Point(x, y)).Message);

    [Fact]
    public void Point_UnknownLabel_IsRefused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => Prompt.FromPoints(new PointPrompt(1, 1, (PointLabel)3)));

    [Fact]
    public void FromPoints_None_IsRefused() => Assert.Throws<ArgumentException>(() => Prompt.FromPoints());

    [Theory]
    [InlineData(float.NaN, 0, 1, 1)]
    [InlineData(0, 0, float.PositiveInfinity, 1)]
    public void Box_NotFinite_IsRefused(float x0, float y0, float x1, float y1) =>
        Assert.Contains("finite", Assert.Throws<ArgumentOutOfRangeException>(() => Prompt.Box(x0, y0, x1, y1)).Message);

    [Theory]
    [InlineData(5, 0, 1, 1)]
    [InlineData(0, 5, 1, 1)]
    public void Box_ReversedCorners_IsRefusedAndTheRightOrderShown(float x0, float y0, float x1, float y1)
    {
        string message = Assert.Throws<ArgumentException>(() => Prompt.Box(x0, y0, x1, y1)).Message;
        Assert.Contains("reversed", message);
        Assert.Contains($"{Math.Min(x0, x1)}, {Math.Min(y0, y1)}, {Math.Max(x0, x1)}, {Math.Max(y0, y1)}", message);
    }

    [Fact]
    public void Mask_Empty_IsRefused() => Assert.Throws<ArgumentException>(() => Prompt.Mask(ReadOnlyMemory<float>.Empty));

    [Fact]
    public void ToString_NamesEveryPart() =>
        Assert.Equal("+(1, 2) -(3, 4) box (0, 0)-(9, 9) mask",
            Prompt.Point(1, 2).AndPoint(3, 4, foreground: false).AndBox(0, 0, 9, 9).AndMask(new float[1]).ToString());
}
