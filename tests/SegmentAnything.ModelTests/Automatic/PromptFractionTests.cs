using System.Text.Json;
using SegmentAnything.Imaging;
using SegmentAnything.Rle;
using SegmentAnything.TestSupport;

namespace SegmentAnything.ModelTests.Automatic;

/// <summary>How many of the official generator's masks are found with a third of its prompts.</summary>
[Collection(MobileSamCollection.Name)]
public class PromptFractionTests(MobileSam sam)
{
    private const double SameMask = 0.9;

    [Theory]
    [InlineData("truck", 0.95)]
    [InlineData("groceries", 0.95)]
    [InlineData("picture1", 0.9)]
    public void Generate_AThirdOfThePrompts_FindsNearlyAllReferenceMasks(string image, double leastRecall)
    {
        using JsonDocument golden = JsonDocument.Parse(File.ReadAllBytes(TestPaths.RequireGolden("amg", image + ".g32.json")));
        LoadedImage photo = ImageFile.Load(TestPaths.RequireGolden("predictor", image, "input_decoded.png"));
        var generator = new AutomaticMaskGenerator(sam.Model, new AutomaticMaskOptions { PromptFraction = 1 / 3.0 });

        GeneratedMasks found = generator.Generate(photo.ToPixelBuffer(), cancellationToken: TestContext.Current.CancellationToken);

        Assert.Equal(342 * 3, found.Crops[0].Candidates);
        RleMask[] expected = [.. golden.RootElement.GetProperty("annotations").EnumerateArray().Select(a => RleMask.FromCocoString(
            a.GetProperty("segmentation").GetProperty("counts").GetString()!, found.ImageSize.Width, found.ImageSize.Height))];
        int again = expected.Count(mask => found.Any(m => m.Mask.IntersectionOverUnion(mask) >= SameMask));
        TestContext.Current.SendDiagnosticMessage($"{image}: {again} of {expected.Length}, {found.Count} masks in {found.Elapsed.TotalSeconds:F1} s");
        Assert.True(again >= leastRecall * expected.Length, $"{again} of {expected.Length} reference masks were found");
    }
}
