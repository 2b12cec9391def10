using SegmentAnything.Checkpoints;
using SegmentAnything.Families.EdgeSam;
using SegmentAnything.Families.EfficientSam;
using SegmentAnything.Families.EfficientVitSam;
using SegmentAnything.Families.HqSam;
using SegmentAnything.Families.Sam1;
using SegmentAnything.Graphs;

namespace SegmentAnything.Tests.Families;

/// <summary>The image encoders of SAM's relatives against the official code, in every form that they are built in.</summary>
public class FamilyNetworkTests
{
    private const double EmbeddingTolerance = 5e-5;

    /// <summary>Weights rounded to float16 are off by 2^-11 of themselves; seen in an embedding of 4: 2e-2.</summary>
    private const double HalfTolerance = 1e-1;

    private static readonly EncoderForm[] Forms =
    [
        EncoderForm.Tiled, EncoderForm.Plain, EncoderForm.Tiled with { ValuesOfPart = 1000, ValuesOfStrip = 4000, ValuesOfFirstStrip = 4000, ScoresOfPart = 5000 },
    ];

    [Fact]
    public void EdgeSam_Encoder_GivesTheReferenceEmbedding() => Encode("edgesam", (golden, weights, form, options) =>
    {
        RepVitLayout layout = RepVitLayout.Of(weights, golden.ImageSize);
        CheckpointShapes.Check(weights, layout.Tensors());
        Assert.True(RepVitLayout.Fits(weights) && RepVitLayout.IsFused(weights));
        float[] bilinear = FamilyGolden.Run(RepVitEncoderGraph.Build(weights, layout, options, form, FusionResize.Bilinear), options.Half, Image(golden))["embedding"];
        golden.AssertNear(bilinear, golden.Read("embedding_bilinear"), options.Half ? HalfTolerance : EmbeddingTolerance, $"bilinear, {form}");
        return RepVitEncoderGraph.Build(weights, layout, options, form);
    });

    [Fact]
    public void EfficientVitSam_Encoder_GivesTheReferenceEmbedding() => Encode("efficientvit_sam", (golden, weights, form, options) =>
    {
        EfficientVitLayout layout = EfficientVitLayout.Of(weights, golden.Config.GetProperty("frame_size").GetInt32());
        CheckpointShapes.Check(weights, layout.Tensors());
        Assert.True(EfficientVitLayout.Fits(weights));
        Assert.Equal(golden.ImageSize, layout.ImageSize);
        return EfficientVitEncoderGraph.Build(weights, layout, options, form);
    });

    [Fact]
    public void EfficientSam_Encoder_GivesTheReferenceEmbedding() => Encode("efficientsam", (golden, weights, form, options) =>
    {
        Assert.True(EfficientSamLayout.Fits(weights));
        EfficientSamLayout layout = EfficientSamLayout.Of(weights, golden.ImageSize, golden.Heads);
        CheckpointShapes.Check(weights, layout.Tensors());
        return EfficientSamEncoderGraph.Build(weights, layout, options, form);
    });

    [Fact]
    public void HqSam_EncoderAndFeatures_GiveTheReferenceMaps()
    {
        foreach (FamilyGolden golden in FamilyGolden.All("hq_vit", "hq_tinyvit"))
        {
            using FamilyGolden _ = golden;
            foreach (string checkpoint in golden.Checkpoints)
            {
                using StateDict stored = CheckpointReader.Open(checkpoint);
                StateDict weights = HuggingFaceNames.ToOfficial(stored);
                Assert.True(HqSamLayout.Fits(weights));
                foreach (EncoderForm form in Forms)
                {
                    GraphBuilder encoder = VitLayout.Fits(weights)
                        ? VitEncoderGraph.Build(weights, form: form, early: true)
                        : TinyVitEncoderGraph.Build(weights, form: form, imageSize: golden.ImageSize, early: true);
                    Dictionary<string, float[]> maps = FamilyGolden.Run(encoder, Image(golden));
                    golden.AssertNear(maps["embedding"], golden.Read("embedding"), EmbeddingTolerance, $"embedding, {form}");
                    golden.AssertNear(maps[VitEncoderGraph.EarlyFeature], golden.Early(), EmbeddingTolerance, $"early, {form}");
                }
            }
        }
    }

    private static void Encode(string family, Func<FamilyGolden, StateDict, EncoderForm, WeightOptions, GraphBuilder> build)
    {
        foreach (FamilyGolden golden in FamilyGolden.All(family))
        {
            using FamilyGolden _ = golden;
            foreach (string checkpoint in golden.Checkpoints)
            {
                using StateDict weights = CheckpointReader.Open(checkpoint);
                foreach (EncoderForm form in Forms)
                {
                    float[] embedding = FamilyGolden.Run(build(golden, weights, form, WeightOptions.Default), Image(golden))["embedding"];
                    golden.AssertNear(embedding, golden.Read("embedding"), EmbeddingTolerance, $"embedding, {form}");
                }

                float[] half = FamilyGolden.Run(build(golden, weights, EncoderForm.Tiled, new WeightOptions(Half: true)), half: true, Image(golden))["embedding"];
                golden.AssertNear(half, golden.Read("embedding"), HalfTolerance, "embedding of float16 weights");
            }
        }
    }

    private static (string, float[], long[]) Image(FamilyGolden golden) =>
        ("image", golden.Read("input_tensor"), [1, 3, golden.ImageSize, golden.ImageSize]);
}
