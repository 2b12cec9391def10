using System.Diagnostics;
using SegmentAnything.Imaging;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Cli.Tests;

/// <summary>Nothing is lost and nothing destroyed by where results are written. None of this needs weights.</summary>
public sealed class OutputTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Write_Device_WritesToIt_AndLeavesIt()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Devices have no paths there.");
        ResultFile.Write("/dev/null", "text", TextWriter.Null);
        Assert.Equal(FileKindOf("/dev/null"), FileKindOf("/dev/zero"));
        Assert.False(File.Exists("/dev/null") && new FileInfo("/dev/null").Length > 0);
    }

    [Fact]
    public async Task Write_Pipe_IsReadAtItsOtherEnd()
    {
        string pipe = Pipe();
        Task<string> read = Task.Run(() => File.ReadAllText(pipe));
        ResultFile.Write(pipe, "text", TextWriter.Null);
        Assert.Equal("text", await read);
        Assert.Equal([pipe], Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void Write_Link_IsFollowed_AndKeepsTheModeOfItsEnd()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Skip("Links need a privilege there.");
            return;
        }

        string target = At("folder/target.json"), link = At("link.json"), dangling = At("dangling.json");
        Directory.CreateDirectory(At("folder"));
        File.WriteAllText(target, "old");
        File.SetUnixFileMode(target, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
        File.CreateSymbolicLink(link, "folder/target.json");
        File.CreateSymbolicLink(dangling, "folder/new.json");

        ResultFile.Write(link, "new", TextWriter.Null);
        ResultFile.Write(dangling, "first", TextWriter.Null);

        Assert.Equal("folder/target.json", new FileInfo(link).LinkTarget);
        Assert.Equal("new", File.ReadAllText(target));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead, File.GetUnixFileMode(target));
        Assert.Equal("first", File.ReadAllText(At("folder/new.json")));
        Assert.Equal("folder/new.json", new FileInfo(dangling).LinkTarget);
    }

    [Fact]
    public void Write_LinkToItself_IsAnError()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Links need a privilege there.");
        File.CreateSymbolicLink(At("a"), "b");
        File.CreateSymbolicLink(At("b"), "a");
        Assert.Contains("leads to itself", Assert.Throws<IOException>(() => ResultFile.Write(At("a"), "x", TextWriter.Null)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Write_NameOf250Bytes_Works()
    {
        string path = At(new string('n', 245) + ".json");
        ResultFile.Write(path, "text", TextWriter.Null);
        Assert.Equal([path], Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void Write_AfterARunThatWasKilled_RemovesWhatItLeft_ButNotWhatIsBeingWritten()
    {
        string left = At($".segment-anything-{Guid.NewGuid():N}.part"), open = At($".segment-anything-{Guid.NewGuid():N}.part"), other = At("notes.part");
        foreach (string path in (string[])[left, open, other])
        {
            File.WriteAllText(path, "half");
            File.SetLastWriteTimeUtc(path, DateTime.UtcNow.AddMinutes(-1));
        }

        using FileStream held = new(open, FileMode.Open, FileAccess.Write, FileShare.None);
        ResultFile.Write(At("result.json"), "text", TextWriter.Null);
        Assert.False(File.Exists(left));
        Assert.True(File.Exists(open));
        Assert.True(File.Exists(other));
    }

    [Theory]
    [InlineData("overwrite the picture", "--overlay", "a.png")]
    [InlineData("overwrite the picture", "--json", "a.png")]
    [InlineData("overwrite the picture", "--overlay", "./sub/../a.png")]
    [InlineData("overwrite the picture", "--overlay", "link.png")]
    [InlineData("overwrite the picture", "--overlay", "linked/a.png")]
    [InlineData("same file", "--json", "x.png", "--overlay", "x.png")]
    [InlineData("same file", "--json", "x.png", "--overlay", "linked/x.png")]
    [InlineData("same file", "--json", "new.png", "--overlay", "x.png")]
    [InlineData("same place", "--json", "-", "--overlay", "/dev/stdout")]
    [InlineData("overwrite", "--json", "model.pth", "--model", "model.pth")]
    [InlineData(".png, .jpg or .jpeg", "--overlay", "x.webp")]
    public async Task Segment_OutputThatIsAnInputOrAnotherOutput_IsRefused(string expected, params string[] options)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Links need a privilege there.");
        string picture = Picture("a.png");
        Directory.CreateDirectory(At("sub"));
        File.WriteAllText(At("model.pth"), "weights");
        File.CreateSymbolicLink(At("link.png"), "a.png");
        File.CreateSymbolicLink(At("linked"), ".");
        File.CreateSymbolicLink(At("new.png"), "x.png");
        byte[] before = File.ReadAllBytes(picture);

        ToolRun run = await ToolRun.Run(["segment", picture, "--point", "1,2", .. options.Select(o => o[0] is '-' or '/' ? o : At(o))]);

        Assert.Equal((2, ""), (run.Status, run.Output));
        Assert.Contains(expected, run.ErrorLine, StringComparison.Ordinal);
        Assert.Equal(before, File.ReadAllBytes(picture));
    }

    [Fact]
    public async Task Everything_OutThroughALink_DoesNotOverwriteThePicture()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Links need a privilege there.");
        string picture = Picture("a.png");
        File.CreateSymbolicLink(At("out"), ".");
        ToolRun run = await ToolRun.Run("everything", picture, "--out", At("out"));
        Assert.Equal(2, run.Status);
        Assert.Contains("overwrite", run.ErrorLine, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Name_ThatBeginsWithAt_IsAFile()
    {
        string options = At("options.jpg"), name = At("@options.jpg");
        File.WriteAllText(options, "--help");
        File.WriteAllText(name, "--help");
        ToolRun run = await ToolRun.Run("segment", "@" + options, "--point", "1,2");
        Assert.Equal((1, ""), (run.Status, run.Output));
        Assert.Contains($"@{options}: there is no such file", run.ErrorLine, StringComparison.Ordinal);
        Assert.Contains("is not an image", (await ToolRun.Run("segment", name, "--point", "1,2")).ErrorLine, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("segment", "segmnt")]
    [InlineData("everything", "everthing", "x.png")]
    [InlineData("--overlay", "segment", "x.png", "--overaly", "y.png")]
    [InlineData("--point", "segment", "x.png", "--pont", "1,2")]
    public async Task Word_ThatWasMistyped_IsGivenItsNearest(string expected, params string[] args)
    {
        ToolRun run = await ToolRun.Run(args);
        Assert.Equal(2, run.Status);
        Assert.Contains($"Did you mean {expected}?", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("System.", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Name_WithTerminalSequences_IsShown_NotSent()
    {
        const string name = "evil\u001b]0;title\u0007\u009b2J\u202e.png";
        ToolRun run = await ToolRun.Run("segment", At(name), "--point", "1,2");
        Assert.Equal(1, run.Status);
        Assert.Contains(@"evil\x1B]0;title\x07\x9B2J\u202E.png", run.ErrorLine, StringComparison.Ordinal);
        Assert.DoesNotContain(run.Error + run.Output, c => char.IsControl(c) && c != '\n');

        string folder = Directory.CreateDirectory(At("pictures")).FullName;
        Picture("pictures/a.png");
        File.WriteAllText(Path.Combine(folder, "b\u001b[31m\nerror: x.txt"), "passed over");
        run = await ToolRun.Run("everything", folder, "--out", At("out"), "--model", "no-such-model");
        Assert.DoesNotContain('\u001b', run.Error);
        Assert.Contains(@"b\x1B[31m\x0Aerror: x.txt", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/dev/zero", "device")]
    [InlineData("/dev/null", "device")]
    [InlineData("pipe", "pipe")]
    public async Task Picture_OrModelThatIsNoFile_EndsQuickly(string path, string expected)
    {
        string special = path == "pipe" ? Pipe() : path;
        foreach (string[] args in (string[][])[["segment", special, "--point", "1,2"], ["segment", Picture("p.png"), "--point", "1,2", "--model", special], ["inspect", special], ["verify", special]])
        {
            Task<ToolRun> run = Task.Run(() => ToolRun.Run(args));
            Assert.Same(run, await Task.WhenAny(run, Task.Delay(TimeSpan.FromSeconds(20))));
            Assert.Equal(1, (await run).Status);
            Assert.Contains(expected, (await run).ErrorLine, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Verify_ReadsEveryWeight()
    {
        byte[] file = TinyCheckpoint.Safetensors([new TinyTensor("weight", "float32", [2L, 2L], [1, 2, 3, 4])]);
        await File.WriteAllBytesAsync(At("model.safetensors"), file, TestContext.Current.CancellationToken);
        ToolRun run = await ToolRun.Run("verify", _folder.Path);
        Assert.Equal(0, run.Status);
        Assert.Contains("every weight finite", run.Output, StringComparison.Ordinal);

        BitConverter.GetBytes(float.NaN).CopyTo(file, file.Length - sizeof(float));
        await File.WriteAllBytesAsync(At("model.safetensors"), file, TestContext.Current.CancellationToken);
        foreach (string command in (string[])["verify", "inspect"])
        {
            run = await ToolRun.Run(command, At("model.safetensors"));
            Assert.Equal(1, run.Status);
            Assert.Contains("'weight'", run.ErrorLine, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("INT", 130, false)]
    [InlineData("TERM", 143, false)]
    [InlineData("TERM", 75, true)]
    public async Task Signal_EndsTheProcess_WithItsStatus(string signal, int expected, bool resumable)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Signals are not there.");
        string folder = Directory.CreateDirectory(At("in")).FullName;
        for (int i = 0; i < (resumable ? 40 : 1); i++) Picture($"in/{i}.png");
        string[] command = ["dotnet", Path.Combine(AppContext.BaseDirectory, "segment-anything.dll"), "everything", folder, "--out", At("out"), "--points-per-side", resumable ? "4" : "300"];
        // What a shell starts in the background ignores SIGINT, and so does all that this starts.
        if (OperatingSystem.IsLinux()) command = ["env", "--default-signal=INT,TERM", .. command];
        ProcessStartInfo start = new(command[0], command[1..]) { RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        string record = Path.Combine(At("out"), ".segment-anything.jsonl");
        for (int i = 0; i < 600 && (resumable ? !File.Exists(record) : !Directory.Exists(At("out"))) && !process.HasExited; i++) await Task.Delay(100, TestContext.Current.CancellationToken);
        await Task.Delay(resumable ? 0 : 1500, TestContext.Current.CancellationToken);
        using (Process kill = Process.Start("kill", ["-s", signal, $"{process.Id}"])) await kill.WaitForExitAsync(TestContext.Current.CancellationToken);
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        try
        {
            await process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            Assert.Fail($"The process went on for two minutes after SIG{signal}.");
        }

        string said = await error;
        Assert.True(process.ExitCode == expected, $"{process.ExitCode}: {said}");
        Assert.Contains("error: cancelled", said, StringComparison.Ordinal);
        if (resumable) Assert.Contains("--resume", said, StringComparison.Ordinal);
        Assert.DoesNotContain(Directory.GetFiles(At("out")), path => path.EndsWith(".part", StringComparison.Ordinal));
    }

    private string At(string name) => Path.Combine(_folder.Path, name);

    private string Pipe()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Pipes have no paths there.");
        string pipe = At("pipe");
        using Process make = Process.Start("mkfifo", [pipe]);
        make.WaitForExit();
        return pipe;
    }

    private static FileAttributes FileKindOf(string path) => File.GetAttributes(path);

    private string Picture(string name)
    {
        string path = At(name);
        ImageFile.SavePng(path, StillLife.Image.Pixels, StillLife.Width, StillLife.Height);
        return path;
    }
}
