using SegmentAnything.Imaging;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Cli.Tests;

public sealed class DemoCommandTests
{
    [Fact]
    public async Task Demo_WithoutAPicture_DrawsTheStillLifeAndEndsByNamingItsFiles()
    {
        using var folder = new TemporaryFolder();
        ToolRun run = await ToolRun.Run("demo", "--output", folder.Path);

        Assert.Equal(0, run.Status);
        string[] files = [.. new[] { "still-life", "point-1", "point-2", "point-3", "box", "refined" }.Select(n => Path.Combine(folder.Path, n + ".png"))];
        Assert.Equal(files.Order(), Directory.GetFiles(folder.Path).Order());
        string[] lines = run.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        Assert.Equal(["Drawings:", .. files], lines[^7..]);
        Assert.All(files, f => Assert.Equal((StillLife.Width, StillLife.Height), (ImageFile.Load(f).Width, ImageFile.Load(f).Height)));

        // The best of the point, the box, and the refinement each find the mug.
        foreach (string name in new[] { "point-1.png", "box.png", "refined.png" })
        {
            string line = Assert.Single(lines, l => l.StartsWith(name, StringComparison.Ordinal));
            Assert.InRange(double.Parse(line.Split(' ')[^1], System.Globalization.CultureInfo.InvariantCulture), 0.95, 1);
        }
    }

    [Fact]
    public async Task Demo_OfAPicture_TakesTheClickAndTheBox()
    {
        using var folder = new TemporaryFolder();
        string picture = Path.Combine(folder.Path, "picture.png");
        ImageFile.SavePng(picture, StillLife.Image.Pixels, StillLife.Width, StillLife.Height);

        ToolRun run = await ToolRun.Run("demo", picture, "--point", "320,440", "--box", "524,328,644,538", "--output", folder.Path);

        Assert.Equal(0, run.Status);
        Assert.Contains("A point: +(320, 440)", run.Output, StringComparison.Ordinal);
        Assert.Contains("A box: box (524, 328)-(644, 538)", run.Output, StringComparison.Ordinal);
    }
}
