using System.Numerics.Tensors;
using SegmentAnything.Checkpoints;
using SegmentAnything.Encoders;
using SegmentAnything.Execution;
using SegmentAnything.Families.Sam1;
using SegmentAnything.Graphs;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.Families.Sam1;

public class TinyVitEncoderGraphTests
{
    // float32 sums of a few hundred terms, against double.
    private const double Tolerance = 5e-5;

    // Padded windows, windows that fit, a window larger than the picture; steps that shrink and one that does not.
    private static readonly TinyVitLayout Layout = new(64, 6,
        [new(8, 2, 0, 0, 24, 2), new(12, 1, 3, 3, 20, 2), new(16, 2, 2, 5, 32, 1), new(320, 1, 10, 2, 24, 0)], 8);

    [Fact]
    public void Layout_OfRandomWeights_IsRecognised()
    {
        TinyVitLayout found = TinyVitLayout.Of(PlainTinyVit.RandomWeights(Layout, seed: 1), imageSize: 64);
        Assert.Equal(Layout.Stages, found.Stages);
        Assert.Equal(Layout with { Stages = found.Stages }, found);
        Assert.Equal(4, found.Grid);
    }

    [Theory]
    [InlineData("plain", 0)]
    [InlineData("tiled", 1 << 20)]
    [InlineData("tiled", 100)]
    [InlineData("tiled", 3000)]
    public void Build_RandomWeights_EqualsPlainLoops(string form, int values)
    {
        StateDict weights = PlainTinyVit.RandomWeights(Layout, seed: 2);
        float[] image = EncoderRunner.RandomImage(Layout.ImageSize, seed: 3);
        EncoderForm encoderForm = form == "plain" ? EncoderForm.Plain : EncoderForm.Tiled with { ValuesOfPart = values, ValuesOfStrip = values, ValuesOfFirstStrip = values };

        float[] embedding = EncoderRunner.Run(TinyVitEncoderGraph.Build(weights, form: encoderForm, imageSize: Layout.ImageSize), image);

        double difference = EncoderRunner.MaxDifference(embedding, new PlainTinyVit(weights, Layout).Encode(image));
        Assert.True(difference < Tolerance, $"{difference}");
    }

    [Theory]
    [InlineData(Int8Matrix.LargestOf16BitSums, 1 << 20)]
    [InlineData(Int8Matrix.LargestOf16BitSums, 100)]
    [InlineData(Int8Matrix.LargestOf32BitSums, 3000)]
    public void Build_Int8_IsNearFloat32(int largest, int values)
    {
        StateDict weights = PlainTinyVit.RandomWeights(Layout, seed: 7);
        float[] image = EncoderRunner.RandomImage(Layout.ImageSize, seed: 8);
        EncoderForm float32 = EncoderForm.Tiled with { ValuesOfPart = values, ValuesOfStrip = values, ValuesOfFirstStrip = values };

        float[] expected = EncoderRunner.Run(TinyVitEncoderGraph.Build(weights, form: float32, imageSize: Layout.ImageSize), image);
        float[] found = EncoderRunner.Run(TinyVitEncoderGraph.Build(weights, form: float32 with { LargestInteger = largest }, imageSize: Layout.ImageSize), image);

        double error = TensorPrimitives.Distance<float>(expected, found) / TensorPrimitives.Norm<float>(expected);
        TestContext.Current.TestOutputHelper?.WriteLine($"{error:e1}");
        Assert.InRange(error, 1e-4, 0.05);
    }

    [Theory]
    [InlineData("zip")]
    [InlineData("legacy")]
    [InlineData("safetensors")]
    public void Build_FromACheckpoint_IsTheSame(string container)
    {
        InMemoryStateDict weights = PlainTinyVit.RandomWeights(Layout, seed: 4);
        float[] image = EncoderRunner.RandomImage(Layout.ImageSize, seed: 5);
        TinyTensor[] tensors = [.. weights.Tensors.Values.Select(t => new TinyTensor(t.Name, "float32", [.. t.Shape.Select(d => (long)d)], weights.ReadAny(t.Name)))];
        // What real checkpoints have beside: a counter of each batch normalisation.
        tensors = [.. tensors, new("image_encoder.patch_embed.seq.0.bn.num_batches_tracked", "int64", [], [77])];
        using StateDict read = Checkpoints.CheckpointReaderTests.Open(Checkpoints.CheckpointReaderTests.Write(container, tensors));

        Assert.Equal(
            EncoderRunner.Run(TinyVitEncoderGraph.Build(weights, imageSize: Layout.ImageSize), image),
            EncoderRunner.Run(TinyVitEncoderGraph.Build(read, imageSize: Layout.ImageSize), image));
    }

    [Fact]
    public void Build_MissingWeight_IsNamed()
    {
        InMemoryStateDict weights = PlainTinyVit.RandomWeights(Layout, seed: 6);
        const string missing = "image_encoder.layers.2.blocks.1.local_conv.bn.running_var";
        var kept = weights.Tensors.Keys.Where(n => n != missing).ToDictionary(n => n, n => (weights.ShapeOf(n).ToArray(), weights.ReadAny(n)));
        var error = Assert.Throws<CheckpointException>(() => TinyVitEncoderGraph.Build(new InMemoryStateDict("test", kept), imageSize: 64));
        Assert.Contains(missing, error.Message, StringComparison.Ordinal);
    }
}
