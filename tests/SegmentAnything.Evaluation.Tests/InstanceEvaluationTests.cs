using SegmentAnything.Rle;

namespace SegmentAnything.Evaluation.Tests;

public class InstanceEvaluationTests
{
    private static readonly EvaluationImage[] Images = [new(1, 100, 100)];
    private static readonly EvaluationCategory[] Categories = [new(1, "object")];

    // The worked example of the notes on proposals: three objects, five proposals in rank order with these ratios.
    [Fact]
    public void AverageRecall_OfProposals_IsTheNumberWorkedOutByHand()
    {
        // Each object has a row of 1,000 pixels of its own; a proposal covers a part of it, or more than it.
        var images = new[] { new EvaluationImage(1, 2000, 3) };
        GroundTruth[] truths = [.. Enumerable.Range(0, 3).Select(row => Row(row, 1000)).Select((mask, i) => new GroundTruth(i + 1, 1, 1) { Mask = mask })];
        var set = new EvaluationSet(images, Categories, truths);
        (int Row, int Length)[] proposals = [(0, 920), (1, 630), (0, 880), (1, 710), (2, 480)];
        Detection[] detections =
            [.. proposals.Select((proposal, rank) => new Detection(1, 1, 1 - (rank / 10.0)) { Mask = Row(proposal.Row, proposal.Length) })];
        InstanceScores scores = InstanceEvaluation.Evaluate(
            set, detections, InstanceEvaluationOptions.Proposals with { MaxDetections = [1, 2, 4, 1000] });
        Assert.Equal(0.3, scores.AverageRecall(maxDetections: 1), 1e-12);
        Assert.Equal(0.4, scores.AverageRecall(maxDetections: 2), 1e-12);
        Assert.Equal(1.4 / 3, scores.AverageRecall(maxDetections: 4), 1e-12);
        Assert.Equal(1.4 / 3, scores.AverageRecall(), 1e-12);

        static RleMask Row(int row, int length) => RleMask.FromBox(new MaskBox(0, row, length, 1), 2000, 3);
    }

    [Fact]
    public void Evaluate_PerfectDetections_AreAllFound()
    {
        GroundTruth truth = new(1, 1, 1) { Mask = Box(10, 10, 40, 40) };
        var set = new EvaluationSet(Images, Categories, [truth]);
        foreach (ComparedShape shape in Enum.GetValues<ComparedShape>())
        {
            InstanceScores scores = InstanceEvaluation.Evaluate(
                set, [new Detection(1, 1, 0.5) { Mask = truth.Mask }], new InstanceEvaluationOptions { Shape = shape });
            Assert.Equal(1, scores.AveragePrecision(), 1e-12);
            Assert.Equal(1, scores.AverageRecall());
            Assert.Equal(-1, scores.AveragePrecision(area: "large"));
        }
    }

    [Fact]
    public void Evaluate_Boundary_IsStricterThanMasks()
    {
        // Two pixels more on every side: the areas differ by 21 %, the borders hardly meet.
        GroundTruth truth = new(1, 1, 1) { Mask = Box(20, 20, 40, 40) };
        var set = new EvaluationSet(Images, Categories, [truth]);
        Detection[] detections = [new(1, 1, 0.9) { Mask = Box(18, 18, 44, 44) }];
        double masks = InstanceEvaluation.Evaluate(set, detections).AveragePrecision();
        double borders = InstanceEvaluation.Evaluate(set, detections, new() { Shape = ComparedShape.Boundary }).AveragePrecision();
        Assert.True(borders < masks && masks > 0.5, $"{borders}, {masks}");
    }

    [Fact]
    public void Evaluate_AnyNumberOfThreads_GivesTheSame()
    {
        (EvaluationSet set, Detection[] detections) = Random(17);
        double[][] results = [.. new int?[] { 1, 3, null }.Select(threads =>
            InstanceEvaluation.Evaluate(set, detections, new() { Threads = threads }).Summary().Select(number => number.Value).ToArray())];
        Assert.Equal(results[0], results[1]);
        Assert.Equal(results[0], results[2]);
    }

    [Fact]
    public void Evaluate_Cancelled_Ends()
    {
        (EvaluationSet set, Detection[] detections) = Random(18);
        Assert.Throws<OperationCanceledException>(() => InstanceEvaluation.Evaluate(set, detections, cancellationToken: new CancellationToken(true)));
    }

    [Fact]
    public void Set_OfBadParts_NamesThem()
    {
        GroundTruth truth = new(7, 1, 1) { Mask = Box(0, 0, 5, 5) };
        AssertRefused("no image", () => new EvaluationSet([], Categories, []));
        AssertRefused("no category", () => new EvaluationSet(Images, [], []));
        AssertRefused("Two images have the number 1", () => new EvaluationSet([.. Images, .. Images], Categories, []));
        AssertRefused("'object' and 'thing'", () => new EvaluationSet(Images, [.. Categories, new(1, "thing")], []));
        AssertRefused("Two annotations have the number 7", () => new EvaluationSet(Images, Categories, [truth, truth]));
        AssertRefused("Annotation 7 is in image 2", () => new EvaluationSet(Images, Categories, [truth with { ImageId = 2 }]));
        AssertRefused("Annotation 7 is of category 2", () => new EvaluationSet(Images, Categories, [truth with { CategoryId = 2 }]));
        AssertRefused("mask of 9x9 pixels, but image 1 is 100x100", () => new EvaluationSet(Images, Categories, [truth with { Mask = RleMask.Full(9, 9) }]));
        AssertRefused("neither a mask nor a box", () => new EvaluationSet(Images, Categories, [truth with { Mask = null }]));
        AssertRefused("NaN", () => new EvaluationSet(Images, Categories, [truth with { Area = double.NaN }]));
    }

    [Fact]
    public void Evaluate_BadDetectionsOrOptions_NamesThem()
    {
        var set = new EvaluationSet(Images, Categories, [new GroundTruth(1, 1, 1) { Mask = Box(0, 0, 5, 5) }]);
        Detection detection = new(1, 1, 0.5) { Mask = Box(0, 0, 5, 5) };
        AssertRefused("Detection 0 is in image 9", () => InstanceEvaluation.Evaluate(set, [detection with { ImageId = 9 }]));
        AssertRefused("Detection 1 has the score NaN", () => InstanceEvaluation.Evaluate(set, [detection, detection with { Score = double.NaN }]));
        AssertRefused("has no mask", () => InstanceEvaluation.Evaluate(set, [detection with { Mask = null, Box = new(0, 0, 1, 1) }]));
        AssertRefused("detections have 5, 6, the ground truth 1", () => InstanceEvaluation.Evaluate(
            set, [detection with { CategoryId = 5 }, detection with { CategoryId = 6 }]));
        AssertRefused("MaxDetections", () => InstanceEvaluation.Evaluate(set, [], new() { MaxDetections = [10, 1] }));
        AssertRefused("IouThresholds", () => InstanceEvaluation.Evaluate(set, [], new() { IouThresholds = [1.5] }));
        AssertRefused("LVIS", () => InstanceEvaluation.Evaluate(set, [], new() { Rules = EvaluationRules.Lvis }));
        AssertRefused("Category 4", () => InstanceEvaluation.Evaluate(set, [], new() { CategoryIds = [4] }));
        InstanceScores nothing = InstanceEvaluation.Evaluate(set, []);
        Assert.Equal(0, nothing.AveragePrecision());
        AssertRefused("No area huge", () => nothing.AveragePrecision(area: "huge"));
    }

    internal static (EvaluationSet Set, Detection[] Detections) Random(int seed, int images = 40, int perImage = 20)
    {
        var random = new Random(seed);
        EvaluationImage[] all = [.. Enumerable.Range(1, images).Select(id => new EvaluationImage(id, 100, 100))];
        EvaluationCategory[] categories = [.. Enumerable.Range(1, 5).Select(id => new EvaluationCategory(id, $"c{id}"))];
        var truths = new List<GroundTruth>();
        var detections = new List<Detection>();
        foreach (EvaluationImage image in all)
        {
            for (int i = 0; i < perImage; i++)
            {
                RleMask mask = Box(random.Next(60), random.Next(60), random.Next(4, 40), random.Next(4, 40));
                long category = random.Next(1, 6);
                if (i % 3 == 0) truths.Add(new GroundTruth(truths.Count + 1, image.Id, category) { Mask = mask, IsCrowd = random.Next(9) == 0 });
                detections.Add(new Detection(image.Id, category, random.Next(100) / 100.0) { Mask = mask.Translate(random.Next(4), random.Next(4)) });
            }
        }

        return (new EvaluationSet(all, categories, truths), [.. detections]);
    }

    private static RleMask Box(int x, int y, int width, int height) => RleMask.FromBox(new MaskBox(x, y, width, height), 100, 100);

    private static void AssertRefused(string part, Func<object> act) =>
        Assert.Contains(part, Assert.Throws<ArgumentException>(act).Message, StringComparison.Ordinal);
}
