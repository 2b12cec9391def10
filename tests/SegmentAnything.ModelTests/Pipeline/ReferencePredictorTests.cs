using SegmentAnything.Rle;
using SegmentAnything.TestSupport;

namespace SegmentAnything.ModelTests.Pipeline;

/// <summary>Every prompt of every reference image, against the official predictor with the same weights.</summary>
[Collection(MobileSamCollection.Name)]
public sealed class ReferencePredictorTests(MobileSam fixture, ITestOutputHelper output)
{
    /// <summary>The same arithmetic in another order: torch against ONNX Runtime was seen to differ by 6.3e-7.</summary>
    private const double EmbeddingTolerance = 1e-4;

    private const double IouTolerance = 1e-3;

    /// <summary>Torch against ONNX Runtime was seen to differ by 1.8e-4, for values up to 49.</summary>
    private const double LogitTolerance = 1e-3;

    public static TheoryData<string> Images { get; } = [.. ReferenceImage.Names];

    [Theory]
    [MemberData(nameof(Images))]
    public void Encode_DecodedPhotograph_GivesTheReferenceEmbedding(string image)
    {
        ReferenceImage reference = ReferenceImage.Open(image);
        using ImageEmbedding embedding = fixture.Model.Encode(reference.LoadPixels().ToPixelBuffer());
        Assert.Equal(reference.Size, embedding.SourceSize);
        double difference = ReferenceFile.MaxDifference(embedding.Values, reference.Embedding());
        output.WriteLine($"{image}: the embedding differs by {difference:E1} (stored with an error of {reference.EmbeddingError():E1})");
        Assert.True(difference <= EmbeddingTolerance + reference.EmbeddingError(), $"embedding differs by {difference}");
    }

    [Theory]
    [MemberData(nameof(Images))]
    public void Decode_ReferenceEmbedding_GivesTheReferenceLogitsScoresAndMasks(string image)
    {
        ReferenceImage reference = ReferenceImage.Open(image);
        using ImageEmbedding embedding = reference.ReferenceEmbedding(fixture.Model);
        Worst worst = new();
        // Where the embedding is stored in half precision, the logits inherit its error.
        double logitTolerance = reference.EmbeddingError() == 0 ? LogitTolerance : 2e-2;
        foreach (ReferencePrompt prompt in reference.Prompts())
        {
            Compare(prompt, embedding, MaskSelection.Multiple, prompt.Multiple, logitTolerance, leastIou: 0.999, worst);
            Compare(prompt, embedding, MaskSelection.Single, prompt.Single, logitTolerance, leastIou: 0.999, worst);
        }

        output.WriteLine($"{image}, from the reference's embedding: {worst}");
    }

    [Theory]
    [MemberData(nameof(Images))]
    public void Predict_DecodedPhotograph_GivesTheReferenceMasks(string image)
    {
        ReferenceImage reference = ReferenceImage.Open(image);
        using ImageEmbedding embedding = fixture.Model.Encode(reference.LoadPixels().ToPixelBuffer());
        Worst worst = new();
        foreach (ReferencePrompt prompt in reference.Prompts())
        {
            Compare(prompt, embedding, MaskSelection.Multiple, prompt.Multiple, 2e-2, leastIou: 0.99, worst);
            Compare(prompt, embedding, MaskSelection.Single, prompt.Single, 2e-2, leastIou: 0.99, worst);
        }

        output.WriteLine($"{image}, from pixels: {worst}");
    }

    private void Compare(
        ReferencePrompt prompt, ImageEmbedding embedding, MaskSelection selection, ReferenceAnswer expected, double logitTolerance, double leastIou,
        Worst worst)
    {
        MaskPrediction[] predictions = fixture.Model.Predict(embedding, prompt.Prompts(), selection, TestContext.Current.CancellationToken);
        float[][] scores = expected.PredictedIou();
        ReferenceMask[][] masks = expected.Masks();
        (float[] logits, double storedError) = expected.LowRes();
        int first = selection == MaskSelection.Single ? 0 : 1;
        Assert.Equal(scores.Length, predictions.Length);
        for (int b = 0; b < predictions.Length; b++)
        {
            Assert.Equal(scores[b].Length, predictions[b].Count);
            foreach (PredictedMask mask in predictions[b])
            {
                int m = mask.MaskToken - first;
                string which = $"{prompt.Id} {selection} [{b}][{m}]";
                Assert.True(Math.Abs(mask.PredictedIou - scores[b][m]) <= IouTolerance,
                    $"{which}: predicted IoU {mask.PredictedIou}, expected {scores[b][m]}");

                int index = ((b * scores[b].Length) + m) * mask.LowResLogits.Length;
                double difference = ReferenceFile.MaxDifference(mask.LowResLogits.Span, logits.AsSpan(index, mask.LowResLogits.Length));
                // Where the reference is stored in half precision, the difference says more of the storage than of us.
                if (storedError == 0) worst.Logit = Math.Max(worst.Logit, difference);
                worst.Iou = Math.Max(worst.Iou, Math.Abs(mask.PredictedIou - scores[b][m]));
                Assert.True(difference <= logitTolerance + storedError, $"{which}: logits differ by {difference}");

                RleMask official = masks[b][m].Mask();
                double iou = mask.Mask.IntersectionOverUnion(official);
                // Of a tiny mask a pixel or two is already a large part.
                long differing = mask.Mask.Area + official.Area - (2 * mask.Mask.IntersectionArea(official));
                worst.Masks++;
                worst.ExactMasks += differing == 0 ? 1 : 0;
                worst.Pixels = Math.Max(worst.Pixels, differing);
                Assert.True(iou >= leastIou || differing <= 3, $"{which}: mask IoU {iou}, {differing} of {official.Area} pixels differ");
                Assert.True(Math.Abs(mask.StabilityScore - masks[b][m].StabilityScore) <= 2e-3 || official.Area < 1000,
                    $"{which}: stability {mask.StabilityScore}, expected {masks[b][m].StabilityScore}");
            }
        }
    }

    /// <summary>The largest differences that were seen, for docs/accuracy.md.</summary>
    private sealed class Worst
    {
        public double Logit { get; set; }

        public double Iou { get; set; }

        public int Masks { get; set; }

        public int ExactMasks { get; set; }

        public long Pixels { get; set; }

        public override string ToString() =>
            $"logits stored in full precision differ by {Logit:E1}, predicted IoUs by {Iou:E1}; "
            + $"{ExactMasks} of {Masks} masks are equal to the pixel, the others differ by {Pixels} pixels at most";
    }
}
