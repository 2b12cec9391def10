using SegmentAnything.Evaluation;
using SegmentAnything.Rle;

namespace SegmentAnything.Tasks.Tests;

public class ClickSimulationTests
{
    private static readonly RleMask Target = RleMask.FromBox(new MaskBox(10, 6, 21, 11), 64, 48);

    [Fact]
    public void Run_Evaluation_BeginsInTheCentreAndCarriesTheMostConfidentMaskOn()
    {
        using var model = new PaintingSegmenter(8);
        using ImageEmbedding embedding = PaintingSegmenter.Embedding(64, 48);
        SimulatedObject result = ClickSimulation.Run(model, embedding, Target, options: new() { MaxClicks = 5 });

        Assert.Equal(5, result.Qualities.Count);
        (int x, int y) = Target.LargestInscribedPoint(out _);
        Assert.Equal(new Click(x, y, true), result.Clicks[0]);
        Assert.Equal(new PointPrompt(x + 0.5f, y + 0.5f), model.Prompts[0].Prompt.Points[0]);
        Assert.Equal(MaskSelection.Multiple, model.Prompts[0].Selection);
        Assert.All(model.Prompts.Skip(1), prompt => Assert.Equal(MaskSelection.Auto, prompt.Selection));
        Assert.True(model.Prompts[0].Prompt.MaskLogits.IsEmpty);
        Assert.All(model.Prompts.Skip(1), prompt => Assert.False(prompt.Prompt.MaskLogits.IsEmpty));
        Assert.Equal(5, model.Prompts[^1].Prompt.Points.Length);

        // The most confident mask has the double radius and leaves the object; the one of the same radius is the best.
        Assert.True(result.Oracle > result.Qualities[0]);
        Assert.True(result.Qualities[^1] > result.Qualities[0]);
        Assert.Equal(result.Qualities[^1], result.Mask.IntersectionOverUnion(Target), 1e-12);
    }

    [Fact]
    public void Run_AlwaysMultiple_AsksForThreeMasksEveryTime()
    {
        using var model = new PaintingSegmenter(4);
        using ImageEmbedding embedding = PaintingSegmenter.Embedding(64, 48);
        ClickSimulation.Run(model, embedding, Target, options: new() { MaxClicks = 3, AlwaysMultiple = true });
        Assert.All(model.Prompts, prompt => Assert.Equal(MaskSelection.Multiple, prompt.Selection));
    }

    [Fact]
    public void Run_RandomFirstClick_IsOnTheObjectAndTheSameForTheSameSeed()
    {
        using ImageEmbedding embedding = PaintingSegmenter.Embedding(64, 48);
        Click[] clicks = [.. Enumerable.Range(0, 40).Select(id => First(seed: 1, id))];
        Assert.All(clicks, click => Assert.True(Target[click.X, click.Y]));
        Assert.True(clicks.Distinct().Count() > 20);
        Assert.Equal(clicks[7], First(seed: 1, id: 7));
        Assert.NotEqual(clicks, [.. Enumerable.Range(0, 40).Select(id => First(seed: 2, id))]);

        Click First(int seed, long id)
        {
            using var model = new PaintingSegmenter(4);
            return ClickSimulation.Run(model, embedding, Target, id: id, options: new() { MaxClicks = 1, RandomFirstClick = true, Seed = seed }).Clicks[0];
        }
    }

    [Fact]
    public void Run_Training_HasElevenRoundsAndEightPointsAfterTheFirstPrompt()
    {
        using ImageEmbedding embedding = PaintingSegmenter.Embedding(64, 48);
        int boxes = 0;
        for (int id = 0; id < 20; id++)
        {
            using var model = new PaintingSegmenter(2);
            SimulatedObject result = ClickSimulation.Run(model, embedding, Target, id: id, options: new() { Person = SimulatedPerson.Training });
            Assert.Equal(11, result.Qualities.Count);
            bool box = model.Prompts[0].Prompt.BoxInSource is not null;
            Assert.Equal(box ? 8 : 9, result.Clicks.Count);
            Assert.All(model.Prompts, prompt => Assert.Equal(box, prompt.Prompt.BoxInSource is not null));
            if (box) boxes++;
        }

        Assert.InRange(boxes, 3, 17);
    }

    [Fact]
    public void Run_StopAt_EndsWhenTheMaskIsGoodEnough()
    {
        using var model = new PaintingSegmenter(4);
        using ImageEmbedding embedding = PaintingSegmenter.Embedding(64, 48);
        SimulatedObject result = ClickSimulation.Run(model, embedding, Target, options: new() { StopAt = 0.5 });
        Assert.True(result.Qualities[^1] >= 0.5);
        Assert.All(result.Qualities.SkipLast(1), quality => Assert.True(quality < 0.5));
    }

    [Fact]
    public void Run_BadInput_IsRefused()
    {
        using var model = new PaintingSegmenter(4);
        using ImageEmbedding embedding = PaintingSegmenter.Embedding(64, 48);
        Assert.Contains("64x48", Assert.Throws<ArgumentException>(() => ClickSimulation.Run(model, embedding, RleMask.Full(5, 5))).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => ClickSimulation.Run(model, embedding, RleMask.Empty(64, 48)));
        Assert.Throws<ArgumentOutOfRangeException>(() => ClickSimulation.Run(model, embedding, Target, options: new() { MaxClicks = 0 }));
        Assert.Throws<OperationCanceledException>(() => ClickSimulation.Run(model, embedding, Target, cancellationToken: new CancellationToken(true)));
    }

    [Fact]
    public void Report_OfTwoSets_MeansSetsAndNotObjects()
    {
        EvaluatedObject[] objects =
        [
            Object("a", 1, [0.5, 0.9]), Object("a", 2, [0.7, 0.8]), Object("a", 3, [0.6, 0.7]),
            Object("b,c", 4, [1.0], group: "cup"),
        ];
        var report = new ClickReport(objects, maxClicks: 3);
        Assert.Equal(["a", "b,c"], report.Sets);
        Assert.Equal((0.6 + 1) / 2, report.MeanAfter(1), 1e-12);
        Assert.Equal((0.8 + 1) / 2, report.MeanAfter(3), 1e-12);
        Assert.Equal([("cup", 1)], report.Groups(1).Select(group => (group.Group, group.Count)));
        Assert.Contains("| a | 3 | 0.600 | 0.800 | 0.800 |", report.ToMarkdown(), StringComparison.Ordinal);
        Assert.Contains("| mean of sets | 4 | 0.800 |", report.ToMarkdown(), StringComparison.Ordinal);
        string[] csv = report.ToCsv().TrimEnd().Split('\n');
        Assert.Equal("set,image,object,group,iou_1,iou_2,iou_3,oracle_1,ms_per_click", csv[0]);
        Assert.Equal("\"b,c\",4,4,cup,1,,,0.95,2.000", csv[4]);
        Assert.Throws<ArgumentException>(() => new ClickReport([]));

        static EvaluatedObject Object(string set, long id, double[] qualities, string? group = null) =>
            new(set, id, id, new SimulatedObject([], qualities, 0.95, 2, RleMask.Full(1, 1)), group);
    }
}
