using SegmentAnything.Checkpoints;
using SegmentAnything.Families.Sam1;
using SegmentAnything.Networks;

namespace SegmentAnything.Tests.Families.Sam1;

public class TinyVitNetworkTests
{
    // float32 sums of a few hundred terms, against double.
    private const double Tolerance = 5e-5;

    // Padded windows, windows that fit, a window larger than the picture; steps that shrink and one that does not.
    private static readonly TinyVitLayout Layout = new(64, 6,
        [new(8, 2, 0, 0, 24, 2), new(12, 1, 3, 3, 20, 2), new(16, 2, 2, 5, 32, 1), new(320, 1, 10, 2, 24, 0)], 8);

    private static int Length => Layout.OutputChannels * Layout.Grid * Layout.Grid;

    [Theory]
    [InlineData(4, 1)]
    [InlineData(8, 2)]
    [InlineData(16, 1)]
    [InlineData(16, 2)]
    [InlineData(16, 16)]
    public void Run_RandomWeights_EqualsPlainLoops(int width, int threads)
    {
        StateDict weights = PlainTinyVit.RandomWeights(Layout, seed: 2);
        float[] image = EncoderRunner.RandomImage(Layout.ImageSize, seed: 3), embedding = new float[Length];
        using WorkSplitter splitter = new(threads);
        using EncoderNetwork network = TinyVitNetwork.Build(weights, Layout, early: false, width);

        // The second time with memory that another picture has been in.
        network.Run(EncoderRunner.RandomImage(Layout.ImageSize, seed: 9), embedding, splitter, CancellationToken.None);
        network.Run(image, embedding, splitter, CancellationToken.None);

        double difference = EncoderRunner.MaxDifference(embedding, new PlainTinyVit(weights, Layout).Encode(image));
        TestContext.Current.TestOutputHelper?.WriteLine($"{difference:e1}");
        Assert.True(difference < Tolerance, $"{difference}");
    }

    // A picture large enough for several bands and strips, whose edges its neighbours compute too.
    [Fact]
    public void Run_LargerPicture_EqualsPlainLoops()
    {
        TinyVitLayout layout = Layout with { ImageSize = 320 };
        StateDict weights = PlainTinyVit.RandomWeights(layout, seed: 2);
        float[] image = EncoderRunner.RandomImage(layout.ImageSize, seed: 3), embedding = new float[layout.OutputChannels * layout.Grid * layout.Grid];
        using WorkSplitter splitter = new(2);
        using EncoderNetwork network = TinyVitNetwork.Build(weights, layout, early: false, 16);
        network.Run(image, embedding, splitter, CancellationToken.None);
        double difference = EncoderRunner.MaxDifference(embedding, new PlainTinyVit(weights, layout).Encode(image));
        Assert.True(difference < Tolerance, $"{difference}");
    }

    [Fact]
    public void Run_SeveralPicturesAtATime_EachGetsItsOwnAnswer()
    {
        using WorkSplitter splitter = new(2);
        using EncoderNetwork network = TinyVitNetwork.Build(PlainTinyVit.RandomWeights(Layout, seed: 2), Layout, early: false, 8);
        float[][] images = [.. Enumerable.Range(0, 3).Select(i => EncoderRunner.RandomImage(Layout.ImageSize, seed: i))];
        float[][] expected = [.. images.Select(Encode)];
        Parallel.For(0, 24, i => Assert.Equal(expected[i % 3], Encode(images[i % 3])));

        float[] Encode(float[] image)
        {
            float[] embedding = new float[Length];
            network.Run(image, embedding, splitter, CancellationToken.None);
            return embedding;
        }
    }

    [Fact]
    public void Run_SteadyState_AllocatesNextToNothing()
    {
        using WorkSplitter splitter = new(1);
        using EncoderNetwork network = TinyVitNetwork.Build(PlainTinyVit.RandomWeights(Layout, seed: 2), Layout, early: false, 8);
        float[] image = EncoderRunner.RandomImage(Layout.ImageSize, seed: 3), embedding = new float[Length];
        for (int i = 0; i < 3; i++) network.Run(image, embedding, splitter, CancellationToken.None);
        // A node of a queue now and then, and nothing of the size of an image's maps.
        long[] rounds = [.. Enumerable.Range(0, 7).Select(_ =>
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 5; i++) network.Run(image, embedding, splitter, CancellationToken.None);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        })];
        Assert.InRange(rounds.Order().ElementAt(3), 0, 1000);
    }

    [Fact]
    public void Run_Cancelled_ThrowsAndWorksAgain()
    {
        StateDict weights = PlainTinyVit.RandomWeights(Layout, seed: 2);
        using WorkSplitter splitter = new(2);
        using EncoderNetwork network = TinyVitNetwork.Build(weights, Layout, early: false, 8);
        float[] image = EncoderRunner.RandomImage(Layout.ImageSize, seed: 3), embedding = new float[Length];
        Assert.Throws<OperationCanceledException>(() => network.Run(image, embedding, splitter, new CancellationToken(canceled: true)));
        network.Run(image, embedding, splitter, CancellationToken.None);
        Assert.True(EncoderRunner.MaxDifference(embedding, new PlainTinyVit(weights, Layout).Encode(image)) < Tolerance);
        Assert.Throws<ArgumentOutOfRangeException>(() => network.Run(image.AsSpan(1), embedding, splitter, CancellationToken.None));
        Assert.Throws<ArgumentOutOfRangeException>(() => network.Run(image, embedding.AsSpan(1), splitter, CancellationToken.None));
    }

    [Fact]
    public void Build_MissingWeight_IsNamed()
    {
        InMemoryStateDict weights = PlainTinyVit.RandomWeights(Layout, seed: 6);
        const string missing = "image_encoder.layers.2.blocks.1.local_conv.bn.running_var";
        var kept = weights.Tensors.Keys.Where(n => n != missing).ToDictionary(n => n, n => (weights.ShapeOf(n).ToArray(), weights.ReadAny(n)));
        var error = Assert.Throws<CheckpointException>(() => TinyVitNetwork.Build(new InMemoryStateDict("test", kept), Layout, early: false, 8));
        Assert.Contains(missing, error.Message, StringComparison.Ordinal);
    }
}
