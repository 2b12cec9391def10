using System.Text.Json;
using SegmentAnything.Imaging;
using SegmentAnything.Preprocessing;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.Preprocessing;

public class ImageResizerTests
{
    [Fact]
    public void Resize_ReferenceCases_GivesTheBytesOfPillow()
    {
        JsonElement golden = GoldenJson.Read("lowlevel", "pillow_resize_bilinear.json");
        foreach (JsonElement item in golden.GetProperty("cases").EnumerateArray())
        {
            string name = item.GetProperty("src").GetString()!;
            JsonElement source = golden.GetProperty("sources").GetProperty(name);
            ImageSize size = source.GetProperty("hw").SizeHw();
            ImageSize wanted = item.GetProperty("out_hw").SizeHw();
            PixelBuffer image = PixelBuffer.FromRgb24(source.GetProperty("data").Bytes(), size.Width, size.Height);
            byte[] expected = item.GetProperty("out").Bytes();

            byte[] found = new byte[expected.Length];
            ImageResizer.Resize(image, wanted.Width, wanted.Height, found, threads: 4);
            Assert.True(expected.AsSpan().SequenceEqual(found), $"{name} to {wanted}");

            byte[] scalar = new byte[expected.Length];
            ImageResizer.ResizeScalar(image, wanted.Width, wanted.Height, scalar);
            Assert.True(expected.AsSpan().SequenceEqual(scalar), $"{name} to {wanted}, scalar");
        }
    }

    [Theory]
    [InlineData("truck")]
    [InlineData("groceries")]
    [InlineData("picture1")]
    public void Resize_ReferencePhotographs_GivesTheBytesOfPillow(string name)
    {
        LoadedImage photo = ImageFile.Load(TestPaths.RequireGolden("predictor", name, "input_decoded.png"));
        byte[] expected = File.ReadAllBytes(TestPaths.RequireGolden("predictor", name, "resized_rgb.u8.bin"));
        ImageSize wanted = GoldenJson.Read("predictor", name, "manifest.json").GetProperty("input_size_hw").SizeHw();
        byte[] found = new byte[expected.Length];
        ImageResizer.Resize(photo.ToPixelBuffer(), wanted.Width, wanted.Height, found, threads: 4);
        Assert.True(expected.AsSpan().SequenceEqual(found));
    }

    // Upwards, downwards by little and by much, one axis alone, a single row or column, every format, odd strides,
    // pictures small enough for one thread and large enough for several.
    [Theory]
    [InlineData(1, 1, 5, 7)]
    [InlineData(7, 1, 3, 1)]
    [InlineData(1, 9, 4, 2)]
    [InlineData(17, 13, 17, 29)]
    [InlineData(17, 13, 40, 13)]
    [InlineData(33, 47, 64, 21)]
    [InlineData(301, 205, 7, 3)]
    [InlineData(640, 480, 333, 250)]
    [InlineData(900, 611, 1024, 695)]
    public void Resize_EveryFormatAndStride_MatchesScalar(int width, int height, int newWidth, int newHeight)
    {
        const int Seed = 20240611;
        foreach (PixelFormat format in Enum.GetValues<PixelFormat>())
        {
            int stride = (width * format.BytesPerPixel()) + (width % 5);
            byte[] pixels = new byte[stride * height];
            new Random(Seed).NextBytes(pixels);
            PixelBuffer image = new(pixels, width, height, format, stride);
            byte[] expected = new byte[newWidth * newHeight * 3];
            ImageResizer.ResizeScalar(image, newWidth, newHeight, expected);
            byte[] found = new byte[expected.Length];
            ImageResizer.Resize(image, newWidth, newHeight, found, threads: 4);
            Assert.True(expected.AsSpan().SequenceEqual(found), $"{format}, seed {Seed}");
        }
    }

    [Fact]
    public void Resize_DestinationTooShort_Throws()
    {
        PixelBuffer image = PixelBuffer.FromGray8(new byte[12], 4, 3);
        Assert.Throws<ArgumentOutOfRangeException>(() => ImageResizer.Resize(image, 2, 2, new byte[11], threads: 4));
        Assert.Throws<ArgumentOutOfRangeException>(() => ImageResizer.Resize(image, 0, 2, new byte[12], threads: 4));
    }
}
