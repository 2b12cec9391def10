using SegmentAnything.TestSupport;
using YamlDotNet.RepresentationModel;

namespace SegmentAnything.Tests.Repository;

/// <summary>The workflows run scripts of this repository and nothing else, so that what they do can be done anywhere.</summary>
public class WorkflowTests
{
    private static string Folder => Path.Combine(TestPaths.Repository, ".github");

    /// <summary>Every YAML file in .github, with slashes.</summary>
    public static TheoryData<string> Files =>
        [.. Directory.EnumerateFiles(Folder, "*.yml", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(Folder, f).Replace('\\', '/')).Order()];

    [Theory]
    [MemberData(nameof(Files))]
    public void File_IsAYamlMapping(string file) => Assert.NotEmpty(Load(file).Children);

    [Fact]
    public void Steps_RunScriptsThatAreHere()
    {
        int scripts = 0;
        foreach (string file in Files.Select(row => row.Data).Where(f => f.StartsWith("workflows/", StringComparison.Ordinal)))
        {
            foreach (string line in Runs(Load(file)).SelectMany(run => run.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)))
            {
                string script = line.Split(' ')[0], path = Path.Combine(TestPaths.Repository, script);
                Assert.True(script.EndsWith(".sh", StringComparison.Ordinal) && File.Exists(path),
                    $"{file} runs '{line}', which does not begin with a script of this repository.");
                if (!OperatingSystem.IsWindows())
                    Assert.True(File.GetUnixFileMode(path).HasFlag(UnixFileMode.UserExecute), $"{file} runs {script}, which is not executable.");
                scripts++;
            }
        }

        Assert.NotEqual(0, scripts);
    }

    private static YamlMappingNode Load(string file)
    {
        using StreamReader reader = File.OpenText(Path.Combine(Folder, file));
        var yaml = new YamlStream();
        yaml.Load(reader);
        return Assert.IsType<YamlMappingNode>(Assert.Single(yaml.Documents).RootNode);
    }

    // The text of each "run", wherever it stands; "defaults" has a mapping of that name.
    private static IEnumerable<string> Runs(YamlNode node) => node switch
    {
        YamlMappingNode mapping => mapping.Children.SelectMany(pair =>
            pair is { Key: YamlScalarNode { Value: "run" }, Value: YamlScalarNode { Value: { } text } } ? [text] : Runs(pair.Value)),
        YamlSequenceNode sequence => sequence.Children.SelectMany(Runs),
        _ => [],
    };
}
