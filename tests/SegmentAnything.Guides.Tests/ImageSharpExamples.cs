using SegmentAnything.Rle;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats.Png;
using SixLabors.ImageSharp.PixelFormats;
using SixLabors.ImageSharp.Processing;

namespace SegmentAnything.Guides.Tests;

public sealed class ImageSharpExamples(Guide guide) : IClassFixture<Guide>
{
    [Fact]
    public void FromImageSharp()
    {
        (SamModel sam, string path) = (guide.Sam, guide.Photo);

        // example: FromImageSharp
        using Image<Rgb24> image = Image.Load<Rgb24>(path);
        image.Mutate(x => x.AutoOrient()); // as the camera was held; without it a click lands elsewhere
        byte[] pixels = new byte[image.Width * image.Height * 3];
        image.CopyPixelDataTo(pixels);
        using ImageEmbedding photo = sam.Encode(PixelBuffer.FromRgb24(pixels, image.Width, image.Height));
        // end

        Assert.Equal(guide.Expected, sam.Predict(photo, Guide.Click).Best.Mask);
    }

    [Fact]
    public void ToImageSharp()
    {
        RleMask mask = guide.Expected;
        string photo = guide.Photo, path = guide.Path("cut-out.png");

        // example: ToImageSharp
        byte[] bitmap = new byte[mask.Width * mask.Height];
        mask.ToBitmap(bitmap, foreground: 255);
        using Image<L8> blackAndWhite = Image.LoadPixelData<L8>(bitmap, mask.Width, mask.Height);

        // The object on a transparent ground.
        using Image<Rgba32> cutOut = Image.Load<Rgba32>(photo);
        cutOut.ProcessPixelRows(blackAndWhite, (colours, alphas) =>
        {
            for (int y = 0; y < colours.Height; y++)
            {
                Span<Rgba32> colour = colours.GetRowSpan(y);
                Span<L8> alpha = alphas.GetRowSpan(y);
                for (int x = 0; x < colour.Length; x++) colour[x].A = alpha[x].PackedValue;
            }
        });
        cutOut.SaveAsPng(path, new PngEncoder { ColorType = PngColorType.RgbWithAlpha }); // else as the file it came from
        // end

        using Image<Rgba32> written = Image.Load<Rgba32>(path);
        byte[] inside = mask.ToBitmap();
        for (int y = 0; y < mask.Height; y += 7)
            for (int x = 0; x < mask.Width; x += 7)
                Assert.Equal(inside[(y * mask.Width) + x] * 255, written[x, y].A);
    }
}
