using SegmentAnything.Rle;

namespace SegmentAnything.Tests.Families;

/// <summary>
/// <see cref="AutomaticMaskOptions.RefineMasks"/> beside its definition, written with the public API alone: each point gives masks, each
/// mask's logits go back with the point, and the single mask of both is what counts. Models of all families, by their manifests.
/// </summary>
/// <remarks>Source: SAM 2, automatic_mask_generator.py (use_m2m, refine_with_m2m).</remarks>
public sealed class RefinementTests
{
    private const int PointsPerSide = 3;

    // A batch of points and one point alone are computed in another order.
    private const float ScoreTolerance = 1e-4f;
    private const double LeastOverlap = 0.98;

    public static TheoryData<string, string> Models() => FamilyModels.FirstCheckpoints();

    [Theory]
    [MemberData(nameof(Models))]
    public void Generate_RefineMasks_IsPredictWithTheLogitsFedBack(string folder, string file)
    {
        FamilyModels reference = FamilyModels.Require(folder);
        using SamModel sam = reference.Load(file, SamOptions.Default);
        PixelBuffer picture = reference.Pictures().First().Pixels;
        // Nothing is filtered, and nothing suppressed.
        AutomaticMaskOptions options = new()
        {
            PointsPerSide = PointsPerSide,
            RefineMasks = true,
            PredIouThreshold = 0,
            StabilityScoreThreshold = 0,
            BoxNmsThreshold = 1,
        };
        if (!sam.Capabilities.MaskPrompts)
        {
            Assert.ThrowsAny<Exception>(() => sam.GenerateMasks(picture, options, cancellationToken: TestContext.Current.CancellationToken));
            return;
        }

        List<GeneratedMask> found = [.. sam.GenerateMasks(picture, options, cancellationToken: TestContext.Current.CancellationToken)];
        GeneratedMask[] plain = [.. sam.GenerateMasks(picture, options with { RefineMasks = false }, cancellationToken: TestContext.Current.CancellationToken)];

        using ImageEmbedding embedding = sam.Encode(picture);
        int compared = 0;
        for (int row = 0; row < PointsPerSide; row++)
        {
            for (int column = 0; column < PointsPerSide; column++)
            {
                float x = (column + 0.5f) / PointsPerSide * picture.Width, y = (row + 0.5f) / PointsPerSide * picture.Height;
                foreach (PredictedMask first in sam.Predict(embedding, Prompt.Point(x, y), MaskSelection.Multiple))
                {
                    PredictedMask expected = sam.Predict(embedding, Prompt.Point(x, y).AndMask(first.LowResLogits), MaskSelection.Single).Best;
                    // Scores of nothing or below the threshold of 0 are filtered all the same.
                    if (expected.PredictedIou <= ScoreTolerance || expected.Mask.Area == 0) continue;
                    int at = found.FindIndex(mask => Math.Abs(mask.PointX - x) < 0.01 && Math.Abs(mask.PointY - y) < 0.01
                        && Math.Abs(mask.PredictedIou - expected.PredictedIou) < ScoreTolerance && mask.Mask.IntersectionOverUnion(expected.Mask) >= LeastOverlap);
                    Assert.True(at >= 0, $"({x}, {y}), token {first.MaskToken}: no generated mask has IoU {expected.PredictedIou} and {expected.Mask.Area} pixels; there are "
                        + string.Join(", ", found.Where(m => Math.Abs(m.PointX - x) < 0.01 && Math.Abs(m.PointY - y) < 0.01).Select(m => $"{m.PredictedIou} with {m.Area}")));
                    Assert.Equal(expected.StabilityScore, found[at].StabilityScore, 0.02f);
                    found.RemoveAt(at);
                    compared++;
                }
            }
        }

        Assert.InRange(compared, PointsPerSide, 3 * PointsPerSide * PointsPerSide);
        Assert.True(found.All(m => m.Area == 0 || m.PredictedIou <= ScoreTolerance), $"{found.Count} masks are of no point");
        // And refining changes something, or this would show nothing.
        Assert.NotEqual(plain.Select(m => m.PredictedIou), [.. sam.GenerateMasks(picture, options, cancellationToken: TestContext.Current.CancellationToken).Select(m => m.PredictedIou)]);
    }
}
