using System.Runtime.InteropServices;
using SegmentAnything.Checkpoints;
using SegmentAnything.Families.Sam1;
using SegmentAnything.Networks;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.Families.Sam1;

public class VitNetworkTests
{
    // float32 sums of a few hundred terms, against double.
    private const double Tolerance = 5e-5;

    private static readonly Dictionary<string, VitLayout> Layouts = new()
    {
        ["padded windows"] = new(4, 5, 12, 3, 20, 8, [3, 5, 2]),
        ["windows that fit"] = new(4, 6, 16, 2, 32, 8, [3, 6]),
        ["all global"] = new(8, 3, 8, 1, 16, 4, [3, 3]),
        ["windows of one token"] = new(2, 4, 8, 2, 8, 8, [1, 4]),
        // More keys than a tile has, the last of which is not full, more queries than an item has, and hidden channels in parts.
        ["several tiles"] = new(2, 21, 36, 2, 1301, 8, [21, 14]),
    };

    public static TheoryData<string, int, int> Cases
    {
        get
        {
            TheoryData<string, int, int> cases = [];
            foreach (string name in Layouts.Keys)
            {
                foreach (int width in new[] { 4, 8, 16 }) cases.Add(name, width, 2);
                cases.Add(name, 16, 1);
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Run_RandomWeights_EqualsPlainLoops(string name, int width, int threads)
    {
        VitLayout layout = Layouts[name];
        StateDict weights = PlainVit.RandomWeights(layout, seed: 7);
        float[] image = EncoderRunner.RandomImage(layout.ImageSize, seed: 8), embedding = new float[layout.OutputChannels * layout.Grid * layout.Grid];
        using WorkSplitter splitter = new(threads);
        using EncoderNetwork network = VitNetwork.Build(weights, layout, early: false, width);

        // The second time with memory that another picture has been in.
        network.Run(EncoderRunner.RandomImage(layout.ImageSize, seed: 9), embedding, splitter, CancellationToken.None);
        network.Run(image, embedding, splitter, CancellationToken.None);

        double difference = EncoderRunner.MaxDifference(embedding, new PlainVit(weights, layout).Encode(image));
        TestContext.Current.TestOutputHelper?.WriteLine($"{difference:e1}");
        Assert.True(difference < Tolerance, $"{difference}");
    }

    [Fact]
    public void Run_SteadyState_AllocatesNothing()
    {
        VitLayout layout = Layouts["padded windows"];
        using WorkSplitter splitter = new(1);
        using EncoderNetwork network = VitNetwork.Build(PlainVit.RandomWeights(layout, seed: 7), layout, early: false, 8);
        float[] image = EncoderRunner.RandomImage(layout.ImageSize, seed: 3), embedding = new float[layout.OutputChannels * layout.Grid * layout.Grid];
        for (int i = 0; i < 3; i++) network.Run(image, embedding, splitter, CancellationToken.None);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 10; i++) network.Run(image, embedding, splitter, CancellationToken.None);
        // A bag's node may be made again now and then.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1000);
    }

    [Theory]
    [InlineData("tiny_a")]
    [InlineData("tiny_b")]
    public void Run_GoldenTinyModel_EqualsTheOfficialCode(string model)
    {
        string folder = TestPaths.RequireGolden("tiny", model);
        using StateDict weights = CheckpointReader.Open(Path.Combine(folder, model + ".pth"));
        VitLayout layout = VitLayout.Of(weights);
        float[] image = ReadFloats(Path.Combine(folder, "input.f32.bin")), embedding = new float[layout.OutputChannels * layout.Grid * layout.Grid];
        double[] expected = [.. ReadFloats(Path.Combine(folder, "embedding.f32.bin")).Select(v => (double)v)];
        using WorkSplitter splitter = new(2);
        foreach (int width in new[] { 4, 8, 16 })
        {
            using EncoderNetwork network = VitNetwork.Build(weights, layout, early: false, width);
            network.Run(image, embedding, splitter, CancellationToken.None);
            double difference = EncoderRunner.MaxDifference(embedding, expected);
            TestContext.Current.TestOutputHelper?.WriteLine($"{width}: {difference:e1}");
            Assert.True(difference < 1e-4, $"{difference}");
        }
    }

    // HQ-SAM's early map, and SlimSAM's odd widths.
    [Fact]
    public void Run_EveryGoldenFamily_EqualsTheOfficialCode()
    {
        using WorkSplitter splitter = new(2);
        foreach (FamilyGolden golden in FamilyGolden.All("hq_vit", "slimsam"))
        {
            using StateDict file = CheckpointReader.Open(golden.Checkpoints.First());
            StateDict weights = HuggingFaceNames.ToOfficial(file);
            VitLayout layout = VitLayout.Of(weights);
            bool early = golden.Root.TryGetProperty("interm_embeddings", out _);
            using EncoderNetwork network = VitNetwork.Build(weights, layout, early, 16);
            float[] maps = new float[network.Outputs.Sum()];
            network.Run(golden.Read("input_tensor"), maps, splitter, CancellationToken.None);
            golden.AssertNear(maps.AsSpan(0, network.Outputs[0]), golden.Read("embedding"), Tolerance, "embedding");
            if (early) golden.AssertNear(maps.AsSpan(network.Outputs[0]), golden.Early(), Tolerance, "early map");
            golden.Dispose();
        }
    }

    [Fact]
    public void Build_MissingWeight_IsNamed()
    {
        InMemoryStateDict weights = PlainVit.RandomWeights(Layouts["all global"], seed: 16);
        var kept = weights.Tensors.Keys.Where(n => n != "image_encoder.neck.3.bias").ToDictionary(n => n, n => (weights.ShapeOf(n).ToArray(), weights.ReadAny(n)));
        var error = Assert.Throws<CheckpointException>(() => VitNetwork.Build(new InMemoryStateDict("test", kept), Layouts["all global"], early: false, 8));
        Assert.Contains("image_encoder.neck.3.bias", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Build_Cancelled_Stops()
    {
        StateDict weights = PlainVit.RandomWeights(Layouts["all global"], seed: 17);
        Assert.Throws<OperationCanceledException>(
            () => VitNetwork.Build(weights, Layouts["all global"], early: false, 8, new CancellationToken(canceled: true)));
    }

    private static float[] ReadFloats(string path) => MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(path)).ToArray();
}
