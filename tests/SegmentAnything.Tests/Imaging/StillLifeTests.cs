using System.Security.Cryptography;
using SegmentAnything.Imaging;

namespace SegmentAnything.Tests.Imaging;

public sealed class StillLifeTests
{
    [Fact]
    public void Image_OnEveryProcessor_HasTheSameBytes() => Assert.Equal(
        "CD387F856E0AF0A7AC165135B88666BD0B5CC5DA7B7AF33C45C89D8AF2F860B1",
        Convert.ToHexString(SHA256.HashData(StillLife.Image.Pixels)));

    [Fact]
    public void Objects_AreTheFourThingsOnTheTable() =>
        Assert.Equal(["book", "mug", "ball", "pear"], StillLife.Objects.Select(o => o.Name));

    [Fact]
    public void Objects_CoverNoPixelTwice()
    {
        for (int i = 0; i < StillLife.Width * StillLife.Height; i++)
            Assert.InRange(StillLife.Objects.Sum(o => o.Mask[i]), 0, 1);
    }

    [Fact]
    public void Objects_ClickAndBox_FitTheMask()
    {
        foreach (StillLifeObject o in StillLife.Objects)
        {
            Assert.Equal(1, o.Mask[((int)o.ClickY * StillLife.Width) + (int)o.ClickX]);
            List<(int X, int Y)> pixels = [.. Enumerable.Range(0, o.Mask.Length).Where(i => o.Mask[i] != 0)
                .Select(i => (i % StillLife.Width, i / StillLife.Width))];
            Assert.Equal(Box.FromXyxy(pixels.Min(p => p.X), pixels.Min(p => p.Y), pixels.Max(p => p.X) + 1, pixels.Max(p => p.Y) + 1), o.Box);
        }
    }

    [Fact]
    public void Ball_HasTheAreaOfACircle()
    {
        StillLifeObject ball = StillLife.Objects.Single(o => o.Name == "ball");
        Assert.InRange(ball.Mask.Sum(v => v) / (Math.PI * 74 * 74), 0.998, 1.002);
    }
}
