using System.Runtime.InteropServices;
using System.Text.Json;
using Microsoft.ML.OnnxRuntime;
using SegmentAnything.Checkpoints;
using SegmentAnything.Encoders;
using SegmentAnything.Families;
using SegmentAnything.Families.Sam1;
using SegmentAnything.Graphs;
using SegmentAnything.Loading;
using SegmentAnything.Models;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.Models;

public sealed class CheckpointModelTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Of_AWholeModel_FindsItsSizes()
    {
        var model = (Sam1Model)TinySam.Model(seed: 1);
        SamVariant variant = OpenedModel.VariantOf(model);
        Assert.Equal(TinySam.Layout with { Windows = model.Vit!.Windows }, model.Vit);
        Assert.Equal((64, 4, 32), (variant.ImageSize, variant.EmbeddingGrid, variant.EmbeddingChannels));
        Assert.Equal((4, 16, 3), (model.Masks.Tokens, model.LowResSize, model.Capabilities.MultipleMasks));
    }

    [Theory]
    [InlineData("image_encoder.", "no image encoder")]
    [InlineData("mask_decoder.", "mask_decoder.")]
    [InlineData("prompt_encoder.", "prompt_encoder.")]
    public void Of_AModelThatLacksAPart_SaysWhich(string part, string expected)
    {
        StateDict weights = TinySam.Weights(seed: 2);
        StateDict without = weights.CopyOf([.. weights.Tensors.Keys.Where(n => !n.StartsWith(part, StringComparison.Ordinal))]);
        Assert.Contains(expected, Assert.Throws<CheckpointException>(() => ModelFamilies.Recognise(without)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_ACheckpoint_SimplyWorks()
    {
        StateDict weights = TinySam.Weights(seed: 3);
        string path = Write("tiny.pth", TinyCheckpoint.Zip(TinySam.Tensors(weights)));
        using SamModel sam = SamModel.Load(path);
        byte[] pixels = new byte[40 * 30 * 3];
        new Random(4).NextBytes(pixels);

        using ImageEmbedding embedding = sam.Encode(PixelBuffer.FromRgb24(pixels, 40, 30));
        MaskPrediction masks = sam.Predict(embedding, Prompt.Point(20, 15));

        Assert.Equal(("tiny", 64), (sam.Variant.Name, sam.Variant.ImageSize));
        Assert.Equal(3, masks.Count);
        Assert.Equal((40, 30), (masks[0].Mask.Width, masks[0].Mask.Height));
    }

    [Theory]
    [InlineData("tiny_a", "tiny_a.pth")]
    [InlineData("tiny_b", "tiny_b.pth")]
    [InlineData("tiny_b", "tiny_b.legacy.pth")]
    [InlineData("tiny_b", "tiny_b.safetensors")]
    public void Load_GoldenTinyCheckpoint_EncodesPixelsAsTheOfficialCode(string model, string file)
    {
        string golden = TestPaths.RequireGolden("tiny", model);
        using JsonDocument manifest = JsonDocument.Parse(File.ReadAllText(Path.Combine(golden, "manifest.json")));
        int[] size = [.. manifest.RootElement.GetProperty("original_size_hw").EnumerateArray().Select(e => e.GetInt32())];
        byte[] pixels = File.ReadAllBytes(Path.Combine(golden, "image_rgb.u8.bin"));
        double[] expected = [.. MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(Path.Combine(golden, "embedding.f32.bin"))).ToArray().Select(v => (double)v)];

        using SamModel sam = SamModel.Load(Path.Combine(golden, file));
        using ImageEmbedding embedding = sam.Encode(PixelBuffer.FromRgb24(pixels, size[1], size[0]));

        double difference = EncoderRunner.MaxDifference(embedding.Values, expected);
        TestContext.Current.TestOutputHelper?.WriteLine($"{file}: the embedding differs by {difference:e1} of {expected.Max(v => Math.Abs(v)):0.0}");
        Assert.True(difference < 1e-4, $"{difference}");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Build_ASecondTime_TakesWhatIsThere(bool half)
    {
        using StateDict weights = CheckpointReader.Open(Write("tiny.pth", TinyCheckpoint.Zip(TinySam.Tensors(TinySam.Weights(seed: 5)))));
        var options = new EncoderBuildOptions { Half = half };
        string path = EncoderCache.Build(ModelFamilies.Recognise(weights), Cache, options);
        DateTime written = File.GetLastWriteTimeUtc(path);

        Assert.Equal(path, EncoderCache.Build(ModelFamilies.Recognise(weights), Cache, options));
        Assert.Equal(written, File.GetLastWriteTimeUtc(path));
        Assert.NotEqual(path, EncoderCache.Build(ModelFamilies.Recognise(weights), Cache, options with { Half = !half }));
        Assert.NotEqual(path, EncoderCache.Build(ModelFamilies.Recognise(weights), Cache, options with { Form = EncoderForm.Plain }));
    }

    [Fact]
    public void Build_OtherContentsUnderTheSameName_IsAnotherModel()
    {
        string file = Write("tiny.pth", TinyCheckpoint.Zip(TinySam.Tensors(TinySam.Weights(seed: 6))));
        string first, second;
        using (StateDict weights = CheckpointReader.Open(file)) first = EncoderCache.Build(ModelFamilies.Recognise(weights), Cache);
        Write("tiny.pth", TinyCheckpoint.Zip(TinySam.Tensors(TinySam.Weights(seed: 7))));
        File.SetLastWriteTimeUtc(file, DateTime.UtcNow.AddSeconds(10));
        using (StateDict weights = CheckpointReader.Open(file)) second = EncoderCache.Build(ModelFamilies.Recognise(weights), Cache);
        Assert.NotEqual(first, second);
    }

    [Fact]
    public void Build_OtherContentsOfTheSameLengthAndTime_IsAnotherModel()
    {
        byte[] one = TinyCheckpoint.Zip(TinySam.Tensors(TinySam.Weights(seed: 6))), other = TinyCheckpoint.Zip(TinySam.Tensors(TinySam.Weights(seed: 7)));
        Assert.Equal(one.Length, other.Length);
        string file = Write("tiny.pth", one);
        DateTime time = new(2024, 5, 1, 12, 0, 0, DateTimeKind.Utc);
        File.SetLastWriteTimeUtc(file, time);
        string first, second, third;
        using (StateDict weights = CheckpointReader.Open(file)) first = EncoderCache.Build(ModelFamilies.Recognise(weights), Cache);
        // In place: not even the file's number changes.
        using (FileStream stream = File.OpenWrite(file)) stream.Write(other);
        File.SetLastWriteTimeUtc(file, time);
        using (StateDict weights = CheckpointReader.Open(file)) second = EncoderCache.Build(ModelFamilies.Recognise(weights), Cache);
        Assert.NotEqual(first, second);
        using (FileStream stream = File.OpenWrite(file)) stream.Write(one);
        File.SetLastWriteTimeUtc(file, time);
        using (StateDict weights = CheckpointReader.Open(file)) third = EncoderCache.Build(ModelFamilies.Recognise(weights), Cache);
        Assert.Equal(first, third);
    }

    [Theory]
    [InlineData(EncoderCache.EncoderFileName)]
    [InlineData("content.sha256")]
    public void Build_FileThatWasChangedSince_IsBuiltAgain_AndSaidSo(string name)
    {
        using StateDict weights = CheckpointReader.Open(Write("tiny.pth", TinyCheckpoint.Zip(TinySam.Tensors(TinySam.Weights(seed: 12)))));
        List<string> said = [];
        EncoderBuildOptions options = new() { Notices = new Notices(said) };
        string path = EncoderCache.Build(ModelFamilies.Recognise(weights), Cache, options), changed = Path.Combine(Path.GetDirectoryName(path)!, name);
        byte[] before = File.ReadAllBytes(path), bytes = File.ReadAllBytes(changed);
        DateTime time = File.GetLastWriteTimeUtc(changed);
        Assert.Empty(said);
        bytes[bytes.Length / 2] ^= 1;
        File.WriteAllBytes(changed, bytes);
        File.SetLastWriteTimeUtc(changed, time);

        Assert.NotNull(EncoderCache.ProblemOf(Path.GetDirectoryName(path)!, null, default));
        Assert.Equal(path, EncoderCache.Build(ModelFamilies.Recognise(weights), Cache, options));
        Assert.Contains("built again", Assert.Single(said), StringComparison.Ordinal);
        Assert.Equal(before, File.ReadAllBytes(path));
        Assert.Equal(path, EncoderCache.Build(ModelFamilies.Recognise(weights), Cache, options));
        Assert.Single(said);
    }

    private sealed class Notices(List<string> said) : IProgress<string>
    {
        public void Report(string value) => said.Add(value);
    }

    [Fact]
    public void Build_FromEightThreadsAtOnce_LeavesOneWholeModel()
    {
        StateDict weights = TinySam.Weights(seed: 8);
        string[] paths = new string[8];
        Parallel.For(0, 8, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i => paths[i] = EncoderCache.Build(ModelFamilies.Recognise(weights), Cache));
        Assert.Single(paths.Distinct());
        using var session = new InferenceSession(paths[0]);
        Assert.Single(Directory.GetDirectories(Cache), folder => Path.GetFileName(folder) != "hashes");
    }

    [Fact]
    public void Build_ThatFailsOrIsCancelled_LeavesNothing()
    {
        StateDict weights = TinySam.Weights(seed: 9);
        StateDict broken = weights.CopyOf([.. weights.Tensors.Keys.Where(n => n != "image_encoder.neck.3.bias")]);
        Assert.Throws<CheckpointException>(() => EncoderCache.Build(ModelFamilies.Recognise(broken), Cache));
        Assert.Throws<OperationCanceledException>(() => EncoderCache.Build(ModelFamilies.Recognise(weights), Cache, null, new CancellationToken(canceled: true)));
        Assert.Empty(Directory.Exists(Cache) ? Directory.GetDirectories(Cache) : []);
    }

    private string Cache => Path.Combine(_folder.Path, "cache");

    private string Write(string name, byte[] bytes)
    {
        string path = Path.Combine(_folder.Path, name);
        File.WriteAllBytes(path, bytes);
        return path;
    }
}
