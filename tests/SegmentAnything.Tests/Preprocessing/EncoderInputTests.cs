using System.Text.Json;
using SegmentAnything.Preprocessing;

namespace SegmentAnything.Tests.Preprocessing;

public class EncoderInputTests
{
    private static readonly float[] Mean = [123.675f, 116.28f, 103.53f];
    private static readonly float[] Std = [58.395f, 57.12f, 57.375f];

    [Fact]
    public void Write_ReferenceCase_GivesTheSameFloats()
    {
        JsonElement golden = GoldenJson.Read("lowlevel", "pre_post_process.json").GetProperty("preprocess");
        int size = golden.GetProperty("img_size").GetInt32();
        ImageSize source = golden.GetProperty("hw").SizeHw();
        float[] expected = golden.GetProperty("out").Floats();
        float[] found = new float[expected.Length];
        EncoderInput.Write(
            PixelBuffer.FromRgb24(golden.GetProperty("rgb_hwc").Bytes(), source.Width, source.Height), new ImageFrame(source, size).ResizedSize,
            size, golden.GetProperty("mean").Floats(), golden.GetProperty("std").Floats(), found, threads: 1);
        Assert.Equal(expected, found);
    }

    [Theory]
    [InlineData(37, 21, 64, false)]
    [InlineData(21, 37, 64, true)]
    [InlineData(130, 97, 61, true)]
    [InlineData(1000, 700, 512, false)]
    public void Write_EveryPixel_IsTheResizedOneNormalised(int width, int height, int size, bool padded)
    {
        float[] padding = padded ? [1.5f, -2, 7] : [];
        byte[] pixels = new byte[width * height * 4];
        new Random(5).NextBytes(pixels);
        PixelBuffer image = PixelBuffer.FromBgra32(pixels, width, height);
        ImageSize resized = new ImageFrame(image.Size, size).ResizedSize;
        byte[] rgb = new byte[resized.Width * resized.Height * 3];
        ImageResizer.ResizeScalar(image, resized.Width, resized.Height, rgb);

        float[] planar = new float[3 * size * size];
        planar.AsSpan().Fill(float.NaN); // all must be written
        EncoderInput.Write(image, resized, size, Mean, Std, planar, threads: 3, padding);
        for (int c = 0; c < 3; c++)
        {
            for (int y = 0; y < size; y++)
            {
                for (int x = 0; x < size; x++)
                {
                    float expected = x < resized.Width && y < resized.Height
                        ? (rgb[(((y * resized.Width) + x) * 3) + c] - Mean[c]) / Std[c]
                        : padded ? padding[c] : 0;
                    if (expected != planar[(((c * size) + y) * size) + x]) Assert.Fail($"channel {c}, ({x}, {y})");
                }
            }
        }
    }
}
