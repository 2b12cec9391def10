using System.Text.Json;
using SegmentAnything.Kernels;
using SegmentAnything.Preprocessing;
using SegmentAnything.Tests.References;

namespace SegmentAnything.Tests.Preprocessing;

public class FloatEncoderInputTests
{
    private static readonly float[] Mean = [0.485f, 0.456f, 0.406f], Std = [0.229f, 0.224f, 0.225f];

    [Fact]
    public void Write_ReferenceCases_GivesTheBitsOfTheOfficialCode()
    {
        JsonElement golden = GoldenJson.Read("families", "lowlevel", "sam2_preprocess.json");
        Assert.Equal(Mean, golden.GetProperty("mean").Floats());
        Assert.Equal(Std, golden.GetProperty("std").Floats());
        foreach (JsonElement item in golden.GetProperty("cases").EnumerateArray())
        {
            string name = item.GetProperty("name").GetString()!;
            ImageSize size = item.GetProperty("hw").SizeHw();
            int side = item.GetProperty("size").GetInt32();
            PixelBuffer image = PixelBuffer.FromRgb24(item.GetProperty("rgb_hwc").Bytes(), size.Width, size.Height);
            float[] resized = new float[3 * side * side];
            FloatEncoderInput.Write(image, side, side, [0, 0, 0], [1, 1, 1], resized, threads: 2);
            Assert.True(item.GetProperty("resized_chw").Floats().AsSpan().SequenceEqual(resized), name);
            if (item.GetProperty("normalised_chw") is not { ValueKind: JsonValueKind.Array } normalised) continue;
            FloatEncoderInput.Write(image, side, side, Mean, Std, resized, threads: 2);
            Assert.True(normalised.Floats().AsSpan().SequenceEqual(resized), name + ", normalised");
        }
    }

    [Theory]
    [MemberData(nameof(Pictures))]
    public void Write_ReferencePictures_GivesTheBitsOfTheOfficialCode(string folder)
    {
        Families.Sam2.Sam2Golden golden = Families.Sam2.Sam2Golden.Read(folder);
        int side = golden.Spec.ImageSize!.Value;
        foreach (JsonElement picture in golden.Pictures)
        {
            ImageSize size = picture.GetProperty("original_size_hw").SizeHw();
            float[] planar = new float[3 * side * side];
            FloatEncoderInput.Write(PixelBuffer.FromRgb24(golden.Bytes(picture.GetProperty("image_rgb")), size.Width, size.Height), side, side, Mean, Std, planar, threads: 3);
            Assert.True(golden.Floats(picture.GetProperty("input_tensor")).AsSpan().SequenceEqual(planar), picture.GetProperty("id").GetString());
        }
    }

    public static TheoryData<string> Pictures => [.. Families.Sam2.Sam2Golden.Folders];

    // As with bytes: upwards, downwards by little and by much, one axis alone, every format, odd strides, one band and several.
    [Theory]
    [InlineData(1, 1, 5, 7)]
    [InlineData(7, 1, 3, 1)]
    [InlineData(1, 9, 4, 2)]
    [InlineData(17, 13, 17, 29)]
    [InlineData(33, 47, 64, 21)]
    [InlineData(301, 205, 7, 3)]
    [InlineData(640, 480, 333, 250)]
    [InlineData(900, 611, 512, 512)]
    public void Write_EveryFormatAndStride_MatchesScalar(int width, int height, int newWidth, int newHeight)
    {
        foreach (PixelFormat format in Enum.GetValues<PixelFormat>())
        {
            int stride = (width * format.BytesPerPixel()) + 5;
            byte[] bytes = new byte[stride * height];
            new Random(width + height).NextBytes(bytes);
            PixelBuffer image = new(bytes, width, height, format, stride);
            float[] expected = new float[3 * newWidth * newHeight], found = new float[expected.Length];
            FloatEncoderInput.WriteScalar(image, newWidth, newHeight, Mean, Std, expected);
            foreach (int threads in new[] { 1, 4 })
            {
                found.AsSpan().Fill(float.NaN);
                FloatEncoderInput.Write(image, newWidth, newHeight, Mean, Std, found, threads);
                Assert.True(expected.AsSpan().SequenceEqual(found), $"{format}, {threads} threads");
            }
        }
    }

    [Fact]
    public void ShrinkRowFloat_EveryPath_GivesTheSameBits()
    {
        Random random = new(3);
        foreach ((int from, int to) in new[] { (1, 9), (20, 7), (64, 64), (65, 3), (300, 128) })
        {
            FloatResampleTable table = new(from, to);
            float[] row = new float[4 * from];
            for (int i = 0; i < row.Length; i++) row[i] = random.NextSingle();
            float[] scalar = new float[3 * to], vector = new float[3 * to];
            ImageKernels.ShrinkRowFloatScalar(row, table, scalar);
            ImageKernels.ShrinkRowFloatVector128(row, table, vector);
            Assert.Equal(scalar, vector);
        }
    }

    [Fact]
    public void Write_WrongSizes_AreRefused()
    {
        PixelBuffer image = PixelBuffer.FromRgb24(new byte[12], 2, 2);
        Assert.Throws<ArgumentOutOfRangeException>(() => FloatEncoderInput.Write(image, 0, 4, Mean, Std, new float[48], 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => FloatEncoderInput.Write(image, 4, 4, Mean, Std, new float[47], 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => FloatEncoderInput.Write(image, 4, 4, Mean.AsSpan(0, 2), Std, new float[48], 1));
    }
}
