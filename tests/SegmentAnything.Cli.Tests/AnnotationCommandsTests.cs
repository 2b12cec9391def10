using SegmentAnything.Annotations;
using SegmentAnything.Imaging;
using SegmentAnything.Rle;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Cli.Tests;

/// <summary>convert-annotations, and stats of what it writes.</summary>
public sealed class AnnotationCommandsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly RleMask _mask = RleMask.FromCounts([9, 3, 5, 3, 5, 3, 36], 8, 8);
    private readonly string _coco;

    public AnnotationCommandsTests()
    {
        _coco = In("instances.json");
        using var writer = CocoWriter.Create(_coco, [new AnnotationCategory { Id = 4, Name = "cup" }]);
        writer.Add(new AnnotationImage { Id = 1, FileName = "a.png", Width = 8, Height = 8 });
        writer.Add(new AnnotationImage { Id = 2, FileName = "b.png", Width = 8, Height = 8 });
        writer.Add(Annotation.From(_mask, 1, 1, 4) with { Score = 0.5 });
        writer.Add(new Annotation { Id = 2, ImageId = 2, CategoryId = 4, Box = new PixelRectangle(1, 1, 2, 2) });
        writer.Complete();
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task ThereAndBack_SaysWhatIsLost()
    {
        string yolo = In("yolo"), back = In("back.json"), pictures = Directory.CreateDirectory(In("pictures")).FullName;
        foreach (string name in new[] { "a", "b" }) ImageFile.SavePng(Path.Combine(pictures, name + ".png"), new byte[8 * 8 * 3], 8, 8);
        ToolRun run = await ToolRun.Run("convert-annotations", _coco, yolo, "--to", "yolo");
        Assert.Equal(
            "coco to yolo: 2 images, 2 annotations: 1 masks, 0 without a pixel, 1 without a mask.\nlost or changed: 1 annotations without a mask\nlost or changed: 1 scores\n",
            run.Output);
        Assert.Equal(0, run.Status);

        run = await ToolRun.Run("convert-annotations", yolo, back, "--to", "coco", "--images", pictures);
        Assert.Equal("yolo to coco: 2 images, 1 annotations: 1 masks, 0 without a pixel, 0 without a mask.\nNothing was lost.\n", run.Output);
        using var reader = CocoReader.Open(back);
        Assert.Equal(_mask, Assert.Single(reader.ReadAnnotations()).Mask);
        Assert.Equal("cup", Assert.Single(reader.Categories.Values).Name);
        run = await ToolRun.Run("stats", back, "--images", pictures);
        Assert.Contains("images            2\nmasks             1\n", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stats_Folder_TakesItsFiles()
    {
        Assert.Equal(0, (await ToolRun.Run("convert-annotations", _coco, In("sa1b"), "--to", "sa-1b")).Status);
        Assert.Equal(["a.json", "b.json"], Directory.GetFiles(In("sa1b")).Select(Path.GetFileName).Order());
        ToolRun run = await ToolRun.Run("stats", In("sa1b"));
        Assert.Contains("images            2\nmasks             1\n", run.Output, StringComparison.Ordinal);
        Assert.Equal(0, (await ToolRun.Run("convert-annotations", In("sa1b"), In("maps"), "--to", "label-map")).Status);
        run = await ToolRun.Run("stats", In("maps"));
        Assert.Contains("images            2\nmasks             1\n", run.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2, "--to is \"voc\"", "IN", "x", "--to", "voc")]
    [InlineData(2, "--from is \"svg\"", "IN", "x", "--from", "svg", "--to", "coco")]
    [InlineData(2, "--tolerance", "IN", "x", "--to", "yolo", "--tolerance", "-1")]
    [InlineData(2, "--tolerance '0,5'", "IN", "x", "--to", "yolo", "--tolerance", "0,5")]
    [InlineData(2, "WIDTHxHEIGHT", "IN", "x", "--to", "yolo", "--size", "8")]
    [InlineData(2, "no folder", "IN", "x", "--to", "yolo", "--images", "nowhere")]
    [InlineData(2, "--overwrite", "IN", "IN", "--to", "coco")]
    [InlineData(1, "is what is read", "IN", "IN", "--to", "coco", "--overwrite")]
    [InlineData(1, "no file", "nothing.json", "x", "--to", "coco")]
    public async Task BadInput_IsOneLineOfError(int status, string part, params string[] args)
    {
        ToolRun run = await ToolRun.Run(["convert-annotations", .. args.Select(a => a == "IN" ? _coco : a == "x" ? In("x") : a)]);
        Assert.Equal(status, run.Status);
        Assert.Contains(part, run.ErrorLine, StringComparison.Ordinal);
        Assert.Equal(["instances.json"], Directory.GetFileSystemEntries(_folder.Path).Select(Path.GetFileName));
    }

    [Fact]
    public async Task OverThePicturesOrTheInput_IsRefused()
    {
        string pictures = Directory.CreateDirectory(In("pictures")).FullName;
        foreach (string name in new[] { "a", "b" }) ImageFile.SavePng(Path.Combine(pictures, name + ".png"), new byte[8 * 8 * 3], 8, 8);
        byte[] picture = File.ReadAllBytes(Path.Combine(pictures, "a.png")), input = File.ReadAllBytes(_coco);
        List<string[]> commands =
        [
            [pictures, "--to", "label-map", "--images", pictures],
            [Path.Combine(pictures, "a.png"), "--to", "label-map", "--images", pictures],
        ];
        if (!OperatingSystem.IsWindows())
        {
            Directory.CreateSymbolicLink(In("link"), pictures);
            Directory.CreateSymbolicLink(In("here"), _folder.Path);
            commands.Add([In("link"), "--to", "label-map", "--images", pictures]);
            commands.Add([Path.Combine(In("here"), "instances.json"), "--to", "coco"]);
        }

        foreach (string[] command in commands)
        {
            ToolRun run = await ToolRun.Run(["convert-annotations", _coco, .. command, "--overwrite"]);
            Assert.NotEqual(0, run.Status);
            Assert.NotEmpty(run.ErrorLine);
            Assert.Equal(picture, File.ReadAllBytes(Path.Combine(pictures, "a.png")));
            Assert.Equal(input, File.ReadAllBytes(_coco));
        }
    }

    [Fact]
    public async Task SizesOfPictures_OfOneNameAndDifferentSizes_AreRefused()
    {
        string labels = Directory.CreateDirectory(In("labels")).FullName, one = Directory.CreateDirectory(In("pictures/train")).FullName, two = Directory.CreateDirectory(In("pictures/val")).FullName;
        File.WriteAllText(Path.Combine(labels, "a.txt"), "0 0.1 0.1 0.9 0.1 0.5 0.9\n");
        ImageFile.SavePng(Path.Combine(one, "a.png"), new byte[8 * 8 * 3], 8, 8);
        ImageFile.SavePng(Path.Combine(two, "a.png"), new byte[8 * 8 * 3], 8, 8);
        Assert.Equal(0, (await ToolRun.Run("stats", labels, "--images", In("pictures"))).Status);
        ImageFile.SavePng(Path.Combine(two, "a.png"), new byte[8 * 9 * 3], 8, 9);
        ToolRun run = await ToolRun.Run("stats", labels, "--images", In("pictures"));
        Assert.Equal(1, run.Status);
        Assert.Contains("different sizes", run.ErrorLine, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Device_IsWrittenTo_WithoutOverwrite()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "There is no such device.");
        ToolRun run = await ToolRun.Run("convert-annotations", _coco, "/dev/null", "--to", "coco");
        Assert.Equal((0, ""), (run.Status, run.Error));
        Assert.Contains("2 annotations", run.Output, StringComparison.Ordinal);
    }

    private string In(string name) => Path.Combine(_folder.Path, name);
}
