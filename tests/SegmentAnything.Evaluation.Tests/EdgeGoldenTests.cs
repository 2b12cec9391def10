using System.Text.Json;
using SegmentAnything.Imaging;
using SegmentAnything.Rle;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Evaluation.Tests;

/// <summary>BSDS500's numbers: thinning and sums equal, matches within what its own random graph allows.</summary>
public class EdgeGoldenTests
{
    [Fact]
    public void Thin_EveryCase_IsBwmorphs()
    {
        JsonElement cases = GoldenSets.Read("edges", "thin.json").GetProperty("cases");
        foreach (JsonElement golden in cases.EnumerateArray())
        {
            BitImage image = Bits(golden.GetProperty("input"));
            EdgeThinning.Thin(image);
            Assert.True(Bits(golden.GetProperty("thin")).Words.SequenceEqual(image.Words), golden.GetProperty("name").GetString());
        }

        Assert.NotEqual(0, cases.GetArrayLength());
    }

    [Fact]
    public void Match_EveryCase_HasAsManyPairsAsCanBeAtTheLeastDistance()
    {
        JsonElement cases = GoldenSets.Read("edges", "match.json").GetProperty("cases");
        foreach (JsonElement golden in cases.EnumerateArray())
        {
            string name = golden.GetProperty("name").GetString()!;
            BitImage edges = Bits(golden.GetProperty("edges")), human = Bits(golden.GetProperty("human"));
            double reach = golden.GetProperty("max_dist_px").GetDouble() + 1e-6;
            (int[] partners, double sum) = EdgeMatching.Match(edges.Pixels(), human.Pixels(), edges.Width, edges.Height, reach * reach);
            AssertOneToOne(partners);
            int pairs = partners.Count(partner => partner >= 0);
            Assert.True(golden.GetProperty("matched_exact").GetInt32() == pairs, $"{name}: {pairs} pairs");
            if (golden.GetProperty("distance_sum_official") is { ValueKind: JsonValueKind.Number } official)
                Assert.True(sum <= official.GetDouble() + (0.01 * pairs) + 1e-9, $"{name}: {sum} found, {official} official");
        }

        Assert.NotEqual(0, cases.GetArrayLength());
    }

    [Fact]
    public void Count_EveryBenchAndImage_GivesTheOfficialCountsAndScores()
    {
        string folder = TestPaths.RequireGolden("eval", "edges");
        string[] benches = Directory.GetFiles(folder, "bench_*.json");
        Assert.SkipWhen(benches.Length == 0, "The reference data has no bench of edges.");
        foreach (string bench in benches)
        {
            JsonElement golden = GoldenSets.Read("edges", Path.GetFileName(bench));
            var options = new EdgeBenchmarkOptions
            {
                Thresholds = golden.GetProperty("nthresh").GetInt32(),
                MaxDistance = golden.GetProperty("max_dist_fraction").GetDouble(),
                Thin = golden.GetProperty("thin").ValueKind == JsonValueKind.True,
            };
            var counts = new List<EdgeCounts>();
            foreach (JsonElement image in golden.GetProperty("images").EnumerateArray())
            {
                string name = image.GetProperty("name").GetString()!;
                EdgeCounts found = EdgeBenchmark.Count(
                    Levels(Path.Combine(folder, $"{name}.edge.png")), Boundaries(folder, name), options);
                counts.Add(found);
                Assert.Equal(GoldenSets.Longs(image.GetProperty("sumR")), found.Human);
                Assert.Equal(GoldenSets.Longs(image.GetProperty("sumP")), found.Edges);
                Assert.Equal(GoldenSets.Longs(image.GetProperty("cntR_exact")), found.MatchedHuman);
                long[] least = GoldenSets.Longs(image.GetProperty("cntP_min")), most = GoldenSets.Longs(image.GetProperty("cntP_max"));
                for (int k = 0; k < least.Length; k++)
                {
                    double slack = Math.Max(4, 0.002 * found.Edges[k]);
                    Assert.InRange(found.MatchedEdges[k], least[k] - slack, most[k] + slack);
                }
            }

            EdgeScores scores = EdgeBenchmark.Gather(counts);
            JsonElement summary = golden.GetProperty("summary");
            AssertNear(summary.GetProperty("ods").GetProperty("F").GetDouble(), scores.DataSetScale.F, 0.001);
            AssertNear(summary.GetProperty("ois").GetProperty("F").GetDouble(), scores.ImageScale.F, 0.001);
            AssertNear(summary.GetProperty("ap").GetDouble(), scores.AveragePrecision, 0.003);
            AssertNear(summary.GetProperty("r50").GetDouble(), scores.RecallAtHalf, 0.003);
        }
    }

    [Fact]
    public void Gather_OfficialCounts_GivesTheOfficialScoresToTwelveDigits()
    {
        string folder = TestPaths.RequireGolden("eval", "edges");
        foreach (string bench in Directory.GetFiles(folder, "bench_*.json"))
        {
            JsonElement golden = GoldenSets.Read("edges", Path.GetFileName(bench));
            double[] thresholds = GoldenSets.Doubles(golden.GetProperty("thresholds"));
            EdgeScores scores = EdgeBenchmark.Gather([.. golden.GetProperty("images").EnumerateArray().Select(image => new EdgeCounts(
                thresholds, GoldenSets.Longs(image.GetProperty("cntR")), GoldenSets.Longs(image.GetProperty("sumR")),
                GoldenSets.Longs(image.GetProperty("cntP")), GoldenSets.Longs(image.GetProperty("sumP"))))]);
            JsonElement summary = golden.GetProperty("summary");
            AssertScore(summary.GetProperty("ods"), scores.DataSetScale, withThreshold: true);
            AssertScore(summary.GetProperty("ois"), scores.ImageScale, withThreshold: false);
            AssertNear(summary.GetProperty("ap").GetDouble(), scores.AveragePrecision, 1e-12);
            AssertNear(summary.GetProperty("r50").GetDouble(), scores.RecallAtHalf, 1e-12);
            Assert.Equal(summary.GetProperty("ap_samples").GetInt32(), scores.SampledRecalls);
            JsonElement best = summary.GetProperty("per_image_best");
            for (int i = 0; i < best.GetArrayLength(); i++) AssertScore(best[i], scores.PerImage[i], withThreshold: true);
        }
    }

    // The worked example of the notes on the protocol.
    [Fact]
    public void Gather_TwoImages_GivesTheNumbersWorkedOutByHand()
    {
        double[] thresholds = [0.25, 0.5, 0.75];
        EdgeScores scores = EdgeBenchmark.Gather(
        [
            new EdgeCounts(thresholds, [18, 14, 8], [20, 20, 20], [12, 9, 5], [20, 10, 5]),
            new EdgeCounts(thresholds, [9, 5, 2], [10, 10, 10], [8, 3, 1], [11, 9, 4]),
        ]);
        AssertNear(0.751566, scores.DataSetScale.F, 1e-6);
        AssertNear(0.25, scores.DataSetScale.Threshold, 1e-12);
        AssertNear(0.787513, scores.ImageScale.F, 1e-6);
        AssertNear(0.367084, scores.AveragePrecision, 1e-6);
        AssertNear(0.633333, scores.RecallAtHalf, 1e-6);
        Assert.Equal(57, scores.SampledRecalls);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Match_RandomPixels_CostsNoMoreThanAnyPairingOfAsManyPairs(int seed)
    {
        var random = new Random(seed);
        for (int i = 0; i < 200; i++)
        {
            (int X, int Y)[] first = Pixels(random, random.Next(1, 7)), second = Pixels(random, random.Next(1, 7));
            double reach = 1 + (3 * random.NextDouble());
            (int[] partners, double sum) = EdgeMatching.Match(first, second, 8, 8, reach * reach);
            AssertOneToOne(partners);
            (int pairs, double cost) = Best(first, second, reach * reach, 0, new bool[second.Length]);
            Assert.Equal(pairs, partners.Count(partner => partner >= 0));
            AssertNear(cost, sum, 0.01 * pairs);
        }
    }

    [Fact]
    public void Count_BadInput_IsRefused()
    {
        RleMask drawn = RleMask.Full(4, 3);
        Assert.Throws<ArgumentException>(() => EdgeBenchmark.Count(new byte[12], []));
        Assert.Throws<ArgumentException>(() => EdgeBenchmark.Count(new byte[11], [drawn]));
        Assert.Throws<ArgumentException>(() => EdgeBenchmark.Count(new byte[12], [drawn, RleMask.Full(3, 4)]));
        Assert.Throws<ArgumentException>(() => EdgeBenchmark.Count(new byte[12], [drawn], new() { Thresholds = 255 }));
        Assert.Throws<ArgumentException>(() => EdgeBenchmark.Count(new byte[12], [drawn], new() { MaxDistance = double.NaN }));
        Assert.Throws<ArgumentException>(() => EdgeBenchmark.Gather([]));
        Assert.Throws<OperationCanceledException>(
            () => EdgeBenchmark.Count(new byte[12], [drawn], cancellationToken: new CancellationToken(true)));
    }

    // No edges at all and no boundaries at all: 0 / 0 is 0.
    [Fact]
    public void Count_NothingDrawnOrFound_ScoresZero()
    {
        EdgeCounts counts = EdgeBenchmark.Count(new byte[12], [RleMask.Empty(4, 3)]);
        Assert.All(counts.Edges, count => Assert.Equal(0, count));
        EdgeScores scores = EdgeBenchmark.Gather([counts]);
        Assert.Equal(0, scores.DataSetScale.F);
        Assert.Equal(0, scores.AveragePrecision);
    }

    private static (int X, int Y)[] Pixels(Random random, int count) =>
        [.. Enumerable.Range(0, 64).OrderBy(_ => random.Next()).Take(count).Order().Select(place => (place % 8, place / 8))];

    // Every pairing there is.
    private static (int Pairs, double Cost) Best((int X, int Y)[] first, (int X, int Y)[] second, double limit, int from, bool[] taken)
    {
        if (from == first.Length) return (0, 0);
        (int Pairs, double Cost) best = Best(first, second, limit, from + 1, taken);
        for (int s = 0; s < second.Length; s++)
        {
            double squared = Math.Pow(first[from].X - second[s].X, 2) + Math.Pow(first[from].Y - second[s].Y, 2);
            if (taken[s] || squared > limit) continue;
            taken[s] = true;
            (int pairs, double cost) = Best(first, second, limit, from + 1, taken);
            taken[s] = false;
            (pairs, cost) = (pairs + 1, cost + Math.Sqrt(squared));
            if (pairs > best.Pairs || (pairs == best.Pairs && cost < best.Cost)) best = (pairs, cost);
        }

        return best;
    }

    private static void AssertOneToOne(int[] partners)
    {
        int[] taken = [.. partners.Where(partner => partner >= 0)];
        Assert.Equal(taken.Length, taken.Distinct().Count());
    }

    private static void AssertScore(JsonElement golden, EdgeScore score, bool withThreshold)
    {
        if (withThreshold) AssertNear(golden.GetProperty("T").GetDouble(), score.Threshold, 1e-12);
        AssertNear(golden.GetProperty("R").GetDouble(), score.Recall, 1e-12);
        AssertNear(golden.GetProperty("P").GetDouble(), score.Precision, 1e-12);
        AssertNear(golden.GetProperty("F").GetDouble(), score.F, 1e-12);
    }

    private static void AssertNear(double expected, double found, double tolerance) =>
        Assert.True(Math.Abs(expected - found) <= tolerance, $"{expected} expected, {found} found, tolerance {tolerance}");

    private static BitImage Bits(JsonElement rows)
    {
        string[] lines = [.. rows.EnumerateArray().Select(row => row.GetString()!)];
        var image = new BitImage(lines[0].Length, lines.Length);
        for (int y = 0; y < lines.Length; y++)
            for (int x = 0; x < lines[y].Length; x++)
                if (lines[y][x] == '1') image.Set(x, y);
        return image;
    }

    private static RleMask[] Boundaries(string folder, string name)
    {
        var people = new List<RleMask>();
        for (int i = 0; File.Exists(Path.Combine(folder, $"{name}.human{i}.png")); i++)
        {
            LoadedImage picture = ImageFile.Load(Path.Combine(folder, $"{name}.human{i}.png"));
            people.Add(RleMask.FromBitmap(Levels(picture), picture.Width, picture.Height));
        }

        return [.. people];
    }

    private static byte[] Levels(string path) => Levels(ImageFile.Load(path));

    private static byte[] Levels(LoadedImage picture)
    {
        int bytes = picture.Pixels.Length / (picture.Width * picture.Height);
        byte[] levels = new byte[picture.Width * picture.Height];
        for (int i = 0; i < levels.Length; i++) levels[i] = picture.Pixels[i * bytes];
        return levels;
    }
}
