using SegmentAnything.TestSupport;

namespace SegmentAnything.Annotations.Tests;

/// <summary>Files as people have them: what each must give. The large collection lies beside the repository; a small one is here.</summary>
public class ReportedCasesTests
{
    private const string Image = """{"id":1,"width":10,"height":8,"file_name":"a.jpg"}""";
    private const string Square = "[[2,1,6,1,6,5,2,5]]";
    private const string Runs = """{"size":[8,10],"counts":[17,4,4,4,4,4,4,4,35]}""";

    private static string? Folder { get; } =
        Path.Combine(TestPaths.Repository, "..", "shared", "cases", "annotations") is var folder && Directory.Exists(folder) ? folder : null;

    public static TheoryData<string, string> Collected()
    {
        TheoryData<string, string> cases = [];
        foreach (string line in Folder is null ? [] : File.ReadAllLines(Path.Combine(Folder, "expected.tsv")))
        {
            string[] cells = line.Split('\t');
            if (cells.Length == 2) cases.Add(cells[0], cells[1]);
        }

        // A theory without cases fails: one that skips says why.
        if (cases.Count == 0) cases.Add("", "");
        return cases;
    }

    [Theory]
    [MemberData(nameof(Collected))]
    public void Collected_EveryCase_GivesWhatIsExpected(string file, string expected)
    {
        Assert.SkipWhen(Folder is null, "The collected annotation files are not beside the repository: ../shared/cases/annotations.");
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        Reading found = Reading.Of(Path.Combine(Folder!, file), limit.Token);
        // Its text decodes to 81 pixels of 80: what is expected of 11_rle_counts_short.json is expected of it, too.
        if (file == "65_sam_amg_list.json" && found.Error is { } error) Assert.Contains("add up to 81", error, StringComparison.Ordinal);
        else found.AssertIs(expected);
    }

    public static TheoryData<string, string> Own() => new()
    {
        // Segmentations.
        { Coco(Square), "masks 1" },
        { Coco("[2,1,6,1,6,5,2,5]"), "masks 1" },
        { Coco("[[[2,1],[6,1],[6,5],[2,5]]]"), "masks 1" },
        { Coco("""[["2","1","6","1","6","5","2","5"]]"""), "masks 1" },
        { Coco("[[2,1,6,5]]"), "masks 0 empty 1" },
        { Coco("[]"), "masks 0 without-mask 1" },
        { Coco("null"), "masks 0 without-mask 1" },
        { Coco(Runs), "masks 1" },
        { Coco($"[{Runs},{Runs}]"), "masks 1" },
        { Coco(Runs.Replace("[8,10]", "null")), "masks 1" },
        { Coco("""{"size":[8.0,10.0],"counts":[17.0,4,4,4,4,4,4,4,35]}"""), "masks 1" },
        { Coco("""{"size":[8,10],"counts":[80]}"""), "masks 0 empty 1" },
        { Coco("""{"size":[8,10],"counts":[17,4]}"""), "error add up" },
        { Coco("""{"size":[8,10],"counts":[17,4,99]}"""), "error add up" },
        { Coco("""{"size":[8,10],"counts":[4294967296]}"""), "error counts" },
        { Coco("""{"size":[8,10],"counts":[1,2,5,3,20,4]}"""), "error pairs of start and length" },
        { Coco("""{"size":[8,10],"counts":"17 4 4"}"""), "error COCO" },
        { Coco("""{"size":[8,10]}"""), "error \"counts\"" },
        { Coco("""{"size":[9,10],"counts":[90]}"""), "error 10x9" },
        { Coco("[[NaN,1,6,1,6,5]]"), "error NaN" },
        { Coco("[[1,-Infinity,6,1,6,5]]"), "error NaN" },
        { Coco("[[2,1,6,1,6,5,2]]"), "error odd" },
        { Coco("[[0,0,1e9,0,1e9,8]]"), "error 1e8" },
        { Coco("\"x\""), "error text \"x\"" },
        { Coco("[[{}]]"), "error counts" },
        { Coco("[[[[[2]]]]]"), "error too deep" },
        // Numbers of other properties.
        { Coco(Square, "\"area\":NaN,\"score\":\"unknown\""), "masks 1" },
        { Coco(Square, "\"bbox\":[],\"iscrowd\":null"), "masks 1" },
        { Coco(Square, "\"bbox\":[\"2\",\"1\",\"4\",\"4\"],\"iscrowd\":1.0"), "masks 1" },
        { Coco(Square, "\"bbox\":[1,2,3]"), "error 3 numbers" },
        { Coco(Square, "\"bbox\":7"), "error the number 7, a list" },
        { Coco(Square, "\"iscrowd\":2"), "error 0 or 1" },
        { Coco(Square, "\"category_id\":\"cup\""), "error the text \"cup\"" },
        { Coco(Square).Replace("\"image_id\":1", "\"image_id\":\"1\""), "masks 1" },
        { Coco(Square).Replace("\"image_id\":1", "\"image_id\":1.0"), "masks 1" },
        { Coco(Square).Replace("\"image_id\":1", "\"image_id\":1.5"), "error whole number" },
        { Coco(Square).Replace("\"image_id\":1", "\"image_id\":77"), "error image 77" },
        { Coco(Square).Replace("\"image_id\":1", "\"x\":1"), "error no \"image_id\"" },
        { Coco(Square).Replace("\"image_id\":1", "\"image_id\":18446744073709551615"), "error 64-bit" },
        // Images and categories.
        { Coco(Square).Replace("\"width\":10", "\"width\":null"), "error no size" },
        { Coco(Runs).Replace("\"width\":10,\"height\":8", "\"width\":null"), "masks 1" },
        { Coco(Square).Replace("\"width\":10", "\"width\":-10"), "error -10" },
        { Coco(Square).Replace($"[{Image}]", $"[{Image},{Image}]"), "error image id 1 twice" },
        { Coco(Square).Replace($"[{Image}]", Image), "error \"images\" is an object, a list" },
        { Coco(Square).Replace("\"categories\":[]", "\"categories\":[{\"id\":1},{\"id\":1}]"), "error category id 1 twice" },
        { Coco(Square).Replace("\"categories\":[]", "\"categories\":[{\"name\":\"a\"}]"), "error no \"id\"" },
        { $"{{\"annotations\":[{{\"image_id\":1,\"segmentation\":{Square}}}],\"images\":[{Image}],\"info\":{{\"images\":[1]}}}}", "masks 1" },
        { """{"images":[],"annotations":[],"categories":[]}""", "masks 0" },
        // The file.
        { "\ufeff" + Coco(Square), "masks 1" },
        { Coco(Square) + "\n \t", "masks 1" },
        { Coco(Square) + Coco(Square), "error follows" },
        { Coco(Square)[..^20], "error cut short" },
        { "// by hand\n" + Coco(Square), "error comments" },
        { Coco(Square).Replace("]}", "],}"), "masks 1" },
        { "", "error no JSON" },
        { "17", "error" },
        { "{}", "error neither" },
        { """{"Images":[],"Annotations":[]}""", "error neither" },
        { $"{{\"info\":{new string('[', 300)}{new string(']', 300)},\"images\":[],\"annotations\":[]}}", "error deeper" },
        // SA-1B.
        { Sa1b(), "masks 1" },
        { Sa1b().Replace("0.95", "NaN"), "masks 1" },
        { Sa1b().Replace("0.95", "\"NaN\""), "masks 1" },
        { Sa1b().Replace("[[3,3]]", "null"), "masks 1" },
        { Sa1b().Replace(Runs, "null"), "masks 0 without-mask 1" },
        { Sa1b().Replace("\"height\":8", "\"height\":9"), "error 10x8" },
        { Sa1b().Replace("\"image_id\":7", "\"image_id\":\"sa_7\""), "error \"image_id\" is the text \"sa_7\"" },
        { """{"image":[{"image_id":7,"width":10,"height":8}],"annotations":[]}""", "error \"image\" is a list" },
        { $"{{\"annotations\":[{{\"segmentation\":{Runs}}}],\"image\":{{\"width\":10,\"height\":8}}}}", "masks 1" },
        { $"{{\"annotations\":[{{\"segmentation\":{Runs}}}]}}", "error neither" },
        // Lists.
        { $"[{{\"image_id\":1,\"category_id\":1,\"score\":0.9,\"segmentation\":{Runs}}}]", "masks 1" },
        { "[{\"image_id\":1,\"category_id\":1,\"score\":0.9,\"bbox\":[1,2,3,4]}]", "masks 0 without-mask 1" },
        { $"[{{\"segmentation\":{Runs},\"area\":16,\"bbox\":[2,1,3,3],\"crop_box\":[0,0,10,8]}}]", "masks 1" },
        { $"[{{\"segmentation\":{Runs},\"area\":16,\"bbox\":[2,1,4,4],\"prompt\":{{\"points\":[[1,2,1]]}}}}]", "masks 1" },
        { "[]", "masks 0" },
        { "[1]", "error" },
        // labelme.
        { """{"version":"5","shapes":[{"label":"cup","points":[[2,1],[6,5]],"shape_type":"rectangle"},{"label":"x","points":[[2,1]],"shape_type":"point"}],"imageHeight":8,"imageWidth":10}""", "masks 1 without-mask 1" },
        { """{"shapes":[{"label":"cup","points":[[4,4],[6,4]],"shape_type":"circle"}],"imageHeight":8,"imageWidth":10}""", "masks 1" },
        { """{"shapes":[{"label":"cup","points":[[0,0],[9,9]],"shape_type":"mask","mask":"AAAA"}],"imageHeight":8,"imageWidth":10}""", "error PNG" },
        { """{"shapes":[{"label":"cup","points":[[2,1],[6,5],[1]]}],"imageHeight":8,"imageWidth":10}""", "error point 2" },
        { """{"shapes":[{"label":"cup","points":[[2,1],[6,5],[1,5]]}]}""", "error size of the image" },
        // GeoJSON.
        { """{"type":"FeatureCollection","picture":{"id":1,"width":9,"height":9},"features":[{"type":"Feature","properties":{"name":"x"},"geometry":{"type":"Polygon","coordinates":[[[0,0],[8,0],[8,8],[0,8],[0,0]],[[2,2],[2,4],[4,4],[4,2],[2,2]]]}},{"type":"Feature","properties":null,"geometry":{"type":"Point","coordinates":[1,1]}}]}""", "masks 1 without-mask 1" },
        { """{"type":"FeatureCollection","picture":{"id":1,"width":9,"height":9},"features":[{"geometry":{"type":"Polygon","coordinates":[[[0,"a"]]]}}]}""", "error [x, y]" },
        // Label Studio.
        { """[{"id":3,"data":{"image":"a.jpg"},"annotations":[{"result":[{"original_width":10,"original_height":8,"type":"polygonlabels","value":{"points":[[20,12.5],[60,12.5],[60,62.5]],"polygonlabels":["cup"]}},{"original_width":10,"original_height":8,"value":{"x":1,"y":1,"width":5,"height":5,"rectanglelabels":["x"]}}]}]}]""", "masks 1 without-mask 1" },
        { """[{"data":{"image":"a.jpg"},"annotations":[{"result":[{"original_width":10,"original_height":8,"value":{"format":"rle","rle":[0,0,1]}}]}]}]""", "error cut short" },
    };

    [Theory]
    [MemberData(nameof(Own))]
    public void Own_EveryCase_GivesWhatIsExpected(string text, string expected)
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "case.json");
        File.WriteAllText(path, text);
        Reading found = Reading.Of(path, TestContext.Current.CancellationToken);
        found.AssertIs(expected);
        if (expected.StartsWith("error ", StringComparison.Ordinal)) Assert.Contains(expected["error ".Length..], found.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Error_NamesFileAnnotationAndPlace()
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "case.json");
        File.WriteAllText(path, Coco("[[2,1,6,1,6,5,2]]", "\"id\":4711"));
        string error = Reading.Of(path, default).Error!;
        Assert.Contains("annotation 4711 (element 0 of \"annotations\")", error, StringComparison.Ordinal);
        Assert.Matches(@"\(at byte \d+\)$", error);
    }

    [Fact]
    public void OtherEncodings_AreNamed()
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "case.json");
        File.WriteAllText(path, Coco(Square).Replace("a.jpg", "café"), System.Text.Encoding.Latin1);
        Assert.Contains("UTF-8", Reading.Of(path, default).Error, StringComparison.Ordinal);
        File.WriteAllText(path, Coco(Square), System.Text.Encoding.Unicode);
        Assert.Contains("UTF-16", Reading.Of(path, default).Error, StringComparison.Ordinal);
    }

    private static string Coco(string segmentation, string more = "\"x\":0") =>
        $"{{\"images\":[{Image}],\"annotations\":[{{\"image_id\":1,{more},\"segmentation\":{segmentation}}}],\"categories\":[]}}";

    private static string Sa1b() =>
        $"{{\"image\":{{\"image_id\":7,\"width\":10,\"height\":8,\"file_name\":\"sa_7.jpg\"}},\"annotations\":[{{\"id\":5,\"segmentation\":{Runs},\"area\":16,\"bbox\":[2,1,3,3],\"predicted_iou\":0.9,\"point_coords\":[[3,3]],\"crop_box\":[0,0,10,8],\"stability_score\":0.95}}]}}";
}
