using System.Text.Json;
using SegmentAnything.Imaging;
using SegmentAnything.Rle;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Cli.Tests;

/// <summary>instances, similar and edges, on the still life.</summary>
public sealed class TaskCommandsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string _picture;

    public TaskCommandsTests()
    {
        _picture = In("still-life.png");
        ImageFile.SavePng(_picture, StillLife.Image.Pixels, StillLife.Width, StillLife.Height);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Instances_OfAFileOfBoxes_AreTheObjectsInThem()
    {
        string boxes = In("boxes.json"), overlay = In("overlay.png");
        File.WriteAllText(boxes, $"[{string.Join(',', StillLife.Objects.Select((o, i) => Result(5, o, 40 + i, 0.9 - (0.1 * i))))},{{\"image_id\":5,\"category_id\":1,\"bbox\":[-50,-50,20,20],\"score\":1}}]");

        ToolRun run = await ToolRun.Run("instances", _picture, "--boxes", boxes, "--json", "-", "--overlay", overlay);

        Assert.True(run.Status == 0, run.Error);
        JsonElement[] results = [.. JsonDocument.Parse(run.Output).RootElement.EnumerateArray()];
        Assert.Equal(4, results.Length);
        Assert.Contains("1 boxes have no part within the picture", run.Error, StringComparison.Ordinal);
        for (int i = 0; i < results.Length; i++)
        {
            Assert.Equal((5, 40 + i), (results[i].GetProperty("image_id").GetInt32(), results[i].GetProperty("category_id").GetInt32()));
            Assert.Equal(0.9 - (0.1 * i), results[i].GetProperty("score").GetDouble(), 1e-9);
            Assert.InRange(Decode(results[i]).IntersectionOverUnion(RleMask.FromBitmap(StillLife.Objects[i].Mask, StillLife.Width, StillLife.Height)), 0.9, 1);
        }

        Assert.Equal(StillLife.Width, ImageFile.Load(overlay).Width);

        // What was written are boxes again.
        string again = In("again.json");
        File.WriteAllText(again, run.Output);
        Assert.Equal(0, (await ToolRun.Run("instances", _picture, "--boxes", again, "--single", "--json", In("out.json"))).Status);
        Assert.Equal(4, JsonDocument.Parse(File.ReadAllText(In("out.json"))).RootElement.GetArrayLength());
    }

    [Fact]
    public async Task Instances_WithoutOneSourceOfBoxes_AreErrors()
    {
        Assert.Contains("give one of them", (await ToolRun.Run("instances", _picture)).ErrorLine, StringComparison.Ordinal);
        Assert.Contains("give one of them", (await ToolRun.Run("instances", _picture, "--boxes", "a", "--detector", "b")).ErrorLine, StringComparison.Ordinal);
        string boxes = In("boxes.json");
        File.WriteAllText(boxes, $"[{Result(5, StillLife.Objects[0], 1, 1)},{Result(6, StillLife.Objects[0], 1, 1)}]");
        Assert.Contains("give --image-id, one of 5, 6", (await ToolRun.Run("instances", _picture, "--boxes", boxes)).ErrorLine, StringComparison.Ordinal);
        Assert.Equal(0, (await ToolRun.Run("instances", _picture, "--boxes", boxes, "--image-id", "6")).Status);
        Assert.Equal(2, (await ToolRun.Run("instances", _picture, "--boxes", boxes, "--image-id", "7")).Status);
    }

    [Fact]
    public async Task Instances_OfDetectors_AreMasksInTheirBoxes()
    {
        string folder = Path.GetDirectoryName(TestPaths.RequireGolden("eval", "detectors", "detectors.json"))!;
        string detector = Directory.EnumerateFiles(folder, "*.onnx").Order(StringComparer.Ordinal).First(file => file.Contains("yolo", StringComparison.Ordinal));
        string picture = Directory.EnumerateFiles(folder, "*.png").Order(StringComparer.Ordinal).First();

        ToolRun run = await ToolRun.Run("instances", picture, "--detector", detector, "--score", "0.01");

        Assert.True(run.Status == 0, run.Error);
        JsonElement[] results = [.. JsonDocument.Parse(run.Output).RootElement.EnumerateArray()];
        Assert.NotEmpty(results);
        LoadedImage loaded = ImageFile.Load(picture);
        Assert.All(results, result => Assert.Equal((loaded.Width, loaded.Height), (Decode(result).Width, Decode(result).Height)));
        ToolRun wrong = await ToolRun.Run("instances", picture, "--detector", detector, "--layout", "ssd-tf");
        Assert.Equal(1, wrong.Status);
        Assert.Contains("ssd-tf", wrong.ErrorLine, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Similar_GivesOtherMasksTheMostAlikeFirst()
    {
        StillLifeObject ball = StillLife.Objects.Single(o => o.Name == "ball");
        string point = $"{ball.ClickX},{ball.ClickY}", overlay = In("overlay.jpg");

        ToolRun all = await ToolRun.Run("similar", _picture, "--point", point, "--at-least", "-1", "--json", "-", "--overlay", overlay);

        Assert.True(all.Status == 0, all.Error);
        JsonElement[] masks = [.. JsonDocument.Parse(all.Output).RootElement.EnumerateArray()];
        double[] similarities = [.. masks.Select(mask => mask.GetProperty("similarity").GetDouble())];
        Assert.True(masks.Length > 3);
        Assert.Equal(similarities.OrderDescending(), similarities);
        RleMask truth = RleMask.FromBitmap(ball.Mask, StillLife.Width, StillLife.Height);
        Assert.All(masks, mask => Assert.True(Decode(mask).IntersectionOverUnion(truth) < 0.75));
        Assert.True(File.Exists(overlay));

        ToolRun some = await ToolRun.Run("similar", _picture, "--point", point, "--at-least", "-1", "--most", "2");
        Assert.Equal(2, JsonDocument.Parse(some.Output).RootElement.GetArrayLength());
        Assert.Equal(2, (await ToolRun.Run("similar", _picture)).Status);
    }

    [Fact]
    public async Task Edges_OfAPictureAndOfAFolder_AreGreyPicturesOfItsSize()
    {
        string thin = In("thin.png"), thick = In("thick.png"), folder = Directory.CreateDirectory(In("pictures")).FullName, output = In("edges");
        File.Copy(_picture, Path.Combine(folder, "a.png"));

        Assert.Equal(0, (await ToolRun.Run("edges", _picture, "--out", thin, "--points-per-side", "5")).Status);
        Assert.Equal(0, (await ToolRun.Run("edges", _picture, "--out", thick, "--points-per-side", "5", "--edge-nms", "none")).Status);
        ToolRun many = await ToolRun.Run("edges", folder, "--out", output, "--points-per-side", "5");

        Assert.True(many.Status == 0, many.Error);
        (LoadedImage narrow, LoadedImage wide) = (ImageFile.Load(thin), ImageFile.Load(thick));
        Assert.Equal((StillLife.Width, StillLife.Height), (narrow.Width, narrow.Height));
        Assert.Equal(narrow.Pixels, ImageFile.Load(Path.Combine(output, "a.png")).Pixels);
        int narrowCount = narrow.Pixels.Count(value => value > 64), wideCount = wide.Pixels.Count(value => value > 64);
        Assert.True(narrowCount > 500 && narrowCount < wideCount * 0.7, $"{narrowCount} of {wideCount}");
        Assert.Equal(255, wide.Pixels.Max());

        Assert.Equal(2, (await ToolRun.Run("edges", _picture, "--out", In("edges.jpg"))).Status);
        Assert.Contains("would overwrite", (await ToolRun.Run("edges", _picture, "--out", _picture)).ErrorLine, StringComparison.Ordinal);
        Assert.Contains("holds no picture", (await ToolRun.Run("edges", Directory.CreateDirectory(In("empty")).FullName, "--out", output)).ErrorLine, StringComparison.Ordinal);
    }

    private string In(string name) => Path.Combine(_folder.Path, name);

    private static string Result(long image, StillLifeObject o, long category, double score) => FormattableString.Invariant(
        $"{{\"image_id\":{image},\"category_id\":{category},\"bbox\":[{o.Box.X0},{o.Box.Y0},{o.Box.Width},{o.Box.Height}],\"score\":{score}}}");

    private static RleMask Decode(JsonElement item)
    {
        JsonElement segmentation = item.GetProperty("segmentation");
        int[] size = [.. segmentation.GetProperty("size").EnumerateArray().Select(v => v.GetInt32())];
        return RleMask.FromCocoString(segmentation.GetProperty("counts").GetString()!, width: size[1], height: size[0]);
    }
}
