using System.Text.Json;
using SegmentAnything.Imaging;
using SegmentAnything.Kernels;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.Kernels;

public class ImageKernelsResizeBilinearTests
{
    [Fact]
    public void ResizeBilinear_ReferenceCases_GivesTheBytesOfPillow()
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
            ImageKernels.ResizeBilinear(image, wanted.Width, wanted.Height, found);
            Assert.True(expected.AsSpan().SequenceEqual(found), $"{name} to {wanted}");

            byte[] scalar = new byte[expected.Length];
            ImageKernels.ResizeBilinearScalar(image, wanted.Width, wanted.Height, scalar);
            Assert.True(expected.AsSpan().SequenceEqual(scalar), $"{name} to {wanted}, scalar");
        }
    }

    [Theory]
    [InlineData("truck")]
    [InlineData("groceries")]
    [InlineData("picture1")]
    public void ResizeBilinear_ReferencePhotographs_GivesTheBytesOfPillow(string name)
    {
        LoadedImage photo = ImageFile.Load(TestPaths.RequireGolden("predictor", name, "input_decoded.png"));
        byte[] expected = File.ReadAllBytes(TestPaths.RequireGolden("predictor", name, "resized_rgb.u8.bin"));
        ImageSize wanted = GoldenJson.Read("predictor", name, "manifest.json").GetProperty("input_size_hw").SizeHw();
        byte[] found = new byte[expected.Length];
        ImageKernels.ResizeBilinear(photo.ToPixelBuffer(), wanted.Width, wanted.Height, found);
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
    public void ResizeBilinear_EveryFormatAndStride_MatchesScalar(int width, int height, int newWidth, int newHeight)
    {
        const int Seed = 20240611;
        foreach (PixelFormat format in Enum.GetValues<PixelFormat>())
        {
            int stride = (width * format.BytesPerPixel()) + (width % 5);
            byte[] pixels = new byte[stride * height];
            new Random(Seed).NextBytes(pixels);
            PixelBuffer image = new(pixels, width, height, format, stride);
            byte[] expected = new byte[newWidth * newHeight * 3];
            ImageKernels.ResizeBilinearScalar(image, newWidth, newHeight, expected);
            byte[] found = new byte[expected.Length];
            ImageKernels.ResizeBilinear(image, newWidth, newHeight, found);
            Assert.True(expected.AsSpan().SequenceEqual(found), $"{format}, seed {Seed}");
        }
    }

    [Fact]
    public void BlendRows_EveryPath_MatchesScalar()
    {
        const int Seed = 7;
        var table = new ResampleTable(23, 9);
        const int Stride = 256;
        byte[] ring = new byte[Stride * table.Taps];
        new Random(Seed).NextBytes(ring);
        for (int y = 0; y < table.Length; y++)
        {
            byte[] expected = new byte[Stride], found128 = new byte[Stride], found256 = new byte[Stride], found512 = new byte[Stride];
            ImageKernels.BlendRowsScalar(ring, Stride, table, y, expected);
            ImageKernels.BlendRowsVector128(ring, Stride, table, y, found128);
            ImageKernels.BlendRowsVector256(ring, Stride, table, y, found256);
            ImageKernels.BlendRowsVector512(ring, Stride, table, y, found512);
            Assert.Equal(expected, found128);
            Assert.Equal(expected, found256);
            Assert.Equal(expected, found512);
        }
    }

    [Theory]
    [InlineData(23, 9)]
    [InlineData(9, 23)]
    [InlineData(100, 99)]
    public void ShrinkRow_EveryPath_MatchesScalar(int length, int newLength)
    {
        var table = new ResampleTable(length, newLength);
        byte[] row = new byte[((length + table.Taps) * 4) + 64];
        new Random(11).NextBytes(row.AsSpan(0, length * 4));
        for (int i = 3; i < length * 4; i += 4) row[i] = 0; // the fourth byte is nobody's
        byte[] expected = new byte[newLength * 4], found = new byte[newLength * 4];
        ImageKernels.ShrinkRowScalar(row, table, expected);
        ImageKernels.ShrinkRowVector128(row, table, found);
        Assert.Equal(expected, found);
    }

    [Fact]
    public void ResizeBilinear_DestinationTooShort_Throws()
    {
        PixelBuffer image = PixelBuffer.FromGray8(new byte[12], 4, 3);
        Assert.Throws<ArgumentOutOfRangeException>(() => ImageKernels.ResizeBilinear(image, 2, 2, new byte[11]));
        Assert.Throws<ArgumentOutOfRangeException>(() => ImageKernels.ResizeBilinear(image, 0, 2, new byte[12]));
    }
}
