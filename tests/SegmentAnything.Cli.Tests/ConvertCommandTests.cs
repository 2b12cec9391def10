using SegmentAnything.Families.Sam1;
using SegmentAnything.ModelTests;
using SegmentAnything.Rle;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Cli.Tests;

[Collection(MobileSamCollection.Name)]
public sealed class ConvertCommandTests(MobileSam fixture) : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Output => Path.Combine(_folder.Path, "out");

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData]
    [InlineData("--float16")]
    [InlineData("--plain")]
    [InlineData("--plain", "--float16")]
    public async Task Convert_TinyCheckpoint_WritesAFolderThatLoads(params string[] options)
    {
        string checkpoint = WrittenCheckpoints.WriteTiny(_folder.Path);
        ToolRun run = await ToolRun.Run(["convert", checkpoint, "--out", Output, .. options]);

        Assert.Equal(0, run.Status);
        Assert.Contains("64x64 pixels, tried with one click (predicted IoU ", run.Output, StringComparison.Ordinal);
        Assert.Contains("image encoder: 50 %", run.Error, StringComparison.Ordinal);
        Assert.Equal(["decoder.onnx", "encoder.onnx"], Files(Output));
        Assert.Equal(["out", "tiny.pth"], Files(_folder.Path));
        using SamModel direct = SamModel.Load(checkpoint), converted = SamModel.Load(Output);
        using ImageEmbedding expected = direct.Encode(Scene.Pixels), found = converted.Encode(Scene.Pixels);
        float tolerance = options.Contains("--float16") ? 0.05f : 1e-4f;
        for (int i = 0; i < expected.Values.Length; i++) Assert.Equal(expected.Values[i], found.Values[i], tolerance);
    }

    [Fact]
    public async Task Convert_MobileSamsCheckpoint_SegmentsAsItsOnnxFiles()
    {
        ToolRun run = await ToolRun.Run("convert", WrittenCheckpoints.WriteMobileSam(_folder.Path), "--out", Output);

        Assert.Equal(0, run.Status);
        Assert.StartsWith("MobileSAM: 1024x1024 pixels", run.Output, StringComparison.Ordinal);
        using SamModel converted = SamModel.Load(Output);
        using ImageEmbedding embedding = converted.Encode(Scene.Pixels);
        Prompt prompt = Prompt.Point(150, 200);
        RleMask expected = fixture.Model.Predict(fixture.StillLife, prompt).Best.Mask, found = converted.Predict(embedding, prompt).Best.Mask;
        Assert.InRange(expected.IntersectionOverUnion(found), 0.999, 1);
    }

    [Fact]
    public async Task Convert_IntoAFolderThatExists_KeepsWhatElseIsThere()
    {
        Directory.CreateDirectory(Output);
        await File.WriteAllTextAsync(Path.Combine(Output, "notes.txt"), "mine", TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(Path.Combine(Output, "encoder.onnx"), "old", TestContext.Current.CancellationToken);

        ToolRun run = await ToolRun.Run("convert", WrittenCheckpoints.WriteTiny(_folder.Path), "--out", Output);

        Assert.Equal(0, run.Status);
        Assert.Equal(["decoder.onnx", "encoder.onnx", "notes.txt"], Files(Output));
        SamModel.Load(Output).Dispose();
    }

    [Theory]
    [InlineData("missing", "missing.pth")]
    [InlineData("text", "not a checkpoint")]
    [InlineData("truncated", "truncated")]
    [InlineData("onnx", "not a checkpoint")]
    [InlineData("half a model", "mask_decoder.")]
    public async Task Convert_BadInput_IsOneLineAndLeavesNothing(string what, string reason)
    {
        string checkpoint = Path.Combine(_folder.Path, "missing.pth");
        if (what != "missing")
        {
            byte[] bytes = await File.ReadAllBytesAsync(WrittenCheckpoints.WriteTiny(_folder.Path), TestContext.Current.CancellationToken);
            File.Delete(Path.Combine(_folder.Path, "tiny.pth"));
            checkpoint = Path.Combine(_folder.Path, "bad.pth");
            await File.WriteAllBytesAsync(checkpoint, what switch
            {
                "text" => "this is no model"u8.ToArray(),
                "truncated" => bytes[..(bytes.Length / 2)],
                "onnx" => ModelStore.Default.Find(SamModels.MobileSam).Read(ModelFileRole.Decoder).ToArray(),
                _ => TinyCheckpoint.Zip(EncoderAlone()),
            }, TestContext.Current.CancellationToken);
        }

        string[] before = Files(_folder.Path);
        ToolRun run = await ToolRun.Run("convert", checkpoint, "--out", Output);

        Assert.Equal((1, ""), (run.Status, run.Output));
        Assert.Contains(reason, run.ErrorLine, StringComparison.Ordinal);
        Assert.Equal(before, Files(_folder.Path));
    }

    [Fact]
    public async Task Convert_IntoAFile_IsRefusedBeforeTheWork()
    {
        await File.WriteAllTextAsync(Output, "mine", TestContext.Current.CancellationToken);
        ToolRun run = await ToolRun.Run("convert", WrittenCheckpoints.WriteTiny(_folder.Path), "--out", Output);
        Assert.Equal((1, ""), (run.Status, run.Output));
        Assert.Contains("is a file", run.ErrorLine, StringComparison.Ordinal);
        Assert.Equal("mine", await File.ReadAllTextAsync(Output, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Convert_WithoutAFolder_PointsToHelp()
    {
        ToolRun run = await ToolRun.Run("convert", "model.pth");
        Assert.Equal((2, ""), (run.Status, run.Output));
        Assert.Contains("--out", run.ErrorLine, StringComparison.Ordinal);
    }

    private static IEnumerable<TinyTensor> EncoderAlone()
    {
        using var encoder = new ModelTests.Graphs.RandomVit(new VitLayout(16, 4, 32, 2, 64, 256, [2, 4]));
        return [.. encoder.Tensors.Values.Select(t => new TinyTensor(t.Name, "float32", [.. t.Shape.Select(d => (long)d)], encoder.ReadAny(t.Name)))];
    }

    private static string[] Files(string folder) => [.. Directory.GetFileSystemEntries(folder).Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal)];
}
