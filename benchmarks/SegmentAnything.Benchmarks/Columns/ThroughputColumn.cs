using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;

namespace SegmentAnything.Benchmarks.Columns;

/// <summary>Says how many bytes a benchmark handles for every pixel of its parameter "Size" (such as "1800x1200").</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class BytesPerPixelAttribute(double bytes) : Attribute
{
    /// <summary>Bytes read or written, whichever is more, for a pixel.</summary>
    public double Bytes { get; } = bytes;
}

/// <summary>Data per second, for benchmarks with <see cref="BytesPerPixelAttribute"/>.</summary>
internal sealed class ThroughputColumn : IColumn
{
    public string Id => nameof(ThroughputColumn);

    public string ColumnName => "GB/s";

    public string Legend => "10^9 bytes of pixels per second";

    public bool AlwaysShow => false;

    public ColumnCategory Category => ColumnCategory.Custom;

    public int PriorityInCategory => 0;

    public bool IsNumeric => true;

    public UnitType UnitType => UnitType.Dimensionless;

    public bool IsAvailable(Summary summary) =>
        summary.BenchmarksCases.Any(benchmark => Bytes(benchmark) is not null);

    public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase) =>
        Bytes(benchmarkCase) is double bytes && summary[benchmarkCase]?.ResultStatistics is { Median: > 0 } statistics
            ? $"{bytes / statistics.Median:F2}" : "-";

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style) => GetValue(summary, benchmarkCase);

    // Bytes of one call, or null where nothing is said. Times are in nanoseconds, so that bytes over time is GB/s.
    private static double? Bytes(BenchmarkCase benchmark)
    {
        object[] attributes = benchmark.Descriptor.WorkloadMethod.GetCustomAttributes(typeof(BytesPerPixelAttribute), inherit: false);
        if (attributes is not [BytesPerPixelAttribute perPixel]) return null;
        if (benchmark.Parameters["Size"] is not string size) return null;
        string[] sides = size.Split('x');
        return perPixel.Bytes * int.Parse(sides[0]) * int.Parse(sides[1]);
    }
}
