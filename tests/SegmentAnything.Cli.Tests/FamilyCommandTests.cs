using System.Globalization;
using System.Text.Json;
using SegmentAnything.Annotations;
using SegmentAnything.Imaging;
using SegmentAnything.Rle;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Cli.Tests;

/// <summary>The tool with a model of every family that there is reference data of: each folder, by its manifest.</summary>
public sealed class FamilyCommandTests : IDisposable
{
    // Ours in one arrangement and in another: float noise, which may move a pixel near zero.
    private const double LeastOverlap = 0.99;

    private static readonly string[] Settings = ["--points-per-side", "4", "--pred-iou-thresh", "0", "--stability-score-thresh", "0"];

    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> Folders()
    {
        TheoryData<string> folders = [];
        if (TestPaths.Golden is { } golden && Directory.Exists(Path.Combine(golden, "families")))
        {
            foreach (string folder in Directory.GetDirectories(Path.Combine(golden, "families")).Order(StringComparer.Ordinal))
            {
                if (File.Exists(Path.Combine(folder, "manifest.json")) && Checkpoint(Manifest(folder)) is not null) folders.Add(Path.GetFileName(folder));
            }
        }

        // A theory without cases fails: one that skips says why.
        if (folders.Count == 0) folders.Add("");
        return folders;
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Folders))]
    public async Task Everything_WithASpecification_GivesTheLibrarysMasks(string folder)
    {
        (string checkpoint, string specification, string picture, ModelSpecification expectedSpecification) = Prepare(folder);

        ToolRun run = await ToolRun.Run(["everything", picture, "--model", checkpoint, "--spec", specification, .. Settings]);

        Assert.Equal(0, run.Status);
        using SamModel sam = SamModel.Load(checkpoint, new SamOptions { Specification = expectedSpecification });
        AutomaticMaskOptions options = sam.AutomaticDefaults with { PointsPerSide = 4, PredIouThreshold = 0, StabilityScoreThreshold = 0 };
        string[] expected = [.. sam.GenerateMasks(ImageFile.Load(picture).ToPixelBuffer(), options, cancellationToken: TestContext.Current.CancellationToken).Select(m => m.Mask.ToCocoString())];
        Assert.NotEmpty(expected);
        Assert.Equal(expected.Order(StringComparer.Ordinal), Masks(run).Select(m => m.ToCocoString()).Order(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public async Task Convert_WithASpecification_WritesAFolderThatGivesTheSameMask(string folder)
    {
        (string checkpoint, string specification, string picture, _) = Prepare(folder);
        string converted = Path.Combine(_folder.Path, "converted");

        ToolRun convert = await ToolRun.Run("convert", checkpoint, "--out", converted, "--spec", specification);
        Assert.Equal(0, convert.Status);
        Assert.Contains("tried with one click", convert.Output, StringComparison.Ordinal);
        ToolRun inspect = await ToolRun.Run("inspect", checkpoint, "--spec", specification);
        Assert.Contains("can be run  yes", inspect.Output, StringComparison.Ordinal);

        LoadedImage image = ImageFile.Load(picture);
        string point = string.Create(CultureInfo.InvariantCulture, $"{image.Width / 3},{image.Height / 2}");
        ToolRun before = await ToolRun.Run("segment", picture, "--point", point, "--model", checkpoint, "--spec", specification);
        ToolRun after = await ToolRun.Run("segment", picture, "--point", point, "--model", converted);
        Assert.Equal((0, 0), (before.Status, after.Status));
        RleMask[] expected = Segments(before), found = Segments(after);
        Assert.NotEmpty(expected);
        Assert.Equal(expected.Length, found.Length);
        foreach ((RleMask one, RleMask other) in expected.Zip(found))
            Assert.True(one.Equals(other) || one.IntersectionOverUnion(other) >= LeastOverlap, $"{one.Area} and {other.Area} pixels, IoU {one.IntersectionOverUnion(other)}");
        ToolRun everything = await ToolRun.Run(["everything", picture, "--model", converted, .. Settings]);
        Assert.Equal(0, everything.Status);
        Assert.NotEmpty(Masks(everything));
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public async Task Segment_WithAnotherImageSize_IsRefusedByThatNumberOrRuns(string folder)
    {
        (string checkpoint, string specification, string picture, ModelSpecification right) = Prepare(folder);
        int wrong = right.ImageSize!.Value + 64;
        await File.WriteAllTextAsync(
            specification, File.ReadAllText(specification).Replace($"\"imageSize\": {right.ImageSize}", $"\"imageSize\": {wrong}", StringComparison.Ordinal), TestContext.Current.CancellationToken);

        ToolRun run = await ToolRun.Run("segment", picture, "--point", "5,5", "--model", checkpoint, "--spec", specification);

        // Weights that do not show the size go with any.
        if (run.Status == 0) return;
        Assert.Equal(1, run.Status);
        Assert.Contains($"{wrong}", run.ErrorLine, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"imagesize": 256}""", "'imagesize'")]
    [InlineData("""{"imageSize": 256, "imageSize": 256}""", "'imageSize' twice")]
    [InlineData("""{"imageSize": "256"}""", "'imageSize': \"256\"")]
    [InlineData("""{"imageSize": 1.5}""", "'imageSize': 1.5")]
    [InlineData("""{"imageSize": -1}""", "'imageSize': -1")]
    [InlineData("""{"embedWidth": 96}""", "no 'blocksPerStage'")]
    [InlineData("""{"embedWidth": 96, "heads": 1, "blocksPerStage": 12, "globalBlocks": []}""", "'blocksPerStage': 12")]
    [InlineData("""{"embedWidth": 96, "heads": 1, "blocksPerStage": [1, 2, "7", 2], "globalBlocks": []}""", "'blocksPerStage[2]'")]
    [InlineData("""{"embedWidth": 96, "blocksPerStage": [1, 2, 7, 2], "globalBlocks": []}""", "no 'heads'")]
    [InlineData("{}", "is empty")]
    [InlineData("[1]", "no JSON object")]
    [InlineData("{", "no JSON")]
    public async Task Inspect_MalformedSpecification_IsOneLineThatNamesTheMember(string json, string part)
    {
        string path = Path.Combine(_folder.Path, "spec.json");
        await File.WriteAllTextAsync(path, json, TestContext.Current.CancellationToken);
        ToolRun run = await ToolRun.Run("inspect", path, "--spec", path);
        Assert.Equal((1, ""), (run.Status, run.Output));
        Assert.Contains(part, run.ErrorLine, StringComparison.Ordinal);
        Assert.Contains(path, run.ErrorLine, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Segment_MissingSpecification_IsOneLine()
    {
        string path = Path.Combine(_folder.Path, "none.json");
        ToolRun run = await ToolRun.Run("inspect", "model.pth", "--spec", path);
        Assert.Equal(1, run.Status);
        Assert.Contains(path, run.ErrorLine, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Inspect_SpecificationOfAnotherFamily_SaysSo()
    {
        string path = Path.Combine(_folder.Path, "spec.json");
        await File.WriteAllTextAsync(
            path, """{"embedWidth": 96, "heads": 1, "blocksPerStage": [1, 2, 7, 2], "globalBlocks": [5, 7, 9]}""", TestContext.Current.CancellationToken);
        ToolRun run = await ToolRun.Run("inspect", ModelTests.WrittenCheckpoints.WriteTiny(_folder.Path), "--spec", path);
        Assert.Equal(0, run.Status);
        Assert.Contains("can be run  no", run.Output, StringComparison.Ordinal);
        Assert.Contains("a Sam2Spec was given, but the weights are of SAM", run.Output, StringComparison.Ordinal);
    }

    // The checkpoint, and beside it the specification and the picture as files.
    private (string Checkpoint, string Specification, string Picture, ModelSpecification Expected) Prepare(string name)
    {
        string folder = TestPaths.RequireGolden("families", name);
        JsonElement manifest = Manifest(folder), config = manifest.GetProperty("config");
        JsonElement source = manifest.TryGetProperty("pictures", out JsonElement pictures) ? pictures[0] : manifest;
        JsonElement size = source.GetProperty("original_size_hw");
        string picture = Path.Combine(_folder.Path, "picture.png"), specification = Path.Combine(_folder.Path, "spec.json");
        ImageFile.SavePng(picture, File.ReadAllBytes(Path.Combine(folder, source.GetProperty("image_rgb").GetProperty("file").GetString()!)), size[1].GetInt32(), size[0].GetInt32());

        int side = First("frame_size", "img_size", "image_size").GetInt32(), heads = config.TryGetProperty("num_heads", out JsonElement h) && h.ValueKind == JsonValueKind.Number ? h.GetInt32() : 0;
        ModelSpecification expected = new() { ImageSize = side, Heads = heads > 0 ? heads : null };
        List<string> members = [$"\"imageSize\": {side}"];
        if (heads > 0) members.Add($"\"heads\": {heads}");
        if (config.TryGetProperty("global_att_blocks", out JsonElement global))
        {
            JsonElement stages = config.GetProperty("stages"), windows = config.GetProperty("window_spec");
            expected = new Sam2Spec
            {
                ImageSize = side,
                Heads = heads,
                EmbedWidth = config.GetProperty("embed_dim").GetInt32(),
                BlocksPerStage = [.. stages.EnumerateArray().Select(e => e.GetInt32())],
                GlobalBlocks = [.. global.EnumerateArray().Select(e => e.GetInt32())],
                Windows = [.. windows.EnumerateArray().Select(e => e.GetInt32())],
            };
            members.AddRange([$"\"embedWidth\": {config.GetProperty("embed_dim")}", $"\"blocksPerStage\": {stages}", $"\"globalBlocks\": {global}", $"\"windows\": {windows}"]);
        }

        File.WriteAllText(specification, $"{{{string.Join(", ", members)}}}");
        return (Path.Combine(folder, Checkpoint(manifest)!), specification, picture, expected);

        JsonElement First(params string[] names) => config.GetProperty(names.First(n => config.TryGetProperty(n, out _)));
    }

    private static JsonElement Manifest(string folder)
    {
        using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "manifest.json")));
        return json.RootElement.Clone();
    }

    private static string? Checkpoint(JsonElement manifest) =>
        manifest.TryGetProperty("checkpoint", out JsonElement checkpoint) ? checkpoint.GetProperty("file").GetString() : null;

    private static RleMask[] Masks(ToolRun run)
    {
        using var reader = Sa1bReader.Open(new MemoryStream(System.Text.Encoding.UTF8.GetBytes(run.Output)));
        return [.. reader.ReadAnnotations().Select(a => a.Mask!)];
    }

    // What segment writes: masks with size and counts, at whatever depth.
    private static RleMask[] Segments(ToolRun run)
    {
        using JsonDocument json = JsonDocument.Parse(run.Output);
        return [.. Find(json.RootElement)];

        static IEnumerable<RleMask> Find(JsonElement element) => element.ValueKind switch
        {
            JsonValueKind.Array => element.EnumerateArray().SelectMany(Find),
            JsonValueKind.Object when element.TryGetProperty("counts", out JsonElement counts) =>
                [RleMask.FromCocoString(counts.GetString()!, element.GetProperty("size")[1].GetInt32(), element.GetProperty("size")[0].GetInt32())],
            JsonValueKind.Object => element.EnumerateObject().SelectMany(p => Find(p.Value)),
            _ => [],
        };
    }
}
