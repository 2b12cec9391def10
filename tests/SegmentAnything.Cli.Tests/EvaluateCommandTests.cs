using System.Globalization;
using System.Text.Json;
using System.Xml.Linq;
using SegmentAnything.Annotations;
using SegmentAnything.Imaging;
using SegmentAnything.Rle;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Cli.Tests;

/// <summary>evaluate points, clicks, instances, proposals and edges, on the still life, whose objects are known to the pixel.</summary>
public sealed class EvaluateCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string _pictures;
    private readonly string _coco;

    public EvaluateCommandTests()
    {
        _pictures = Directory.CreateDirectory(In("pictures")).FullName;
        ImageFile.SavePng(Path.Combine(_pictures, "still life.png"), StillLife.Image.Pixels, StillLife.Width, StillLife.Height);
        _coco = Write("instances.json", "coco");
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Points_OfAnyFormat_GiveTheNumbersOfTheBuiltInStillLife()
    {
        string labels = Path.GetDirectoryName(Write(Path.Combine("labels", "still life.png"), "label-map"))!;
        string labelme = Write("still life.json", "labelme"), sa1b = Write("sa_1.json", "sa-1b");

        ToolRun own = await Run("points", "--set", "still-life", "--points", "3");

        Assert.Equal((0, 4), (own.Status, Cells(own.Output, "still-life").Count(value => value is > 0.5 and <= 1)));
        foreach (string annotations in new[] { _coco, labels, labelme, sa1b })
        {
            ToolRun run = await Run("points", "--set", $"still-life={annotations}:{_pictures}", "--points", "3");
            Assert.True(run.Status == 0, run.Error);
            // All but the last column, which is a time. Only labelme's polygons are not the same pixels.
            Assert.All(Cells(own.Output, "still-life")[..^1].Zip(Cells(run.Output, "still-life")), pair => Assert.Equal(pair.First, pair.Second, annotations == labelme ? 0.05 : 1e-9));
        }
    }

    [Fact]
    public async Task Points_SeveralModelsAndSets_AreComparedAndWritten()
    {
        string csv = In("out.csv"), svg = In("out.svg"), second = Path.GetDirectoryName(Path.GetDirectoryName(ModelStore.Default.Find(SamModels.MobileSam).FindPath(ModelFileRole.Encoder)))!;
        string folder = Path.Combine(second, "mobile-sam");
        ToolRun run = await Run(
            "points", "--set", "still-life", "--set", $"second={_coco}:{_pictures}", "--model", "mobile-sam", "--model", folder, "--points", "2",
            "--box-oracle", "--group-by", "kind", "--csv", csv, "--plot", svg);

        // The still life's own objects have no such field.
        Assert.Equal(1, run.Status);
        Assert.Contains("still-life: no object has the field 'kind'. There are category.", run.ErrorLine, StringComparison.Ordinal);
        Assert.False(File.Exists(csv));

        run = await Run(
            "points", "--set", $"first={_coco}:{_pictures}", "--set", $"second={_coco}:{_pictures}", "--model", "mobile-sam", "--model", folder, "--points", "2",
            "--box-oracle", "--group-by", "kind", "--csv", csv, "--plot", svg);

        Assert.True(run.Status == 0, run.Error);
        Assert.Contains("### mobile-sam\n", run.Output, StringComparison.Ordinal);
        Assert.Contains("| mean of sets | 8 |", run.Output, StringComparison.Ordinal);
        Assert.Contains("| round | 4 |", run.Output, StringComparison.Ordinal);
        Assert.Contains("0.000 (0.000 to 0.000)", run.Output, StringComparison.Ordinal); // the same model twice
        string[] lines = File.ReadAllLines(csv);
        Assert.Equal("set,image,object,group,iou_1,iou_2,oracle_1,iou_box,ms_per_click", lines[0]);
        Assert.Equal(1 + (2 * 2 * 4), lines.Length);
        Assert.InRange(double.Parse(lines[1].Split(',')[7], CultureInfo.InvariantCulture), 0.9, 1);
        XDocument drawing = XDocument.Load(svg);
        Assert.Equal(4, drawing.Descendants().Count(element => element.Name.LocalName == "polyline"));
    }

    [Theory]
    [InlineData("--random-points", "--seed", "7")]
    [InlineData("--simulate", "training", "--multimask-always")]
    public async Task Clicks_RandomOnes_AreTheSameForTheSameSeed(params string[] options)
    {
        string[] limit = options.Contains("training") ? [] : ["--clicks", "4"];
        ToolRun first = await Run(["clicks", "--set", "still-life", "--csv", "-", .. options, .. limit]), second = await Run(["clicks", "--set", "still-life", "--csv", "-", .. options, .. limit]);

        Assert.True(first.Status == 0, first.Error);
        Assert.Equal(options.Contains("training") ? 11 : 4, first.Output.Split('\n')[0].Split(',').Count(name => name.StartsWith("iou_", StringComparison.Ordinal)));
        Assert.Equal(5, first.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        Assert.Equal(WithoutTimes(first.Output), WithoutTimes(second.Output));
        Assert.NotEqual(WithoutTimes(first.Output), WithoutTimes((await Run(["clicks", "--set", "still-life", "--csv", "-", .. limit])).Output));

        static string[] WithoutTimes(string csv) => [.. csv.Split('\n').Select(line => line[..Math.Max(0, line.LastIndexOf(','))])];
    }

    [Fact]
    public async Task Sets_ThatCannotBeEvaluated_AreErrorsThatSayWhy()
    {
        string empty = In("empty.json"), other = Directory.CreateDirectory(In("other")).FullName;
        File.WriteAllText(empty, """{"images":[{"id":1,"file_name":"still life.png","width":768,"height":576}],"annotations":[],"categories":[]}""");
        string boxes = In("boxes.json");
        File.WriteAllText(boxes, """{"images":[{"id":1,"file_name":"still life.png","width":768,"height":576}],"annotations":[{"id":1,"image_id":1,"category_id":1,"bbox":[1,1,9,9]}],"categories":[{"id":1,"name":"thing"}]}""");
        string small = In("small.json");
        File.WriteAllText(small, """{"images":[{"id":1,"file_name":"still life.png","width":9,"height":9}],"annotations":[{"id":1,"image_id":1,"category_id":1,"bbox":[1,1,9,9],"segmentation":{"size":[9,9],"counts":[0,81]}}],"categories":[{"id":1,"name":"thing"}]}""");
        (string Set, int Status, string Expected)[] cases =
        [
            ($"a={empty}:{_pictures}", 1, "no object with a mask or a box"),
            ($"a={boxes}:{_pictures}", 1, "a: no object of the set has a mask"),
            ($"a={small}:{_pictures}", 1, "has 768x576 pixels, but its annotations 9x9"),
            ($"a={_coco}:{other}", 1, "holds no picture 'still life.png'"),
            ($"a={_coco}:{In("none")}", 2, "there is no folder"),
            ($"a={In("none.json")}:{_pictures}", 2, "there is no file and no folder"),
            ("a", 2, "expected NAME=FILE:IMAGES"),
        ];
        foreach ((string set, int status, string expected) in cases)
        {
            ToolRun run = await Run("points", "--set", set);
            Assert.Equal((status, ""), (run.Status, run.Output));
            Assert.Contains(expected, run.ErrorLine, StringComparison.Ordinal);
        }

        ToolRun twice = await Run("points", "--set", "still-life", "--set", "still-life");
        Assert.Contains("two sets have the name", twice.ErrorLine, StringComparison.Ordinal);
        Assert.Contains("Try: segment-anything evaluate points --help", twice.Error, StringComparison.Ordinal);
        Assert.Equal(2, (await Run("points")).Status);
        Assert.Contains("would overwrite", (await Run("points", "--set", $"a={_coco}:{_pictures}", "--csv", _coco)).ErrorLine, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Instances_OfTheObjectsOwnBoxes_AreAnUpperBoundAndThoseOfAFileCanBeWorse()
    {
        ToolRun own = await Run("instances", "--set", $"a={_coco}:{_pictures}");

        Assert.True(own.Status == 0, own.Error);
        double[] masks = Cells(own.Output, "masks"), boxes = Cells(own.Output, "boxes given");
        Assert.Equal(1, boxes[0], 1e-9); // AP of the boxes themselves
        Assert.InRange(masks[0], 0.8, 1);
        Assert.Contains("upper bound", own.Output, StringComparison.Ordinal);

        // Two of the four, one of them of a wrong category, and one beyond the picture.
        string file = In("boxes.json");
        File.WriteAllText(file, $"[{Result(0, 1, 0.9)},{Result(1, 1, 0.8)},{{\"image_id\":1,\"category_id\":3,\"bbox\":[900,10,20,20],\"score\":0.5}}]");
        ToolRun given = await Run("instances", "--set", $"a={_coco}:{_pictures}", "--boxes", file);
        Assert.True(given.Status == 0, given.Error);
        Assert.Equal(0.25, Cells(given.Output, "boxes given")[0], 1e-3);
        Assert.InRange(Cells(given.Output, "masks")[0], 0.15, 0.25);

        File.WriteAllText(file, """[{"image_id":7,"category_id":1,"bbox":[1,1,2,2],"score":1}]""");
        Assert.Contains("image 7, which a has not", (await Run("instances", "--set", $"a={_coco}:{_pictures}", "--boxes", file)).ErrorLine, StringComparison.Ordinal);
        File.WriteAllText(file, "[]");
        Assert.Contains("holds no detection", (await Run("instances", "--set", $"a={_coco}:{_pictures}", "--boxes", file)).ErrorLine, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Proposals_FindTheStillLifesObjects()
    {
        ToolRun run = await Run("proposals", "--set", "still-life", "--points-per-side", "8");

        Assert.True(run.Status == 0, run.Error);
        double[] ten = Cells(run.Output, "AR@10"), thousand = Cells(run.Output, "AR@1000");
        Assert.InRange(thousand[0], 0.8, 1);
        Assert.True(ten[0] <= thousand[0]);
        Assert.Contains("no such object", run.Output, StringComparison.Ordinal); // none is small
    }

    [Fact]
    public async Task Edges_OfAFolder_AreComparedWithPicturesOfPeople()
    {
        string edges = Directory.CreateDirectory(In("edges")).FullName, truth = Directory.CreateDirectory(In("truth")).FullName, person = Directory.CreateDirectory(Path.Combine(truth, "b")).FullName;
        byte[] line = new byte[40 * 30], off = new byte[40 * 30];
        for (int x = 0; x < 40; x++) (line[(12 * 40) + x], off[(20 * 40) + x]) = (255, 255);
        ImageFile.SavePng(Path.Combine(edges, "a.png"), line, 40, 30);
        ImageFile.SavePng(Path.Combine(edges, "b.png"), line, 40, 30);
        ImageFile.SavePng(Path.Combine(truth, "a.png"), line, 40, 30);
        ImageFile.SavePng(Path.Combine(person, "1.png"), line, 40, 30);
        ImageFile.SavePng(Path.Combine(person, "2.png"), off, 40, 30);
        string svg = In("edges.svg");

        ToolRun run = await Run("edges", edges, "--truth", truth, "--plot", svg);

        // All that was found is right, and two of the three lines that people drew are found: F = 2 * (2/3) / (1 + 2/3).
        Assert.True(run.Status == 0, run.Error);
        Assert.Contains("| 2 | 0.800 | 0.800 |", run.Output, StringComparison.Ordinal);
        Assert.NotNull(XDocument.Load(svg).Root);

        Directory.Delete(person, recursive: true);
        Assert.Contains("has no boundaries of 'b'", (await Run("edges", edges, "--truth", truth)).ErrorLine, StringComparison.Ordinal);
        ImageFile.SavePng(Path.Combine(truth, "b.png"), new byte[20], 5, 4);
        Assert.Contains("has 40x30 pixels, but what people drew has 5x4", (await Run("edges", edges, "--truth", truth)).ErrorLine, StringComparison.Ordinal);
        Assert.Equal(2, (await Run("edges", edges)).Status);
        Assert.Equal(2, (await Run("edges", truth + "-none", "--truth", truth)).Status);
        Assert.Contains("are known", (await Run("edges", "still-life", "--truth", truth)).ErrorLine, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Edges_OfTheStillLife_LieOnItsObjectsBoundaries()
    {
        ToolRun run = await Run("edges", "still-life", "--points-per-side", "6");

        Assert.True(run.Status == 0, run.Error);
        double[] cells = [.. run.Output.Split('\n')[2].Split('|', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(cell => double.Parse(cell, CultureInfo.InvariantCulture))];
        Assert.Equal(1, cells[0]);
        Assert.InRange(cells[1], 0.4, 1); // ODS: shadows and the table are edges, too, and no object's
        Assert.InRange(cells[4], 0.5, 1); // R50
    }

    private static Task<ToolRun> Run(params string[] args) => ToolRun.Run(["evaluate", .. args]);

    private string In(string name) => Path.Combine(_folder.Path, name);

    // The still life's objects in a format.
    private string Write(string name, string format)
    {
        string path = In(name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        using AnnotationWriter writer = AnnotationFormat.Find(format).CreateWriter(path);
        var image = new AnnotationImage { Id = 1, FileName = "still life.png", Width = StillLife.Width, Height = StillLife.Height };
        writer.Add(
            new ImageAnnotations(image, [.. StillLife.Objects.Select((o, i) => Annotation.From(RleMask.FromBitmap(o.Mask, StillLife.Width, StillLife.Height), i + 1, 1, i + 1) with
            {
                Other = new Dictionary<string, JsonElement> { ["kind"] = JsonDocument.Parse(o.Name is "ball" or "pear" ? "\"round\"" : "\"other\"").RootElement },
            })]),
            StillLife.Objects.Select((o, i) => new AnnotationCategory { Id = i + 1, Name = o.Name }).ToDictionary(category => category.Id));
        writer.Complete();
        return path;
    }

    private static string Result(int place, long category, double score)
    {
        Box box = StillLife.Objects[place].Box;
        return FormattableString.Invariant($"{{\"image_id\":1,\"category_id\":{category},\"bbox\":[{box.X0},{box.Y0},{box.Width},{box.Height}],\"score\":{score}}}");
    }

    // The numbers of a row of a Markdown table.
    private static double[] Cells(string table, string row) =>
    [
        .. table.Split('\n').First(line => line.StartsWith($"| {row} |", StringComparison.Ordinal)).Split('|', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Select(cell => double.TryParse(cell, CultureInfo.InvariantCulture, out double value) ? value : double.NaN).Where(double.IsFinite),
    ];
}
