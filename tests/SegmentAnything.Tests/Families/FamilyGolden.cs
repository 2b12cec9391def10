using System.Text.Json;
using Microsoft.ML.OnnxRuntime;
using SegmentAnything.Graphs;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.Families;

/// <summary>One tiny model of the reference data: its manifest, its checkpoints, its numbers.</summary>
/// <remarks>Models are found by the family that their manifest names, so that more can be laid beside them.</remarks>
internal sealed class FamilyGolden : IDisposable
{
    private readonly JsonDocument _manifest;

    private FamilyGolden(string folder)
    {
        Folder = folder;
        _manifest = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "manifest.json")));
    }

    public string Folder { get; }

    public JsonElement Root => _manifest.RootElement;

    public string Name => Path.GetFileName(Folder);

    public JsonElement Config => Root.GetProperty("config");

    public int ImageSize => Config.GetProperty("img_size").GetInt32();

    public int Heads => Config.GetProperty("num_heads").GetInt32();

    public int[] EmbeddingShape => [.. Root.GetProperty("embedding").GetProperty("shape").EnumerateArray().Select(e => e.GetInt32())];

    public int Grid => EmbeddingShape[^1];

    /// <summary>Every file of the same weights.</summary>
    public IEnumerable<string> Checkpoints => Root.EnumerateObject()
        .Where(p => p.Name.StartsWith("checkpoint", StringComparison.Ordinal))
        .Select(p => Path.Combine(Folder, p.Value.GetProperty("file").GetString()!));

    /// <summary>Opens every model of some families, or skips the running test.</summary>
    public static IEnumerable<FamilyGolden> All(params string[] families)
    {
        string root = TestPaths.RequireGolden("families");
        FamilyGolden[] found = [.. Directory.GetDirectories(root).Order(StringComparer.Ordinal)
            .Where(folder => File.Exists(Path.Combine(folder, "manifest.json")) && families.Contains(FamilyOf(folder)))
            .Select(folder => new FamilyGolden(folder))];
        Assert.SkipWhen(found.Length == 0, $"The reference data has no model of {string.Join(" or ", families)}.");
        return found;
    }

    public float[] Read(string name) => Read(Root, name);

    public float[] Read(JsonElement parent, string name) => ReferenceFile.ReadFloats(Folder, parent.GetProperty(name));

    /// <summary>HQ-SAM: the one feature of the image encoder that the decoder reads.</summary>
    public float[] Early()
    {
        JsonElement early = Root.GetProperty("interm_embeddings")[0];
        int channels = early.GetProperty("shape")[3].GetInt32();
        // Channels are last there.
        return Matrices.Transpose(ReferenceFile.ReadFloats(Folder, early), Grid * Grid, channels);
    }

    /// <summary>Runs a graph once on named inputs.</summary>
    public static Dictionary<string, float[]> Run(GraphBuilder graph, params (string Name, float[] Values, long[] Shape)[] inputs) =>
        Run(graph, half: false, inputs);

    /// <summary>Runs a graph once on named inputs.</summary>
    public static Dictionary<string, float[]> Run(GraphBuilder graph, bool half, params (string Name, float[] Values, long[] Shape)[] inputs)
    {
        using SessionOptions options = new();
        if (half) SegmentAnything.Execution.SessionTuning.HalfWeights.Apply(options);
        using var session = new InferenceSession(graph.ToBytes(), options);
        OrtValue[] values = [.. inputs.Select(i => OrtValue.CreateTensorValueFromMemory(i.Values, i.Shape))];
        using var run = new RunOptions();
        using IDisposableReadOnlyCollection<OrtValue> outputs = session.Run(run, [.. inputs.Select(i => i.Name)], values, session.OutputNames);
        foreach (OrtValue value in values) value.Dispose();
        return session.OutputNames.Zip(outputs).ToDictionary(p => p.First, p => p.Second.GetTensorDataAsSpan<float>().ToArray());
    }

    public void AssertNear(ReadOnlySpan<float> found, ReadOnlySpan<float> expected, double tolerance, string what)
    {
        double difference = ReferenceFile.MaxDifference(found, expected);
        TestContext.Current.TestOutputHelper?.WriteLine($"{Name}: {what}: {difference:e1} of {tolerance:e1}");
        Assert.True(difference <= tolerance, $"{Name}: {what} differs by {difference:e2}, allowed is {tolerance:e2}");
    }

    public void Dispose() => _manifest.Dispose();

    private static string FamilyOf(string folder)
    {
        using JsonDocument manifest = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "manifest.json")));
        return manifest.RootElement.TryGetProperty("family", out JsonElement family) ? family.GetString() ?? "" : "";
    }
}
