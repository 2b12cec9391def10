using System.Text.Json;
using SegmentAnything.Kernels;

namespace SegmentAnything.Tests.Kernels;

public class ImageKernelsPreprocessTests
{
    private static readonly float[] Mean = [123.675f, 116.28f, 103.53f];
    private static readonly float[] Std = [58.395f, 57.12f, 57.375f];

    [Fact]
    public void Preprocess_ReferenceCase_GivesTheSameFloats()
    {
        JsonElement golden = GoldenJson.Read("lowlevel", "pre_post_process.json").GetProperty("preprocess");
        int size = golden.GetProperty("img_size").GetInt32();
        ImageSize source = golden.GetProperty("hw").SizeHw();
        float[] expected = golden.GetProperty("out").Floats();
        float[] found = new float[expected.Length];
        ImageKernels.Preprocess(
            PixelBuffer.FromRgb24(golden.GetProperty("rgb_hwc").Bytes(), source.Width, source.Height), new ImageFrame(source, size),
            golden.GetProperty("mean").Floats(), golden.GetProperty("std").Floats(), found);
        Assert.Equal(expected, found);
    }

    [Theory]
    [InlineData(37, 21, 64, false)]
    [InlineData(21, 37, 64, true)]
    [InlineData(130, 97, 61, true)]
    [InlineData(1000, 700, 512, false)]
    public void Preprocess_EveryPixel_IsTheResizedOneNormalised(int width, int height, int size, bool padded)
    {
        float[] padding = padded ? [1.5f, -2, 7] : [];
        byte[] pixels = new byte[width * height * 4];
        new Random(5).NextBytes(pixels);
        PixelBuffer image = PixelBuffer.FromBgra32(pixels, width, height);
        ImageSize resized = new ImageFrame(image.Size, size).ResizedSize;
        byte[] rgb = new byte[resized.Width * resized.Height * 3];
        ImageKernels.ResizeBilinearScalar(image, resized.Width, resized.Height, rgb);

        float[] planar = new float[3 * size * size];
        planar.AsSpan().Fill(float.NaN); // all must be written
        ImageKernels.Preprocess(image, new ImageFrame(image.Size, size), Mean, Std, planar, padding);
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

    [Fact]
    public void NormalizeChannel_EveryLengthAndPath_MatchesScalar()
    {
        byte[] bytes = new byte[257 * 4];
        new Random(3).NextBytes(bytes);
        Func<int, float[], int>[] paths =
        [
            (length, output) => ImageKernels.NormalizeChannelVector128(bytes.AsSpan(0, length * 4), 1, Mean[1], Std[1], output),
            (length, output) => ImageKernels.NormalizeChannelVector256(bytes.AsSpan(0, length * 4), 1, Mean[1], Std[1], output),
            (length, output) => ImageKernels.NormalizeChannelVector512(bytes.AsSpan(0, length * 4), 1, Mean[1], Std[1], output),
            (length, output) =>
            {
                ImageKernels.NormalizeChannel(bytes.AsSpan(0, length * 4), 1, Mean[1], Std[1], output);
                return length;
            },
        ];
        for (int length = 0; length <= 257; length++)
        {
            float[] expected = new float[length];
            ImageKernels.NormalizeChannelScalar(bytes.AsSpan(0, length * 4), 1, Mean[1], Std[1], expected);
            foreach (Func<int, float[], int> path in paths)
            {
                float[] found = new float[length];
                int done = path(length, found);
                Assert.InRange(done, Math.Max(length - 15, 0), length);
                Assert.Equal(expected[..done], found[..done]);
            }
        }
    }
}
