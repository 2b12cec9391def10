using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.Families;

/// <summary>Every published layout is told by its names and shapes, and what is wrong with one is said by name.</summary>
public class PublishedLayoutTests
{
    public static TheoryData<string> Layouts => [.. PublishedLayouts.All.Keys];

    // A tensor of each family's encoder that nothing else could be told from.
    public static TheoryData<string, string> Broken => new()
    {
        { "HQ-SAM ViT-B", "mask_decoder.embedding_maskfeature.3.weight" },
        { "Light HQ-SAM", "mask_decoder.compress_vit_feat.3.bias" },
        { "EfficientSAM-Ti", "image_encoder.blocks.7.mlp.fc2.weight" },
        { "EfficientSAM-S", "mask_decoder.output_hypernetworks_mlps.2.fc.bias" },
        { "EfficientViT-SAM L0", "image_encoder.backbone.stages.3.op_list.2.main.point_conv.norm.running_var" },
        { "EfficientViT-SAM XL1", "image_encoder.neck.middle.op_list.7.main.point_conv.conv.weight" },
        { "EdgeSAM", "image_encoder.features.11.channel_mixer.m.2.bn.running_mean" },
    };

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Inspect_PublishedLayout_NamesFamilyAndVariant(string name)
    {
        using TemporaryFolder folder = new();
        string path = Path.Combine(folder.Path, "weights.safetensors");
        PublishedLayouts.Write(PublishedLayouts.All[name](), path);

        ModelInspection inspection = ModelInspector.Inspect(path);

        Assert.True(inspection.CanRun, inspection.Note);
        Assert.Equal(name, inspection.Family);
        Assert.Equal((256, 64, 4), (inspection.EmbeddingChannels, inspection.EmbeddingGrid, inspection.Masks));
        Assert.Equal(name.StartsWith("EfficientSAM", StringComparison.Ordinal) || name.StartsWith("SAM 2", StringComparison.Ordinal) ? PictureFit.Squash : PictureFit.Pad, inspection.Fit);
        Assert.Contains(SamModels.All, variant => variant.DisplayName == name);
    }

    [Fact]
    public void Layouts_AreThoseOfEveryPublishedVariant() =>
        Assert.Equal(SamModels.All.Select(variant => variant.DisplayName).Order(StringComparer.Ordinal), PublishedLayouts.All.Keys.Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(Broken))]
    public void Inspect_MissingTensor_IsNamed(string layout, string tensor)
    {
        using TemporaryFolder folder = new();
        string path = Path.Combine(folder.Path, "weights.safetensors");
        List<(string Name, int[] Shape)> tensors = PublishedLayouts.All[layout]();
        Assert.Equal(1, tensors.RemoveAll(t => t.Name == tensor));
        PublishedLayouts.Write(tensors, path);

        ModelInspection inspection = ModelInspector.Inspect(path);

        Assert.False(inspection.CanRun);
        Assert.Contains(tensor, inspection.Note, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Broken))]
    public void Inspect_MisshapenTensor_IsNamedWithBothShapes(string layout, string tensor)
    {
        using TemporaryFolder folder = new();
        string path = Path.Combine(folder.Path, "weights.safetensors");
        List<(string Name, int[] Shape)> tensors = PublishedLayouts.All[layout]();
        int at = tensors.FindIndex(t => t.Name == tensor);
        int[] shape = tensors[at].Shape;
        tensors[at] = (tensor, [shape[0] + 3, .. shape[1..]]);
        PublishedLayouts.Write(tensors, path);

        ModelInspection inspection = ModelInspector.Inspect(path);

        Assert.False(inspection.CanRun);
        Assert.Contains(tensor, inspection.Note, StringComparison.Ordinal);
        Assert.Contains($"[{string.Join(", ", tensors[at].Shape)}]", inspection.Note, StringComparison.Ordinal);
        Assert.Contains($"[{string.Join(", ", shape)}]", inspection.Note, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("EfficientSAM-Ti", "image_encoder.blocks.3.attn.relative")]
    [InlineData("EfficientViT-SAM L0", "image_encoder.backbone.stages.2.op_list.0.main.extra.weight")]
    [InlineData("EdgeSAM", "image_encoder.features.4.token_mixer.7.weight")]
    public void Inspect_TensorThatTheEncoderDoesNotHave_IsNamed(string layout, string tensor)
    {
        using TemporaryFolder folder = new();
        string path = Path.Combine(folder.Path, "weights.safetensors");
        PublishedLayouts.Write([.. PublishedLayouts.All[layout](), (tensor, [3])], path);

        ModelInspection inspection = ModelInspector.Inspect(path);

        Assert.False(inspection.CanRun);
        Assert.Contains(tensor, inspection.Note, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("image_encoder.features.0.0.c.weight", "RepViT-SAM")]
    [InlineData("image_encoder.trunk.body.stem.weight", "EdgeTAM")]
    [InlineData("detector.backbone.vision_backbone.trunk.pos_embed", "SAM 3")]
    [InlineData("image_encoder.blocks.0.attn.q.weight", "SlimSAM with global pruning")]
    public void Inspect_RelativeThatIsNotBuiltHere_IsRefusedByName(string tensor, string family)
    {
        using TemporaryFolder folder = new();
        string path = Path.Combine(folder.Path, "weights.safetensors");
        PublishedLayouts.Write([(tensor, [4, 3, 3, 3]), ("mask_decoder.iou_token.weight", [1, 256])], path);

        ModelInspection inspection = ModelInspector.Inspect(path);

        Assert.False(inspection.CanRun);
        Assert.Equal(family, inspection.Family);
    }

    [Fact]
    public void EdgeSam_IsNeverDownloaded()
    {
        SamVariant edge = Assert.Single(SamModels.All, variant => variant.DisplayName == "EdgeSAM");
        Assert.DoesNotContain("Apache", edge.License, StringComparison.Ordinal);
        Assert.All(edge.Files, file => Assert.Empty(file.Downloads));
    }
}
