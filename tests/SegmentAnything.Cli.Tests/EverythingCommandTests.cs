using System.Text;
using SegmentAnything.Annotations;
using SegmentAnything.Imaging;
using SegmentAnything.ModelTests;
using SegmentAnything.Rle;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Cli.Tests;

public sealed class EverythingCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string _picture;

    public EverythingCommandTests()
    {
        _picture = Path.Combine(_folder.Path, "still life.png");
        ImageFile.SavePng(_picture, StillLife.Image.Pixels, StillLife.Width, StillLife.Height);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Everything_StillLife_FindsItsObjectsAndStatsCountsThem()
    {
        string overlay = Path.Combine(_folder.Path, "overlay.png"), json = Path.Combine(_folder.Path, "masks.json");
        ToolRun run = await ToolRun.Run("everything", _picture, "--points-per-side", "10", "--json", json, "--overlay", overlay);

        Assert.Equal(0, run.Status);
        Assert.Equal("", run.Output);
        Assert.Contains("still life.png: 50 %", run.Error, StringComparison.Ordinal);
        Assert.Contains(" masks in ", run.Error, StringComparison.Ordinal);
        using var reader = Sa1bReader.Open(json);
        Annotation[] masks = [.. reader.ReadAnnotations()];
        Assert.Equal(new AnnotationImage { Id = 1, Width = StillLife.Width, Height = StillLife.Height, FileName = "still life.png" }, reader.Image);
        Assert.Equal(Enumerable.Range(1, masks.Length).Select(i => (long)i), masks.Select(m => m.Id!.Value));
        foreach (string name in new[] { "mug", "ball", "pear" })
            Assert.InRange(masks.Max(m => m.Mask!.IntersectionOverUnion(Scene.Find(name).Mask)), 0.9, 1);
        Assert.All(masks, mask => Assert.Equal(mask.Mask!.Area, mask.Area));
        LoadedImage drawn = ImageFile.Load(overlay);
        Assert.Equal((StillLife.Width, StillLife.Height), (drawn.Width, drawn.Height));
        Assert.NotEqual(StillLife.Image.Pixels, drawn.Pixels);

        ToolRun stats = await ToolRun.Run("stats", json, json);
        Assert.Equal(0, stats.Status);
        Assert.Contains($"images            2\nmasks             {2 * masks.Length}\n", stats.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Everything_NothingSaysWhereTo_WritesJsonToStandardOutput()
    {
        ToolRun run = await ToolRun.Run("everything", _picture, "--points-per-side", "3", "--min-mask-region-area", "50");
        Assert.Equal(0, run.Status);
        using var reader = Sa1bReader.Open(new MemoryStream(Encoding.UTF8.GetBytes(run.Output)));
        Assert.NotEmpty(reader.ReadAnnotations());
    }

    [Fact]
    public async Task Everything_InARegion_ExceptWhatIsKnown_FindsTheRest()
    {
        RleMask mug = Scene.Find("mug").Mask;
        MaskBox box = mug.BoundingBox;
        string region = $"{box.X},{box.Y},{box.Right},{box.Bottom}", known = Path.Combine(_folder.Path, "known.json");
        GeneratedMask[] Read(ToolRun run)
        {
            Assert.Equal(0, run.Status);
            using var reader = Sa1bReader.Open(new MemoryStream(Encoding.UTF8.GetBytes(run.Output)));
            return [.. reader.ReadAnnotations().Select(a => new GeneratedMask(a.Mask!, 1, 1, a.Points[0].X, a.Points[0].Y))];
        }

        ToolRun first = await ToolRun.Run("everything", _picture, "--points-per-side", "4", "--region", region);
        GeneratedMask[] found = Read(first);
        Assert.Contains(found, mask => mask.Mask.IntersectionOverUnion(mug) > 0.9);
        Assert.All(found, mask => Assert.True(mask.PointX > box.X && mask.PointX < box.Right && mask.PointY > box.Y && mask.PointY < box.Bottom));

        File.WriteAllText(known, System.Text.Json.JsonSerializer.Serialize(mug, RleJsonContext.Default.RleMask));
        ToolRun second = await ToolRun.Run("everything", _picture, "--points-per-side", "4", "--region", region, "--except", known);
        Assert.DoesNotContain(Read(second), mask => mask.Mask.IntersectionOverUnion(mug) > 0.5);

        Assert.Equal(2, (await ToolRun.Run("everything", _picture, _picture, "--out", _folder.Path, "--region", region)).Status);
        Assert.Equal(1, (await ToolRun.Run("everything", _picture, "--region", "0,0,5000,10")).Status);
    }

    [Fact]
    public async Task Everything_HalfOfThePrompts_FindsTheObjectsToo()
    {
        ToolRun run = await ToolRun.Run("everything", _picture, "--points-per-side", "10", "--prompt-fraction", "0.5");
        Assert.Equal(0, run.Status);
        using var reader = Sa1bReader.Open(new MemoryStream(Encoding.UTF8.GetBytes(run.Output)));
        Annotation[] masks = [.. reader.ReadAnnotations()];
        foreach (string name in new[] { "mug", "ball", "pear" })
            Assert.InRange(masks.Max(m => m.Mask!.IntersectionOverUnion(Scene.Find(name).Mask)), 0.9, 1);
    }

    [Fact]
    public async Task Everything_FolderWithADamagedPicture_DoesTheOthersAndFails()
    {
        string pictures = Directory.CreateDirectory(Path.Combine(_folder.Path, "in")).FullName;
        string results = Path.Combine(_folder.Path, "out");
        File.Copy(_picture, Path.Combine(pictures, "a.png"));
        File.WriteAllText(Path.Combine(pictures, "b.png"), "no picture");
        File.Copy(_picture, Path.Combine(pictures, "c.png"));
        File.WriteAllText(Path.Combine(pictures, "readme.txt"), "passed over");

        ToolRun run = await ToolRun.Run("everything", pictures, "--out", results, "--points-per-side", "2");

        Assert.Equal(1, run.Status);
        Assert.Contains("error: 1 of 3 images could not be read", run.Error, StringComparison.Ordinal);
        Assert.Contains("1 of 4 files are passed over, by their names no pictures: readme.txt", run.Error, StringComparison.Ordinal);
        Assert.Equal([".segment-anything.jsonl", "a.json", "a.png", "c.json", "c.png"], Directory.GetFiles(results).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        RleMask[] first = Masks("a.json"), second = Masks("c.json");
        Assert.Equal(first, second);

        RleMask[] Masks(string name)
        {
            using var reader = Sa1bReader.Open(Path.Combine(results, name));
            return [.. reader.ReadAnnotations().Select(a => a.Mask!)];
        }
    }

    [Theory]
    [InlineData("'0': expected a whole number of points, 1 to 4096", "--points-per-side", "0")]
    [InlineData("PromptFraction is more than 0 and at most 1", "--prompt-fraction", "0")]
    [InlineData("'9': expected a whole number of layers, 0 to 6", "--crop-n-layers", "9")]
    [InlineData("--pred-iou-thresh '0,88': expected a predicted IoU", "--pred-iou-thresh", "0,88")]
    [InlineData("--pred-iou-thresh 'nan'", "--pred-iou-thresh", "nan")]
    [InlineData("--box-nms-thresh '7': expected an IoU of boxes, 0 to 1", "--box-nms-thresh", "7")]
    [InlineData("'1e3': expected a whole number of points", "--points-per-batch", "1e3")]
    [InlineData("--max-pixels '0'", "--max-pixels", "0")]
    [InlineData("stretch", "--stretch", "all")]
    [InlineData("paper", "--preset", "other")]
    public async Task Everything_BadOption_SaysWhatIsExpected(string expected, params string[] options)
    {
        ToolRun run = await ToolRun.Run(["everything", _picture, .. options]);
        Assert.Equal(2, run.Status);
        Assert.Contains(expected, run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Everything_SeveralPicturesWithoutFolder_SaysToGiveOne()
    {
        ToolRun run = await ToolRun.Run("everything", _picture, _picture);
        Assert.Equal(2, run.Status);
        Assert.Contains("--out", run.ErrorLine, StringComparison.Ordinal);

        run = await ToolRun.Run("everything", _picture, _picture, "--out", Path.Combine(_folder.Path, "x"));
        Assert.Equal(2, run.Status);
        Assert.Contains("same files", run.ErrorLine, StringComparison.Ordinal);

        run = await ToolRun.Run("everything", _picture, "--out", _folder.Path);
        Assert.Equal(2, run.Status);
        Assert.Contains("overwrite", run.ErrorLine, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Everything_FilesOfOthersInTheFolder_AreRefused_OursAreReplaced_AndResumedOnesPassedOver()
    {
        string folder = Directory.CreateDirectory(Path.Combine(_folder.Path, "out")).FullName, annotations = Path.Combine(folder, "still life.json");
        File.WriteAllText(annotations, """{"version": "5.4.1", "shapes": []}""");
        string[] command = ["everything", _picture, "--out", folder, "--points-per-side", "2"];

        ToolRun run = await ToolRun.Run(command);
        Assert.Equal(2, run.Status);
        Assert.Contains("still life.json. Give another --out folder, or --overwrite", run.ErrorLine, StringComparison.Ordinal);
        Assert.Contains("shapes", File.ReadAllText(annotations), StringComparison.Ordinal);

        Assert.Equal(0, (await ToolRun.Run([.. command, "--overwrite"])).Status);
        string first = File.ReadAllText(annotations);
        Assert.DoesNotContain("shapes", first, StringComparison.Ordinal);

        run = await ToolRun.Run([.. command, "--resume"]);
        Assert.Equal(0, run.Status);
        Assert.Contains("1 of 1 images are done already", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("masks in", run.Error, StringComparison.Ordinal);

        // Other settings are other results; what is ours needs no leave.
        run = await ToolRun.Run("everything", _picture, "--out", folder, "--points-per-side", "3", "--resume");
        Assert.Equal(0, run.Status);
        Assert.Contains("masks in", run.Error, StringComparison.Ordinal);
        Assert.NotEqual(first, File.ReadAllText(annotations));

        // What somebody has corrected since is theirs.
        File.AppendAllText(annotations, "\n");
        Assert.Equal(2, (await ToolRun.Run(command)).Status);
    }

    [Fact]
    public async Task Stats_SomethingElse_IsOneLineOfError()
    {
        ToolRun run = await ToolRun.Run("stats", _picture);
        Assert.Equal(1, run.Status);
        Assert.Contains("one channel", run.ErrorLine, StringComparison.Ordinal);
        Assert.Equal(1, (await ToolRun.Run("stats", Path.Combine(_folder.Path, "nothing.json"))).Status);
    }
}
