using System.Reflection;
using SegmentAnything.Rle;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests;

/// <summary>What is public is written down in docs/public-api, so that no change of it goes unnoticed in a review.</summary>
public class PublicSurfaceTests
{
    private const string UpdateVariable = "SEGMENTANYTHING_UPDATE_PUBLIC_API";

    public static TheoryData<string> Assemblies => ["SegmentAnything", "SegmentAnything.Rle"];

    [Theory]
    [MemberData(nameof(Assemblies))]
    public void PublicSurface_IsTheOneThatIsWrittenDown(string name)
    {
        Assembly assembly = name == "SegmentAnything" ? typeof(SamModels).Assembly : typeof(RleMask).Assembly;
        Assert.Equal(name, assembly.GetName().Name);
        string path = Path.Combine(TestPaths.Repository, "docs", "public-api", $"{name}.txt");
        string actual = PublicSurface.Of(assembly);
        if (Environment.GetEnvironmentVariable(UpdateVariable) == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, actual);
        }

        string[] expected = File.Exists(path) ? File.ReadAllLines(path) : [];
        string[] lines = actual.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        string difference = string.Join('\n', [
            .. Contexts(expected).Except(Contexts(lines)).Select(l => $"- {l}"),
            .. Contexts(lines).Except(Contexts(expected)).Select(l => $"+ {l}")]);
        Assert.True(expected.SequenceEqual(lines),
            $"The public surface of {name} is not the one in {path}:\n{difference}\n"
            + $"If that is meant, run the tests once with {UpdateVariable}=1, and commit the file.");
    }

    [Fact]
    public void PublicSurface_ShowsWhatMattersInADeclaration()
    {
        string surface = PublicSurface.Of(typeof(SamModels).Assembly);
        foreach (string line in new[]
        {
            "SegmentAnything.CudaProvider : sealed record, ExecutionProvider\n",
            "\n    abstract void Configure(SessionOptions options)\n",
            "\n    required string Name { get; init; }\n",
            "\n    static SamVariant? Find(string name)\n",
            "\n    Checkpoint = 2\n",
            "\n    CudaProvider(int DeviceId = 0)\n",
            "\n    const string EnvironmentVariable = \"SEGMENTANYTHING_MODELS\"\n",
            "\n    bool TryFind(SamVariant variant, out ModelFiles? files)\n",
        })
        {
            Assert.Contains(line, surface, StringComparison.Ordinal);
        }

        Assert.DoesNotContain("ModelSession", surface, StringComparison.Ordinal);
    }

    // A member's line alone does not say whose it is.
    private static IEnumerable<string> Contexts(IEnumerable<string> lines)
    {
        string type = "";
        foreach (string line in lines)
        {
            if (!line.StartsWith(' ')) type = line;
            yield return line.StartsWith(' ') ? $"{type.Split(' ')[0]}: {line.Trim()}" : line;
        }
    }
}
