using System.Numerics.Tensors;
using SegmentAnything.Imaging;

namespace SegmentAnything.ModelTests.Graphs;

/// <summary>MobileSAM with an int8 encoder against the same in float32: docs/accuracy.md has the figures.</summary>
[Collection(MobileSamCollection.Name)]
public class Int8EncoderTests(MobileSam sam)
{
    private const int PointsAcross = 8;

    // With 7-bit weights, which have the larger errors: 1.3e-2, 0.9986 and 0.0024 on the three photographs.
    private const double LargestError = 0.03, SmallestIou = 0.99, LargestPredictedIouDifference = 0.006;

    [Fact]
    public void Int8_OnTheStillLife_GivesTheSameMasks() => Compare(StillLife.Image);

    [Theory]
    [InlineData("truck")]
    [InlineData("groceries")]
    [InlineData("picture1")]
    public void Int8_OnAPhotograph_GivesTheSameMasks(string name) => Compare(ReferenceImage.Open(name).LoadPixels());

    private void Compare(LoadedImage image)
    {
        using SamModel int8 = SamModel.Load(SamModels.MobileSam, new SamOptions { EncoderPrecision = EncoderPrecision.Int8 });
        using ImageEmbedding expected = sam.Model.Encode(image.ToPixelBuffer()), found = int8.Encode(image.ToPixelBuffer());
        Assert.Equal(sam.Model.Encoder.Fingerprint, int8.Encoder.Fingerprint);

        double error = TensorPrimitives.Distance(expected.Values, found.Values) / TensorPrimitives.Norm(expected.Values);
        Prompt[] prompts = [.. Enumerable.Range(0, PointsAcross * PointsAcross).Select(i => Prompt.Point(
            (i % PointsAcross + 0.5f) * image.Width / PointsAcross, (i / PointsAcross + 0.5f) * image.Height / PointsAcross))];
        MaskPrediction[] before = int8.Predict(expected, prompts), after = int8.Predict(found, prompts);
        List<double> ious = [], differences = [];
        for (int i = 0; i < prompts.Length; i++)
        {
            foreach (PredictedMask mask in before[i])
            {
                PredictedMask other = after[i].Single(m => m.MaskToken == mask.MaskToken);
                differences.Add(Math.Abs(mask.PredictedIou - other.PredictedIou));
                // Those that the automatic generator would keep.
                if (mask.PredictedIou >= 0.88f && mask.StabilityScore >= 0.95f) ious.Add(mask.Mask.IntersectionOverUnion(other.Mask));
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine(
            $"error {error:e1}; {ious.Count} masks, IoU {ious.Average():F4}, at least {ious.Min():F3}; predicted IoU differs by {differences.Average():F4}");
        Assert.InRange(error, 1e-4, LargestError);
        Assert.NotEmpty(ious);
        Assert.InRange(ious.Average(), SmallestIou, 1);
        Assert.InRange(differences.Average(), 0, LargestPredictedIouDifference);
    }
}
