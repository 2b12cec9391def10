using System.Text.Json;

namespace SegmentAnything.Rle.Tests;

/// <summary>torchvision's answers, exactly.</summary>
public class NonMaximumSuppressionTests
{
    [Fact]
    public void Boxes_EveryCase_EqualTheReference()
    {
        foreach (JsonElement golden in Golden.LowLevel("nms.json").GetProperty("cases").EnumerateArray())
        {
            float[] boxes = Golden.Floats(golden.GetProperty("boxes")), scores = Golden.Floats(golden.GetProperty("scores"));
            double threshold = golden.GetProperty("iou_threshold").GetDouble();
            Assert.Equal(
                Golden.Ints(golden.GetProperty("nms_keep")), NonMaximumSuppression.Boxes(boxes, scores, threshold));

            int[] batched = NonMaximumSuppression.Boxes(boxes, scores, new int[scores.Length], threshold);
            int[] expected = Golden.Ints(golden.GetProperty("batched_nms_single_category_keep"));
            if (scores.Length > 1000)
            {
                // The reference ends in a sort that is not stable there: its order among equal scores is by chance, ours
                // is the index.
                expected = [.. expected.Order().OrderByDescending(index => scores[index])];
            }

            Assert.Equal(expected, batched);
            if (golden.TryGetProperty("categories", out JsonElement categories))
            {
                Assert.Equal(
                    Golden.Ints(golden.GetProperty("batched_nms_keep")),
                    NonMaximumSuppression.Boxes(boxes, scores, Golden.Ints(categories), threshold));
            }
        }
    }
}
