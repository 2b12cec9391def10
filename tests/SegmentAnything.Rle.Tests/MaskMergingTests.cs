namespace SegmentAnything.Rle.Tests;

/// <summary>Suppression by category and merging, against plain loops over all pairs.</summary>
public class MaskMergingTests
{
    [Theory]
    [InlineData(MaskOverlap.IntersectionOverUnion, 0.3)]
    [InlineData(MaskOverlap.IntersectionOverSmaller, 0.5)]
    public void Groups_OfRandomMasks_AreThoseOfTheDefinition(MaskOverlap overlap, double threshold)
    {
        for (int seed = 0; seed < 40; seed++)
        {
            var random = new Random(seed);
            RleMask[] masks = [.. Enumerable.Range(0, 30).Select(i => RleMask.FromBitmap(MaskData.Blobs(50, 40, (100 * seed) + i, 1), 50, 40))];
            float[] scores = [.. masks.Select(_ => random.Next(8) / 8f)];
            int[] categories = seed % 4 == 0 ? [] : [.. masks.Select(_ => random.Next(3))];

            // Best first, equal scores in the order given; each takes in what is left and overlaps it.
            var left = new List<int>(Enumerable.Range(0, masks.Length).OrderByDescending(i => scores[i]));
            var expected = new List<int[]>();
            while (left.Count > 0)
            {
                int best = left[0];
                int[] group = [best, .. left.Skip(1).Where(i => (categories.Length == 0 || categories[i] == categories[best]) && Overlap(masks[best], masks[i]) > threshold)];
                expected.Add(group);
                left.RemoveAll(group.Contains);
            }

            MergedMask[] merged = NonMaximumMerging.Masks(masks, scores, threshold, overlap, categories);
            Assert.Equal(expected, merged.Select(object_ => object_.Members.ToArray()));
            Assert.All(merged, object_ => Assert.Equal(RleMask.Union([.. object_.Members.Select(i => masks[i])]), object_.Mask));
            Assert.Equal(expected.Select(group => group[0]), NonMaximumSuppression.Masks(masks, scores, categories, threshold, overlap));
        }

        double Overlap(RleMask a, RleMask b)
        {
            double both = a.ToBitmap().Zip(b.ToBitmap()).Count(pair => pair is (1, 1));
            if (both == 0) return 0;
            return overlap == MaskOverlap.IntersectionOverUnion ? both / (a.Area + b.Area - both) : both / Math.Min(a.Area, b.Area);
        }
    }

    [Fact]
    public void Lists_ThatDoNotFit_AreRefused()
    {
        RleMask[] masks = [RleMask.Full(3, 3), RleMask.Full(3, 3)];
        float[] scores = [1, 2];
        Assert.Throws<ArgumentException>(() => NonMaximumMerging.Masks(masks, [1], 0.5));
        Assert.Throws<ArgumentException>(() => NonMaximumMerging.Masks(masks, scores, 0.5, MaskOverlap.IntersectionOverUnion, [1]));
        Assert.Throws<ArgumentOutOfRangeException>(() => NonMaximumMerging.Masks(masks, scores, 0.5, (MaskOverlap)2));
        Assert.Throws<ArgumentException>(() => NonMaximumSuppression.Masks(masks, scores, [1, 2, 3], 0.5));
        Assert.Throws<RleFormatException>(() => NonMaximumMerging.Masks([masks[0], RleMask.Full(3, 4)], scores, 0.5));
        Assert.Throws<ArgumentNullException>(() => NonMaximumMerging.Masks([masks[0], null!], scores, 0.5));
        Assert.Empty(NonMaximumMerging.Masks([], [], 0.5));
    }
}
