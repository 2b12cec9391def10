using System.Globalization;
using System.Text.RegularExpressions;

namespace SegmentAnything.Rle.Tests;

public sealed partial class SvgPathTests
{
    [Fact]
    public void ToSvgPath_Rectangle_IsItsFourSides() =>
        Assert.Equal("M9 1V5H2V1Z", RleMask.FromBox(new MaskBox(2, 1, 7, 4), 10, 8).ToSvgPath());

    [Fact]
    public void ToSvgPath_EmptyMask_IsEmpty() => Assert.Equal("", RleMask.Empty(10, 8).ToSvgPath());

    // What a renderer does, with either rule, at the centre of each pixel: a ray to the left crosses vertical sides.
    [Theory]
    [InlineData(PixelConnectivity.Four)]
    [InlineData(PixelConnectivity.Eight)]
    public void ToSvgPath_OfRandomMasks_FillsTheirPixelsByBothFillRules(PixelConnectivity connectivity)
    {
        const int Seed = 20260;
        var random = new Random(Seed);
        for (int round = 0; round < 200; round++)
        {
            (int width, int height) = (random.Next(1, 12), random.Next(1, 12));
            byte[] bitmap = [.. Enumerable.Range(0, width * height).Select(_ => (byte)(random.Next(3) == 0 ? 0 : 1))];
            string path = RleMask.FromBitmap(bitmap, width, height).ToSvgPath(connectivity);
            List<(int X, int FromY, int ToY)> sides = VerticalSides(path);
            for (int y = 0; y < height; y++)
            {
                for (int x = 0; x < width; x++)
                {
                    int winding = 0, crossings = 0;
                    foreach ((int sideX, int fromY, int toY) in sides)
                    {
                        if (sideX > x || y < Math.Min(fromY, toY) || y >= Math.Max(fromY, toY)) continue;
                        winding += Math.Sign(toY - fromY);
                        crossings++;
                    }

                    bool expected = bitmap[(y * width) + x] != 0;
                    Assert.True(expected == (winding != 0), $"nonzero at {x}, {y} of round {round}, seed {Seed}: {path}");
                    Assert.True(expected == (crossings % 2 == 1), $"evenodd at {x}, {y} of round {round}, seed {Seed}: {path}");
                }
            }
        }
    }

    private static List<(int X, int FromY, int ToY)> VerticalSides(string path)
    {
        List<(int, int, int)> sides = [];
        int x = 0, y = 0, startX = 0, startY = 0;
        MatchCollection commands = Command().Matches(path);
        Assert.Equal(path.Length, commands.Sum(m => m.Length));
        foreach (Match command in commands)
        {
            int[] numbers = [.. command.Groups[2].Value.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(n => int.Parse(n, CultureInfo.InvariantCulture))];
            switch (command.Groups[1].Value)
            {
                case "M":
                    (x, y) = (startX, startY) = (numbers[0], numbers[1]);
                    break;
                case "H":
                    x = numbers[0];
                    break;
                case "V":
                    sides.Add((x, y, numbers[0]));
                    y = numbers[0];
                    break;
                default:
                    if (y != startY) sides.Add((x, y, startY));
                    Assert.True(x == startX || y == startY, $"Z is neither horizontal nor vertical: {path}");
                    (x, y) = (startX, startY);
                    break;
            }
        }

        return sides;
    }

    [GeneratedRegex("([MHVZ])([0-9 ]*)")]
    private static partial Regex Command();
}
