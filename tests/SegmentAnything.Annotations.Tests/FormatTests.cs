using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using SegmentAnything.Rle;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Annotations.Tests;

/// <summary>Every format: what is written is read again, and what is lost is counted.</summary>
public class FormatTests
{
    private static readonly Dictionary<long, AnnotationCategory> Categories = new()
    {
        [3] = new() { Id = 3, Name = "cup, \"blue\"" },
        [5] = new() { Id = 5, Name = "Löffel <1>" },
    };

    public static TheoryData<string> BothWays() => [.. AnnotationFormat.All.Where(f => f.CanWrite && f.Name != "svg").Select(f => f.Name)];

    [Theory]
    [MemberData(nameof(BothWays))]
    public void WrittenAndRead_AnyMasks_AreTheSame(string name)
    {
        AnnotationFormat format = AnnotationFormat.Find(name);
        using var folder = new TemporaryFolder();
        int number = 0;
        Prop.ForAll(Images.ToArbitrary(), images =>
        {
            string path = Path.Combine(folder.Path, $"{number++}{Extension(format)}");
            AnnotationLosses losses = Write(format, path, images);
            ImageAnnotations[] found = Read(path, images, out AnnotationFormat read);
            Assert.Equal(name == "coco-polygons" ? "coco" : name, read.Name);
            Assert.Equal(images.Length, found.Length);
            bool keepsEmpty = !losses.Counts.ContainsKey("masks without a pixel");
            foreach ((ImageAnnotations expected, ImageAnnotations actual) in images.Zip(found))
            {
                RleMask[] masks = [.. expected.Annotations.Select(a => a.Mask!).Where(m => keepsEmpty || !m.IsEmpty)];
                if (format.Name == "label-map") masks = Visible(masks);
                Assert.Equal(masks, actual.Annotations.Select(a => a.Mask!));
                if (masks.Length > 0) Assert.Equal((expected.Image.Width, expected.Image.Height), (actual.Image.Width, actual.Image.Height));
                if (format.Keeps.HasFlag(Keeps.Categories) && keepsEmpty)
                    Assert.Equal(expected.Annotations.Select(a => a.CategoryId is { } id ? Categories[id].Name : "object"), actual.Annotations.Select(a => a.CategoryId is { } id ? _names[id] : "object"));
                if (format.Keeps.HasFlag(Keeps.ModelScores))
                {
                    Assert.Equal(expected.Annotations.Select(a => (a.PredictedIou, a.StabilityScore)), actual.Annotations.Select(a => (a.PredictedIou, a.StabilityScore)));
                    Assert.Equal(expected.Annotations.Select(a => a.BoxOrMaskBox), actual.Annotations.Select(a => a.BoxOrMaskBox));
                    Assert.Equal(expected.Annotations.SelectMany(a => a.Points), actual.Annotations.SelectMany(a => a.Points));
                }
            }

            return true;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(40).WithReplay(2026, 11));
    }

    // Of the categories of the file that was read last.
    private Dictionary<long, string> _names = [];

    // Small masks lie above large ones; what is left of each, and nothing where none is.
    private static RleMask[] Visible(RleMask[] masks)
    {
        int[] order = [.. Enumerable.Range(0, masks.Length).OrderByDescending(i => masks[i].Area)];
        return [.. masks.Select((mask, i) => order[(Array.IndexOf(order, i) + 1)..].Aggregate(mask, (rest, above) => rest.Difference(masks[above]))).Where(m => !m.IsEmpty)];
    }

    private static readonly Gen<ImageAnnotations[]> Images =
        from count in Gen.Choose(1, 3)
        from seed in Gen.Choose(0, int.MaxValue)
        select Random(new Random(seed), count);

    private static ImageAnnotations[] Random(Random random, int count) =>
    [
        .. Enumerable.Range(1, count).Select(number =>
        {
            int width = random.Next(1, 40), height = random.Next(1, 40);
            var image = new AnnotationImage { Id = number, FileName = $"picture {number}.jpg", Width = width, Height = height };
            return new ImageAnnotations(image,
            [
                .. Enumerable.Range(0, random.Next(0, 4)).Select(i => new Annotation
                {
                    Id = (number * 100) + i,
                    ImageId = number,
                    CategoryId = random.Next(3) switch { 0 => 3, 1 => 5, _ => null },
                    Mask = random.Next(6) == 0 ? RleMask.Empty(width, height) : Blobs(random, width, height),
                    PredictedIou = random.NextDouble(),
                    StabilityScore = random.Next(4) == 0 ? null : random.NextDouble(),
                    Points = [new MaskPoint(random.Next(width), random.NextDouble())],
                }),
            ]);
        }),
    ];

    // Boxes and single pixels, added and taken away: regions, holes and corners that touch.
    private static RleMask Blobs(Random random, int width, int height)
    {
        RleMask mask = RleMask.Empty(width, height);
        for (int i = random.Next(1, 8); i > 0; i--)
        {
            int size = random.Next(1, 12);
            RleMask box = RleMask.FromBox(new MaskBox(random.Next(-3, width), random.Next(-3, height), size, random.Next(1, 12)), width, height);
            mask = random.Next(3) == 0 ? mask.Difference(box) : mask.Union(box);
        }

        return mask;
    }

    private static string Extension(AnnotationFormat format) => format.Name switch
    {
        "coco" or "coco-polygons" or "coco-results" or "label-studio" => ".json",
        "kaggle" => ".csv",
        "cvat" => ".xml",
        _ => "", // a folder
    };

    private static AnnotationLosses Write(AnnotationFormat format, string path, IReadOnlyList<ImageAnnotations> images)
    {
        using AnnotationWriter writer = format.CreateWriter(path);
        foreach (ImageAnnotations image in images) writer.Add(image, Categories);
        writer.Complete();
        return writer.Losses;
    }

    private ImageAnnotations[] Read(string path, IReadOnlyList<ImageAnnotations> images, out AnnotationFormat format)
    {
        format = AnnotationFormat.Detect(path);
        using AnnotationReader reader = format.OpenRead(path, new AnnotationReadOptions
        {
            SizeOf = name => images.FirstOrDefault(i => i.Image.FileName == name || Path.GetFileNameWithoutExtension(i.Image.FileName) == name) is { Image: var image } ? (image.Width, image.Height) : null,
        });
        // Formats without images that have no annotation do not know them.
        List<ImageAnnotations> found = [.. reader.ReadImages()];
        _names = reader.Categories.ToDictionary(c => c.Key, c => c.Value.Name);
        if (format.Name == "coco-results")
        {
            foreach (ImageAnnotations image in images.Where(i => found.All(f => f.Image.Id != i.Image.Id))) found.Add(new ImageAnnotations(image.Image, []));
            found.Sort((a, b) => a.Image.Id.CompareTo(b.Image.Id));
        }

        return [.. found];
    }

    [Fact]
    public void JsonFormats_UnknownProperties_Survive()
    {
        using var folder = new TemporaryFolder();
        string input = Path.Combine(folder.Path, "a.json");
        File.WriteAllText(input, """
            {"info":{"year":2024},"licenses":[{"id":1},{"id":2}],"images":[{"id":1,"width":8,"height":8,"file_name":"a.jpg","date":"x"}],
             "annotations":[{"id":1,"image_id":1,"category_id":1,"segmentation":[[1,1,4,1,4,4,1,4]],"bbox":[1,1,3,3],"area":9,"iscrowd":0,"score":0.5,
               "attributes":{"occluded":true,"n":[1,2.50,"é"],"odd":NaN}}],
             "categories":[{"id":1,"name":"cup","keypoints":["a"]}]}
            """);
        foreach (string name in new[] { "coco", "sa-1b", "coco-results", "geojson", "labelme" })
        {
            string output = Path.Combine(folder.Path, $"{name}.json");
            AnnotationConversion.Convert(input, AnnotationFormat.Detect(input), output, AnnotationFormat.Find(name));
            string text = File.ReadAllText(output);
            Assert.Contains("\"attributes\":{\"occluded\":true,\"n\":[1,2.50,\"é\"],\"odd\":null}", text, StringComparison.Ordinal);
            Assert.Contains("\"score\":0.5", text, StringComparison.Ordinal);
            if (name == "coco-results") continue;
            Assert.Contains("\"date\":\"x\"", text, StringComparison.Ordinal);
            if (name != "coco") continue;
            Assert.Contains("\"info\":{\"year\":2024}", text, StringComparison.Ordinal);
            Assert.Contains("\"licenses\":[{\"id\":1},{\"id\":2}]", text, StringComparison.Ordinal);
            Assert.Contains("\"keypoints\":[\"a\"]", text, StringComparison.Ordinal);
            Assert.Contains("\"segmentation\":[[1,1,4,1,4,4,1,4]]", text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void CocoPolygons_WritesRunLengthsForHoles()
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "a.json");
        Write(AnnotationFormat.Find("coco-polygons"), path,
        [
            new(new AnnotationImage { Id = 1, Width = 12, Height = 9 }, [Annotation.From(Make.Holed, 1, 1), Annotation.From(Make.Square.Pad(0, 0, 4, 1), 2, 1)]),
        ]);
        using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(path));
        JsonElement annotations = json.RootElement.GetProperty("annotations");
        Assert.Equal(JsonValueKind.Object, annotations[0].GetProperty("segmentation").ValueKind);
        Assert.Equal(Make.Square, RleMask.FromPolygon(JsonSerializer.Deserialize<double[][]>(annotations[1].GetProperty("segmentation").GetRawText())!.Single(), 8, 8));
        Assert.Equal("object", json.RootElement.GetProperty("categories")[0].GetProperty("name").GetString());
    }

    // As scripts/amg.py writes it: header, rows, no line feed at the end; Python's numbers.
    [Fact]
    public void MaskFolder_Table_IsTheOfficialScripts()
    {
        using var folder = new TemporaryFolder();
        Write(AnnotationFormat.Find("amg-folder"), folder.Path,
        [
            new(new AnnotationImage { Id = 1, FileName = "dir/cups.jpg", Width = 8, Height = 8 },
            [
                Annotation.From(Make.Square) with { PredictedIou = 0.9642544984817505, StabilityScore = 1, Points = [new MaskPoint(2.5, 3)], CropBox = new PixelRectangle(0, 0, 8, 8) },
            ]),
        ]);
        Assert.Equal(
            "id,area,bbox_x0,bbox_y0,bbox_w,bbox_h,point_input_x,point_input_y,predicted_iou,stability_score,crop_box_x0,crop_box_y0,crop_box_w,crop_box_h\n" +
            "0,9,1,1,2,2,2.5,3.0,0.9642544984817505,1.0,0,0,8,8",
            File.ReadAllText(Path.Combine(folder.Path, "cups", "metadata.csv")));
        (ushort[] values, int width, int height) = Codecs.GrayPng.Read(File.ReadAllBytes(Path.Combine(folder.Path, "cups", "0.png")), "0.png");
        Assert.Equal((8, 8), (width, height));
        Assert.Equal(Make.Square.ToBitmap().Select(v => (ushort)(v * 255)), values);
    }

    [Fact]
    public void Labelme_RegionsAndHoles_AreGroupsAndMasks()
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "a.json");
        RleMask two = Make.FromRows("##...", "##...", "....#");
        Write(AnnotationFormat.Find("labelme"), path, [new(new AnnotationImage { Id = 1, Width = 5, Height = 3, FileName = "a.png" }, [Annotation.From(two, 7), Annotation.From(two.Complement().Difference(two), 8)])]);
        using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(path));
        JsonElement[] shapes = [.. json.RootElement.GetProperty("shapes").EnumerateArray()];
        Assert.Equal(["polygon", "polygon", "polygon"], shapes.Select(s => s.GetProperty("shape_type").GetString()));
        Assert.Equal(shapes[0].GetProperty("group_id").GetInt64(), shapes[1].GetProperty("group_id").GetInt64());
        Write(AnnotationFormat.Find("labelme"), path, [new(new AnnotationImage { Id = 1, Width = 12, Height = 9 }, [Annotation.From(Make.Holed)])]);
        Assert.Contains("\"shape_type\":\"mask\"", File.ReadAllText(path), StringComparison.Ordinal);
    }

    [Fact]
    public void GeoJson_Rings_AreClosedAndTurnAsTheStandardWants()
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "a.geojson");
        Write(AnnotationFormat.Find("geojson"), path, [new(new AnnotationImage { Id = 1, Width = 12, Height = 9 }, [Annotation.From(Make.Holed)])]);
        using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(path));
        JsonElement geometry = json.RootElement.GetProperty("features")[0].GetProperty("geometry");
        Assert.Equal("MultiPolygon", geometry.GetProperty("type").GetString());
        JsonElement[] polygons = [.. geometry.GetProperty("coordinates").EnumerateArray()];
        Assert.Equal(4, polygons.Length);
        Assert.Equal(2, polygons.Max(p => p.GetArrayLength()));
        foreach (JsonElement polygon in polygons)
        {
            double[] areas = [.. polygon.EnumerateArray().Select(SignedArea)];
            Assert.True(areas[0] > 0 && areas.Skip(1).All(a => a < 0));
        }

        static double SignedArea(JsonElement ring)
        {
            double[][] points = [.. ring.EnumerateArray().Select(p => p.EnumerateArray().Select(c => c.GetDouble()).ToArray())];
            Assert.Equal(points[0], points[^1]);
            return points.Zip(points.Skip(1)).Sum(pair => (pair.First[0] * pair.Second[1]) - (pair.Second[0] * pair.First[1])) / 2;
        }
    }

    [Fact]
    public void Yolo_FilesOfOthers_AreRead()
    {
        using var folder = new TemporaryFolder();
        string labels = Directory.CreateDirectory(Path.Combine(folder.Path, "labels")).FullName;
        File.WriteAllText(Path.Combine(labels, "a.txt"), "1 0.125 0.125 0.5 0.125 0.5 0.5 0.125 0.5\n0 0.5 0.5 0.25 0.25\n\n1.0 0.125 0.125 0.5 0.125 0.5 0.5 0.125 0.5 0.75\n");
        foreach (string names in new[] { "names: ['a, b', cup] # two", "names:\n  0: 'a, b'\n  1: cup\nnc: 2", "names:\n- \"a, b\"\n- cup", "names: {0: 'a, b', 1: cup}", "names: ['a, b',\n  cup]" })
        {
            File.WriteAllText(Path.Combine(folder.Path, "data.yaml"), "path: x\n" + names + "\n");
            using AnnotationReader reader = AnnotationFormat.Detect(folder.Path).OpenRead(folder.Path, new AnnotationReadOptions { Size = (8, 8) });
            ImageAnnotations image = Assert.Single(reader.ReadImages());
            Assert.Equal([Make.Square, null, Make.Square], image.Annotations.Select(a => a.Mask));
            Assert.Equal(new PixelRectangle(3, 3, 2, 2), image.Annotations[1].Box);
            Assert.Equal(0.75, image.Annotations[2].Score);
            Assert.Equal(["a, b", "cup"], reader.Categories.OrderBy(c => c.Key).Select(c => c.Value.Name));
        }

        File.WriteAllText(Path.Combine(labels, "a.txt"), "0 100 200 300 400 500 600");
        using AnnotationReader pixels = AnnotationFormat.Find("yolo").OpenRead(folder.Path, new AnnotationReadOptions { Size = (8, 8) });
        Assert.Contains("a.txt: line 1", Assert.Throws<AnnotationFormatException>(() => pixels.ReadImages().Count()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Svg_HasAPathAMask()
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "a.svg");
        Write(AnnotationFormat.Find("svg"), path, [new(new AnnotationImage { Id = 1, Width = 8, Height = 8, FileName = "a<b.jpg" }, [Annotation.From(Make.Square, 4, 1, 5)])]);
        var svg = System.Xml.Linq.XDocument.Load(path).Root!;
        Assert.Equal("0 0 8 8", svg.Attribute("viewBox")!.Value);
        System.Xml.Linq.XElement mask = Assert.Single(svg.Elements(), e => e.Name.LocalName == "path");
        Assert.Equal(Make.Square.ToSvgPath(), mask.Attribute("d")!.Value);
        Assert.Equal("Löffel <1>", mask.Attribute("data-category")!.Value);
    }

    [Fact]
    public void Cvat_FilesOfOthers_AreRead()
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "a.xml"), again = Path.Combine(folder.Path, "b.xml");
        File.WriteAllText(path, """
            <?xml version="1.0" encoding="utf-8"?>
            <annotations><version>1.1</version><meta><task><labels><label><name>cup</name></label></labels></task></meta>
              <image id="0" name="a.jpg" width="8" height="8">
                <tag label="x" source="manual"></tag>
                <mask label="cup" source="semi-auto" occluded="1" rle="0, 9" left="1" top="1" width="3" height="3" z_order="2"><attribute name="color">red</attribute></mask>
                <polygon label="cup" points="1.00,1.00;4.00,1.00;4.00,4.00;1.00,4.00" />
                <box label="cup" xtl="1" ytl="2" xbr="3.5" ybr="4" />
                <polyline label="cup" points="1,1;2,2" />
              </image>
            </annotations>
            """);
        AnnotationConversionResult done = AnnotationConversion.Convert(path, AnnotationFormat.Detect(path), again, AnnotationFormat.Find("cvat"));
        Assert.Equal((4, 2, 2), (done.Annotations, done.Masks, done.WithoutMask));
        Assert.Equal(1, done.Losses.Counts["annotations without a mask"]); // the line
        using AnnotationReader reader = AnnotationFormat.Detect(again).OpenRead(again);
        Annotation[] found = [.. reader.ReadImages().Single().Annotations];
        Assert.Equal([Make.Square, Make.Square, null], found.Select(a => a.Mask));
        Assert.Equal("semi-auto", found[0].Other["source"].GetString());
        Assert.Equal("red", found[0].Other["attributes"].GetProperty("color").GetString());
        Assert.Equal(new PixelRectangle(1, 2, 2.5, 2), found[2].Box);
    }

    [Fact]
    public void PerImageFormats_HostileNames_StayInTheFolder()
    {
        using var folder = new TemporaryFolder();
        string output = Path.Combine(folder.Path, "out");
        Write(AnnotationFormat.Find("sa-1b"), output,
        [
            .. new[] { "../../evil.jpg", "..", "C:\\x\\y.png", "", "a\0b", "/etc/passwd" }.Select((name, i) =>
                new ImageAnnotations(new AnnotationImage { Id = i + 1, Width = 8, Height = 8, FileName = name }, [])),
        ]);
        Assert.Equal(["2.json", "4.json", "5.json", "evil.json", "passwd.json", "y.json"], Directory.GetFiles(output).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal([output], Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public void Writers_TwoImagesOneFile_Refuse()
    {
        using var folder = new TemporaryFolder();
        var image = new ImageAnnotations(new AnnotationImage { Id = 1, Width = 8, Height = 8, FileName = "a.jpg" }, []);
        using AnnotationWriter one = AnnotationFormat.Find("sa-1b").CreateWriter(Path.Combine(folder.Path, "a.json"));
        one.Add(image, Categories);
        Assert.Contains("folder", Assert.Throws<InvalidOperationException>(() => one.Add(image, Categories)).Message, StringComparison.Ordinal);
        using AnnotationWriter many = AnnotationFormat.Find("sa-1b").CreateWriter(Path.Combine(folder.Path, "b"));
        many.Add(image, Categories);
        Assert.Throws<ArgumentException>(() => many.Add(image with { Image = image.Image with { FileName = "x/a.png" } }, Categories));
        using AnnotationWriter wrong = AnnotationFormat.Find("cvat").CreateWriter(Path.Combine(folder.Path, "c.xml"));
        Assert.Throws<ArgumentException>(() => wrong.Add(image with { Annotations = [Annotation.From(RleMask.Empty(9, 8))] }, Categories));
        wrong.Dispose();
        Assert.False(File.Exists(Path.Combine(folder.Path, "c.xml")));
    }

    [Fact]
    public void Convert_CountsLosses_AndRefusesItsInput()
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "a.json"), output = Path.Combine(folder.Path, "b.csv");
        Write(AnnotationFormat.Find("coco"), path,
        [
            new(new AnnotationImage { Id = 1, Width = 8, Height = 8, FileName = "a.jpg" },
            [
                Annotation.From(Make.Square, 1, 1, 3) with { IsCrowd = true, Score = 0.5, PredictedIou = 0.5 },
                new Annotation { Id = 2, ImageId = 1, CategoryId = 5, Box = new PixelRectangle(1, 1, 2, 2) },
                Annotation.From(RleMask.Empty(8, 8), 3, 1, 5),
            ]),
        ]);
        AnnotationFormat coco = AnnotationFormat.Detect(path);
        AnnotationConversionResult done = AnnotationConversion.Convert(path, coco, output, AnnotationFormat.Find("kaggle"));
        Assert.Equal((1, 3, 1, 1, 1), (done.Images, done.Annotations, done.Masks, done.EmptyMasks, done.WithoutMask));
        Assert.Equal(
            ["annotations without a mask", "categories of annotations", "marks of crowds", "masks without a pixel", "predicted IoUs, stability scores and points", "scores"],
            done.Losses.Counts.Keys);
        Assert.Equal("ImageId,EncodedPixels\na.jpg,10 3 18 3 26 3\n", File.ReadAllText(output));
        Assert.Throws<ArgumentException>(() => AnnotationConversion.Convert(path, coco, path, coco));
        string link = Path.Combine(folder.Path, "link.json");
        if (!OperatingSystem.IsWindows())
        {
            File.CreateSymbolicLink(link, path);
            Assert.Throws<ArgumentException>(() => AnnotationConversion.Convert(path, coco, link, coco));
        }
    }

    [Fact]
    public void Detect_SomethingElse_SaysWhatWasExpected()
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "x.json");
        File.WriteAllText(path, "{\"a\": 1}");
        Assert.Contains("SA-1B", Assert.Throws<AnnotationFormatException>(() => AnnotationFormat.Detect(path)).Message, StringComparison.Ordinal);
        Assert.Contains("label-map", Assert.Throws<ArgumentException>(() => AnnotationFormat.Find("voc")).Message, StringComparison.Ordinal);
        string empty = Directory.CreateDirectory(Path.Combine(folder.Path, "empty")).FullName;
        Assert.Throws<AnnotationFormatException>(() => AnnotationFormat.Detect(empty));
    }

    // docs/annotations.md has a row a format, with what it keeps.
    [Fact]
    public void Documentation_HasEveryFormat()
    {
        string[] rows = [.. File.ReadLines(Path.Combine(TestPaths.Repository, "docs", "annotations.md")).Where(l => l.StartsWith("| `", StringComparison.Ordinal))];
        (string Name, bool Reads, bool Writes, string Keeps)[] documented =
        [
            .. rows.Select(row => row.Split('|', StringSplitOptions.TrimEntries)).Select(c => (c[1].Trim('`'), c[2] == "yes", c[3] == "yes", string.Concat(c[5..12].Select(x => x == "yes" ? 'y' : '-')))),
        ];
        Keeps[] columns = [Keeps.Categories, Keeps.Score, Keeps.ModelScores, Keeps.Crowds, Keeps.Boxes, Keeps.Other, Keeps.File];
        Assert.Equal(
            AnnotationFormat.All.Select(f => (f.Name, f.CanRead, f.CanWrite, string.Concat(columns.Select(c => f.Keeps.HasFlag(c) ? 'y' : '-')))), documented);
    }
}
