using SegmentAnything.Rle.Kernels;

namespace SegmentAnything.Rle.Tests;

/// <summary>Transposing, turning and resizing, against plain loops over pixels.</summary>
public class GeometryTests
{
    [Fact]
    public void Transpose_OfEveryMask_ExchangesRowsAndColumns()
    {
        foreach ((string name, byte[] bitmap, RleMask mask) in MaskData.All())
        {
            RleMask transposed = mask.Transpose();
            byte[] expected = MaskData.Make(mask.Height, mask.Width, (x, y) => bitmap[(x * mask.Width) + y] != 0);
            Assert.True(expected.AsSpan().SequenceEqual(transposed.ToBitmap()), name);
            Assert.True(RleKernels.TransposeScalar(mask.Counts, mask.Width, mask.Height).AsSpan().SequenceEqual(transposed.Counts), name);
            Assert.Equal((mask.Height, mask.Width), (transposed.Width, transposed.Height));
        }
    }

    [Fact]
    public void Rotations_OfEveryMask_AreThoseOfPixels()
    {
        foreach ((string name, byte[] bitmap, RleMask mask) in MaskData.All(largest: 9000))
        {
            int width = mask.Width, height = mask.Height;
            bool At(int x, int y) => bitmap[(y * width) + x] != 0;
            Assert.True(MaskData.Mask(height, width, (x, y) => At(y, height - 1 - x)) == mask.RotateClockwise(), name);
            Assert.True(MaskData.Mask(height, width, (x, y) => At(width - 1 - y, x)) == mask.RotateCounterclockwise(), name);
            Assert.True(MaskData.Mask(width, height, (x, y) => At(width - 1 - x, height - 1 - y)) == mask.Rotate180(), name);
        }
    }

    [Fact]
    public void Resize_OfEveryMask_TakesThePixelThatEachCentreLiesIn()
    {
        foreach ((string name, byte[] bitmap, RleMask mask) in MaskData.All(largest: 9000))
        {
            foreach ((int width, int height) in new[] { (1, 1), (2, 3), (mask.Width, mask.Height), (2 * mask.Width, 3 * mask.Height), (61, 7), (40, 97) })
            {
                RleMask resized = mask.Resize(width, height);
                RleMask expected = MaskData.Mask(width, height, (x, y) =>
                    bitmap[(int)(Math.Floor((y + 0.5m) * mask.Height / height) * mask.Width) + (int)Math.Floor((x + 0.5m) * mask.Width / width)] != 0);
                Assert.True(expected == resized, $"{name} to {width} x {height}");
                Assert.True(
                    RleKernels.ResizeScalar(mask.Counts, mask.Width, mask.Height, width, height).AsSpan().SequenceEqual(resized.Counts), name);
            }
        }

        Assert.Throws<RleFormatException>(() => RleMask.Full(3, 3).Resize(0, 3));
        Assert.Throws<RleFormatException>(() => RleMask.Full(3, 3).Resize(1 << 16, 1 << 16));
    }

    [Fact]
    public void LargestMasks_AreTransposedAndResized_InMemoryOfTheirRuns()
    {
        RleMask mask = RleMask.FromBox(new MaskBox(32000, 16000, 700, 900), 65535, 32767);
        Assert.Equal(RleMask.FromBox(new MaskBox(16000, 32000, 900, 700), 32767, 65535), mask.Transpose());
        Assert.Equal(RleMask.FromBox(new MaskBox(65535 - 32700, 32767 - 16900, 700, 900), 65535, 32767), mask.Rotate180());
        Assert.Equal(mask.Area / 9, mask.Resize(21845, 10922).Area, 1200.0);
    }
}
