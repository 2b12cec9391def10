using System.Text.Json;
using SegmentAnything.Annotations;
using SegmentAnything.Evaluation;
using SegmentAnything.Rle;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tasks.Tests;

/// <summary>Annotations as ground truth: from files to the official code's numbers.</summary>
public class AnnotatedSetTests
{
    private const double MeanTolerance = 1e-12;

    [Fact]
    public void Read_CocosFiles_GiveTheOfficialNumbers()
    {
        int sets = 0;
        foreach ((string name, AnnotatedSet set, JsonElement expected) in Golden("coco"))
        {
            Assert.False(set.IsLvis);
            if (File.Exists(name + ".dt_segm.json"))
            {
                InstanceScores scores = InstanceEvaluation.Evaluate(set.Evaluation, AnnotatedSet.ReadDetections(name + ".dt_segm.json"));
                Equal(expected.GetProperty("evaluations").GetProperty("segm").GetProperty("summary"), scores.Summary());
                scores = InstanceEvaluation.Evaluate(set.Evaluation, AnnotatedSet.ReadDetections(name + ".dt_bbox.json"), new() { Shape = ComparedShape.Box });
                Equal(expected.GetProperty("evaluations").GetProperty("bbox").GetProperty("summary"), scores.Summary());
                sets++;
            }
            else
            {
                var report = new ProposalReport(set, AnnotatedSet.ReadDetections(name + ".dt.json"));
                foreach (JsonProperty number in expected.GetProperty("evaluations").GetProperty("agnostic_segm").GetProperty("AR").EnumerateObject().Where(n => n.Name != "1"))
                {
                    foreach (JsonProperty area in number.Value.EnumerateObject())
                        Assert.Equal(area.Value.GetDouble(), report.AverageRecall(int.Parse(number.Name, null), area.Name), MeanTolerance);
                }

                sets++;
            }
        }

        Assert.True(sets > 0);
    }

    [Fact]
    public void Read_LvisFiles_GiveTheOfficialNumbers()
    {
        foreach ((string name, AnnotatedSet set, JsonElement expected) in Golden("lvis"))
        {
            Assert.True(set.IsLvis);
            IReadOnlyList<Detection> detections = AnnotatedSet.ReadDetections(name + ".dt_segm.json");
            JsonElement official = expected.GetProperty("evaluations").GetProperty("segm_300").GetProperty("results");
            Equal(official, InstanceEvaluation.Evaluate(set.Evaluation, detections, InstanceEvaluationOptions.Lvis).Summary());
            Equal(official, new InstanceReport(set, detections).Masks!.Summary());

            var report = new ProposalReport(set, detections);
            JsonElement groups = expected.GetProperty("proposal_AR_by_frequency_cocoapi");
            foreach (CategoryFrequency frequency in Enum.GetValues<CategoryFrequency>())
            {
                double recall = groups.GetProperty(frequency.ToString()[..1].ToLowerInvariant()).GetProperty("1000").GetProperty("all").GetDouble();
                Assert.Equal(recall, report.AverageRecall(frequency), MeanTolerance);
            }

            Assert.Contains("| AR@1000 |", report.ToMarkdown(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Set_ObjectsWithoutNumberOrCategory_GetThem()
    {
        RleMask mask = RleMask.FromBox(new MaskBox(1, 1, 2, 2), 8, 8);
        // Label maps count from 1 in each image and have no categories.
        var set = new AnnotatedSet(
        [
            new ImageAnnotations(new AnnotationImage { Id = 4, Width = 8, Height = 8 }, [new Annotation { Id = 1, Mask = mask }, new Annotation { Mask = RleMask.Empty(8, 8) }]),
            new ImageAnnotations(new AnnotationImage { Id = 2, Width = 8, Height = 8 }, [new Annotation { Id = 1, Mask = mask, IsCrowd = true }, new Annotation { Id = 2 }]),
        ]);

        Assert.Equal([2L, 4], set.Evaluation.Images.Select(image => image.Id));
        Assert.Equal(3, set.Evaluation.GroundTruths.Select(truth => truth.Id).Distinct().Count());
        Assert.Equal("object", Assert.Single(set.Evaluation.Categories).Name);
        Assert.Equal("object", set.ValueOf(set.Images[0].Annotations[0], "category"));
        Assert.Null(set.ValueOf(set.Images[0].Annotations[0], "colour"));
        Assert.Equal(1, set.Images.Sum(image => AnnotatedSet.ObjectsOf(image).Count()));
    }

    [Fact]
    public void Set_WithoutAnything_IsAnErrorThatSaysWhat()
    {
        Assert.Contains("no image", Assert.Throws<ArgumentException>(() => new AnnotatedSet([])).Message, StringComparison.Ordinal);
        var image = new AnnotationImage { Id = 1, Width = 8, Height = 8 };
        Assert.Contains("1 images and no object", Assert.Throws<ArgumentException>(() => new AnnotatedSet([new(image, [new Annotation()])])).Message, StringComparison.Ordinal);
        Annotation annotation = Annotation.From(RleMask.FromBox(new MaskBox(1, 1, 2, 2), 8, 8));
        Assert.Contains("size of image 1", Assert.Throws<ArgumentException>(() => new AnnotatedSet([new(image with { Width = 0 }, [annotation])])).Message, StringComparison.Ordinal);
        var unknown = new ImageAnnotations(image, [annotation with { CategoryId = 9 }]);
        Assert.Contains("category 9", Assert.Throws<ArgumentException>(() => new AnnotatedSet([unknown], [new AnnotationCategory { Id = 1, Name = "cup" }])).Message, StringComparison.Ordinal);
    }

    private static IEnumerable<(string Name, AnnotatedSet Set, JsonElement Expected)> Golden(string kind)
    {
        string folder = TestPaths.RequireGolden("eval", kind);
        string[] files = Directory.GetFiles(folder, "*.gt.json");
        Assert.SkipWhen(files.Length == 0, $"{folder} has no NAME.gt.json.");
        foreach (string file in files)
        {
            string name = file[..^".gt.json".Length];
            yield return (name, AnnotatedSet.Read(file), JsonDocument.Parse(File.ReadAllBytes(name + ".expected.json")).RootElement);
        }
    }

    private static void Equal(JsonElement expected, IReadOnlyList<(string Name, double Value)> found)
    {
        JsonProperty[] numbers = [.. expected.EnumerateObject()];
        Assert.NotEmpty(numbers);
        foreach (JsonProperty number in numbers)
            Assert.Equal(number.Value.GetDouble(), found.Single(pair => pair.Name == number.Name).Value, MeanTolerance);
    }
}
