using SegmentAnything.Evaluation;
using SegmentAnything.Rle;

namespace SegmentAnything.Tasks.Tests;

public class TaskTests
{
    [Fact]
    public void Instances_OfBoxes_ArePromptedTwiceAndKeepTheDetectorsOrderAndScore()
    {
        using var model = new PaintingSegmenter(4);
        using ImageEmbedding embedding = PaintingSegmenter.Embedding(64, 48);
        DetectedBox[] boxes = [.. Enumerable.Range(0, 70).Select(i => new DetectedBox(new ObjectBox(i % 40, i % 30, 12, 9), i, 1 - (i / 100.0)))];
        IReadOnlyList<BoxInstance> instances = InstancesFromBoxes.Run(model, embedding, boxes);

        Assert.Equal(boxes, instances.Select(instance => instance.Detected));
        Assert.All(instances, instance => Assert.Equal(12 * 9, instance.Mask.Area));
        Assert.Equal(140, model.Prompts.Count);
        Assert.Equal(70, model.Prompts.Count(prompt => prompt.Prompt.MaskLogits.IsEmpty && prompt.Selection == MaskSelection.Multiple));
        Detection detection = instances[3].ToDetection(9);
        Assert.Equal((9, 3, 0.97), (detection.ImageId, detection.CategoryId, detection.Score));
        Assert.Null(detection.Box);
    }

    [Fact]
    public void Instances_OfBoxesOverTheEdge_AreCut_AndOutsideAreRefused()
    {
        using var model = new PaintingSegmenter(4);
        using ImageEmbedding embedding = PaintingSegmenter.Embedding(64, 48);
        InstancesFromBoxes.Run(model, embedding, [new(new ObjectBox(-5, 40, 20, 20), 1, 1)], passes: 1);
        Assert.Equal(new Box(0, 40, 15, 48), model.Prompts[0].Prompt.BoxInSource);
        ArgumentException error = Assert.Throws<ArgumentException>(
            () => InstancesFromBoxes.Run(model, embedding, [new(new ObjectBox(1, 1, 5, 5), 1, 1), new(new ObjectBox(64, 0, 5, 5), 1, 1)]));
        Assert.Contains("Box 1", error.Message, StringComparison.Ordinal);
        Assert.Empty(InstancesFromBoxes.Run(model, embedding, []));
    }

    [Fact]
    public void Proposals_AreRankedByTheMeanOfBothScoresAndCutAtAThousand()
    {
        RleMask mask = RleMask.Full(2, 2);
        GeneratedMask[] masks = [.. Enumerable.Range(0, 1200).Select(i => new GeneratedMask(mask, (i % 7) / 10f, (i % 11) / 10f, 0, 0))];
        IReadOnlyList<Detection> proposals = ObjectProposals.Rank(masks, imageId: 5);
        Assert.Equal(1000, proposals.Count);
        Assert.Equal((0.6f + 1.0f) / 2, proposals[0].Score, 1e-6);
        Assert.Equal(proposals.OrderByDescending(p => p.Score), proposals);
    }

    [Fact]
    public void Similar_MasksOverTheSameFeatures_AreTheMostAlike()
    {
        // Two kinds of features, in columns: masks over the same kind are alike, whatever their size.
        float[] values = new float[2 * 8 * 8];
        for (int i = 0; i < 64; i++) values[(i % 8 < 4 ? 0 : 64) + i] = 3;
        using var embedding = new ImageEmbedding(
            values, [new FeatureMapShape(FeatureMapShape.Embedding, 2, 8)], new ImageFrame(new ImageSize(64, 64), 128), "two", "");
        RleMask left = Box(2, 2, 10, 10), left2 = Box(20, 40, 8, 20), right = Box(40, 4, 20, 30), both = Box(16, 0, 32, 64);
        Assert.Equal([1f, 0f], SimilarMasks.Embed(embedding, left));
        IReadOnlyList<(int Index, double Similarity)> ranked = SimilarMasks.Rank(embedding, left, [right, both, left2]);
        Assert.Equal([2, 1, 0], ranked.Select(pair => pair.Index));
        Assert.Equal(1, ranked[0].Similarity, 1e-6);
        Assert.Equal(Math.Sqrt(0.5), ranked[1].Similarity, 1e-6);
        Assert.Equal(0, ranked[2].Similarity, 1e-6);
        Assert.Throws<ArgumentException>(() => SimilarMasks.Embed(embedding, RleMask.Empty(64, 64)));
        Assert.Throws<ArgumentException>(() => SimilarMasks.Embed(embedding, RleMask.Full(9, 9)));

        static RleMask Box(int x, int y, int width, int height) => RleMask.FromBox(new MaskBox(x, y, width, height), 64, 64);
    }
}
