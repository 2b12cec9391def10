using System.Diagnostics;
using SegmentAnything.Imaging;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Cli.Tests;

/// <summary>The tool in a process of its own, from a copy of its files that lacks ONNX Runtime's native library.</summary>
public sealed class WithoutOnnxRuntimeTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string _tool, _picture;

    public WithoutOnnxRuntimeTests()
    {
        string tool = Path.Combine(_folder.Path, "tool");
        int left = 0;
        foreach (string file in Directory.EnumerateFiles(AppContext.BaseDirectory, "*", SearchOption.AllDirectories))
        {
            string name = Path.GetFileName(file), copy = Path.Combine(tool, Path.GetRelativePath(AppContext.BaseDirectory, file));
            if (name.Contains("onnxruntime", StringComparison.Ordinal))
            {
                left++;
                continue;
            }

            // The managed part and what only tests need stay: nothing of the first is touched.
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }

        Assert.True(left > 0, "There is no native library of ONNX Runtime beside the tool that could be left out.");
        _tool = Path.Combine(tool, "segment-anything.dll");
        _picture = Path.Combine(_folder.Path, "still life.png");
        ImageFile.SavePng(_picture, StillLife.Image.Pixels, StillLife.Width, StillLife.Height);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task MobileSam_OnTheCpu_GivesTheSameMasks()
    {
        // A point, a box and a refinement by a mask; points and boxes as JSON; every object.
        foreach (string[] args in (string[][])[
            ["demo", _picture, "--output", _folder.Path],
            ["segment", _picture, "--point", "163,317", "--box", "524,328,644,538"],
            ["everything", _picture, "--points-per-side", "6"]])
        {
            ToolRun here = await ToolRun.Run(args), there = await Start(args);
            Assert.True(there.Status == 0, there.Error);
            Assert.NotEmpty(here.Output);
            Assert.Equal(here.Output, there.Output);
        }
    }

    [Fact]
    public async Task OnnxRuntime_ThatIsAskedFor_IsOneLineThatNamesThePackage()
    {
        ToolRun run = await Start("segment", _picture, "--point", "163,317", "--provider", "onnx-cpu");
        Assert.Equal((1, ""), (run.Status, run.Output));
        Assert.Contains("Microsoft.ML.OnnxRuntime for the processor", run.ErrorLine, StringComparison.Ordinal);
    }

    [Fact]
    public async Task OnnxCpu_GivesTheSameObject()
    {
        ToolRun own = await ToolRun.Run("demo", "--output", _folder.Path), graphs = await ToolRun.Run("demo", "--output", _folder.Path, "--provider", "onnx-cpu:2");
        Assert.Equal((0, 0), (own.Status, graphs.Status));
        Assert.Equal(5, Ious(own).Length);
        Assert.Equal(Ious(own), Ious(graphs));

        // IoUs with the true mug, in digits that float noise does not reach.
        static string[] Ious(ToolRun run) => [.. run.Output.Split('\n', StringSplitOptions.TrimEntries)
            .Where(l => l.Contains(".png ", StringComparison.Ordinal) && char.IsAsciiDigit(l[^1])).Select(l => l.Split(' ')[^1])];
    }

    private async Task<ToolRun> Start(params string[] args)
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        var start = new ProcessStartInfo("dotnet", [_tool, .. args]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(cancellation), error = process.StandardError.ReadToEndAsync(cancellation);
        await process.WaitForExitAsync(cancellation);
        return new ToolRun(process.ExitCode, await output, await error);
    }
}
