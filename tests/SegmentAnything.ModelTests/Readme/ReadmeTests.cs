using System.Text;
using System.Text.RegularExpressions;
using SegmentAnything.Cli.Tests;
using SegmentAnything.TestSupport;

namespace SegmentAnything.ModelTests.Readme;

/// <summary>
/// The README cannot drift: its examples are the compiled ones and its tables are made from the sources. Run with
/// SEGMENTANYTHING_UPDATE_README=1 to write it anew.
/// </summary>
public sealed partial class ReadmeTests
{
    private static readonly string ReadmePath = Path.Combine(TestPaths.Repository, "README.md");

    [Fact]
    public void Examples_AreTheCompiledOnes() => Check(text =>
    {
        string source = File.ReadAllText(Path.Combine(
            TestPaths.Repository, "tests", "SegmentAnything.ModelTests", "Readme", "ReadmeExamples.cs"));
        Dictionary<string, string> examples = Example().Matches(source).ToDictionary(m => m.Groups[1].Value, m => Dedent(m.Groups[2].Value));
        HashSet<string> shown = [];
        string result = Shown().Replace(text, match =>
        {
            string name = match.Groups[1].Value;
            Assert.True(examples.TryGetValue(name, out string? code), $"README shows example {name}, which is not compiled");
            shown.Add(name);
            return $"<!-- example: {name} -->\n```csharp\n{code}```";
        });
        Assert.Equal(examples.Keys.Order(), shown.Order());
        return result;
    });

    [Fact]
    public void ModelTable_IsMadeFromSamModels() => Check(text =>
    {
        StringBuilder table = new("<!-- models -->\n| model | name | files | size | licence | SHA-256 |\n|---|---|---|---|---|---|\n");
        foreach (SamVariant variant in SamModels.All)
        {
            table.Append($"| [{variant.DisplayName}]({variant.Source}) | `{variant.Name}` "
                + $"| {string.Join("<br>", variant.Files.Select(f => $"`{f.FileName}`"))} "
                + $"| {string.Join("<br>", variant.Files.Select(f => $"{f.Bytes / 1e6:F0} MB"))} | {variant.License} "
                + $"| {string.Join("<br>", variant.Files.Select(f => $"`{f.Sha256![..16]}…`"))} |\n");
        }

        table.Append("<!-- /models -->");
        return Models().Replace(text, table.ToString().Replace("$", "$$"));
    });

    [Fact]
    public void SpeedTable_IsTheCommittedResult() => Check(text => Speed().Replace(text, match =>
    {
        string path = match.Groups[1].Value;
        string[] lines = File.ReadAllLines(Path.Combine(TestPaths.Repository, path));
        return $"<!-- speed: {path} -->\n{string.Join('\n', lines.Skip(2))}\n<!-- /speed -->";
    }));

    [Fact]
    public async Task InspectSample_IsWhatTheToolSays()
    {
        ModelFiles files = ModelStore.Default.Find(SamModels.MobileSam);
        string encoder = files.FindPath(ModelFileRole.Encoder)!, folder = Path.GetDirectoryName(encoder)! + Path.DirectorySeparatorChar;
        ToolRun run = await ToolRun.Run("inspect", encoder, files.FindPath(ModelFileRole.Decoder)!);
        string sample = run.Output.ReplaceLineEndings("\n").Replace(folder, "", StringComparison.Ordinal);
        Check(text => Inspected().Replace(text, $"<!-- inspect -->\n```text\n$ segment-anything inspect encoder.onnx decoder.onnx\n{sample}```\n<!-- /inspect -->"));
    }

    private static void Check(Func<string, string> make)
    {
        string found = File.ReadAllText(ReadmePath).ReplaceLineEndings("\n");
        string expected = make(found);
        if (found == expected) return;
        if (Environment.GetEnvironmentVariable("SEGMENTANYTHING_UPDATE_README") == "1") File.WriteAllText(ReadmePath, expected);
        else Assert.Equal(expected, found);
    }

    private static string Dedent(string block)
    {
        string[] lines = block.Split('\n');
        int indent = lines.Where(l => l.Trim().Length > 0).Min(l => l.Length - l.TrimStart().Length);
        return string.Join('\n', lines.Select(l => l.Trim().Length > 0 ? l[indent..] : ""));
    }

    [GeneratedRegex("""// example: (\w+)\n(.*?\n) *// end\n""", RegexOptions.Singleline)]
    private static partial Regex Example();

    [GeneratedRegex("""<!-- example: (\w+) -->\n```csharp\n.*?```""", RegexOptions.Singleline)]
    private static partial Regex Shown();

    [GeneratedRegex("<!-- speed: (.*?) -->.*?<!-- /speed -->", RegexOptions.Singleline)]
    private static partial Regex Speed();

    [GeneratedRegex("<!-- inspect -->.*?<!-- /inspect -->", RegexOptions.Singleline)]
    private static partial Regex Inspected();

    [GeneratedRegex("<!-- models -->.*?<!-- /models -->", RegexOptions.Singleline)]
    private static partial Regex Models();
}
