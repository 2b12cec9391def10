using SegmentAnything.Preprocessing;

namespace SegmentAnything.Tests.Preprocessing;

public class PlainEncoderInputTests
{
    // Two products of values up to 255 and a division, in float32.
    private const double Tolerance = 2e-6;

    private static readonly float[] Mean = [123.675f, 116.28f, 103.53f], Deviation = [58.395f, 57.12f, 57.375f];

    [Theory]
    [InlineData(1, 1, 5)]
    [InlineData(7, 1, 3)]
    [InlineData(1, 9, 64)]
    [InlineData(17, 13, 17)]
    [InlineData(33, 47, 129)]
    [InlineData(301, 205, 7)]
    [InlineData(640, 480, 333)]
    [InlineData(97, 1500, 256)]
    public void Write_EveryFormatAndThreads_IsTheDefinition(int width, int height, int side)
    {
        Random random = new(width + height);
        foreach ((PixelFormat format, int channels) in ((PixelFormat, int)[])[(PixelFormat.Rgb24, 3), (PixelFormat.Bgr24, 3), (PixelFormat.Rgba32, 4), (PixelFormat.Gray8, 1)])
        {
            int stride = (width * channels) + 5;
            byte[] bytes = new byte[stride * height];
            random.NextBytes(bytes);
            PixelBuffer source = new(bytes, width, height, format, stride);
            float[] found = new float[3 * side * side];
            PlainEncoderInput.Write(source, side, Mean, Deviation, found, threads: 1);

            for (int c = 0; c < 3; c++)
            {
                int channel = format switch { PixelFormat.Gray8 => 0, PixelFormat.Bgr24 => 2 - c, _ => c };
                for (int y = 0; y < side; y++)
                {
                    for (int x = 0; x < side; x++)
                    {
                        (int top, int bottom, double down) = Neighbours(y, height, side);
                        (int left, int right, double across) = Neighbours(x, width, side);
                        double above = ((1 - across) * Pixel(left, top)) + (across * Pixel(right, top)), below = ((1 - across) * Pixel(left, bottom)) + (across * Pixel(right, bottom));
                        double expected = ((((1 - down) * above) + (down * below)) - Mean[c]) / Deviation[c];
                        // The position is float32 there: it moves the weights of a large picture by a little.
                        double position = 255 * 2e-7 * Math.Max(width, height) / Deviation[c];
                        Assert.Equal(expected, found[(((c * side) + y) * side) + x], Tolerance + position);
                    }
                }

                byte Pixel(int x, int y) => bytes[(y * stride) + (x * channels) + channel];
            }

            foreach (int threads in new[] { 2, 3, 8 })
            {
                float[] other = new float[found.Length];
                PlainEncoderInput.Write(source, side, Mean, Deviation, other, threads, TestContext.Current.CancellationToken);
                Assert.True(found.AsSpan().SequenceEqual(other), $"{threads} threads");
            }
        }
    }

    [Fact]
    public void Write_WrongArguments_AreRefused()
    {
        PixelBuffer source = PixelBuffer.FromGray8(new byte[4], 2, 2);
        Assert.Throws<ArgumentOutOfRangeException>(() => PlainEncoderInput.Write(source, 4, Mean, Deviation, new float[47], threads: 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => PlainEncoderInput.Write(source, 4, Mean.AsSpan(0, 2), Deviation, new float[48], threads: 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => PlainEncoderInput.Write(source, 4, Mean, Deviation.AsSpan(0, 1), new float[48], threads: 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => PlainEncoderInput.Write(source, 0, Mean, Deviation, new float[48], threads: 1));
    }

    [Fact]
    public void Write_Cancelled_Stops() => Assert.ThrowsAny<OperationCanceledException>(() =>
        PlainEncoderInput.Write(PixelBuffer.FromGray8(new byte[4], 2, 2), 256, Mean, Deviation, new float[3 * 256 * 256], threads: 2, new CancellationToken(canceled: true)));

    // Pixel centres are at halves; beyond the edge stands the edge.
    private static (int First, int Second, double Weight) Neighbours(int position, int source, int side)
    {
        double at = Math.Clamp(((position + 0.5) * source / side) - 0.5, 0, source - 1);
        int first = Math.Min((int)at, source - 1);
        return (first, Math.Min(first + 1, source - 1), at - first);
    }
}
