namespace SegmentAnything.Tests;

public sealed class PixelBufferTests
{
    [Fact]
    public void Constructor_StrideOmitted_RowsTouch() => Assert.Equal(12, PixelBuffer.FromRgb24(new byte[24], 4, 2).Stride);

    [Fact]
    public void Constructor_LastRowNeedsNoPadding()
    {
        PixelBuffer buffer = PixelBuffer.FromGray8(new byte[10 + 3], 3, 2, stride: 10);
        Assert.Equal(new ImageSize(3, 2), buffer.Size);
        Assert.Throws<ArgumentException>(() => PixelBuffer.FromGray8(new byte[10 + 2], 3, 2, stride: 10));
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 0)]
    [InlineData(-1, 1)]
    [InlineData(PixelBuffer.MaxSide + 1, 1)]
    [InlineData(1, PixelBuffer.MaxSide + 1)]
    public void Constructor_SizeOutOfRange_IsRefused(int width, int height) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => PixelBuffer.FromGray8(new byte[16], width, height));

    [Fact]
    public void Constructor_SizeBeyondTheMemory_SaysBothSizes()
    {
        // 65536 x 65536 x 4 bytes do not fit an int: the check must not overflow.
        string message = Assert.Throws<ArgumentException>(
            () => PixelBuffer.FromRgba32(new byte[16], PixelBuffer.MaxSide, PixelBuffer.MaxSide)).Message;
        Assert.Contains("17179869184", message);
        Assert.Contains("16 were given", message);
    }

    [Theory]
    [InlineData(11)]
    [InlineData(-12)]
    public void Constructor_StrideTooShort_IsRefused(int stride) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => PixelBuffer.FromRgb24(new byte[24], 4, 2, stride));

    [Fact]
    public void Constructor_UnknownFormat_IsRefused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new PixelBuffer(new byte[24], 1, 1, (PixelFormat)77));

    [Fact]
    public void Crop_PointsIntoTheSameMemory()
    {
        byte[] bytes = [.. Enumerable.Range(0, 5 * 4).Select(i => (byte)i)];
        PixelBuffer part = PixelBuffer.FromGray8(bytes, 5, 4).Crop(1, 2, 3, 2);
        Assert.Equal([11, 12, 13], part.Memory.Span[..3].ToArray());
        Assert.Equal([16, 17, 18], part.Memory.Span.Slice(part.Stride, 3).ToArray());
    }

    [Theory]
    [InlineData(-1, 0, 1, 1)]
    [InlineData(0, 0, 6, 1)]
    [InlineData(4, 0, 2, 1)]
    [InlineData(0, 4, 1, 1)]
    [InlineData(0, 0, 0, 1)]
    public void Crop_OutsideTheImage_IsRefused(int x, int y, int width, int height) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => PixelBuffer.FromGray8(new byte[20], 5, 4).Crop(x, y, width, height));
}
