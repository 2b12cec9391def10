using System.Collections.Immutable;
using System.Text.Json;
using SegmentAnything.Checkpoints;
using SegmentAnything.Families.Sam2;
using SegmentAnything.Tests.References;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.Families.Sam2;

/// <summary>The folders of reference data that are of SAM 2, and what is in them.</summary>
internal sealed class Sam2Golden
{
    private Sam2Golden(string folder)
    {
        Folder = folder;
        Manifest = GoldenJson.Read("families", folder, "manifest.json");
        Spec = SpecOf(Manifest.GetProperty("config"));
    }

    public static Sam2Spec SpecOf(JsonElement config) => new()
    {
        EmbedWidth = config.GetProperty("embed_dim").GetInt32(),
        Heads = config.GetProperty("num_heads").GetInt32(),
        BlocksPerStage = [.. config.GetProperty("stages").Ints()],
        GlobalBlocks = [.. config.GetProperty("global_att_blocks").Ints()],
        Windows = [.. config.GetProperty("window_spec").Ints()],
        ImageSize = config.GetProperty("image_size").GetInt32(),
    };

    /// <summary>Every folder whose manifest says that it is of SAM 2.</summary>
    public static ImmutableArray<string> Folders { get; } = FindFolders();

    public string Folder { get; }

    public JsonElement Manifest { get; }

    public Sam2Spec Spec { get; }

    public JsonElement[] Pictures => Manifest.GetProperty("pictures").Items();

    /// <summary>The files that hold the same weights.</summary>
    public IEnumerable<string> Files => new[] { "checkpoint", "checkpoint_hf" }.Where(k => Manifest.TryGetProperty(k, out _))
        .Select(k => Manifest.GetProperty(k).GetProperty("file").GetString()!);

    /// <summary>Reads one, or skips the running test where there are none.</summary>
    public static Sam2Golden Read(string folder)
    {
        TestPaths.RequireGolden("families");
        Assert.SkipWhen(folder.Length == 0, "The reference data has no folder of SAM 2.");
        return new Sam2Golden(folder);
    }

    public StateDict Open(string? file = null) => Sam2Names.View(CheckpointReader.Open(PathOf(file ?? Files.First())));

    public string PathOf(string file) => TestPaths.RequireGolden("families", Folder, file);

    public float[] Floats(JsonElement description) => ReferenceFile.ReadFloats(TestPaths.RequireGolden("families", Folder), description);

    public byte[] Bytes(JsonElement description) => File.ReadAllBytes(PathOf(description.GetProperty("file").GetString()!));

    // A test that has no data must be one that is skipped, not one that is not there.
    private static ImmutableArray<string> FindFolders()
    {
        string? root = TestPaths.Golden is { } golden ? Path.Combine(golden, "families") : null;
        if (root is null || !Directory.Exists(root)) return [""];
        string[] found = [.. Directory.GetDirectories(root).Where(IsSam2).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal)];
        return found.Length > 0 ? [.. found] : [""];
    }

    private static bool IsSam2(string folder)
    {
        string path = Path.Combine(folder, "manifest.json");
        if (!File.Exists(path)) return false;
        using JsonDocument manifest = JsonDocument.Parse(File.ReadAllText(path));
        return manifest.RootElement.TryGetProperty("family", out JsonElement family) && family.GetString() == "sam2";
    }
}
