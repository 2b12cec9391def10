using SegmentAnything.Imaging;
using SegmentAnything.Rle;
using SkiaSharp;

namespace SegmentAnything.Guides.Tests;

public sealed class SkiaSharpExamples(Guide guide) : IClassFixture<Guide>
{
    [Fact]
    public void FromSkiaSharp()
    {
        (SamModel sam, string path) = (guide.Sam, guide.Photo);

        // example: FromSkiaSharp
        using SKBitmap bitmap = SKBitmap.Decode(path);
        PixelBuffer pixels = bitmap.ColorType switch
        {
            SKColorType.Bgra8888 => PixelBuffer.FromBgra32(bitmap.Bytes, bitmap.Width, bitmap.Height, bitmap.RowBytes),
            SKColorType.Rgba8888 => PixelBuffer.FromRgba32(bitmap.Bytes, bitmap.Width, bitmap.Height, bitmap.RowBytes),
            SKColorType.Gray8 => PixelBuffer.FromGray8(bitmap.Bytes, bitmap.Width, bitmap.Height, bitmap.RowBytes),
            _ => throw new NotSupportedException($"{path}: {bitmap.ColorType}"),
        };
        using ImageEmbedding photo = sam.Encode(pixels);
        // end

        Assert.Equal(guide.Expected, sam.Predict(photo, Guide.Click).Best.Mask);
    }

    [Fact]
    public void ToSkiaSharp()
    {
        RleMask mask = guide.Expected;
        using SKBitmap bitmap = SKBitmap.Decode(guide.Photo);
        string path = guide.Path("cut-out.png");

        // example: ToSkiaSharp
        // The mask as Skia's alpha: 255 where the object is.
        using SKBitmap alpha = new(new SKImageInfo(mask.Width, mask.Height, SKColorType.Alpha8));
        mask.ToBitmap(alpha.GetPixelSpan(), alpha.RowBytes, foreground: 255);

        // The object on a transparent ground: of the picture only what the mask covers stays.
        using SKBitmap cutOut = new(new SKImageInfo(mask.Width, mask.Height, SKColorType.Rgba8888, SKAlphaType.Premul));
        using (SKCanvas canvas = new(cutOut))
        using (SKPaint keep = new() { BlendMode = SKBlendMode.DstIn })
        {
            canvas.DrawBitmap(bitmap, 0, 0, SKSamplingOptions.Default);
            canvas.DrawBitmap(alpha, 0, 0, SKSamplingOptions.Default, keep);
        }

        using (FileStream file = File.Create(path)) cutOut.Encode(file, SKEncodedImageFormat.Png, quality: 100);
        // end

        using SKBitmap written = SKBitmap.Decode(path);
        byte[] inside = mask.ToBitmap();
        for (int y = 0; y < mask.Height; y += 7)
        {
            for (int x = 0; x < mask.Width; x += 7)
            {
                SKColor expected = inside[(y * mask.Width) + x] == 1 ? bitmap.GetPixel(x, y) : default; // SKColors.Transparent is white
                Assert.Equal(expected, written.GetPixel(x, y));
            }
        }
    }
}
