using System.Text.Json;
using SegmentAnything.Checkpoints;
using SegmentAnything.Families.EdgeSam;
using SegmentAnything.Families.EfficientSam;
using SegmentAnything.Families.EfficientVitSam;
using SegmentAnything.Families.HqSam;
using SegmentAnything.Graphs;

namespace SegmentAnything.Tests.Families;

/// <summary>The networks of SAM's relatives against the official code: image encoders and mask decoders, graph by graph.</summary>
public class FamilyNetworkTests
{
    private const double EmbeddingTolerance = 5e-4, LogitTolerance = 2e-3, ScoreTolerance = 5e-5, TokenTolerance = 1e-5;

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
                using StateDict weights = CheckpointReader.Open(checkpoint);
                Assert.True(HqSamLayout.Fits(weights));
                HqSamLayout layout = HqSamLayout.Of(weights, DecoderLayout.Of(weights));
                foreach (EncoderForm form in Forms)
                {
                    GraphBuilder encoder = VitLayout.Fits(weights)
                        ? VitEncoderGraph.Build(weights, form: form, early: true)
                        : TinyVitEncoderGraph.Build(weights, form: form, imageSize: golden.ImageSize, early: true);
                    Dictionary<string, float[]> maps = FamilyGolden.Run(encoder, Image(golden));
                    golden.AssertNear(maps["embedding"], golden.Read("embedding"), EmbeddingTolerance, $"embedding, {form}");
                    golden.AssertNear(maps["early"], golden.Early(), EmbeddingTolerance, $"early, {form}");
                }

                int grid = golden.Grid;
                Dictionary<string, float[]> features = FamilyGolden.Run(HqSamDecoderGraph.BuildFeatures(weights, layout, grid),
                    ("image_embedding", golden.Read("embedding"), [1, layout.Channels, grid, grid]),
                    ("early", golden.Early(), [1, grid, grid, layout.EarlyChannels]));
                golden.AssertNear(features["hq_features"], golden.Read("hq_features"), EmbeddingTolerance, "features");
            }
        }
    }

    [Fact]
    public void HqSam_Decoder_GivesTheReferenceLogitsAndScores() => Decode(["hq_vit", "hq_tinyvit"], "low_res_all5", (golden, weights, prompt, sparse, dense) =>
    {
        HqSamLayout layout = HqSamLayout.Of(weights, DecoderLayout.Of(weights));
        return FamilyGolden.Run(HqSamDecoderGraph.Build(weights, layout, golden.Grid),
            Embedding(golden), ("hq_features", golden.Read("hq_features"), [1, layout.MaskChannels, 4 * golden.Grid, 4 * golden.Grid]), dense, sparse);
    });

    [Fact]
    public void EdgeSam_Decoder_GivesTheReferenceLogitsAndScores() => Decode(["edgesam"], "low_res_all4",
        (golden, weights, prompt, sparse, dense) => FamilyGolden.Run(PlainDecoderGraph.Build(weights, golden.Grid), Embedding(golden), dense, sparse));

    [Fact]
    public void EfficientVitSam_Decoder_GivesTheReferenceLogitsAndScores() => Decode(["efficientvit_sam"], "low_res_all4",
        (golden, weights, prompt, sparse, dense) => FamilyGolden.Run(
            PlainDecoderGraph.Build(weights, golden.Grid, EfficientVitEncoderGraph.NormEpsilon), Embedding(golden), dense, sparse));

    [Fact]
    public void EfficientSam_PromptsAndDecoder_GiveTheReferenceTokensLogitsAndScores() => Decode(["efficientsam"], "low_res_all4", (golden, weights, prompt, sparse, dense) =>
    {
        EfficientSamDecoderLayout layout = EfficientSamDecoderLayout.Of(weights);
        EfficientSamPrompts prompts = new(weights, layout, golden.ImageSize);
        float[] points = FamilyGolden.Flatten(prompt.GetProperty("model_points")), labels = FamilyGolden.Flatten(prompt.GetProperty("model_labels"));
        float[] tokens = new float[labels.Length * layout.Channels];
        for (int i = 0; i < labels.Length; i += EfficientSamDecoderLayout.Points)
        {
            prompts.Write(
                [.. Enumerable.Range(i, EfficientSamDecoderLayout.Points).Select(p => (points[2 * p], points[2 * p + 1], (int)labels[p]))],
                tokens.AsSpan(i * layout.Channels, EfficientSamDecoderLayout.Points * layout.Channels));
        }

        golden.AssertNear(tokens, sparse.Values, TokenTolerance, $"{prompt.GetProperty("id")}: tokens");
        return FamilyGolden.Run(EfficientSamDecoderGraph.Build(weights, layout, golden.Grid), Embedding(golden), sparse);
    });

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

    private delegate Dictionary<string, float[]> Decoding(
        FamilyGolden golden, StateDict weights, JsonElement prompt, (string Name, float[] Values, long[] Shape) sparse, (string Name, float[] Values, long[] Shape) dense);

    private static void Decode(string[] families, string logits, Decoding decode)
    {
        foreach (FamilyGolden golden in FamilyGolden.All(families))
        {
            using FamilyGolden _ = golden;
            foreach (string checkpoint in golden.Checkpoints)
            {
                using StateDict weights = CheckpointReader.Open(checkpoint);
                foreach (JsonElement prompt in golden.Prompts)
                {
                    int channels = golden.EmbeddingShape[1], grid = golden.Grid;
                    long[] shape = [.. prompt.GetProperty("sparse_embeddings").GetProperty("shape").EnumerateArray().Select(e => e.GetInt64())];
                    bool hasMask = prompt.TryGetProperty("dense_embeddings", out JsonElement mask);
                    float[] dense = hasMask ? golden.Read(prompt, "dense_embeddings")
                        : weights.Contains("prompt_encoder.no_mask_embed.weight") ? weights.ReadAny("prompt_encoder.no_mask_embed.weight") : [];
                    Dictionary<string, float[]> decoded = decode(golden, weights, prompt, ("sparse", golden.Read(prompt, "sparse_embeddings"), shape),
                        ("dense", dense, hasMask ? [1, channels, grid, grid] : [1, channels, 1, 1]));
                    string id = prompt.GetProperty("id").GetString()!;
                    golden.AssertNear(decoded["logits"], golden.Read(prompt, logits), LogitTolerance, $"{id}: logits");
                    golden.AssertNear(decoded["iou"], FamilyGolden.Flatten(prompt.GetProperty("iou_all4")), ScoreTolerance, $"{id}: IoU");
                }
            }
        }
    }

    private static (string, float[], long[]) Image(FamilyGolden golden) =>
        ("image", golden.Read("input_tensor"), [1, 3, golden.ImageSize, golden.ImageSize]);

    private static (string, float[], long[]) Embedding(FamilyGolden golden) =>
        ("image_embedding", golden.Read("embedding"), [1, golden.EmbeddingShape[1], golden.Grid, golden.Grid]);
}
