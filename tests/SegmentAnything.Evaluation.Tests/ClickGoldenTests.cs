using System.Text.Json;
using SegmentAnything.Rle;

namespace SegmentAnything.Evaluation.Tests;

/// <summary>RITM's clicks and measures.</summary>
public class ClickGoldenTests
{
    [Fact]
    public void Next_EveryObject_ClicksWhereTheOfficialClickerDoes()
    {
        JsonElement golden = GoldenSets.Read("interactive", "clicks.json");
        var curves = new List<double[]>();
        foreach (JsonElement sample in golden.GetProperty("samples").EnumerateArray())
        {
            string name = sample.GetProperty("name").GetString()!;
            RleMask target = GoldenSets.Mask(sample.GetProperty("object"));
            JsonElement ignore = sample.GetProperty("ignore");
            var clicker = new Clicker(target, ignore.ValueKind == JsonValueKind.Null ? null : GoldenSets.Mask(ignore));
            double[] radii = GoldenSets.Doubles(sample.GetProperty("radii"));
            RleMask seen = RleMask.Empty(target.Width, target.Height);
            var curve = new List<double>();
            foreach (JsonElement step in sample.GetProperty("clicks").EnumerateArray())
            {
                Click? click = clicker.Next(seen);
                var expected = new Click(step.GetProperty("x").GetInt32(), step.GetProperty("y").GetInt32(), step.GetProperty("positive").ValueKind == JsonValueKind.True);
                Assert.True(expected == click, $"{name}, click {curve.Count}: {expected} expected, {click} found");
                RleMask disc = Disc(expected, radii[curve.Count], target);
                seen = expected.IsPositive ? seen.Union(disc) : seen.Difference(disc);
                Assert.Equal(step.GetProperty("prediction_area").GetInt64(), seen.Area);
                double overlap = clicker.IntersectionOverUnion(seen);
                Assert.Equal(step.GetProperty("iou").GetDouble(), overlap, 1e-12);
                curve.Add(overlap);
            }

            Assert.Equal(GoldenSets.Mask(sample.GetProperty("last_prediction")), seen);
            curves.Add([.. curve]);
        }

        var measures = new ClickCurve(curves);
        double[] thresholds = GoldenSets.Doubles(golden.GetProperty("thresholds"));
        for (int t = 0; t < thresholds.Length; t++)
        {
            Assert.Equal(golden.GetProperty("noc_per_sample").EnumerateArray().Select(each => each[t].GetInt32()), measures.ClicksUntil(thresholds[t]));
            Assert.Equal(golden.GetProperty("noc")[t].GetDouble(), measures.MeanClicksUntil(thresholds[t]), 1e-12);
            Assert.Equal(golden.GetProperty("count_noc_equal_20")[t].GetInt32(), measures.AtLimit(thresholds[t]));
            Assert.Equal(golden.GetProperty("count_never_reached")[t].GetInt32(), measures.NeverReached(thresholds[t]));
        }
    }

    [Fact]
    public void Next_FirstClick_IsTheCentre()
    {
        foreach (JsonElement golden in GoldenSets.Read("interactive", "centre.json").GetProperty("cases").EnumerateArray())
        {
            RleMask mask = GoldenSets.Mask(golden.GetProperty("mask"));
            Click? click = new Clicker(mask).Next(null);
            Assert.Equal(new Click(golden.GetProperty("x").GetInt32(), golden.GetProperty("y").GetInt32(), true), click);
        }
    }

    // The worked example of the notes on the protocol.
    [Fact]
    public void Measures_ThreeObjects_AreThoseWorkedOutByHand()
    {
        double[] never = new double[20];
        for (int i = 0; i < never.Length; i++) never[i] = Math.Min(0.72, 0.6 + (0.05 * i));
        var curve = new ClickCurve([[0.70, 0.84, 0.86, 0.91], never, [0.90]]);
        Assert.Equal(8, curve.MeanClicksUntil(0.85), 1e-12);
        Assert.Equal(25 / 3.0, curve.MeanClicksUntil(0.9), 1e-12);
        Assert.Equal(1, curve.NeverReached(0.9));
        Assert.Equal((0.84 + 0.65 + 0.90) / 3, curve.MeanAfter(2), 1e-12);
        Assert.Throws<ArgumentException>(() => new ClickCurve([]));
        Assert.Throws<ArgumentException>(() => new ClickCurve([[1.5]]));
    }

    [Fact]
    public void Squared_RandomMasks_AreTheNearestOutsidePixels()
    {
        var random = new Random(5);
        for (int i = 0; i < 40; i++)
        {
            int width = random.Next(1, 14), height = random.Next(1, 14);
            byte[] pixels = [.. Enumerable.Range(0, width * height).Select(_ => (byte)(random.Next(5) > 0 ? 1 : 0))];
            RleMask mask = RleMask.FromBitmap(pixels, width, height);
            if (mask.IsEmpty) continue;
            MaskBox box = mask.BoundingBox;
            long[] squared = DistanceTransform.Squared(mask, box);
            for (int y = 0; y < box.Height; y++)
                for (int x = 0; x < box.Width; x++)
                    Assert.Equal(Nearest(mask, box.X + x, box.Y + y), squared[(y * box.Width) + x]);
        }
    }

    private static long Nearest(RleMask mask, int x, int y)
    {
        long least = long.MaxValue;
        for (int v = -1; v <= mask.Height; v++)
            for (int u = -1; u <= mask.Width; u++)
            {
                bool inside = u >= 0 && v >= 0 && u < mask.Width && v < mask.Height && mask[u, v];
                if (!inside) least = Math.Min(least, ((long)(u - x) * (u - x)) + ((long)(v - y) * (v - y)));
            }

        return least;
    }

    private static RleMask Disc(Click click, double radius, RleMask size)
    {
        byte[] pixels = new byte[size.Width * size.Height];
        for (int y = 0; y < size.Height; y++)
            for (int x = 0; x < size.Width; x++)
                if (((x - click.X) * (x - click.X)) + ((y - click.Y) * (y - click.Y)) <= radius * radius) pixels[(y * size.Width) + x] = 1;
        return RleMask.FromBitmap(pixels, size.Width, size.Height);
    }
}
