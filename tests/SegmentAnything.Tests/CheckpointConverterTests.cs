using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests;

public sealed class CheckpointConverterTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("segment-anything-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(false, true)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    public void Convert_ACheckpoint_GivesAFolderThatPredictsTheSame(bool half, bool forProcessor)
    {
        string checkpoint = Path.Combine(_folder, "tiny.pth"), output = Path.Combine(_folder, "converted");
        File.WriteAllBytes(checkpoint, TinyCheckpoint.Zip(TinySam.Tensors(TinySam.Weights(seed: 1))));
        List<float> shares = [];

        ConvertedModel converted = CheckpointConverter.Convert(
            checkpoint, output, new CheckpointConversionOptions { Float16 = half, ForProcessor = forProcessor }, new Collect(shares));

        Assert.Equal(["decoder.onnx", "encoder.onnx"], converted.Files);
        Assert.Equal(1, shares[^1]);
        Assert.Equal(["converted", "tiny.pth"], Directory.GetFileSystemEntries(_folder).Select(Path.GetFileName).Order());
        using SamModel direct = SamModel.Load(checkpoint), folder = SamModel.Load(output);
        float[] expected = Logits(direct), found = Logits(folder);
        float largest = expected.Max(MathF.Abs), difference = expected.Zip(found, (a, b) => MathF.Abs(a - b)).Max();
        Assert.True(difference <= largest * (half ? 0.1f : 1e-4f), $"{difference} of {largest}");
    }

    [Fact]
    public void Convert_OneThatIsNoModel_LeavesNothing()
    {
        string checkpoint = Path.Combine(_folder, "other.pth");
        File.WriteAllBytes(checkpoint, TinyCheckpoint.Zip([new("backbone.weight", "float32", [2], [1, 2])]));
        Assert.Throws<CheckpointException>(() => CheckpointConverter.Convert(checkpoint, Path.Combine(_folder, "out")));
        Assert.Equal(["other.pth"], Directory.GetFileSystemEntries(_folder).Select(Path.GetFileName));
    }

    [Fact]
    public void Convert_WeightsThatAreNotNumbers_FailTheSelfCheck()
    {
        string checkpoint = Path.Combine(_folder, "nan.pth");
        TinyTensor[] tensors = TinySam.Tensors(TinySam.Weights(seed: 2));
        Array.Fill(tensors.Single(t => t.Name == "mask_decoder.iou_token.weight").Values, float.NaN);
        File.WriteAllBytes(checkpoint, TinyCheckpoint.Zip(tensors));
        var error = Assert.Throws<CheckpointException>(() => CheckpointConverter.Convert(checkpoint, Path.Combine(_folder, "out")));
        Assert.Contains("NaN", error.Message, StringComparison.Ordinal);
        Assert.Equal(["nan.pth"], Directory.GetFileSystemEntries(_folder).Select(Path.GetFileName));
    }

    private static float[] Logits(SamModel sam)
    {
        byte[] pixels = new byte[40 * 30 * 3];
        new Random(4).NextBytes(pixels);
        using ImageEmbedding embedding = sam.Encode(PixelBuffer.FromRgb24(pixels, 40, 30));
        return sam.Predict(embedding, Prompt.Point(20, 15), MaskSelection.Single)[0].LowResLogits.ToArray();
    }

    private sealed class Collect(List<float> shares) : IProgress<float>
    {
        public void Report(float value) => shares.Add(value);
    }
}
