using SegmentAnything.Checkpoints;
using SegmentAnything.Families;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.Families;

/// <summary>Every model of every family there is reference data of: converted to ONNX files and loaded from them, and asked for everything.</summary>
public sealed class FamilyConversionTests
{
    // The decoder's matrices go through the file unchanged; products of an image encoder may be taken in another order.
    private const float LogitTolerance = 1e-3f;

    // Weights are rounded to 11 bits, 5e-4 of each, through a dozen layers. Those of convolutions stay as they are.
    private const double Float16Tolerance = 1e-2;

    public static TheoryData<string, string> Models() => FamilyModels.FirstCheckpoints();

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
    public void Convert_Float16_GivesTheMapsWithinItsRounding(string folder, string file)
    {
        FamilyModels reference = FamilyModels.Require(folder);
        using TemporaryFolder converted = new();
        CheckpointConversionOptions options = new() { Specification = reference.Specification, Float16 = true };
        CheckpointConverter.Convert(reference.PathOf(file), converted.Path, options, cancellationToken: TestContext.Current.CancellationToken);

        using SamModel expected = reference.Load(file, SamOptions.Default), found = SamModel.Load(converted.Path);
        ReferencePicture picture = reference.Pictures().First();
        using ImageEmbedding before = expected.Encode(picture.Pixels), after = found.Encode(picture.Pixels);
        double largest = before.Values.ToArray().Max(MathF.Abs), difference = ReferenceFile.MaxDifference(after.Values, before.Values);
        TestContext.Current.TestOutputHelper?.WriteLine($"{folder}: {difference / largest:e1} of the largest value");
        Assert.InRange(difference, 0, Float16Tolerance * largest);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Inspect_TheCheckpointAndWhatIsConverted_NamesTheFamily(string folder, string file)
    {
        FamilyModels reference = FamilyModels.Require(folder);
        using TemporaryFolder converted = new();
        CheckpointConverter.Convert(
            reference.PathOf(file), converted.Path, new CheckpointConversionOptions { Specification = reference.Specification }, cancellationToken: TestContext.Current.CancellationToken);
        using StateDict weights = CheckpointReader.Open(reference.PathOf(file));
        FamilyModel model = ModelFamilies.Recognise(weights, reference.Specification);

        ModelInspection decoder = ModelInspector.Inspect(Path.Combine(converted.Path, "decoder.onnx")), encoder = ModelInspector.Inspect(Path.Combine(converted.Path, "encoder.onnx"));

        Assert.Equal((ModelFileKind.MaskDecoder, true), (decoder.Kind, decoder.CanRun));
        Assert.Equal((ModelFileKind.ImageEncoder, true), (encoder.Kind, encoder.CanRun));
        Assert.StartsWith(decoder.Family!, model.Description.Replace("Light ", "", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Equal((model.Features[0].Channels, model.Masks.Tokens), (decoder.EmbeddingChannels, decoder.Masks));
        Assert.Equal((model.Frame.EncoderSide, model.Features[0].Side, model.Frame.Fit), (encoder.ImageSize, encoder.EmbeddingGrid, encoder.Fit));
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Generate_WithoutOptions_UsesTheFamilysOwn(string folder, string file)
    {
        FamilyModels reference = FamilyModels.Require(folder);
        using StateDict weights = CheckpointReader.Open(reference.PathOf(file));
        AutomaticMaskOptions own = ModelFamilies.Recognise(weights, reference.Specification).AutomaticDefaults;
        using SamModel sam = reference.Load(file, SamOptions.Default);
        Assert.Equal(own, sam.AutomaticDefaults);
        Assert.Equal(own, new AutomaticMaskGenerator(sam).Options);
        PixelBuffer picture = reference.Pictures().First().Pixels;
        Assert.Equal(
            sam.GenerateMasks(picture, own, cancellationToken: TestContext.Current.CancellationToken).Select(mask => mask.Mask.ToCocoString()),
            sam.GenerateMasks(picture, cancellationToken: TestContext.Current.CancellationToken).Select(mask => mask.Mask.ToCocoString()));
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
