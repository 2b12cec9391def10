using SegmentAnything.Rle.Kernels;

namespace SegmentAnything.Rle.Tests.Kernels;

public class BoxRowsTests
{
    [Fact]
    public void FindMeeting_EveryNumberOfBoxes_MatchesTheLoop()
    {
        const int Side = 60;
        int found = 0;
        for (int count = 0; count <= 70; count++)
        {
            var random = new Random(count);
            RleMask[] masks = [.. Enumerable.Range(0, count + 8).Select(_ => Some(random))];
            IndexedRuns[] indexed = IouMatrix.Index(masks[..count]);
            var boxes = new BoxRows(indexed);
            foreach (MaskBox box in masks[count..].Select(mask => mask.BoundingBox))
            {
                int[] expected = [.. Enumerable.Range(0, count).Where(i => Meet(masks[i].BoundingBox, box))];
                var meeting = new int[count];
                int number = boxes.FindMeeting(box, meeting);
                Assert.True(expected.AsSpan().SequenceEqual(meeting.AsSpan(0, number)), $"{count} boxes, seed {count}, {box}");
                found += number;
            }
        }

        Assert.InRange(found, 1000, 70 * 8 * 30);

        // Also empty masks, and boxes that only touch.
        static RleMask Some(Random random)
        {
            int x = random.Next(Side), y = random.Next(Side), width = random.Next(0, 30), height = random.Next(0, 30);
            return RleMask.FromBox(x, y, Math.Min(width, Side - x), Math.Min(height, Side - y), Side, Side);
        }

        static bool Meet(MaskBox a, MaskBox b) =>
            a.X < b.Right && b.X < a.Right && a.Y < b.Bottom && b.Y < a.Bottom;
    }
}
