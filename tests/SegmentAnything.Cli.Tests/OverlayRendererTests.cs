using SegmentAnything.Imaging;
using SegmentAnything.Rle;

namespace SegmentAnything.Cli.Tests;

public sealed class OverlayRendererTests
{
    private const int Width = 90, Height = 60;
    private static readonly LoadedImage Grey = new([.. Enumerable.Repeat((byte)128, Width * Height * 3)], Width, Height);

    [Fact]
    public void Render_NothingToDraw_LeavesThePicture() => Assert.Equal(Grey.Pixels, OverlayRenderer.Render(Grey, [], []));

    [Fact]
    public void Render_DoesNotChangeThePictureItself()
    {
        var picture = new LoadedImage([.. Grey.Pixels], Width, Height);
        OverlayRenderer.Render(picture, [RleMask.Full(Width, Height)], Prompt.Point(5, 5));
        Assert.Equal(Grey.Pixels, picture.Pixels);
    }

    [Fact]
    public void Render_OneMask_IsTintedInsideAndOutlined()
    {
        byte[] drawing = OverlayRenderer.Render(Grey, [Rectangle(20, 10, 40, 30)]);
        (byte r, byte g, byte b) = MaskColours.Of(0);

        Assert.Equal((r, g, b), Pixel(drawing, 20, 10));
        Assert.Equal((r, g, b), Pixel(drawing, 59, 39));
        Assert.Equal(((byte)(128 + ((r - 128) * 0.45f)), (byte)(128 + ((g - 128) * 0.45f)), (byte)(128 + ((b - 128) * 0.45f))), Pixel(drawing, 40, 25));
        foreach ((int x, int y) in new[] { (19, 10), (20, 9), (60, 39), (59, 40), (0, 0) })
            Assert.Equal(((byte)128, (byte)128, (byte)128), Pixel(drawing, x, y));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Render_SmallMaskInsideALargeOne_IsOnTopWhicheverComesFirst(bool smallFirst)
    {
        RleMask small = Rectangle(30, 20, 10, 10), large = Rectangle(10, 5, 70, 50);
        byte[] drawing = OverlayRenderer.Render(Grey, smallFirst ? [small, large] : [large, small]);

        Assert.Equal(MaskColours.Of(smallFirst ? 0 : 1), Pixel(drawing, 30, 20));
        Assert.Equal(MaskColours.Of(smallFirst ? 1 : 0), Pixel(drawing, 10, 5));
    }

    [Fact]
    public void Render_MaskOfAnotherSize_IsRefused()
    {
        var e = Assert.Throws<ArgumentException>(() => OverlayRenderer.Render(Grey, [RleMask.Full(Height, Width)]));
        Assert.Contains("60x90", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Render_EmptyMask_DrawsNothing() => Assert.Equal(Grey.Pixels, OverlayRenderer.Render(Grey, [RleMask.Empty(Width, Height)]));

    [Fact]
    public void Render_Points_AreGreenOnAndRedOffTheObject()
    {
        byte[] drawing = OverlayRenderer.Render(Grey, [], Prompt.Point(20, 30).AndPoint(70, 30, foreground: false));

        Assert.Equal(((byte)30, (byte)200, (byte)60), Pixel(drawing, 20, 30));
        Assert.Equal(((byte)230, (byte)40, (byte)40), Pixel(drawing, 70, 30));
        Assert.Equal(((byte)128, (byte)128, (byte)128), Pixel(drawing, 45, 30));
    }

    [Fact]
    public void Render_Box_DrawsItsSidesAndNotItsInside()
    {
        byte[] drawing = OverlayRenderer.Render(Grey, [], Prompt.Box(20, 10, 70, 50));

        foreach ((int x, int y) in new[] { (20, 30), (70, 30), (45, 10), (45, 50) }) Assert.InRange(Pixel(drawing, x, y).R, 200, 255);
        Assert.Equal(((byte)128, (byte)128, (byte)128), Pixel(drawing, 45, 30));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(Width, Height)]
    [InlineData(-1000, 1e9f)]
    public void Render_PromptsAtAndBeyondTheEdge_AreCutOff(float x, float y) =>
        Assert.Equal(Grey.Pixels.Length, OverlayRenderer.Render(Grey, [], Prompt.Point(x, y), Prompt.Box(x, y, x + 1, y + 1)).Length);

    [Fact]
    public void MaskColours_OfTheFirstTwelve_DifferFromEachOther()
    {
        for (int i = 0; i < 12; i++)
        {
            for (int j = 0; j < i; j++)
            {
                (byte r, byte g, byte b) = MaskColours.Of(i);
                (byte r2, byte g2, byte b2) = MaskColours.Of(j);
                Assert.InRange(Math.Abs(r - r2) + Math.Abs(g - g2) + Math.Abs(b - b2), 30, 765);
            }
        }
    }

    private static RleMask Rectangle(int x, int y, int width, int height)
    {
        byte[] bitmap = new byte[Width * Height];
        for (int row = y; row < y + height; row++) bitmap.AsSpan((row * Width) + x, width).Fill(1);
        return RleMask.FromBitmap(bitmap, Width, Height);
    }

    private static (byte R, byte G, byte B) Pixel(byte[] pixels, int x, int y)
    {
        int i = ((y * Width) + x) * 3;
        return (pixels[i], pixels[i + 1], pixels[i + 2]);
    }
}
