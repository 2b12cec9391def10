using System.Diagnostics;
using SegmentAnything.Imaging;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Cli.Tests;

/// <summary>What the tool says when it cannot do what is asked: none of this needs weights.</summary>
public sealed class ToolErrorTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("segment", "picture.png")]
    [InlineData("segment", "--point", "1,2")]
    [InlineData("segment", "picture.png", "--point", "1")]
    [InlineData("segment", "picture.png", "--point", "1,2,3")]
    [InlineData("segment", "picture.png", "--point", "1,nan")]
    [InlineData("segment", "picture.png", "--box", "1,2,3")]
    [InlineData("segment", "picture.png", "--box", "1,2,3,x")]
    [InlineData("segment", "picture.png", "--point", "1,2", "--single", "--multimask")]
    [InlineData("segment", "picture.png", "--point", "1,2", "--no-such-option")]
    [InlineData("no-such-command")]
    public async Task CommandLine_ThatIsWrong_EndsWithTwoAndPointsToHelp(params string[] args)
    {
        ToolRun run = await ToolRun.Run(args);

        Assert.Equal((2, ""), (run.Status, run.Output));
        Assert.StartsWith("error: ", run.Error, StringComparison.Ordinal);
        Assert.Contains("--help", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--model", "no-such-model", 1)]
    [InlineData("--provider", "cpu:many", 2)]
    [InlineData("--provider", "cpu:9999", 2)]
    [InlineData("--provider", "onnx-cpu:9999", 2)]
    [InlineData("--provider", ":1", 2)]
    public async Task Option_OfUnknownValue_IsAnErrorThatRepeatsTheValue(string option, string value, int status)
    {
        ToolRun run = await ToolRun.Run("segment", Picture(), "--point", "1,2", option, value);

        Assert.Equal((status, ""), (run.Status, run.Output));
        Assert.Contains($"'{value}'", run.ErrorLine, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Help_ListsTheCommands()
    {
        ToolRun run = await ToolRun.Run("--help");

        Assert.Equal(0, run.Status);
        Assert.Contains("segment", run.Output, StringComparison.Ordinal);
        Assert.Contains("demo", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Picture_ThatIsMissing_IsOneLine()
    {
        ToolRun run = await ToolRun.Run("segment", Path.Combine(_folder.Path, "none.jpg"), "--point", "1,2");

        Assert.Equal((1, ""), (run.Status, run.Output));
        Assert.EndsWith("none.jpg: there is no such file.", run.ErrorLine, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Picture_ThatIsTruncated_IsOneLine()
    {
        string path = Picture();
        byte[] file = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
        await File.WriteAllBytesAsync(path, file[..(file.Length / 2)], TestContext.Current.CancellationToken);

        ToolRun run = await ToolRun.Run("segment", path, "--point", "1,2");

        Assert.Equal((1, ""), (run.Status, run.Output));
        Assert.Contains("truncated or damaged", run.ErrorLine, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ModelFolder_ThatIsEmpty_IsOneLineThatNamesIt()
    {
        string folder = Path.Combine(_folder.Path, "empty model");
        Directory.CreateDirectory(folder);

        ToolRun run = await ToolRun.Run("segment", Picture(), "--point", "1,2", "--model", folder);

        Assert.Equal((1, ""), (run.Status, run.Output));
        Assert.Contains("empty model", run.ErrorLine, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Model_ThatCannotBeDownloaded_IsOneLineThatSaysWhatToDo_AndNotToRunTheSameAgain()
    {
        ToolRun run = await RunProcess(new()
        {
            ["SEGMENTANYTHING_MODELS"] = _folder.Path,
            ["XDG_CACHE_HOME"] = _folder.Path,
            ["HOME"] = _folder.Path,
            ["SEGMENTANYTHING_MIRROR"] = "nowhere",
        }, "download");

        Assert.Equal((1, ""), (run.Status, run.Output));
        Assert.Contains("SEGMENTANYTHING_MIRROR", run.ErrorLine, StringComparison.Ordinal);
        Assert.DoesNotContain("segment-anything download", run.ErrorLine, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Libvips_ThatIsMissing_IsOneLineThatNamesThePackages()
    {
        ToolRun run = await RunProcess(
            new() { ["SEGMENTANYTHING_LIBVIPS"] = Path.Combine(_folder.Path, "libvips.so.42") }, "segment", Picture(), "--point", "1,2");

        Assert.Equal((1, ""), (run.Status, run.Output));
        Assert.Contains("apt-get install libvips42", run.ErrorLine, StringComparison.Ordinal);
        Assert.Contains("brew install vips", run.ErrorLine, StringComparison.Ordinal);
    }

    private static async Task<ToolRun> RunProcess(Dictionary<string, string> environment, params string[] args)
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "segment-anything.dll"), .. args])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach ((string name, string value) in environment) start.Environment[name] = value;
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(cancellation), error = process.StandardError.ReadToEndAsync(cancellation);
        await process.WaitForExitAsync(cancellation);
        return new ToolRun(process.ExitCode, await output, await error);
    }

    private string Picture()
    {
        string path = Path.Combine(_folder.Path, "picture.png");
        ImageFile.SavePng(path, StillLife.Image.Pixels, StillLife.Width, StillLife.Height);
        return path;
    }
}
