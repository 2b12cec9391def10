using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using SegmentAnything.Cli.Tests;
using SegmentAnything.TestSupport;

namespace SegmentAnything.ModelTests.Readme;

/// <summary>
/// README and docs cannot drift: their examples are the compiled ones, their tables and the chart are made from the sources,
/// their links lead somewhere. Run with SEGMENTANYTHING_UPDATE_README=1 to write them anew.
/// </summary>
public sealed partial class ReadmeTests
{
    // Every published model beside MobileSAM.
    private const string Families = "benchmarks/results/AMD.EPYC/FamilyRatios.md";

    private static readonly string Docs = Path.Combine(TestPaths.Repository, "docs");

    /// <summary>Every page that is checked: the README and what lies in docs, without the built site.</summary>
    private static string[] Pages { get; } =
    [
        Path.Combine(TestPaths.Repository, "README.md"),
        .. Directory.GetFiles(Docs, "*.md", SearchOption.AllDirectories)
            .Where(path => !path.Contains("_site", StringComparison.Ordinal)).Order(StringComparer.Ordinal),
    ];

    [Fact]
    public void Examples_AreTheCompiledOnes()
    {
        Dictionary<string, string> examples = Directory
            .GetFiles(Path.Combine(TestPaths.Repository, "tests"), "*Examples.cs", SearchOption.AllDirectories)
            .SelectMany(path => Example().Matches(File.ReadAllText(path).ReplaceLineEndings("\n")))
            .ToDictionary(m => m.Groups[1].Value, m => Dedent(m.Groups[2].Value));
        HashSet<string> shown = [];
        Check(text => Shown().Replace(text, match =>
        {
            string name = match.Groups[1].Value;
            Assert.True(examples.TryGetValue(name, out string? code), $"example {name} is shown, but not compiled");
            shown.Add(name);
            return $"<!-- example: {name} -->\n```csharp\n{code}```";
        }));
        Assert.Equal(examples.Keys.Order(), shown.Order());
    }

    [Fact]
    public void Code_IsAnExampleThatIsCompiled_OrAWholeProgramThatAScriptRuns() => Assert.All(Pages, page =>
    {
        string text = Shown().Replace(File.ReadAllText(page).ReplaceLineEndings("\n"), "");
        Assert.Equal(Program().Count(text), CSharp().Count(text));
    });

    [Fact]
    public void Links_LeadToFiles() => Assert.All(Pages, page =>
    {
        foreach (Match match in Link().Matches(File.ReadAllText(page)))
        {
            string target = match.Groups[1].Value.Split('#')[0];
            if (target.Length == 0 || target.Contains("://", StringComparison.Ordinal)) continue;
            Assert.True(Path.Exists(Path.Combine(Path.GetDirectoryName(page)!, target)), $"{page}: {target} is not there");
        }
    });

    [Fact]
    public void Pictures_AreSmall_AndTheirSourcesAreNamed()
    {
        string folder = Path.Combine(Docs, "images"), sources = File.ReadAllText(Path.Combine(folder, "README.md"));
        Assert.All(Directory.GetFiles(folder).Select(path => new FileInfo(path)).Where(file => file.Name != "README.md"), file =>
        {
            Assert.InRange(file.Length, 1, 300_000);
            Assert.Contains($"`{file.Name}`", sources, StringComparison.Ordinal);
        });
    }

    [Fact]
    public void SpeedChart_IsMadeFromTheCommittedResults() =>
        Check(Path.Combine(Docs, "images", "speed.svg"), _ => SpeedChart.Draw(Path.Combine(TestPaths.Repository, "benchmarks", "results", "AMD.EPYC")));

    [Fact]
    public void ModelTable_IsMadeFromSamModels_AndTheCommittedResult() => Check(text =>
    {
        string[] result = File.ReadAllLines(Path.Combine(TestPaths.Repository, Families));
        // Name, checkpoint, encode, of MobileSAM, click, of MobileSAM.
        Dictionary<string, string[]> measured = result.Where(line => line.StartsWith("| `", StringComparison.Ordinal))
            .Select(line => line.Trim('|', ' ').Split('|', StringSplitOptions.TrimEntries)).ToDictionary(cells => cells[0].Trim('`'), cells => cells[1..]);
        Assert.Equal(SamModels.All.Select(v => v.Name).Order(StringComparer.Ordinal), measured.Keys.Order(StringComparer.Ordinal));
        StringBuilder table = new("<!-- models -->\n| model | name | good for | size | licence | encode | click |\n|---|---|---|---:|---|---:|---:|\n");
        foreach (SamVariant variant in SamModels.All)
        {
            string[] cells = measured[variant.Name];
            string size = variant.Files.All(f => f.Bytes is not null) ? $"{variant.Files.Sum(f => f.Bytes!.Value) / 1e6:F0} MB" : cells[0];
            table.Append($"| [{variant.DisplayName}]({variant.Source}) | `{variant.Name}` | {variant.Description} | {size} | {variant.License} | {cells[2]} | {cells[4]} |\n");
        }

        string[] mobile = measured[SamModels.MobileSam.Name];
        table.Append($"\nEncode and click: of MobileSAM's time, which is {mobile[1]} and {mobile[3]} of one thread. [{result[2].Split(';')[0]}]({Families}).\n<!-- /models -->");
        return Models().Replace(text, table.ToString().Replace("$", "$$"));
    });

    [Fact]
    public void FileTable_IsMadeFromSamModels() => Check(text =>
    {
        StringBuilder table = new("<!-- model files -->\n| model | file | bytes | SHA-256 |\n|---|---|---:|---|\n");
        foreach (SamVariant variant in SamModels.All)
        {
            foreach (ModelFile file in variant.Files)
                table.Append($"| `{variant.Name}` | `{file.FileName}` | {file.Bytes?.ToString("N0", CultureInfo.InvariantCulture) ?? "–"} | {(file.Sha256 is { } hash ? $"`{hash[..16]}…`" : "–")} |\n");
        }

        table.Append("<!-- /model files -->");
        return Files().Replace(text, table.ToString());
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

    private static void Check(Func<string, string> make) => Array.ForEach(Pages, page => Check(page, make));

    private static void Check(string path, Func<string, string> make)
    {
        string found = File.Exists(path) ? File.ReadAllText(path).ReplaceLineEndings("\n") : "";
        string expected = make(found);
        if (found == expected) return;
        if (Environment.GetEnvironmentVariable("SEGMENTANYTHING_UPDATE_README") == "1") File.WriteAllText(path, expected);
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

    [GeneratedRegex("""<!-- program: \S+ -->\n```csharp\n""")]
    private static partial Regex Program();

    [GeneratedRegex("```(csharp|cs|c#)\n", RegexOptions.IgnoreCase)]
    private static partial Regex CSharp();

    [GeneratedRegex("""(?<!`)\]\(([^)\s]+)\)""")]
    private static partial Regex Link();

    [GeneratedRegex("<!-- speed: (.*?) -->.*?<!-- /speed -->", RegexOptions.Singleline)]
    private static partial Regex Speed();

    [GeneratedRegex("<!-- inspect -->.*?<!-- /inspect -->", RegexOptions.Singleline)]
    private static partial Regex Inspected();

    [GeneratedRegex("<!-- models -->.*?<!-- /models -->", RegexOptions.Singleline)]
    private static partial Regex Models();

    [GeneratedRegex("<!-- model files -->.*?<!-- /model files -->", RegexOptions.Singleline)]
    private static partial Regex Files();
}
