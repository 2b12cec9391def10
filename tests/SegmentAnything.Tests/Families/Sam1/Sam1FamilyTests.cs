using SegmentAnything.Checkpoints;
using SegmentAnything.Families;
using SegmentAnything.Families.Sam1;
using SegmentAnything.Loading;

namespace SegmentAnything.Tests.Families.Sam1;

public sealed class Sam1FamilyTests
{
    [Fact]
    public void Recognise_AModelWhoseFirstBlockIsGlobal_HasEachBlocksOwnWindow()
    {
        VitLayout layout = TinySam.Layout with { Windows = [4, 2, 4, 3] };
        VitLayout found = VitLayout.Of(PlainVit.RandomWeights(layout, seed: 1));
        Assert.Equal(layout.Windows, found.Windows);
        Assert.Equal([0, 2], found.GlobalBlocks);
    }

    [Theory]
    [InlineData(168, 12, 696, 14, "slimsam-77")]
    [InlineData(384, 12, 1536, 32, "slimsam-50")]
    [InlineData(768, 12, 3072, 64, "sam-vit-b")]
    [InlineData(1024, 24, 4096, 64, "sam-vit-l")]
    [InlineData(1280, 32, 5120, 80, "sam-vit-h")]
    [InlineData(200, 12, 800, 20, null)]
    public void Recognise_ThePublishedShapes_NamesTheModel_UnderEitherNames(int channels, int depth, int hidden, int headChannels, string? expected)
    {
        VitLayout layout = new(16, 64, channels, channels / headChannels, hidden, 256,
            [.. Enumerable.Range(0, depth).Select(i => (i + 1) % (depth / 4) == 0 ? 64 : 14)]);
        StateDict official = new Zeros(Shapes(layout)), huggingFace = new Zeros(Shapes(layout).ToDictionary(t => HuggingFaceNamesTests.ToHuggingFace(t.Key), t => t.Value));
        foreach (StateDict weights in (StateDict[])[official, huggingFace])
        {
            FamilyModel model = ModelFamilies.Recognise(weights);
            Assert.Equal(expected, model.Published?.Name);
            Assert.Equal((1024, 64, 256), (model.Frame.Side, model.Features[0].Side, model.Features[0].Channels));
            Assert.Equal(layout.Windows, ((Sam1Model)model).Vit!.Windows);
            Assert.Equal(expected ?? "zeros", OpenedModel.VariantOf(model).Name);
        }
    }

    [Theory]
    [InlineData("detector.backbone.vision_backbone.trunk.x", "SAM 3")]
    [InlineData("image_encoder.trunk.body.x", "EdgeTAM")]
    [InlineData("image_encoder.blocks.0.attn.q.weight", "SlimSAM with global pruning")]
    [InlineData("image_encoder.features.0.0.c.weight", "RepViT-SAM")]
    public void Recognise_ARelative_RefusesItByName(string tensor, string name)
    {
        StateDict weights = new Zeros(new Dictionary<string, int[]> { [tensor] = [1] });
        Assert.Contains(name, Assert.Throws<CheckpointException>(() => ModelFamilies.Recognise(weights)).Message, StringComparison.Ordinal);
    }

    // Names and shapes of a whole model. (PublishedLayouts has a list of its own, that does not know the loader's.)
    private static Dictionary<string, int[]> Shapes(VitLayout layout)
    {
        Dictionary<string, int[]> shapes = [];
        using StateDict decoder = RandomDecoder.Weights(256, mlp: 32, iouHidden: 16, iouDepth: 3, seed: 1);
        foreach (string name in decoder.Tensors.Keys) shapes[name] = [.. decoder.ShapeOf(name)];
        foreach ((string name, int[] shape) in layout.Tensors()) shapes[name] = shape;
        return shapes;
    }

    private sealed class Zeros(Dictionary<string, int[]> shapes) : StateDict
    {
        public override string Source => "zeros";

        public override IReadOnlyDictionary<string, TensorInfo> Tensors { get; } =
            shapes.ToDictionary(s => s.Key, s => new TensorInfo(s.Key, TensorType.Float32, [.. s.Value]));

        protected internal override void ReadCore(TensorInfo tensor, Span<float> destination) => destination.Clear();
    }
}
