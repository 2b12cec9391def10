using System.Globalization;
using System.Text.Json;

namespace SegmentAnything.Evaluation.Tests;

/// <summary>The numbers of the COCO and LVIS APIs: matches, recalls and precisions to the bit, means to 1e-12.</summary>
public class InstanceGoldenTests
{
    private const double MeanTolerance = 1e-12;

    [Fact]
    public void Coco_EverySetAndEvaluation_GivesTheOfficialNumbers()
    {
        int evaluations = 0;
        foreach (string name in GoldenSets.Names("coco"))
        {
            EvaluationSet set = GoldenSets.Set(GoldenSets.Read("coco", name + ".gt.json"));
            JsonElement expected = GoldenSets.Read("coco", name + ".expected.json");
            foreach (JsonProperty evaluation in expected.GetProperty("evaluations").EnumerateObject())
            {
                JsonElement golden = evaluation.Value;
                Detection[] detections = Detections(name, evaluation.Name, golden.GetProperty("iou_type").GetString()!, set);
                InstanceEvaluationOptions options = Options(golden) with { MaxDetections = GoldenSets.Ints(golden.GetProperty("max_dets")) };
                AssertThresholds(expected, options);
                InstanceScores scores = InstanceEvaluation.Evaluate(set, detections, options);
                string label = $"{name}/{evaluation.Name}";
                AssertScores(golden, scores, label);
                AssertMatches(golden.GetProperty("matches_area_all"), set, scores, label);
                evaluations++;
            }
        }

        Assert.True(evaluations > 0);
    }

    [Fact]
    public void Coco_EveryMicroCase_GivesTheOfficialMatches()
    {
        JsonElement cases = GoldenSets.Read("coco", "micro.json").GetProperty("cases");
        Assert.NotEqual(0, cases.GetArrayLength());
        foreach (JsonElement golden in cases.EnumerateArray())
        {
            string name = golden.GetProperty("name").GetString()!;
            EvaluationSet set = GoldenSets.Set(golden.GetProperty("gt"));
            Detection[] detections = GoldenSets.Detections(golden.GetProperty("dt"), set);
            InstanceScores scores = InstanceEvaluation.Evaluate(set, detections);
            AssertSummary(golden.GetProperty("summary"), scores, name);
            AssertRecall(golden.GetProperty("recall_TKAM"), scores, name);
            foreach (JsonElement match in golden.GetProperty("matches").EnumerateArray())
            {
                MatchedCell? cell = Find(set, scores, match);
                int[] ids = GoldenSets.Ints(match.GetProperty("dt_ids"));
                Assert.Equal(ids, cell?.Detections.Select(d => d + 1).ToArray() ?? []);
                Assert.Equal(GoldenSets.Longs(match.GetProperty("dt_matches_50")), Partners(set, cell, 0));
                Assert.Equal(GoldenSets.Longs(match.GetProperty("dt_matches_75")), Partners(set, cell, 5));
                Assert.Equal(GoldenSets.Ints(match.GetProperty("dt_ignore_50")), Ignored(cell, 0));
            }
        }
    }

    [Fact]
    public void Lvis_EverySetAndEvaluation_GivesTheOfficialNumbers()
    {
        int evaluations = 0;
        foreach (string name in GoldenSets.Names("lvis"))
        {
            EvaluationSet set = GoldenSets.Set(GoldenSets.Read("lvis", name + ".gt.json"));
            JsonElement expected = GoldenSets.Read("lvis", name + ".expected.json");
            foreach (JsonProperty evaluation in expected.GetProperty("evaluations").EnumerateObject())
            {
                JsonElement golden = evaluation.Value;
                Detection[] detections = Detections(name, evaluation.Name, golden.GetProperty("iou_type").GetString()!, set, "lvis");
                InstanceEvaluationOptions options = Options(golden) with
                {
                    Rules = EvaluationRules.Lvis,
                    MaxDetections = [golden.GetProperty("max_dets").GetInt32()],
                    CategoryIds = GoldenSets.Longs(golden.GetProperty("category_ids")),
                };
                AssertThresholds(expected, options);
                InstanceScores scores = InstanceEvaluation.Evaluate(set, detections, options);
                string label = $"{name}/{evaluation.Name}";
                Assert.Equal(golden.GetProperty("kept_detections").GetInt32(), scores.Cells.Sum(image => image.Sum(cell => cell.Detections.Length)));
                AssertSummary(golden.GetProperty("results"), scores, label);
                AssertRecall(golden.GetProperty("recall_TKA"), scores, label);
                AssertCurves(golden, scores, label);
                evaluations++;
            }

            // Section 7.3 of the paper: the objects of one group, all detections, no categories, COCO's rules.
            Detection[] proposals = [.. Detections(name, "", "segm", set, "lvis").Select(detection => detection with { CategoryId = 1 })];
            foreach (JsonProperty group in expected.GetProperty("proposal_AR_by_frequency_cocoapi").EnumerateObject())
            {
                long[] ids = [.. set.Categories.Where(c => group.Name == "all" || Initial(c) == group.Name).Select(c => c.Id)];
                var wanted = new EvaluationSet(
                    set.Images, [new EvaluationCategory(1, "object")],
                    set.GroundTruths.Where(truth => ids.Contains(truth.CategoryId)).Select(truth => truth with { CategoryId = 1 }));
                InstanceScores scores = InstanceEvaluation.Evaluate(wanted, proposals, InstanceEvaluationOptions.Proposals);
                AssertMeans(group.Value, (area, number) => scores.AverageRecall(area: area, maxDetections: number), $"{name}/{group.Name}");
            }
        }

        Assert.True(evaluations > 0);
    }

    private static string Initial(EvaluationCategory category) => category.Frequency.ToString()![..1].ToLowerInvariant();

    // Two of the evaluations take the same masks another way: their names say which.
    private static Detection[] Detections(string set, string evaluation, string type, EvaluationSet truth, string folder = "coco")
    {
        Detection[] Read(string kind) => GoldenSets.Detections(GoldenSets.Read(folder, $"{set}.{kind}.json"), truth);
        if (GoldenSets.Has(folder, $"{set}.dt.json")) return Read("dt");
        return evaluation switch
        {
            "bbox_of_segm_file" => Read("dt_segm"),
            "segm_of_file_with_both" => [.. Read("dt_segm").Zip(Read("dt_bbox"), (mask, box) => mask with { Box = box.Box })],
            _ => Read("dt_" + type),
        };
    }

    private static InstanceEvaluationOptions Options(JsonElement golden) => new()
    {
        Shape = golden.GetProperty("iou_type").GetString() == "segm" ? ComparedShape.Mask : ComparedShape.Box,
        UseCategories = golden.GetProperty("use_cats").GetInt32() != 0,
    };

    private static void AssertThresholds(JsonElement expected, InstanceEvaluationOptions options)
    {
        Assert.Equal(GoldenSets.Doubles(expected.GetProperty("iou_thresholds")), options.IouThresholds);
        if (expected.TryGetProperty("recall_thresholds", out JsonElement recalls))
            Assert.Equal(GoldenSets.Doubles(recalls), options.RecallThresholds);
    }

    private static void AssertScores(JsonElement golden, InstanceScores scores, string label)
    {
        if (golden.TryGetProperty("summary", out JsonElement summary)) AssertSummary(summary, scores, label);
        AssertMeans(golden.GetProperty("AR"), (area, number) => scores.AverageRecall(area: area, maxDetections: number), label);
        AssertMeans(golden.GetProperty("AP"), (area, number) => scores.AveragePrecision(area: area, maxDetections: number), label);
        AssertRecall(golden.GetProperty("recall_TKAM"), scores, label);
        AssertCurves(golden, scores, label);
        if (golden.TryGetProperty("AP_per_category", out JsonElement each))
        {
            for (int k = 0; k < each.GetArrayLength(); k++)
                AssertMean(each[k].GetDouble(), scores.AveragePrecision(categoryIds: [scores.CategoryIds[k]]), $"{label} category {k}");
        }
    }

    private static void AssertCurves(JsonElement golden, InstanceScores scores, string label)
    {
        foreach (JsonElement cell in golden.GetProperty("precision_cells").EnumerateArray())
        {
            int m = cell.TryGetProperty("m", out JsonElement place) ? place.GetInt32() : 0;
            int t = cell.GetProperty("t").GetInt32(), k = cell.GetProperty("k").GetInt32(), a = cell.GetProperty("a").GetInt32();
            Assert.True(GoldenSets.Doubles(cell.GetProperty("precision")).SequenceEqual(scores.PrecisionCurve(t, k, a, m).ToArray()), $"{label}: precision {cell}");
            if (cell.TryGetProperty("scores", out JsonElement values))
                Assert.True(GoldenSets.Doubles(values).SequenceEqual(scores.ScoreCurve(t, k, a, m).ToArray()), $"{label}: scores {cell}");
        }
    }

    private static void AssertSummary(JsonElement golden, InstanceScores scores, string label)
    {
        Dictionary<string, double> found = scores.Summary().ToDictionary(number => number.Name, number => number.Value);
        foreach (JsonProperty number in golden.EnumerateObject())
        {
            // With one number of detections an image the sizes' names bear it, too.
            AssertMean(number.Value.GetDouble(), found[number.Name], $"{label} {number.Name}");
        }
    }

    private static void AssertMeans(JsonElement golden, Func<string, int, double> mean, string label)
    {
        foreach (JsonProperty number in golden.EnumerateObject())
        {
            foreach (JsonProperty area in number.Value.EnumerateObject())
            {
                int most = int.Parse(number.Name, CultureInfo.InvariantCulture);
                AssertMean(area.Value.GetDouble(), mean(area.Name, most), $"{label} {number.Name} {area.Name}");
            }
        }
    }

    private static void AssertMean(double expected, double found, string label) =>
        Assert.True(Math.Abs(expected - found) <= MeanTolerance, $"{label}: {expected} expected, {found} found");

    private static void AssertRecall(JsonElement golden, InstanceScores scores, string label)
    {
        for (int t = 0; t < golden.GetArrayLength(); t++)
            for (int k = 0; k < golden[t].GetArrayLength(); k++)
                for (int a = 0; a < golden[t][k].GetArrayLength(); a++)
                {
                    JsonElement cell = golden[t][k][a];
                    double[] expected = cell.ValueKind == JsonValueKind.Array ? GoldenSets.Doubles(cell) : [cell.GetDouble()];
                    for (int m = 0; m < expected.Length; m++)
                        Assert.True(expected[m] == scores.Recall(t, k, a, m), $"{label}: recall {t} {k} {a} {m}: {expected[m]} expected");
                }
    }

    private static void AssertMatches(JsonElement golden, EvaluationSet set, InstanceScores scores, string label)
    {
        foreach (JsonElement match in golden.EnumerateArray())
        {
            MatchedCell? cell = Find(set, scores, match);
            int[] ids = GoldenSets.Ints(match.GetProperty("dt_ids"));
            Assert.True(ids.SequenceEqual(cell?.Detections.Select(d => d + 1).Take(ids.Length) ?? []), $"{label}: detections {match}");
            foreach ((string name, int t) in new[] { ("0.50", 0), ("0.75", 5) })
            {
                Assert.Equal(GoldenSets.Longs(match.GetProperty("dt_matches").GetProperty(name)), Partners(set, cell, t).Take(ids.Length));
                Assert.Equal(GoldenSets.Ints(match.GetProperty("dt_ignore").GetProperty(name)), Ignored(cell, t).Take(ids.Length));
            }
        }
    }

    private static MatchedCell? Find(EvaluationSet set, InstanceScores scores, JsonElement match)
    {
        long category = match.GetProperty("category_id").GetInt64();
        int place = scores.CategoryIds.Count == 0 ? 0 : scores.CategoryIds.ToList().IndexOf(category);
        return scores.Cells[set.IndexOfImage(match.GetProperty("image_id").GetInt64())].FirstOrDefault(cell => cell.Category == place);
    }

    // 0 says that a detection matched nothing.
    private static long[] Partners(EvaluationSet set, MatchedCell? cell, int threshold) =>
        cell is null ? [] : [.. cell.Partners[threshold].Select(g => g < 0 ? 0 : set.GroundTruths[cell.GroundTruths[g]].Id)];

    private static int[] Ignored(MatchedCell? cell, int threshold) =>
        cell is null ? [] : [.. cell.Ignored[0].Select(bits => (int)((bits >> threshold) & 1))];
}
