using System.Text.Json;
using SegmentAnything.Imaging;
using SegmentAnything.Rle;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Cli.Tests;

public sealed class SegmentCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string _picture;

    public SegmentCommandTests()
    {
        _picture = Path.Combine(_folder.Path, "still life.png");
        ImageFile.SavePng(_picture, StillLife.Image.Pixels, StillLife.Width, StillLife.Height);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Point_OnTheMug_GivesThreeMasksRankedAndTheMugAmongThem()
    {
        ToolRun run = await ToolRun.Run("segment", _picture, "--point", Click("mug"));

        Assert.Equal(0, run.Status);
        JsonElement[] masks = Items(run.Output);
        Assert.Equal(3, masks.Length);
        Assert.Equal(masks.Select(Iou).OrderDescending(), masks.Select(Iou));
        Assert.InRange(Decode(masks[0]).IntersectionOverUnion(Truth("mug")), 0.95, 1);
        Assert.All(masks, CheckObject);
        foreach (JsonElement mask in masks) Assert.Equal("""{"points":[[163,317,1]]}""", mask.GetProperty("prompt").GetRawText());
        Assert.Contains("Encoding 768x576 pixels", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Boxes_EachIsItsOwnObject_InTheirOrder()
    {
        string[] names = ["pear", "ball", "book", "mug"];
        ToolRun run = await ToolRun.Run(["segment", _picture, .. names.SelectMany(n => new[] { "--box", BoxOf(n) })]);

        Assert.Equal(0, run.Status);
        JsonElement[] masks = Items(run.Output);
        Assert.Equal(4, masks.Length);
        for (int i = 0; i < names.Length; i++)
        {
            Assert.InRange(Decode(masks[i]).IntersectionOverUnion(Truth(names[i])), 0.92, 1);
            CheckObject(masks[i]);
            Assert.Equal($$"""{"box":[{{BoxOf(names[i])}}]}""", masks[i].GetProperty("prompt").GetRawText());
        }
    }

    [Theory]
    [InlineData("png")]
    [InlineData("json")]
    public async Task Mask_OfAFile_IsThePromptOfItsObject(string kind)
    {
        string path = Path.Combine(_folder.Path, "rough." + kind);
        RleMask rough = Truth("mug").Erode(4);
        if (kind == "json") File.WriteAllText(path, JsonSerializer.Serialize(rough, RleJsonContext.Default.RleMask));
        else ImageFile.SavePng(path, [.. rough.ToBitmap().Select(pixel => (byte)(200 * pixel))], StillLife.Width, StillLife.Height);
        ToolRun run = await ToolRun.Run("segment", _picture, "--mask", path);

        Assert.Equal(0, run.Status);
        JsonElement mask = Assert.Single(Items(run.Output));
        Assert.InRange(Decode(mask).IntersectionOverUnion(Truth("mug")), 0.93, 1);
        Assert.Equal(rough, mask.GetProperty("prompt").GetProperty("mask").Deserialize(RleJsonContext.Default.RleMask));

        // What the tool has written can be given back.
        string own = Path.Combine(_folder.Path, "own.json");
        File.WriteAllText(own, run.Output);
        Assert.Equal(0, (await ToolRun.Run("segment", _picture, "--mask", own, "--point", Click("mug"))).Status);
    }

    [Theory]
    [InlineData("[]", "holds 0 masks")]
    [InlineData("[{},{}]", "item 0 has no run lengths")]
    [InlineData("[1]", "item 0 is not an object")]
    [InlineData("""{"size":[2,2],"counts":[3]}""", "rough.json")]
    [InlineData("""{"size":[2,2],"counts":""", "rough.json")]
    [InlineData("""{"segmentation":[[0,0,5,0,5,5]]}""", "Polygons")]
    [InlineData("""{"size":[4,9],"counts":[0,36]}""", "shape of the image")]
    [InlineData("nonsense", "not an image")]
    public async Task Mask_ThatIsNone_IsAnErrorThatSaysWhy(string content, string expected)
    {
        string path = Path.Combine(_folder.Path, "rough.json");
        File.WriteAllText(path, content);
        ToolRun run = await ToolRun.Run("segment", _picture, "--mask", path);

        Assert.Equal(1, run.Status);
        Assert.Contains(expected, run.ErrorLine, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Cutoff_Higher_GivesLess()
    {
        ToolRun usual = await ToolRun.Run("segment", _picture, "--point", Click("mug")), strict = await ToolRun.Run("segment", _picture, "--point", Click("mug"), "--cutoff", "4");
        RleMask[] all = [.. Items(usual.Output).Select(Decode)], less = [.. Items(strict.Output).Select(Decode)];
        Assert.All(all.Zip(less), pair => Assert.True(pair.Second.Difference(pair.First).IsEmpty && pair.Second.Area < pair.First.Area));
    }

    [Fact]
    public async Task Minus_IsStandardInput()
    {
        Func<Stream> before = PictureFile.OpenStandardInput;
        try
        {
            PictureFile.OpenStandardInput = () => File.OpenRead(_picture);
            ToolRun run = await ToolRun.Run("segment", "-", "--point", Click("mug"));
            Assert.Equal((await ToolRun.Run("segment", _picture, "--point", Click("mug"))).Output, run.Output);
            PictureFile.OpenStandardInput = () => new MemoryStream();
            Assert.Contains("is empty", (await ToolRun.Run("segment", "-", "--point", "1,1")).ErrorLine, StringComparison.Ordinal);
            Assert.Equal(2, (await ToolRun.Run("everything", "-", "--out", _folder.Path)).Status);
        }
        finally
        {
            PictureFile.OpenStandardInput = before;
        }
    }

    [Fact]
    public async Task PointsWithOneBox_AreOneObject()
    {
        ToolRun run = await ToolRun.Run("segment", _picture, "--box", BoxOf("mug"), "--point", Click("mug"), "--point", "330,428,0");

        Assert.Equal("""{"points":[[163,317,1],[330,428,0]],"box":[60,215,244,419]}""", Assert.Single(Items(run.Output)).GetProperty("prompt").GetRawText());
    }

    [Fact]
    public async Task PointsWithSeveralBoxes_AreAnObjectOfTheirOwn()
    {
        ToolRun run = await ToolRun.Run(
            "segment", _picture, "--box", BoxOf("pear"), "--point", Click("mug"), "--point", "140,390", "--box", BoxOf("ball"));

        JsonElement[] masks = Items(run.Output);
        Assert.Equal(3, masks.Length);
        Assert.InRange(Decode(masks[0]).IntersectionOverUnion(Truth("mug")), 0.9, 1);
        Assert.InRange(Decode(masks[1]).IntersectionOverUnion(Truth("pear")), 0.9, 1);
        Assert.InRange(Decode(masks[2]).IntersectionOverUnion(Truth("ball")), 0.9, 1);
    }

    [Theory]
    [InlineData("--single", "--point", "163,317", 1)]
    [InlineData("--multimask", "--box", "60,215,244,419", 3)]
    public async Task Selection_DecidesHowManyMasks(string selection, string option, string value, int expected)
    {
        ToolRun run = await ToolRun.Run("segment", _picture, selection, option, value);

        Assert.Equal(expected, Items(run.Output).Length);
    }

    [Fact]
    public async Task Files_JsonAndOverlay_AreWrittenAndStandardOutputStaysEmpty()
    {
        string json = Path.Combine(_folder.Path, "out", "masks.json"), overlay = Path.Combine(_folder.Path, "out", "overlay.png");
        ToolRun run = await ToolRun.Run("segment", _picture, "--box", BoxOf("ball"), "--json", json, "--overlay", overlay);

        Assert.Equal((0, ""), (run.Status, run.Output));
        RleMask ball = Decode(Assert.Single(Items(await File.ReadAllTextAsync(json, TestContext.Current.CancellationToken))));
        LoadedImage drawing = ImageFile.Load(overlay);
        Assert.Equal((StillLife.Width, StillLife.Height), (drawing.Width, drawing.Height));
        Assert.True(ball[330, 428]);
        Assert.NotEqual(Pixel(StillLife.Image, 330, 428), Pixel(drawing, 330, 428));
        Assert.NotEqual(Pixel(StillLife.Image, 256, 400), Pixel(drawing, 256, 400)); // the box's left side
        Assert.Equal(Pixel(StillLife.Image, 20, 20), Pixel(drawing, 20, 20));
        Assert.Equal([json, overlay], Directory.GetFileSystemEntries(Path.Combine(_folder.Path, "out")).Order());
    }

    [Fact]
    public async Task Json_WhereItCannotBeWritten_IsOneLineThatNamesTheFile()
    {
        string taken = Path.Combine(_folder.Path, "taken.json");
        Directory.CreateDirectory(taken);

        ToolRun run = await ToolRun.Run("segment", _picture, "--point", Click("pear"), "--json", taken);

        Assert.Equal((2, ""), (run.Status, run.Output));
        Assert.Contains("taken.json: is a folder", run.ErrorLine, StringComparison.Ordinal);
        Assert.Equal([_picture, taken], Directory.GetFileSystemEntries(_folder.Path).Order());
    }

    [Fact]
    public async Task Overlay_Alone_WritesNoJson()
    {
        ToolRun run = await ToolRun.Run("segment", _picture, "--point", Click("pear"), "--overlay", Path.Combine(_folder.Path, "pear.png"));

        Assert.Equal((0, ""), (run.Status, run.Output));
        Assert.True(File.Exists(Path.Combine(_folder.Path, "pear.png")));
    }

    [Fact]
    public async Task Json_Dash_IsStandardOutputAlsoBesideAnOverlay()
    {
        ToolRun run = await ToolRun.Run(
            "segment", _picture, "--point", Click("pear"), "--single", "--json", "-", "--overlay", Path.Combine(_folder.Path, "pear.png"));

        Assert.Single(Items(run.Output));
    }

    [Fact]
    public async Task Model_Folder_IsLoadedToo()
    {
        ToolRun run = await ToolRun.Run("segment", _picture, "--box", BoxOf("ball"), "--model", Path.Combine(ModelFolder, "mobile-sam"));

        Assert.Equal(0, run.Status);
        Assert.InRange(Decode(Assert.Single(Items(run.Output))).IntersectionOverUnion(Truth("ball")), 0.94, 1);
    }

    [Fact]
    public async Task Provider_ThatIsNotInThisRuntime_IsOneLineThatSaysWhy()
    {
        ToolRun run = await ToolRun.Run("segment", _picture, "--box", BoxOf("ball"), "--provider", "cuda");

        Assert.Equal((1, ""), (run.Status, run.Output));
        Assert.Contains("CUDA", run.ErrorLine, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Provider_ListWithOneThatWorks_Works() =>
        Assert.Equal(0, (await ToolRun.Run("segment", _picture, "--box", BoxOf("ball"), "--provider", "cuda", "--provider", "cpu:1")).Status);

    [Theory]
    [InlineData("--point", "5000,10", "5000")]
    [InlineData("--point", "-5,10", "-5")]
    [InlineData("--box", "10,10,900,700", "900")]
    [InlineData("--box", "300,300,100,100", "reversed")]
    public async Task Prompt_OutsideThePicture_IsAnErrorThatNamesIt(string option, string value, string part)
    {
        ToolRun run = await ToolRun.Run("segment", _picture, option, value);

        Assert.Equal((1, ""), (run.Status, run.Output));
        Assert.Contains(part, run.ErrorLine, StringComparison.Ordinal);
        Assert.DoesNotContain("Parameter", run.Error, StringComparison.Ordinal);
    }

    private static string ModelFolder =>
        Path.GetDirectoryName(Path.GetDirectoryName(ModelStore.Default.Find(SamModels.MobileSam).FindPath(ModelFileRole.Encoder)))!;

    private static StillLifeObject Object(string name) => StillLife.Objects.Single(o => o.Name == name);

    private static RleMask Truth(string name) => RleMask.FromBitmap(Object(name).Mask, StillLife.Width, StillLife.Height);

    private static string Click(string name) => $"{Object(name).ClickX},{Object(name).ClickY}";

    private static string BoxOf(string name) => $"{Object(name).Box.X0},{Object(name).Box.Y0},{Object(name).Box.X1},{Object(name).Box.Y1}";

    private static JsonElement[] Items(string json) => [.. JsonDocument.Parse(json).RootElement.EnumerateArray()];

    private static float Iou(JsonElement item) => item.GetProperty("predicted_iou").GetSingle();

    private static RleMask Decode(JsonElement item)
    {
        JsonElement segmentation = item.GetProperty("segmentation");
        int[] size = [.. segmentation.GetProperty("size").EnumerateArray().Select(v => v.GetInt32())];
        return RleMask.FromCocoString(segmentation.GetProperty("counts").GetString()!, width: size[1], height: size[0]);
    }

    // Every field, against what the mask itself says.
    private static void CheckObject(JsonElement item)
    {
        Assert.Equal(
            ["segmentation", "area", "bbox", "predicted_iou", "stability_score", "prompt"],
            item.EnumerateObject().Select(p => p.Name));
        RleMask mask = Decode(item);
        Assert.Equal((StillLife.Width, StillLife.Height), (mask.Width, mask.Height));
        Assert.Equal(mask.Area, item.GetProperty("area").GetInt64());
        MaskBox box = mask.BoundingBox;
        Assert.Equal([box.X, box.Y, box.Width, box.Height], item.GetProperty("bbox").EnumerateArray().Select(v => v.GetInt32()));
        Assert.InRange(Iou(item), 0.3f, 1.05f);
        Assert.InRange(item.GetProperty("stability_score").GetSingle(), 0.1f, 1f);
    }

    private static (byte, byte, byte) Pixel(LoadedImage image, int x, int y)
    {
        int i = ((y * image.Width) + x) * 3;
        return (image.Pixels[i], image.Pixels[i + 1], image.Pixels[i + 2]);
    }
}
