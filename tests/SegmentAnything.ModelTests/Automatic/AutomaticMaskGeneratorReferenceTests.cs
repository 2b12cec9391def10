using System.Text.Json;
using SegmentAnything.Imaging;
using SegmentAnything.Rle;
using SegmentAnything.TestSupport;

namespace SegmentAnything.ModelTests.Automatic;

/// <summary>The whole generator against the official one, with the same weights and the same pixels.</summary>
[Collection(MobileSamCollection.Name)]
public class AutomaticMaskGeneratorReferenceTests(MobileSam sam)
{
    // What the issue allows: values this near to a threshold may fall on the other side.
    private const double NearThreshold = 1e-3;
    private const double LeastIou = 0.99;
    private const double LeastMatched = 0.99;
    private const double BoxTolerance = 1;
    private const double ScoreTolerance = 2e-3;

    [Theory]
    [InlineData("truck.g8")]
    [InlineData("groceries.g8")]
    [InlineData("picture1.g8")]
    [InlineData("groceries.g8_crop1")]
    [InlineData("picture1.g8_area100")]
    [InlineData("truck.g32")]
    [InlineData("groceries.g32")]
    [InlineData("picture1.g32")]
    [InlineData("groceries.g32_crop1")]
    [InlineData("picture1.g32_area100")]
    public void Generate_ReferenceImage_FindsTheReferenceMasks(string name)
    {
        JsonElement golden = Read(name + ".json");
        JsonElement stages = Read(name + ".stages.json");
        string image = name[..name.IndexOf('.')];
        LoadedImage photo = ImageFile.Load(TestPaths.RequireGolden("predictor", image, "input_decoded.png"));
        var generator = new AutomaticMaskGenerator(sam.Model, OptionsOf(golden.GetProperty("params")));

        GeneratedMasks found = generator.Generate(photo.ToPixelBuffer(), cancellationToken: TestContext.Current.CancellationToken);

        CheckCounts(found, stages, generator.Options);
        CheckMasks(found, golden.GetProperty("annotations"));
        TestContext.Current.SendDiagnosticMessage(
            $"{name}: {found.Count} masks in {found.Elapsed.TotalSeconds:F1} s "
            + $"(encode {found.Crops.Sum(c => c.EncodeTime.TotalSeconds):F1}, decode {found.Crops.Sum(c => c.DecodeTime.TotalSeconds):F1}, "
            + $"masks {found.Crops.Sum(c => c.MaskTime.TotalSeconds):F2}, suppression {found.Crops.Sum(c => c.SuppressionTime.TotalSeconds):F3})");
    }

    private static JsonElement Read(string file)
    {
        using FileStream stream = File.OpenRead(TestPaths.RequireGolden("amg", file));
        using JsonDocument document = JsonDocument.Parse(stream);
        return document.RootElement.Clone();
    }

    private static AutomaticMaskOptions OptionsOf(JsonElement parameters) => new()
    {
        PointsPerSide = parameters.GetProperty("points_per_side").GetInt32(),
        PointsPerBatch = parameters.GetProperty("points_per_batch").GetInt32(),
        PredIouThreshold = parameters.GetProperty("pred_iou_thresh").GetSingle(),
        StabilityScoreThreshold = parameters.GetProperty("stability_score_thresh").GetSingle(),
        StabilityScoreOffset = parameters.GetProperty("stability_score_offset").GetSingle(),
        BoxNmsThreshold = parameters.GetProperty("box_nms_thresh").GetDouble(),
        CropLayers = parameters.GetProperty("crop_n_layers").GetInt32(),
        CropNmsThreshold = parameters.GetProperty("crop_nms_thresh").GetDouble(),
        CropOverlapRatio = parameters.GetProperty("crop_overlap_ratio").GetDouble(),
        CropPointsDownscaleFactor = parameters.GetProperty("crop_n_points_downscale_factor").GetInt32(),
        MinMaskRegionArea = parameters.GetProperty("min_mask_region_area").GetInt32(),
    };

    private static void CheckCounts(GeneratedMasks found, JsonElement stages, AutomaticMaskOptions options)
    {
        JsonElement[] crops = [.. stages.GetProperty("crops").EnumerateArray()];
        Assert.Equal(crops.Length, found.Crops.Count);
        for (int i = 0; i < crops.Length; i++)
        {
            CropStatistics statistics = found.Crops[i];
            float[] box = [.. crops[i].GetProperty("crop_box_xyxy").EnumerateArray().Select(e => e.GetSingle())];
            Assert.Equal(new Box(box[0], box[1], box[2], box[3]), statistics.CropBox);
            Assert.Equal(crops[i].GetProperty("layer").GetInt32(), statistics.Layer);
            Assert.Equal(crops[i].GetProperty("n_candidates").GetInt32(), statistics.Candidates);

            // Counts may differ only by candidates whose value lies near a threshold.
            JsonElement candidates = crops[i].GetProperty("candidates");
            int nearIou = CountNear(candidates.GetProperty("pred_iou"), options.PredIouThreshold);
            int nearStability = nearIou + CountNear(candidates.GetProperty("stability_score"), options.StabilityScoreThreshold);
            Assert.InRange(Math.Abs(crops[i].GetProperty("after_pred_iou").GetInt32() - statistics.AfterPredictedIou), 0, nearIou);
            Assert.InRange(Math.Abs(crops[i].GetProperty("after_stability").GetInt32() - statistics.AfterStability), 0, nearStability);
            Assert.InRange(Math.Abs(crops[i].GetProperty("after_edge").GetInt32() - statistics.AfterEdge), 0, nearStability);
            Assert.InRange(Math.Abs(crops[i].GetProperty("after_nms_in_crop").GetInt32() - statistics.AfterSuppression), 0, nearStability);
        }
    }

    private static int CountNear(JsonElement values, double threshold) => values.EnumerateArray()
        .Count(v => v.ValueKind == JsonValueKind.Number && Math.Abs(v.GetDouble() - threshold) < NearThreshold);

    // One to one: each reference mask takes the best mask that is still free.
    private static void CheckMasks(GeneratedMasks found, JsonElement annotations)
    {
        JsonElement[] expected = [.. annotations.EnumerateArray()];
        Assert.InRange(found.Count, expected.Length - 1, expected.Length + 1);
        List<GeneratedMask> free = [.. found];
        int matched = 0;
        foreach (JsonElement annotation in expected)
        {
            RleMask mask = RleMask.FromCocoString(
                annotation.GetProperty("segmentation").GetProperty("counts").GetString()!, found.ImageSize.Width, found.ImageSize.Height);
            GeneratedMask? best = free.MaxBy(m => m.Mask.IntersectionOverUnion(mask));
            if (best is null || best.Mask.IntersectionOverUnion(mask) < LeastIou) continue;
            matched++;
            free.Remove(best);

            float[] box = [.. annotation.GetProperty("bbox").EnumerateArray().Select(e => e.GetSingle())];
            Assert.Equal(box[0], best.Box.X0, BoxTolerance);
            Assert.Equal(box[1], best.Box.Y0, BoxTolerance);
            Assert.Equal(box[2], best.Box.Width, BoxTolerance);
            Assert.Equal(box[3], best.Box.Height, BoxTolerance);
            Assert.Equal(best.Mask.Area, best.Area);
            Assert.Equal(annotation.GetProperty("predicted_iou").GetDouble(), best.PredictedIou, ScoreTolerance);
            Assert.Equal(annotation.GetProperty("stability_score").GetDouble(), best.StabilityScore, ScoreTolerance);
            JsonElement point = annotation.GetProperty("point_coords")[0];
            Assert.Equal(point[0].GetDouble(), best.PointX, 1e-9);
            Assert.Equal(point[1].GetDouble(), best.PointY, 1e-9);
            float[] crop = [.. annotation.GetProperty("crop_box").EnumerateArray().Select(e => e.GetSingle())];
            Assert.Equal(Box.FromXywh(crop[0], crop[1], crop[2], crop[3]), best.CropBox);
        }

        Assert.True(matched >= LeastMatched * expected.Length, $"{matched} of {expected.Length} reference masks were found");
    }
}
