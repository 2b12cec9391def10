using System.Globalization;
using SegmentAnything.Imaging;
using SegmentAnything.Rle;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.Imaging;

public sealed class MaskDrawingTests
{
    private const int Width = 90, Height = 60;
    private static readonly RgbColor Ground = new(128, 128, 128), Red = new(200, 0, 0), Blue = new(0, 0, 200);
    private static readonly DrawingOptions RedThenBlue = new() { Color = k => k == 0 ? Red : Blue, FillOpacity = 0.5f };
    private static readonly LoadedImage Grey = new([.. Enumerable.Repeat((byte)128, Width * Height * 3)], Width, Height);

    // The drawing, a letter a pixel: R and B opaque, r and b half over the ground, . the ground.
    [Fact]
    public void Overlay_SmallMasks_IsRightToThePixel() => AssertDrawn(
        MaskDrawing.Overlay(GroundOf(9, 6), [Mask("""
            .........
            .#####...
            .#####...
            .#####...
            .#####...
            .........
            """), Mask("""
            .........
            .........
            .........
            ....####.
            ....####.
            ....####.
            """)], options: RedThenBlue), """
            .........
            .RRRRR...
            .RrrrR...
            .RrrBBBB.
            .RRRBbbB.
            ....BBBB.
            """);

    [Fact]
    public void Overlay_MaskWithAHole_IsOutlinedAroundTheHole() => AssertDrawn(
        MaskDrawing.Overlay(GroundOf(9, 7), [Mask("""
            #########
            #########
            #########
            ####.####
            #########
            #########
            #########
            """)], options: RedThenBlue), """
            RRRRRRRRR
            RrrrrrrrR
            RrrrRrrrR
            RrrR.RrrR
            RrrrRrrrR
            RrrrrrrrR
            RRRRRRRRR
            """);

    [Fact]
    public void Overlay_ThickOutline_IsThatManyPixelsWide() => AssertDrawn(
        MaskDrawing.Overlay(GroundOf(8, 7), [RleMask.Full(8, 7)], options: RedThenBlue with { OutlineThickness = 2 }), """
            RRRRRRRR
            RRRRRRRR
            RRrrrrRR
            RRrrrrRR
            RRrrrrRR
            RRRRRRRR
            RRRRRRRR
            """);

    [Fact]
    public void Overlay_NoOutline_TintsAlone() => AssertDrawn(
        MaskDrawing.Overlay(GroundOf(4, 3), [Mask("""
            ....
            .##.
            .##.
            """)], options: RedThenBlue with { OutlineThickness = 0 }), """
            ....
            .rr.
            .rr.
            """);

    [Fact]
    public void Outline_SmallMask_LeavesTheInside() => AssertDrawn(
        MaskDrawing.Outline(GroundOf(6, 5), [Mask("""
            .#####
            .#####
            .#####
            .#####
            ......
            """)], options: RedThenBlue), """
            .RRRRR
            .R...R
            .R...R
            .RRRRR
            ......
            """);

    [Fact]
    public void CutOut_Cropped_HasTheObjectsPixelsAndNothingElse()
    {
        byte[] pixels = [.. Enumerable.Range(1, 4 * 3 * 3).Select(i => (byte)i)];
        CutOutImage cut = MaskDrawing.CutOut(PixelBuffer.FromRgb24(pixels, 4, 3), Mask("""
            ....
            ..#.
            ..##
            """));

        Assert.Equal((2, 1, 2, 2), (cut.X, cut.Y, cut.Width, cut.Height));
        Assert.Equal(
            [19, 20, 21, 255, 0, 0, 0, 0,
             31, 32, 33, 255, 34, 35, 36, 255], cut.Pixels);
    }

    [Fact]
    public void CutOut_NotCropped_HasThePicturesSize()
    {
        CutOutImage cut = MaskDrawing.CutOut(GroundOf(3, 2), Mask("""
            ...
            .#.
            """), crop: false);

        Assert.Equal((0, 0, 3, 2), (cut.X, cut.Y, cut.Width, cut.Height));
        byte[] expected = new byte[24];
        expected.AsSpan(16, 3).Fill(128);
        expected[19] = 255;
        Assert.Equal(expected, cut.Pixels);
        Assert.Equal(new byte[24], MaskDrawing.CutOut(GroundOf(3, 2), RleMask.Empty(3, 2), crop: false).Pixels);
    }

    [Fact]
    public void CutOut_OfAnEmptyMask_SaysThatThereIsNothingToCropTo() => Assert.Contains(
        "nothing to crop to", Assert.Throws<ArgumentException>(() => MaskDrawing.CutOut(GroundOf(3, 2), RleMask.Empty(3, 2))).Message, StringComparison.Ordinal);

    [Fact]
    public void CutOut_SavedAsPng_IsTheObjectOnWhiteWhenReadAgain()
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "object.png");
        CutOutImage cut = MaskDrawing.CutOut(GroundOf(4, 3), Mask("""
            ....
            ..#.
            ..##
            """));
        cut.SavePng(path);

        Assert.Equal(File.ReadAllBytes(path), cut.ToPng());
        Assert.Equal([128, 128, 128, 255, 255, 255, 128, 128, 128, 128, 128, 128], ImageFile.Load(path).Pixels);
    }

    [Fact]
    public void Drawing_SavedAsPng_IsTheSameWhenReadAgain()
    {
        LoadedImage drawing = MaskDrawing.Overlay(Grey.ToPixelBuffer(), [Rectangle(20, 10, 40, 30)]);
        Assert.Equal(drawing.Pixels, ImageFile.Load(drawing.ToPng()).Pixels);
    }

    [Theory]
    [InlineData(PixelFormat.Rgb24, new byte[] { 10, 20, 30 })]
    [InlineData(PixelFormat.Bgr24, new byte[] { 30, 20, 10 })]
    [InlineData(PixelFormat.Rgba32, new byte[] { 10, 20, 30, 7 })]
    [InlineData(PixelFormat.Bgra32, new byte[] { 30, 20, 10, 7 })]
    [InlineData(PixelFormat.Gray8, new byte[] { 20 })]
    public void AnyFormatAndStride_IsReadAsRedGreenBlue(PixelFormat format, byte[] pixel)
    {
        // 2x2 pixels with one more pixel and one more byte at the end of each row.
        byte[] row = [.. pixel, .. pixel, .. pixel.Select(_ => (byte)99), 98];
        var picture = new PixelBuffer((byte[])[.. row, .. row], 2, 2, format, row.Length);
        byte[] colour = format == PixelFormat.Gray8 ? [20, 20, 20] : [10, 20, 30];

        Assert.Equal([.. colour, .. colour, .. colour, .. colour], MaskDrawing.Overlay(picture, []).Pixels);
        Assert.Equal([.. colour, 255], MaskDrawing.CutOut(picture, RleMask.FromBox(new MaskBox(1, 1, 1, 1), 2, 2)).Pixels);
    }

    [Fact]
    public void Overlay_NothingToDraw_LeavesThePicture() => Assert.Equal(Grey.Pixels, MaskDrawing.Overlay(Grey.ToPixelBuffer(), []).Pixels);

    [Fact]
    public void Overlay_DoesNotChangeThePictureItself()
    {
        var picture = new LoadedImage([.. Grey.Pixels], Width, Height);
        MaskDrawing.Overlay(picture.ToPixelBuffer(), [RleMask.Full(Width, Height)], [Prompt.Point(5, 5)]);
        Assert.Equal(Grey.Pixels, picture.Pixels);
    }

    [Fact]
    public void Overlay_ByDefault_TintsInTheLabelsColourByLessThanHalf()
    {
        LoadedImage drawing = MaskDrawing.Overlay(Grey.ToPixelBuffer(), [Rectangle(20, 10, 40, 30)]);
        RgbColor color = RgbColor.OfLabel(0);

        Assert.Equal(color, Pixel(drawing, 20, 10));
        Assert.Equal(color, Pixel(drawing, 59, 39));
        Assert.Equal(
            new RgbColor((byte)(128 + ((color.R - 128) * 0.45f)), (byte)(128 + ((color.G - 128) * 0.45f)), (byte)(128 + ((color.B - 128) * 0.45f))),
            Pixel(drawing, 40, 25));
        foreach ((int x, int y) in new[] { (19, 10), (20, 9), (60, 39), (59, 40), (0, 0) }) Assert.Equal(Ground, Pixel(drawing, x, y));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Overlay_SmallMaskInsideALargeOne_IsOnTopWhicheverComesFirst(bool smallFirst)
    {
        RleMask small = Rectangle(30, 20, 10, 10), large = Rectangle(10, 5, 70, 50);
        LoadedImage drawing = MaskDrawing.Overlay(Grey.ToPixelBuffer(), smallFirst ? [small, large] : [large, small]);

        Assert.Equal(RgbColor.OfLabel(smallFirst ? 0 : 1), Pixel(drawing, 30, 20));
        Assert.Equal(RgbColor.OfLabel(smallFirst ? 1 : 0), Pixel(drawing, 10, 5));
    }

    [Fact]
    public void MaskOfAnotherSize_IsRefused()
    {
        var e = Assert.Throws<ArgumentException>(() => MaskDrawing.Overlay(Grey.ToPixelBuffer(), [RleMask.Full(Height, Width)]));
        Assert.Contains("60x90", e.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => MaskDrawing.CutOut(Grey.ToPixelBuffer(), RleMask.Full(Height, Width)));
    }

    [Fact]
    public void PictureWithoutMemory_IsRefused()
    {
        Assert.Throws<ArgumentException>(() => MaskDrawing.Overlay(default, []));
        Assert.Throws<ArgumentException>(() => MaskDrawing.CutOut(default, RleMask.Full(1, 1)));
    }

    [Theory]
    [InlineData(-0.1f, null)]
    [InlineData(1.1f, null)]
    [InlineData(float.NaN, null)]
    [InlineData(0.5f, -1)]
    [InlineData(0.5f, int.MaxValue)]
    public void OptionOutOfRange_IsRefused(float opacity, int? thickness) => Assert.Throws<ArgumentOutOfRangeException>(() =>
        MaskDrawing.Overlay(Grey.ToPixelBuffer(), [], options: new DrawingOptions { FillOpacity = opacity, OutlineThickness = thickness }));

    [Fact]
    public void Overlay_EmptyMask_DrawsNothing() =>
        Assert.Equal(Grey.Pixels, MaskDrawing.Overlay(Grey.ToPixelBuffer(), [RleMask.Empty(Width, Height)]).Pixels);

    [Fact]
    public void Overlay_Points_AreGreenOnAndRedOffTheObject()
    {
        LoadedImage drawing = MaskDrawing.Overlay(Grey.ToPixelBuffer(), [], [Prompt.Point(20, 30).AndPoint(70, 30, foreground: false)]);

        Assert.Equal(new RgbColor(30, 200, 60), Pixel(drawing, 20, 30));
        Assert.Equal(new RgbColor(230, 40, 40), Pixel(drawing, 70, 30));
        Assert.Equal(Ground, Pixel(drawing, 45, 30));
    }

    [Fact]
    public void Overlay_Box_DrawsItsSidesAndNotItsInside()
    {
        LoadedImage drawing = MaskDrawing.Overlay(Grey.ToPixelBuffer(), [], [Prompt.Box(20, 10, 70, 50)]);

        foreach ((int x, int y) in new[] { (20, 30), (70, 30), (45, 10), (45, 50) }) Assert.InRange(Pixel(drawing, x, y).R, 200, 255);
        Assert.Equal(Ground, Pixel(drawing, 45, 30));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(Width, Height)]
    [InlineData(-1000, 1e9f)]
    public void Overlay_PromptsAtAndBeyondTheEdge_AreCutOff(float x, float y) => Assert.Equal(
        Grey.Pixels.Length, MaskDrawing.Overlay(Grey.ToPixelBuffer(), [], [Prompt.Point(x, y), Prompt.Box(x, y, x + 1, y + 1)]).Pixels.Length);

    [Fact]
    public void LabelColours_OfTheFirstTwelve_DifferFromEachOther()
    {
        for (int i = 0; i < 12; i++)
        {
            for (int j = 0; j < i; j++)
            {
                (byte r, byte g, byte b) = RgbColor.OfLabel(i);
                (byte r2, byte g2, byte b2) = RgbColor.OfLabel(j);
                Assert.InRange(Math.Abs(r - r2) + Math.Abs(g - g2) + Math.Abs(b - b2), 30, 765);
            }
        }
    }

    [Fact]
    public void LabelColour_AsText_IsCss()
    {
        Assert.Equal("#1e90ff", new RgbColor(30, 144, 255).ToString());
        string css = string.Create(CultureInfo.InvariantCulture, $"fill: {RgbColor.OfLabel(3)}");
        Assert.Matches("^fill: #[0-9a-f]{6}$", css);
        Assert.Throws<ArgumentOutOfRangeException>(() => RgbColor.OfLabel(-1));
    }

    private static PixelBuffer GroundOf(int width, int height) =>
        PixelBuffer.FromRgb24((byte[])[.. Enumerable.Repeat((byte)128, width * height * 3)], width, height);

    private static RleMask Mask(string drawing)
    {
        string[] rows = drawing.Split('\n');
        return RleMask.FromBitmap([.. rows.SelectMany(row => row.Select(c => c == '#' ? (byte)1 : (byte)0))], rows[0].Length, rows.Length);
    }

    private static void AssertDrawn(LoadedImage drawing, string expected)
    {
        string[] rows = [.. Enumerable.Range(0, drawing.Height).Select(y => string.Concat(Enumerable.Range(0, drawing.Width).Select(x => Letter(Pixel(drawing, x, y)))))];
        Assert.Equal(expected, string.Join('\n', rows));

        static char Letter(RgbColor color) => color switch
        {
            _ when color == Ground => '.',
            _ when color == Red => 'R',
            _ when color == Blue => 'B',
            (164, 64, 64) => 'r',
            (64, 64, 164) => 'b',
            _ => '?',
        };
    }

    private static RleMask Rectangle(int x, int y, int width, int height) => RleMask.FromBox(new MaskBox(x, y, width, height), Width, Height);

    private static RgbColor Pixel(LoadedImage picture, int x, int y)
    {
        int i = ((y * picture.Width) + x) * 3;
        return new RgbColor(picture.Pixels[i], picture.Pixels[i + 1], picture.Pixels[i + 2]);
    }
}
