using System.Text.Json;
using SegmentAnything.Tests.References;

namespace SegmentAnything.Tests;

public class ImageFrameTests
{
    [Fact]
    public void ResizedSize_ReferenceCases_IsTheSame()
    {
        JsonElement golden = GoldenJson.Read("lowlevel", "resize_longest_side.json");
        foreach ((string key, int side) in new[] { ("preprocess_shape", golden.GetProperty("target").GetInt32()), ("preprocess_shape_256", 256) })
        {
            foreach (JsonElement item in golden.GetProperty(key).EnumerateArray())
            {
                ImageSize expected = item.GetProperty("out_hw").SizeHw();
                if (expected.Width == 0 || expected.Height == 0) continue; // the reference fails on these; we keep one pixel
                Assert.Equal(expected, new ImageFrame(item.GetProperty("hw").SizeHw(), side).ResizedSize);
            }
        }
    }

    [Fact]
    public void ToModel_ReferencePointsAndBoxes_AreTheSame()
    {
        JsonElement golden = GoldenJson.Read("lowlevel", "resize_longest_side.json");
        foreach (JsonElement item in golden.GetProperty("apply_coords").EnumerateArray())
        {
            var transform = new ImageFrame(item.GetProperty("original_hw").SizeHw(), golden.GetProperty("target").GetInt32());
            JsonElement[] points = item.GetProperty("points").Items(), expected = item.GetProperty("out_f64").Items();
            for (int i = 0; i < points.Length; i++)
            {
                (double x, double y) = transform.ToModel(points[i][0].GetDouble(), points[i][1].GetDouble());
                Assert.Equal(expected[i][0].GetDouble(), x);
                Assert.Equal(expected[i][1].GetDouble(), y);
            }

            JsonElement[] boxes = item.GetProperty("boxes").Items(), expectedBoxes = item.GetProperty("boxes_out_f64").Items();
            for (int i = 0; i < boxes.Length; i++)
            {
                float[] b = boxes[i].Floats(), e = expectedBoxes[i].Floats();
                Assert.Equal(new Box(e[0], e[1], e[2], e[3]), transform.ToModel(new Box(b[0], b[1], b[2], b[3])));
            }
        }
    }

    [Theory]
    [InlineData(1, 1, 1024, 1024)]
    [InlineData(1800, 1200, 1024, 683)]
    [InlineData(65536, 1, 1024, 1)]
    public void ResizedSize_KnownSizes(int width, int height, int expectedWidth, int expectedHeight) =>
        Assert.Equal(new ImageSize(expectedWidth, expectedHeight), new ImageFrame(new ImageSize(width, height), 1024).ResizedSize);
}
