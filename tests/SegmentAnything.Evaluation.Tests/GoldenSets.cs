using System.Text.Json;
using SegmentAnything.Rle;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Evaluation.Tests;

/// <summary>Reads the reference sets, which are small files of COCO's and LVIS' form.</summary>
internal static class GoldenSets
{
    /// <summary>The names of the sets of a folder: its files NAME.gt.json. Skips the running test when there is none.</summary>
    public static string[] Names(string folder, string suffix = ".gt.json")
    {
        string[] files = Directory.GetFiles(TestPaths.RequireGolden("eval", folder), "*" + suffix);
        Assert.SkipWhen(files.Length == 0, $"The reference data has no {suffix} in eval/{folder}.");
        return [.. files.Select(file => Path.GetFileName(file)[..^suffix.Length]).Order()];
    }

    public static JsonElement Read(params string[] parts)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(TestPaths.RequireGolden(["eval", .. parts])));
        return document.RootElement.Clone();
    }

    public static bool Has(params string[] parts) => File.Exists(Path.Combine([TestPaths.Golden!, "eval", .. parts]));

    public static EvaluationSet Set(JsonElement root)
    {
        EvaluationImage[] images = [.. root.GetProperty("images").EnumerateArray().Select(image => new EvaluationImage(
            image.GetProperty("id").GetInt64(), image.GetProperty("width").GetInt32(), image.GetProperty("height").GetInt32())
        {
            NegativeCategoryIds = Longs(image, "neg_category_ids"),
            NotExhaustiveCategoryIds = Longs(image, "not_exhaustive_category_ids"),
        })];
        EvaluationCategory[] categories = [.. root.GetProperty("categories").EnumerateArray().Select(category => new EvaluationCategory(
            category.GetProperty("id").GetInt64(), category.GetProperty("name").GetString()!)
        {
            Frequency = !category.TryGetProperty("frequency", out JsonElement frequency) ? null : frequency.GetString() switch
            {
                "r" => CategoryFrequency.Rare,
                "c" => CategoryFrequency.Common,
                _ => CategoryFrequency.Frequent,
            },
        })];
        Dictionary<long, EvaluationImage> byId = images.ToDictionary(image => image.Id);
        IEnumerable<GroundTruth> truths = root.GetProperty("annotations").EnumerateArray().Select(annotation =>
        {
            long image = annotation.GetProperty("image_id").GetInt64();
            return new GroundTruth(annotation.GetProperty("id").GetInt64(), image, annotation.GetProperty("category_id").GetInt64())
            {
                Mask = Mask(annotation.GetProperty("segmentation"), byId[image]),
                Box = Box(annotation),
                Area = annotation.GetProperty("area").GetDouble(),
                IsCrowd = annotation.TryGetProperty("iscrowd", out JsonElement crowd) && crowd.GetInt32() != 0,
                IsIgnored = annotation.TryGetProperty("ignore", out JsonElement ignore) && ignore.GetInt32() != 0,
            };
        });
        return new EvaluationSet(images, categories, truths);
    }

    public static Detection[] Detections(JsonElement root, EvaluationSet set)
    {
        Dictionary<long, EvaluationImage> byId = set.Images.ToDictionary(image => image.Id);
        return [.. root.EnumerateArray().Select(entry =>
        {
            long image = entry.GetProperty("image_id").GetInt64();
            return new Detection(image, entry.GetProperty("category_id").GetInt64(), entry.GetProperty("score").GetDouble())
            {
                Mask = entry.TryGetProperty("segmentation", out JsonElement mask) ? Mask(mask, byId[image]) : null,
                Box = Box(entry),
            };
        })];
    }

    public static RleMask Mask(JsonElement segmentation) =>
        Mask(segmentation, new EvaluationImage(0, segmentation.GetProperty("size")[1].GetInt32(), segmentation.GetProperty("size")[0].GetInt32()));

    public static double[] Doubles(JsonElement list) => [.. list.EnumerateArray().Select(number => number.GetDouble())];

    public static int[] Ints(JsonElement list) => [.. list.EnumerateArray().Select(number => number.GetInt32())];

    public static long[] Longs(JsonElement list) => [.. list.EnumerateArray().Select(number => number.GetInt64())];

    private static RleMask Mask(JsonElement segmentation, EvaluationImage image)
    {
        if (segmentation.ValueKind == JsonValueKind.Array)
            return RleMask.FromPolygons([.. segmentation.EnumerateArray().Select(Doubles)], image.Width, image.Height);
        JsonElement counts = segmentation.GetProperty("counts");
        return counts.ValueKind == JsonValueKind.String
            ? RleMask.FromCocoString(counts.GetString()!, image.Width, image.Height)
            : RleMask.FromCounts(Ints(counts), image.Width, image.Height);
    }

    private static ObjectBox? Box(JsonElement entry)
    {
        if (!entry.TryGetProperty("bbox", out JsonElement box)) return null;
        double[] sides = Doubles(box);
        return new ObjectBox(sides[0], sides[1], sides[2], sides[3]);
    }

    private static long[] Longs(JsonElement entry, string name) => entry.TryGetProperty(name, out JsonElement list) ? Longs(list) : [];
}
