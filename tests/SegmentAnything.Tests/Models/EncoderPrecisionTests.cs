using SegmentAnything.Checkpoints;
using SegmentAnything.Families;
using SegmentAnything.Graphs;
using SegmentAnything.Models;
using SegmentAnything.Tests.Pipeline;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.Models;

public sealed class EncoderPrecisionTests : IDisposable
{
    private static readonly SamOptions Int8 = new() { EncoderPrecision = EncoderPrecision.Int8 };

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Int8_OfACheckpoint_IsNearFloat32()
    {
        string path = Path.Combine(_folder.Path, "tiny.pth");
        File.WriteAllBytes(path, TinyCheckpoint.Zip(TinySam.Tensors(TinySam.Weights(seed: 31))));
        byte[] pixels = new byte[40 * 30 * 3];
        new Random(32).NextBytes(pixels);

        using SamModel float32 = SamModel.Load(path), int8 = SamModel.Load(path, Int8);
        using ImageEmbedding expected = float32.Encode(PixelBuffer.FromRgb24(pixels, 40, 30)), found = int8.Encode(PixelBuffer.FromRgb24(pixels, 40, 30));

        Assert.False(expected.Values.SequenceEqual(found.Values));
        double error = System.Numerics.Tensors.TensorPrimitives.Distance(expected.Values, found.Values) / System.Numerics.Tensors.TensorPrimitives.Norm(expected.Values);
        Assert.InRange(error, 1e-4, 0.05);
        Assert.Equal(3, int8.Predict(found, Prompt.Point(20, 15)).Count);
    }

    [Fact]
    public void Build_OfEachPrecision_HasAPlaceOfItsOwnAndIsKept()
    {
        StateDict weights = TinySam.Weights(seed: 33);
        string cache = Path.Combine(_folder.Path, "cache");
        string[] paths = [.. new[] { 0, Int8Matrix.LargestOf16BitSums, Int8Matrix.LargestOf32BitSums }.Select(Build)];
        DateTime[] written = [.. paths.Select(File.GetLastWriteTimeUtc)];

        Assert.Equal(3, paths.Distinct().Count());
        Assert.Equal(paths, new[] { 0, Int8Matrix.LargestOf16BitSums, Int8Matrix.LargestOf32BitSums }.Select(Build));
        Assert.Equal(written, paths.Select(File.GetLastWriteTimeUtc));

        string Build(int largest) => CheckpointModelBuilder.Build(
            ModelFamilies.Recognise(weights), cache, new CheckpointModelOptions { Form = EncoderForm.Tiled with { LargestInteger = largest } });
    }

    [Fact]
    public void Int8_OfAnOnnxFileThatIsNotKnown_SaysWhatToDo()
    {
        var error = Assert.Throws<ModelContractException>(() => ToyModel.Load(Int8));
        Assert.Contains("Int8", error.Message, StringComparison.Ordinal);
        Assert.Contains("Float32", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Int8_OnAnotherProvider_SaysWhatToDo()
    {
        var error = Assert.Throws<ExecutionProviderException>(
            () => ToyModel.Load(Int8 with { Execution = ExecutionOptions.For(new CudaProvider(), new CpuProvider()) }));
        Assert.Contains(new CudaProvider().Name, error.Message, StringComparison.Ordinal);
        Assert.Contains(nameof(CpuProvider), error.Message, StringComparison.Ordinal);
    }
}
