using MathNet.Numerics.Distributions;

namespace SegmentAnything.Evaluation;

/// <summary>An estimate and the interval that it lies in with a stated confidence.</summary>
/// <param name="Value">The estimate.</param>
/// <param name="Low">The lower end.</param>
/// <param name="High">The upper end.</param>
public readonly record struct Estimate(double Value, double Low, double High);

/// <summary>What a paired comparison says.</summary>
/// <param name="Difference">The mean of first minus second, and its interval.</param>
/// <param name="StandardDeviation">Of the differences.</param>
/// <param name="T">Student's t.</param>
/// <param name="DegreesOfFreedom">One less than there are pairs.</param>
/// <param name="P">Two-sided: how likely a difference as large is where there is none.</param>
public readonly record struct PairedComparison(Estimate Difference, double StandardDeviation, double T, int DegreesOfFreedom, double P);

/// <summary>How two samples' distributions differ.</summary>
/// <param name="D">The greatest difference of their cumulative distributions.</param>
/// <param name="P">How likely a difference as large is where there is none.</param>
/// <param name="IsExact">Whether that was counted exactly, or is the limit for large samples.</param>
public readonly record struct DistributionDifference(double D, double P, bool IsExact);

/// <summary>Means with intervals, paired comparisons, and how far two sets differ.</summary>
public static class SampleStatistics
{
    // As many steps as the exact count takes at most; beyond, samples are large enough for the limit.
    private const long ExactSteps = 100_000_000;

    /// <summary>A part of a whole with Wilson's interval, which is right for few and for extreme parts, too.</summary>
    /// <param name="count">How many there are.</param>
    /// <param name="total">Of how many.</param>
    /// <param name="confidence">Such as 0.95.</param>
    /// <exception cref="ArgumentException">The total is 0, the count is not within it, or the confidence not within 0 to 1.</exception>
    /// <remarks>Source: Wilson (1927).</remarks>
    public static Estimate Wilson(long count, long total, double confidence = 0.95)
    {
        if (total < 1 || count < 0 || count > total)
            throw new ArgumentException($"{count} of {total} is no part of a whole. Give 0 to the total, and a total of 1 or more.");
        double z = Normal.InvCDF(0, 1, 0.5 + (CheckConfidence(confidence) / 2));
        double part = count / (double)total, square = z * z / total;
        double centre = (part + (square / 2)) / (1 + square);
        double half = z / (1 + square) * Math.Sqrt((part * (1 - part) / total) + (square / (4 * total)));
        // At the ends the interval touches 0 or 1; rounding shall not move it off.
        return new Estimate(part, count == 0 ? 0 : Math.Max(0, centre - half), count == total ? 1 : Math.Min(1, centre + half));
    }

    /// <summary>A mean with Student's interval.</summary>
    /// <param name="values">Two numbers or more.</param>
    /// <param name="confidence">Such as 0.95.</param>
    /// <exception cref="ArgumentException">There are fewer, one is not a number, or the confidence is not within 0 to 1.</exception>
    public static Estimate Mean(ReadOnlySpan<double> values, double confidence = 0.95)
    {
        (double mean, double deviation) = MeanAndDeviation(values);
        double half = StudentT.InvCDF(0, 1, values.Length - 1, 0.5 + (CheckConfidence(confidence) / 2)) * deviation / Math.Sqrt(values.Length);
        return new Estimate(mean, mean - half, mean + half);
    }

    /// <summary>Compares two measurements of the same things: Student's paired t-test.</summary>
    /// <param name="first">One measurement of each.</param>
    /// <param name="second">The other, in the same order.</param>
    /// <param name="confidence">Of the difference's interval.</param>
    /// <exception cref="ArgumentException">
    /// Their numbers differ, there are fewer than two, one is not a number, or the confidence is not within 0 to 1.
    /// </exception>
    public static PairedComparison Paired(ReadOnlySpan<double> first, ReadOnlySpan<double> second, double confidence = 0.95)
    {
        double[] differences = Differences(first, second);
        (double mean, double deviation) = MeanAndDeviation(differences);
        int freedom = differences.Length - 1;
        // Differences that are all equal leave no doubt: t is infinite, or 0 when there is none.
        double t = mean == 0 ? 0 : mean / (deviation / Math.Sqrt(differences.Length));
        double p = double.IsInfinity(t) ? 0 : 2 * StudentT.CDF(0, 1, freedom, -Math.Abs(t));
        return new PairedComparison(Mean(differences, confidence), deviation, t, freedom, p);
    }

    /// <summary>A mean with the interval of a bootstrap that draws whole groups, such as images with all their objects.</summary>
    /// <param name="values">The numbers.</param>
    /// <param name="groups">The group of each; none at all when each stands for itself.</param>
    /// <param name="confidence">Such as 0.95.</param>
    /// <param name="draws">How many samples are drawn.</param>
    /// <param name="seed">The same seed draws the same samples.</param>
    /// <exception cref="ArgumentException">
    /// There is no number, one is not finite, there are not as many groups as numbers, fewer than 100 draws, or the confidence is not
    /// within 0 to 1.
    /// </exception>
    /// <remarks>The interval is from percentile to percentile. Source: Efron (1979).</remarks>
    public static Estimate Bootstrap(
        ReadOnlySpan<double> values, ReadOnlySpan<long> groups = default, double confidence = 0.95, int draws = 10_000, int seed = 0)
    {
        CheckFinite(values, 1);
        CheckConfidence(confidence);
        if (draws < 100) throw new ArgumentException($"{draws} draws say little of an interval. Give 100 or more.", nameof(draws));
        if (!groups.IsEmpty && groups.Length != values.Length)
            throw new ArgumentException($"{values.Length} values have {groups.Length} groups. Give each one.", nameof(groups));
        var sums = new Dictionary<long, (double Sum, long Count)>();
        double total = 0;
        for (int i = 0; i < values.Length; i++)
        {
            total += values[i];
            long group = groups.IsEmpty ? i : groups[i];
            (double sum, long count) = sums.GetValueOrDefault(group);
            sums[group] = (sum + values[i], count + 1);
        }

        (double Sum, long Count)[] drawn = [.. sums.Values];
        var random = new Random(seed);
        double[] means = new double[draws];
        for (int draw = 0; draw < draws; draw++)
        {
            double sum = 0;
            long count = 0;
            for (int i = 0; i < drawn.Length; i++)
            {
                (double Sum, long Count) group = drawn[random.Next(drawn.Length)];
                sum += group.Sum;
                count += group.Count;
            }

            means[draw] = sum / count;
        }

        Array.Sort(means);
        return new Estimate(total / values.Length, Quantile(means, (1 - confidence) / 2), Quantile(means, (1 + confidence) / 2));
    }

    /// <summary>The mean difference of two measurements of the same things, with a bootstrap's interval.</summary>
    /// <param name="first">One measurement of each.</param>
    /// <param name="second">The other, in the same order.</param>
    /// <param name="groups">The group of each; none at all when each stands for itself.</param>
    /// <param name="confidence">Such as 0.99.</param>
    /// <param name="draws">How many samples are drawn.</param>
    /// <param name="seed">The same seed draws the same samples.</param>
    /// <exception cref="ArgumentException">As for <see cref="Bootstrap"/>, or the measurements are not equally many.</exception>
    public static Estimate PairedBootstrap(
        ReadOnlySpan<double> first, ReadOnlySpan<double> second, ReadOnlySpan<long> groups = default, double confidence = 0.95,
        int draws = 10_000, int seed = 0) => Bootstrap(Differences(first, second), groups, confidence, draws, seed);

    /// <summary>Whether two samples come from one distribution: the two-sided test of Kolmogorov and Smirnov.</summary>
    /// <param name="first">One sample.</param>
    /// <param name="second">The other.</param>
    /// <exception cref="ArgumentException">One is empty or has a number that is not finite.</exception>
    /// <remarks>
    /// The probability is counted exactly, path by path, where that takes no more than 100 million steps; beyond it is the limit for
    /// large samples. Source: Hodges, The significance probability of the Smirnov two-sample test (1958).
    /// </remarks>
    public static DistributionDifference KolmogorovSmirnov(ReadOnlySpan<double> first, ReadOnlySpan<double> second)
    {
        CheckFinite(first, 1);
        CheckFinite(second, 1);
        double[] a = first.ToArray(), b = second.ToArray();
        Array.Sort(a);
        Array.Sort(b);
        // In units of 1 / (n m), so that ties are told from near ties.
        long greatest = 0;
        int i = 0, j = 0;
        while (i < a.Length && j < b.Length)
        {
            double value = Math.Min(a[i], b[j]);
            while (i < a.Length && a[i] == value) i++;
            while (j < b.Length && b[j] == value) j++;
            greatest = Math.Max(greatest, Math.Abs(((long)i * b.Length) - ((long)j * a.Length)));
        }

        double d = greatest / ((double)a.Length * b.Length);
        return (long)a.Length * b.Length <= ExactSteps
            ? new DistributionDifference(d, ExactProbability(a.Length, b.Length, greatest), IsExact: true)
            : new DistributionDifference(d, LimitProbability(a.Length, b.Length, d), IsExact: false);
    }

    /// <summary>The population stability index: how far a distribution over bins moved.</summary>
    /// <param name="expected">How many there were in each bin.</param>
    /// <param name="actual">How many there are now.</param>
    /// <returns>The sum of (actual - expected) ln(actual / expected) over parts; infinite when a bin is empty on one side.</returns>
    /// <exception cref="ArgumentException">The numbers of bins differ, a count is negative, or one side is empty.</exception>
    public static double PopulationStability(ReadOnlySpan<long> expected, ReadOnlySpan<long> actual)
    {
        (double[] p, double[] q) = Parts(expected, actual);
        double sum = 0;
        for (int i = 0; i < p.Length; i++)
        {
            if (p[i] != q[i]) sum += (q[i] - p[i]) * Math.Log(q[i] / p[i]);
        }

        return sum;
    }

    /// <summary>The divergence of Jensen and Shannon of two distributions over bins, in bits: 0 when equal, 1 when apart.</summary>
    /// <param name="first">How many there are in each bin.</param>
    /// <param name="second">How many there are in each bin of the other.</param>
    /// <exception cref="ArgumentException">The numbers of bins differ, a count is negative, or one side is empty.</exception>
    /// <remarks>Source: Lin (1991).</remarks>
    public static double JensenShannon(ReadOnlySpan<long> first, ReadOnlySpan<long> second)
    {
        (double[] p, double[] q) = Parts(first, second);
        double sum = 0;
        for (int i = 0; i < p.Length; i++)
        {
            double mean = (p[i] + q[i]) / 2;
            if (p[i] > 0) sum += p[i] * Math.Log2(p[i] / mean) / 2;
            if (q[i] > 0) sum += q[i] * Math.Log2(q[i] / mean) / 2;
        }

        return sum;
    }

    // The part of all ways through an n by m grid that leave the band |i / n - j / m| < d. Each column of the table holds the
    // probability, not the number, of ways: numbers overflow.
    private static double ExactProbability(int n, int m, long greatest)
    {
        double[] within = new double[m + 1];
        for (int i = 0; i <= n; i++)
        {
            for (int j = 0; j <= m; j++)
            {
                bool outside = Math.Abs(((long)i * m) - ((long)j * n)) >= greatest;
                if (i == 0 && j == 0) within[0] = outside ? 0 : 1;
                else if (outside) within[j] = 0;
                // Of the ways to (i, j) a part i / (i + j) comes from the left, the rest from below.
                else within[j] = ((i == 0 ? 0 : within[j] * i) + (j == 0 ? 0 : within[j - 1] * j)) / (i + j);
            }
        }

        return 1 - within[m];
    }

    private static double LimitProbability(int n, int m, double d)
    {
        double x = d * Math.Sqrt((double)n * m / (n + (double)m)), sum = 0;
        if (x < 0.2) return 1;
        for (int k = 1; k <= 100; k++)
        {
            double term = Math.Exp(-2.0 * k * k * x * x);
            sum += k % 2 == 1 ? term : -term;
            if (term < 1e-17) break;
        }

        return Math.Clamp(2 * sum, 0, 1);
    }

    private static (double Mean, double Deviation) MeanAndDeviation(ReadOnlySpan<double> values)
    {
        CheckFinite(values, 2);
        double sum = 0, squares = 0;
        foreach (double value in values) sum += value;
        double mean = sum / values.Length;
        foreach (double value in values) squares += (value - mean) * (value - mean);
        return (mean, Math.Sqrt(squares / (values.Length - 1)));
    }

    private static double[] Differences(ReadOnlySpan<double> first, ReadOnlySpan<double> second)
    {
        if (first.Length != second.Length)
            throw new ArgumentException($"{first.Length} values were paired with {second.Length}. Give as many.", nameof(second));
        double[] differences = new double[first.Length];
        for (int i = 0; i < differences.Length; i++) differences[i] = first[i] - second[i];
        return differences;
    }

    private static (double[] First, double[] Second) Parts(ReadOnlySpan<long> first, ReadOnlySpan<long> second)
    {
        if (first.Length != second.Length)
            throw new ArgumentException($"{first.Length} bins were compared with {second.Length}. Give as many.", nameof(second));
        return (Parts(first), Parts(second));
    }

    private static double[] Parts(ReadOnlySpan<long> counts)
    {
        double total = 0;
        foreach (long count in counts)
        {
            if (count < 0) throw new ArgumentException($"A bin has the count {count}. Give 0 or more.");
            total += count;
        }

        if (total == 0) throw new ArgumentException("All bins are empty, so there is no distribution.");
        double[] parts = new double[counts.Length];
        for (int i = 0; i < parts.Length; i++) parts[i] = counts[i] / total;
        return parts;
    }

    private static double Quantile(double[] sorted, double part)
    {
        double place = part * (sorted.Length - 1);
        int below = (int)place;
        int above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + ((place - below) * (sorted[above] - sorted[below]));
    }

    private static double CheckConfidence(double confidence)
    {
        if (confidence is > 0 and < 1) return confidence;
        throw new ArgumentException($"The confidence is {confidence}. Give a number between 0 and 1, such as 0.95.", nameof(confidence));
    }

    private static void CheckFinite(ReadOnlySpan<double> values, int least)
    {
        if (values.Length < least) throw new ArgumentException($"{values.Length} values were given. Give {least} or more.", nameof(values));
        foreach (double value in values)
        {
            if (!double.IsFinite(value)) throw new ArgumentException($"A value is {value}. Give numbers.", nameof(values));
        }
    }
}
