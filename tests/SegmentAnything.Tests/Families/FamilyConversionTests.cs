using System.Text.Json;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.Families;

/// <summary>Every model of every family there is reference data of: converted to ONNX files and loaded from them, and asked for everything.</summary>
public sealed class FamilyConversionTests
{
    // The decoder's matrices go through the file unchanged; products of an image encoder may be taken in another order.
    private const float LogitTolerance = 1e-3f;

    public static TheoryData<string, string> Models()
    {
        TheoryData<string, string> models = [];
        foreach (string manifest in FamilyModels.Manifests())
        {
            using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(manifest));
            models.Add(Path.GetFileName(Path.GetDirectoryName(manifest)!), FamilyModels.Checkpoints(json.RootElement).First());
        }

        // A theory without cases fails: one that skips says why.
        if (models.Count == 0) models.Add("", "");
        return models;
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Convert_ThenLoadTheFolder_GivesTheCheckpointsMasks(string folder, string file)
    {
        FamilyModels reference = FamilyModels.Require(folder);
        using TemporaryFolder converted = new();
        CheckpointConversionOptions options = new() { Specification = reference.Specification };
        CheckpointConverter.Convert(reference.PathOf(file), converted.Path, options, cancellationToken: TestContext.Current.CancellationToken);

        using SamModel expected = reference.Load(file, SamOptions.Default), found = SamModel.Load(converted.Path);

        Assert.Equal(expected.Capabilities, found.Capabilities);
        ReferencePicture picture = reference.Pictures().First();
        using ImageEmbedding before = expected.Encode(picture.Pixels), after = found.Encode(picture.Pixels);
        foreach (ReferencePrompt prompt in picture.Prompts)
        {
            Prompt given = prompt.For(expected.Capabilities);
            if (!expected.Capabilities.NegativePoints && given.Points.Any(p => p.Label == PointLabel.Background)) continue;
            MaskPrediction a = expected.Predict(before, given, MaskSelection.All), b = found.Predict(after, given, MaskSelection.All);
            foreach ((PredictedMask one, PredictedMask other) in a.OrderBy(m => m.MaskToken).Zip(b.OrderBy(m => m.MaskToken)))
            {
                double difference = ReferenceFile.MaxDifference(other.LowResLogits.Span, one.LowResLogits.Span);
                Assert.True(difference <= LogitTolerance, $"{prompt.Name}, token {one.MaskToken}: logits differ by {difference}");
                Assert.Equal(one.PredictedIou, other.PredictedIou, LogitTolerance);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Generate_EveryModel_GivesMasks(string folder, string file)
    {
        FamilyModels reference = FamilyModels.Require(folder);
        using SamModel sam = reference.Load(file, SamOptions.Default);
        AutomaticMaskOptions options = AutomaticMaskOptions.Default with { PointsPerSide = 4, PredIouThreshold = 0, StabilityScoreThreshold = 0 };
        ReferencePicture picture = reference.Pictures().First();
        Assert.NotEmpty(new AutomaticMaskGenerator(sam, options).Generate(picture.Pixels, cancellationToken: TestContext.Current.CancellationToken));
    }
}
