using SegmentAnything.ModelTests;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Cli.Tests;

public sealed class InspectCommandTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Inspect_SeveralFiles_DescribesEach()
    {
        ModelFiles files = ModelStore.Default.Find(SamModels.MobileSam);
        string checkpoint = WrittenCheckpoints.WriteMobileSam(_folder.Path);
        ToolRun run = await ToolRun.Run("inspect", checkpoint, files.FindPath(ModelFileRole.Encoder)!, files.FindPath(ModelFileRole.Decoder)!);

        Assert.Equal((0, ""), (run.Status, run.Error));
        string[] parts = run.Output.Split(Path.GetDirectoryName(files.FindPath(ModelFileRole.Encoder))!);
        Assert.Equal(3, parts.Length);
        Assert.Contains("a checkpoint of MobileSAM", parts[0], StringComparison.Ordinal);
        Assert.Contains("an image encoder of MobileSAM", parts[1], StringComparison.Ordinal);
        Assert.Contains("ONNX, official export", parts[2], StringComparison.Ordinal);
        Assert.All(parts, part => Assert.Contains("can be run  yes", part, StringComparison.Ordinal));
        Assert.All(parts[..2], part => Assert.Contains("1024x1024 pixels, the longer side scaled and the rest padded", part, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Inspect_AFileThatIsMissing_StillDescribesTheOthers()
    {
        string checkpoint = WrittenCheckpoints.WriteTiny(_folder.Path);
        ToolRun run = await ToolRun.Run("inspect", Path.Combine(_folder.Path, "none.pth"), checkpoint);

        Assert.Equal(1, run.Status);
        Assert.Contains("none.pth", run.ErrorLine, StringComparison.Ordinal);
        Assert.StartsWith(checkpoint, run.Output, StringComparison.Ordinal);
        Assert.Contains("SAM, ViT of 2 blocks with 32 channels", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Inspect_SomethingElse_SaysWhatItIsNot()
    {
        string path = Path.Combine(_folder.Path, "photo.jpg");
        await File.WriteAllBytesAsync(path, [0xFF, 0xD8, 0xFF, 0xE0, 1, 2, 3, 4], TestContext.Current.CancellationToken);
        ToolRun run = await ToolRun.Run("inspect", path);
        Assert.Equal((0, ""), (run.Status, run.Error));
        Assert.Contains("nothing that is known here", run.Output, StringComparison.Ordinal);
        Assert.Contains("can be run  no", run.Output, StringComparison.Ordinal);
    }
}
