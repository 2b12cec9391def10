using System.Text.Json;
using SegmentAnything.Rle;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.Families;

/// <summary>
/// Every model of every family that there is reference data of, through the public API: the checkpoint is loaded, the picture
/// encoded, every prompt decoded, and what comes out is compared with what the official code gave. Models are found by their
/// manifests; one whose family is not built here is skipped with the reason that loading gives.
/// </summary>
/// <remarks>
/// Limits are those of the data's README, some ten times what float32 and float64 of the same network differ by.
/// </remarks>
public sealed class FamilyReferenceTests
{
    private const double EmbeddingTolerance = 5e-5;
    private const double LogitTolerance = 2e-3;
    private const double RelativeLogitTolerance = 5e-5;
    private const double ScoreTolerance = 5e-5;

    public static TheoryData<string, string, DecoderBackend, HqMask> Models()
    {
        TheoryData<string, string, DecoderBackend, HqMask> models = [];
        foreach (string manifest in FamilyModels.Manifests())
        {
            using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(manifest));
            string folder = Path.GetFileName(Path.GetDirectoryName(manifest)!);
            foreach (string file in FamilyModels.Checkpoints(json.RootElement))
            {
                foreach (HqMask mask in FamilyModels.HqMasks(json.RootElement))
                {
                    models.Add(folder, file, DecoderBackend.Auto, mask);
                    models.Add(folder, file, DecoderBackend.Graph, mask);
                }
            }
        }

        // A theory without cases fails: one that skips says why.
        if (models.Count == 0) models.Add("", "", DecoderBackend.Auto, HqMask.Sum);
        return models;
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void EncodeAndPredict_EveryPrompt_GivesWhatTheOfficialCodeGives(string folder, string file, DecoderBackend backend, HqMask hqMask)
    {
        FamilyModels reference = FamilyModels.Require(folder);
        using SamModel sam = reference.Load(file, new SamOptions { Decoder = backend, HqMask = hqMask });
        foreach (ReferencePicture picture in reference.Pictures())
        {
            using ImageEmbedding embedding = sam.Encode(picture.Pixels);
            foreach ((string map, float[] expected) in picture.Maps)
            {
                double difference = ReferenceFile.MaxDifference(embedding.ValuesOf(map), expected);
                Report($"{picture.Name} {map}: differs by {difference:e1} of {expected.Max(Math.Abs):0.0}");
                Assert.True(difference <= EmbeddingTolerance, $"{picture.Name}: map '{map}' differs by {difference}");
            }

            foreach (ReferencePrompt prompt in picture.Prompts) Check(sam, embedding, picture, prompt, hqMask);
        }
    }

    // Everything that the data has of a prompt: all tokens, and what each choice of masks gives.
    private static void Check(SamModel sam, ImageEmbedding embedding, ReferencePicture picture, ReferencePrompt prompt, HqMask hqMask)
    {
        string name = $"{picture.Name} {prompt.Name}";
        Prompt given = prompt.For(sam.Capabilities);
        if (Refused(sam.Capabilities, given) is { } reason)
        {
            Assert.ThrowsAny<Exception>(() => sam.Predict(embedding, given));
            Report($"{name}: refused, {reason}");
            return;
        }

        MaskPrediction all = sam.Predict(embedding, given, MaskSelection.All);
        foreach (PredictedMask mask in all)
        {
            if (prompt.LowRes is { } lowRes)
            {
                Assert.Equal(lowRes.Length, all.Count * mask.LowResLogits.Length);
                ReadOnlySpan<float> expected = lowRes.AsSpan(mask.MaskToken * mask.LowResLogits.Length, mask.LowResLogits.Length);
                CheckLogits($"{name}, token {mask.MaskToken}", mask.LowResLogits.Span, expected, prompt.LogitLimit);
            }

            if (hqMask == HqMask.HighQualityOnly) CheckLogits($"{name}, high-quality mask", mask.LowResLogits.Span, prompt.HighQuality!, prompt.LogitLimit);
            if (prompt.Iou is { } iou)
            {
                Assert.True(
                    Math.Abs(iou[mask.MaskToken] - mask.PredictedIou) <= ScoreTolerance,
                    $"{name}, token {mask.MaskToken}: predicted IoU {mask.PredictedIou}, expected {iou[mask.MaskToken]}");
            }
        }

        if (prompt.ObjectScore is { } score)
        {
            Assert.NotNull(all.ObjectScore);
            Assert.Equal(score, all.ObjectScore.Value, ScoreTolerance);
        }

        foreach (ReferenceAnswer answer in prompt.Answers.Where(a => a.HqMask == hqMask))
        {
            MaskPrediction prediction = sam.Predict(embedding, given, answer.Selection);
            if (answer.SelectedToken is { } selected) Assert.Equal(selected, prediction.Best.MaskToken);
            // The official code of some families gives the best of several masks where we give all.
            PredictedMask[] found = answer.Masks.Count == 1 ? [prediction.Best] : [.. prediction.OrderBy(mask => mask.MaskToken)];
            Assert.Equal(answer.Masks.Count, found.Length);
            for (int i = 0; i < found.Length; i++)
            {
                Assert.True(
                    Math.Abs(answer.Iou[i] - found[i].PredictedIou) <= ScoreTolerance,
                    $"{name} {answer.Selection}: predicted IoU {found[i].PredictedIou}, expected {answer.Iou[i]}");
                if (answer.LowRes is { } lowRes) CheckLogits($"{name} {answer.Selection}", found[i].LowResLogits.Span, lowRes, prompt.LogitLimit);
                (RleMask expected, int uncertain) = answer.Masks[i];
                long differing = expected.SymmetricDifference(found[i].Mask).Area;
                Assert.True(differing <= uncertain, $"{name} {answer.Selection}, mask {i}: {differing} pixels differ, {uncertain} may");
            }
        }
    }

    private static void CheckLogits(string name, ReadOnlySpan<float> found, ReadOnlySpan<float> expected, float limit)
    {
        double difference = 0, largest = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            double wanted = Math.Clamp(expected[i], -limit, limit);
            largest = Math.Max(largest, Math.Abs(wanted));
            if (!(Math.Abs(found[i] - wanted) <= difference)) difference = Math.Abs(found[i] - wanted); // NaN counts
        }

        Assert.True(difference <= Math.Max(LogitTolerance, RelativeLogitTolerance * largest), $"{name}: low-resolution logits differ by {difference} of {largest}");
    }

    // What a model says that it cannot do must be an error.
    private static string? Refused(ModelCapabilities can, Prompt prompt) =>
        !can.Boxes && prompt.BoxInSource is not null ? "a box"
        : !can.MaskPrompts && !prompt.MaskLogits.IsEmpty ? "a mask"
        : !can.NegativePoints && prompt.Points.Any(p => p.Label == PointLabel.Background) ? "a background point"
        : null;

    private static void Report(string text) => TestContext.Current.TestOutputHelper?.WriteLine(text);
}
