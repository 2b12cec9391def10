using System.Text.Json;

namespace SegmentAnything.Evaluation.Tests;

public class StatisticsTests
{
    [Fact]
    public void EveryStatistic_OfTheReference_IsEqual()
    {
        JsonElement golden = GoldenSets.Read("interactive", "statistics.json");
        foreach (JsonElement test in golden.GetProperty("ks").EnumerateArray())
        {
            DistributionDifference found = SampleStatistics.KolmogorovSmirnov(GoldenSets.Doubles(test.GetProperty("a")), GoldenSets.Doubles(test.GetProperty("b")));
            AssertNear(test.GetProperty("d").GetDouble(), found.D, 1e-9);
            AssertNear(test.GetProperty("p").GetDouble(), found.P, 1e-6);
        }

        foreach (JsonElement test in golden.GetProperty("psi").EnumerateArray())
        {
            double found = SampleStatistics.PopulationStability(
                GoldenSets.Longs(test.GetProperty("expected_counts")), GoldenSets.Longs(test.GetProperty("actual_counts")));
            AssertNear(test.GetProperty("psi").GetDouble(), found, 1e-9);
        }

        foreach (JsonElement test in golden.GetProperty("wilson").EnumerateArray())
        {
            Estimate found = SampleStatistics.Wilson(
                test.GetProperty("k").GetInt64(), test.GetProperty("n").GetInt64(), test.GetProperty("confidence").GetDouble());
            AssertNear(test.GetProperty("low").GetDouble(), found.Low, 1e-9);
            AssertNear(test.GetProperty("high").GetDouble(), found.High, 1e-9);
        }

        foreach (JsonElement test in golden.GetProperty("paired_t").EnumerateArray())
        {
            PairedComparison found = SampleStatistics.Paired(GoldenSets.Doubles(test.GetProperty("a")), GoldenSets.Doubles(test.GetProperty("b")));
            AssertNear(test.GetProperty("mean_difference").GetDouble(), found.Difference.Value, 1e-9);
            AssertNear(test.GetProperty("sd").GetDouble(), found.StandardDeviation, 1e-9);
            AssertNear(test.GetProperty("t").GetDouble(), found.T, 1e-9);
            Assert.Equal(test.GetProperty("df").GetInt32(), found.DegreesOfFreedom);
            AssertNear(test.GetProperty("p").GetDouble(), found.P, 1e-6);
            AssertNear(test.GetProperty("ci95")[0].GetDouble(), found.Difference.Low, 1e-6);
            AssertNear(test.GetProperty("ci95")[1].GetDouble(), found.Difference.High, 1e-6);
        }
    }

    [Fact]
    public void JensenShannon_WorkedExample_IsTheNumberWorkedOutByHand()
    {
        // p = (1/2, 1/2, 0), q = (1/2, 0, 1/2): the mean is (1/2, 1/4, 1/4), and each side diverges from it by 1/2 bit.
        Assert.Equal(0.5, SampleStatistics.JensenShannon([5, 5, 0], [1, 0, 1]), 1e-12);
        Assert.Equal(0, SampleStatistics.JensenShannon([3, 9], [1, 3]), 1e-12);
        Assert.Equal(1, SampleStatistics.JensenShannon([3, 0], [0, 7]), 1e-12);
    }

    [Fact]
    public void Bootstrap_OfGroups_HoldsTheMeanAndIsWiderThanOfSinglesThatDependOnEachOther()
    {
        var random = new Random(3);
        double[] values = new double[400];
        long[] groups = new long[400];
        for (int i = 0; i < values.Length; i++)
        {
            groups[i] = i / 20;
            values[i] = (groups[i] % 5) + (0.1 * random.NextDouble());
        }

        Estimate grouped = SampleStatistics.Bootstrap(values, groups, seed: 1), alone = SampleStatistics.Bootstrap(values, seed: 1);
        Assert.Equal(values.Average(), grouped.Value, 1e-12);
        Assert.InRange(grouped.Value, grouped.Low, grouped.High);
        Assert.True(grouped.High - grouped.Low > 3 * (alone.High - alone.Low));
        Assert.Equal(grouped, SampleStatistics.Bootstrap(values, groups, seed: 1));

        // A large sample's interval is Student's, nearly.
        Estimate student = SampleStatistics.Mean(values);
        Assert.Equal(student.Low, alone.Low, 0.02);
        Assert.Equal(student.High, alone.High, 0.02);
    }

    [Fact]
    public void KolmogorovSmirnov_LargeSamples_LimitIsNearTheExactCount()
    {
        var random = new Random(8);
        double[] first = [.. Enumerable.Range(0, 10_400).Select(_ => random.NextDouble())];
        double[] second = [.. Enumerable.Range(0, 10_000).Select(_ => random.NextDouble() * 1.01)];
        DistributionDifference limit = SampleStatistics.KolmogorovSmirnov(first, second);
        DistributionDifference exact = SampleStatistics.KolmogorovSmirnov(first.AsSpan(0, 9_900), second);
        Assert.False(limit.IsExact);
        Assert.True(exact.IsExact);
        Assert.InRange(limit.P, 0, 1);
        Assert.Equal(exact.P, limit.P, 0.15);
    }

    [Fact]
    public void BadInput_IsRefused()
    {
        Assert.Throws<ArgumentException>(() => SampleStatistics.Wilson(3, 2));
        Assert.Throws<ArgumentException>(() => SampleStatistics.Mean([1]));
        Assert.Throws<ArgumentException>(() => SampleStatistics.Mean([1, double.NaN]));
        Assert.Throws<ArgumentException>(() => SampleStatistics.Paired([1, 2], [1]));
        Assert.Throws<ArgumentException>(() => SampleStatistics.Bootstrap([]));
        Assert.Throws<ArgumentException>(() => SampleStatistics.KolmogorovSmirnov([], [1]));
        Assert.Throws<ArgumentException>(() => SampleStatistics.PopulationStability([1, 2], [1]));
        Assert.Throws<ArgumentException>(() => SampleStatistics.JensenShannon([0, 0], [1, 2]));
    }

    private static void AssertNear(double expected, double found, double relative) =>
        Assert.True(Math.Abs(expected - found) <= relative * Math.Max(1, Math.Abs(expected)), $"{expected} expected, {found} found");
}
