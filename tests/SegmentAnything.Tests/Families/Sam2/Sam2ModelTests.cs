using System.Text.Json;
using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;
using SegmentAnything.Families.Sam2;
using SegmentAnything.Tests.References;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.Families.Sam2;

/// <summary>What the public API has for SAM 2 beyond what every family's reference data goes through.</summary>
public class Sam2ModelTests
{
    public static TheoryData<string> Folders => [.. Sam2Golden.Folders];

    [Theory]
    [MemberData(nameof(Folders))]
    public void Load_WithoutSpecification_AsksForIt(string folder)
    {
        Sam2Golden golden = Sam2Golden.Read(folder);
        var error = Assert.Throws<CheckpointException>(() => SamModel.Load(golden.PathOf(golden.Files.First())));
        Assert.Contains(nameof(Sam2Spec), error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void Predict_LargestFilledHole_FillsHolesOfTheMaskAlone(string folder)
    {
        Sam2Golden golden = Sam2Golden.Read(folder);
        JsonElement picture = golden.Pictures[0];
        ImageSize size = picture.GetProperty("original_size_hw").SizeHw();
        PixelBuffer image = PixelBuffer.FromRgb24(golden.Bytes(picture.GetProperty("image_rgb")), size.Width, size.Height);
        SamOptions options = new() { Specification = golden.Spec };
        using SamModel plain = SamModel.Load(golden.PathOf(golden.Files.First()), options);
        using SamModel cleaning = SamModel.Load(golden.PathOf(golden.Files.First()), options with { LargestFilledHole = 40, LargestRemovedSprinkle = 40 });
        using ImageEmbedding embedding = plain.Encode(image);
        MaskPrediction before = plain.Predict(embedding, Prompt.Point(size.Width / 2, size.Height / 2), MaskSelection.All);
        MaskPrediction after = cleaning.Predict(embedding, Prompt.Point(size.Width / 2, size.Height / 2), MaskSelection.All);
        int changed = 0;
        for (int i = 0; i < before.Count; i++)
        {
            Assert.True(before[i].LowResLogits.Span.SequenceEqual(after[i].LowResLogits.Span), "Logits that are handed out keep their holes.");
            Assert.True(after[i].Mask.ConnectedComponents().Length <= before[i].Mask.ConnectedComponents().Length);
            if (before[i].Mask != after[i].Mask) changed++;
        }

        Assert.True(changed > 0);
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void Convert_ThenLoad_GivesTheSameMasks(string folder)
    {
        Sam2Golden golden = Sam2Golden.Read(folder);
        using TemporaryFolder converted = new();
        string checkpoint = golden.PathOf(golden.Files.First());
        CheckpointConverter.Convert(checkpoint, converted.Path, new CheckpointConversionOptions { Specification = golden.Spec }, cancellationToken: TestContext.Current.CancellationToken);
        ModelInspection encoder = ModelInspector.Inspect(Path.Combine(converted.Path, "encoder.onnx")), decoder = ModelInspector.Inspect(Path.Combine(converted.Path, "decoder.onnx"));
        Assert.Equal(("SAM 2, Hiera", PictureFit.Squash, true), (encoder.Family, encoder.Fit, encoder.CanRun));
        Assert.Equal(("SAM 2", true, 4), (decoder.Family, decoder.CanRun, decoder.Masks));
        using SamModel fromFolder = SamModel.Load(converted.Path), fromCheckpoint = SamModel.Load(checkpoint, new SamOptions { Specification = golden.Spec });
        JsonElement picture = golden.Pictures[0];
        ImageSize size = picture.GetProperty("original_size_hw").SizeHw();
        PixelBuffer image = PixelBuffer.FromRgb24(golden.Bytes(picture.GetProperty("image_rgb")), size.Width, size.Height);
        using ImageEmbedding a = fromFolder.Encode(image), b = fromCheckpoint.Encode(image);
        Assert.Equal(PictureFit.Squash, a.Frame.Fit);
        Prompt prompt = Prompt.Box(10, 10, size.Width / 2, size.Height / 2).AndPoint(20, 20);
        MaskPrediction found = fromFolder.Predict(a, prompt, MaskSelection.All), expected = fromCheckpoint.Predict(b, prompt, MaskSelection.All);
        for (int i = 0; i < expected.Count; i++)
        {
            Assert.Equal(expected[i].Mask, found[i].Mask);
            Assert.Equal(expected[i].PredictedIou, found[i].PredictedIou, 1e-5);
        }

        Assert.Equal(expected.ObjectScore!.Value, found.ObjectScore!.Value, 1e-5);
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void CreateDecoder_OnTheCpu_TakesOurKernels(string folder)
    {
        Sam2Golden golden = Sam2Golden.Read(folder);
        using StateDict weights = golden.Open();
        Assert.True(TiledMaskDecoder.Supports(Sam2Family.LayoutOf(weights, Sam2Layout.Of(weights, golden.Spec))));
    }

    [Fact]
    public void Published_AreFoundByName()
    {
        Assert.Equal("sam2.1-hiera-base-plus", SamModels.Sam21BasePlus.Name);
        Assert.Same(SamModels.Sam21Large, SamModels.Find("sam2.1-hiera-large"));
        Assert.NotNull(SamModels.Find("sam2-hiera-tiny"));
        Assert.Equal("sam2.1_hiera_tiny.pt", SamModels.Sam21Tiny.Files.Single().FileName);
    }
}
