using SegmentAnything.Rle;

namespace SegmentAnything.Evaluation.Tests;

/// <summary>The examples of docs/evaluation.md, as they stand there.</summary>
public class EvaluationExamples
{
    [Fact]
    public void AveragePrecision_OfDetections()
    {
        RleMask mask = RleMask.FromBox(new MaskBox(10, 10, 40, 30), 640, 480), found = mask.Translate(1, 0);

        // example: averagePrecision
        var set = new EvaluationSet(
            images: [new EvaluationImage(1, 640, 480)],
            categories: [new EvaluationCategory(1, "cup")],
            groundTruths: [new GroundTruth(1, ImageId: 1, CategoryId: 1) { Mask = mask }]);
        Detection[] detections = [new(ImageId: 1, CategoryId: 1, Score: 0.9) { Mask = found }];

        InstanceScores scores = InstanceEvaluation.Evaluate(set, detections);
        foreach ((string name, double value) in scores.Summary()) Console.WriteLine($"{name,-5} {value:0.000}");
        double proposals = InstanceEvaluation.Evaluate(set, detections, InstanceEvaluationOptions.Proposals).AverageRecall(maxDetections: 1000);
        // end

        Assert.Equal(1, proposals);
        Assert.Equal(12, scores.Summary().Count);
    }

    [Fact]
    public void Clicks_OnAnObject()
    {
        RleMask target = RleMask.FromBox(new MaskBox(2, 2, 6, 6), 12, 12);
        RleMask Predict(IReadOnlyList<Click> clicks) => clicks.Count < 3 ? target.Translate(3 - clicks.Count, 0) : target;

        // example: clicker
        var clicker = new Clicker(target);
        var qualities = new List<double>();
        RleMask? mask = null;
        while (qualities.Count < 20 && clicker.Next(mask) is not null)
        {
            mask = Predict(clicker.Clicks);
            qualities.Add(clicker.IntersectionOverUnion(mask));
        }

        var curve = new ClickCurve([qualities]);
        Console.WriteLine($"mIoU after one click {curve.MeanAfter(1):0.000}, NoC@90 {curve.MeanClicksUntil(0.9)}");
        // end

        Assert.Equal(3, curve.MeanClicksUntil(0.9));
    }
}
