using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Text.Json;
using Microsoft.ML.OnnxRuntime;
using SegmentAnything.Checkpoints;
using SegmentAnything.Families.Sam1;
using SegmentAnything.Graphs;
using SegmentAnything.Tests.Graphs;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.Families.Sam1;

public class VitEncoderGraphTests
{
    // float32 sums of a few hundred terms, against double.
    private const double Tolerance = 5e-5;

    public static TheoryData<string> Layouts => [.. SmallLayouts.Keys];

    private static readonly Dictionary<string, VitLayout> SmallLayouts = new()
    {
        ["padded windows"] = new(4, 5, 12, 3, 20, 8, [3, 5, 2]),
        ["windows that fit"] = new(4, 6, 16, 2, 32, 8, [3, 6]),
        ["all global"] = new(8, 3, 8, 1, 16, 4, [3, 3]),
        ["windows of one token"] = new(2, 4, 8, 2, 8, 8, [1, 4]),
    };

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Build_RandomWeights_EqualsPlainLoops(string name)
    {
        VitLayout layout = SmallLayouts[name];
        StateDict weights = PlainVit.RandomWeights(layout, seed: 7);
        float[] image = EncoderRunner.RandomImage(layout.ImageSize, seed: 8);

        double[] expected = new PlainVit(weights, layout).Encode(image);
        foreach (EncoderForm form in new[] { EncoderForm.Tiled, EncoderForm.Plain, EncoderForm.Tiled with { ValuesOfPart = 60 } })
        {
            double difference = EncoderRunner.MaxDifference(EncoderRunner.Run(VitEncoderGraph.Build(weights, form: form), image), expected);
            Assert.True(difference < Tolerance, $"{form}: {difference}");
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(60)]
    [InlineData(70)]
    [InlineData(1000)]
    public void Build_GlobalAttentionInPieces_EqualsPlainLoops(int scoresInCache)
    {
        VitLayout layout = SmallLayouts["padded windows"];
        StateDict weights = PlainVit.RandomWeights(layout, seed: 9);
        float[] image = EncoderRunner.RandomImage(layout.ImageSize, seed: 10);
        float[] embedding = EncoderRunner.Run(VitEncoderGraph.Build(weights, form: EncoderForm.Tiled with { ScoresOfPart = scoresInCache }), image);
        double difference = EncoderRunner.MaxDifference(embedding, new PlainVit(weights, layout).Encode(image));
        Assert.True(difference < Tolerance, $"{difference}");
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Build_Int8_IsNearFloat32(string name)
    {
        VitLayout layout = SmallLayouts[name];
        StateDict weights = PlainVit.RandomWeights(layout, seed: 15);
        float[] image = EncoderRunner.RandomImage(layout.ImageSize, seed: 16);
        EncoderForm int8 = EncoderForm.Tiled with { LargestInteger = Int8Matrix.LargestOf16BitSums };

        float[] expected = EncoderRunner.Run(VitEncoderGraph.Build(weights), image);
        foreach (EncoderForm form in new[] { int8, int8 with { ValuesOfPart = 60 } })
        {
            float[] found = EncoderRunner.Run(VitEncoderGraph.Build(weights, form: form), image);
            double error = TensorPrimitives.Distance<float>(expected, found) / TensorPrimitives.Norm<float>(expected);
            TestContext.Current.TestOutputHelper?.WriteLine($"{error:e1}");
            Assert.InRange(error, 1e-4, 0.05);
        }
    }

    [Fact]
    public void Build_Float16_IsHalfTheSizeAndEqualsRoundedWeights()
    {
        VitLayout layout = new(8, 4, 128, 4, 512, 32, [3, 4, 3, 4]);
        InMemoryStateDict weights = PlainVit.RandomWeights(layout, seed: 11);
        float[] image = EncoderRunner.RandomImage(layout.ImageSize, seed: 12);

        GraphBuilder whole = VitEncoderGraph.Build(weights);
        GraphBuilder half = VitEncoderGraph.Build(weights, new WeightOptions(Half: true));

        Assert.InRange(half.ToBytes().Length, 0, whole.ToBytes().Length * 6 / 10);
        double[] expected = [.. EncoderRunner.Run(whole, image).Select(v => (double)v)];
        double difference = EncoderRunner.MaxDifference(EncoderRunner.Run(half, image, half: true), expected);
        Assert.InRange(difference, 1e-6, 2e-2);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Build_ExternalWeights_GiveTheSameEmbedding(bool half)
    {
        VitLayout layout = new(8, 4, 64, 4, 256, 32, [3, 4]);
        StateDict weights = PlainVit.RandomWeights(layout, seed: 13);
        float[] image = EncoderRunner.RandomImage(layout.ImageSize, seed: 14);
        float[] expected = EncoderRunner.Run(VitEncoderGraph.Build(weights, new WeightOptions(half)), image);

        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "encoder.onnx");
        using (FileStream stream = File.Create(Path.Combine(folder.Path, "encoder.weights")))
        {
            byte[] model = VitEncoderGraph.Build(weights, new WeightOptions(half, new ExternalWeights(stream, "encoder.weights"))).ToBytes();
            File.WriteAllBytes(path, model);
            Assert.True(stream.Length > model.Length);
        }

        using var session = new InferenceSession(path);
        Assert.Equal(expected, EncoderRunner.Run(session, image));
    }

    [Fact]
    public void Build_WeightTooLargeForFloat16_IsRefused()
    {
        VitLayout layout = SmallLayouts["all global"];
        InMemoryStateDict weights = PlainVit.RandomWeights(layout, seed: 15);
        weights.ReadAny("image_encoder.blocks.0.mlp.lin1.weight");
        Dictionary<string, (int[], float[])> changed = weights.Tensors.Keys.ToDictionary(n => n, n => (weights.ShapeOf(n).ToArray(), weights.ReadAny(n)));
        changed["image_encoder.blocks.0.mlp.lin2.weight"].Item2[3] = -1e6f;
        var error = Assert.Throws<CheckpointException>(() => VitEncoderGraph.Build(new InMemoryStateDict("test", changed), new WeightOptions(Half: true)));
        Assert.Contains("-1000000", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Build_MissingWeight_IsNamed()
    {
        InMemoryStateDict weights = PlainVit.RandomWeights(SmallLayouts["all global"], seed: 16);
        var kept = weights.Tensors.Keys.Where(n => n != "image_encoder.neck.3.bias").ToDictionary(n => n, n => (weights.ShapeOf(n).ToArray(), weights.ReadAny(n)));
        var error = Assert.Throws<CheckpointException>(() => VitEncoderGraph.Build(new InMemoryStateDict("test", kept)));
        Assert.Contains("image_encoder.neck.3.bias", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Build_Cancelled_Stops()
    {
        StateDict weights = PlainVit.RandomWeights(SmallLayouts["all global"], seed: 17);
        Assert.Throws<OperationCanceledException>(() => VitEncoderGraph.Build(weights, cancellationToken: new CancellationToken(canceled: true)));
    }

    [Theory]
    [InlineData("tiny_a", "tiny_a.pth")]
    [InlineData("tiny_b", "tiny_b.pth")]
    [InlineData("tiny_b", "tiny_b.legacy.pth")]
    [InlineData("tiny_b", "tiny_b.safetensors")]
    public void Build_GoldenTinyModel_EqualsTheOfficialCode(string model, string file)
    {
        string folder = TestPaths.RequireGolden("tiny", model);
        using StateDict weights = CheckpointReader.Open(Path.Combine(folder, file));
        float[] image = ReadFloats(Path.Combine(folder, "input.f32.bin"));
        double[] expected = [.. ReadFloats(Path.Combine(folder, "embedding.f32.bin")).Select(v => (double)v)];

        foreach (EncoderForm form in new[] { EncoderForm.Tiled, EncoderForm.Tiled with { ScoresOfPart = 5000, ValuesOfPart = 5000 }, EncoderForm.Plain })
        {
            GraphBuilder graph = VitEncoderGraph.Build(weights, form: form);
            double difference = EncoderRunner.MaxDifference(EncoderRunner.Run(graph, image), expected);
            TestContext.Current.TestOutputHelper?.WriteLine($"{file}, {form}: {difference:e1}");
            Assert.True(difference < 1e-4, $"{difference}");
        }
    }

    [Theory]
    [InlineData("tiny_a")]
    [InlineData("tiny_b")]
    public void Layout_OfGoldenTinyModel_IsItsConfiguration(string model)
    {
        using JsonDocument manifest = JsonDocument.Parse(File.ReadAllText(TestPaths.RequireGolden("tiny", model, "manifest.json")));
        JsonElement config = manifest.RootElement.GetProperty("config");
        using StateDict weights = CheckpointReader.Open(TestPaths.RequireGolden("tiny", model, model + ".pth"));

        VitLayout layout = VitLayout.Of(weights);

        Assert.Equal(config.GetProperty("img_size").GetInt32(), layout.ImageSize);
        Assert.Equal(config.GetProperty("embed_dim").GetInt32(), layout.Channels);
        Assert.Equal(config.GetProperty("depth").GetInt32(), layout.Depth);
        Assert.Equal(config.GetProperty("num_heads").GetInt32(), layout.Heads);
        Assert.Equal(config.GetProperty("out_chans").GetInt32(), layout.OutputChannels);
        Assert.Equal(config.GetProperty("global_attn_indexes").EnumerateArray().Select(e => e.GetInt32()), layout.GlobalBlocks);
        Assert.Equal(config.GetProperty("window_size").GetInt32(), layout.Windows[0]);
    }

    private static float[] ReadFloats(string path) => MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(path)).ToArray();
}
