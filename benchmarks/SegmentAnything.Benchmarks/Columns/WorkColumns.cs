using System.Collections.Concurrent;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using SegmentAnything.Benchmarks.Machine;

namespace SegmentAnything.Benchmarks.Columns;

/// <summary>
/// Says how much a benchmark has to do at least, whatever the way: its table shows pixels a second, and how near the time
/// comes to the one that this processor's peak and its memory allow.
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class WorkAttribute : Attribute
{
    /// <summary>Pixels (or values) that a call gives; with <see cref="PerPixel"/> those of the parameter "Size".</summary>
    public double Pixels { get; init; }

    /// <summary>Multiply-adds of a call.</summary>
    public double MultiplyAdds { get; init; }

    /// <summary>Bytes that a call must read from and write to memory.</summary>
    public double Bytes { get; init; }

    /// <summary>Bytes on top for each pixel of the parameter "Size".</summary>
    public double BytesPerPixel { get; init; }

    /// <summary>Whether all numbers but <see cref="Bytes"/> are to be multiplied by the pixels of the parameter "Size", such as "1800x1200".</summary>
    public bool PerPixel { get; init; }

    /// <summary>Whether all processors work, and not one thread alone.</summary>
    public bool AllThreads { get; init; }

    /// <summary>The work of a benchmark, or null where it says nothing.</summary>
    public static WorkAttribute? Of(BenchmarkCase benchmark)
    {
        object[] attributes = benchmark.Descriptor.WorkloadMethod.GetCustomAttributes(typeof(WorkAttribute), inherit: false);
        if (attributes is not [WorkAttribute work]) return null;
        if (!work.PerPixel || benchmark.Parameters["Size"] is not string size) return work;
        string[] sides = size.Split('x');
        double pixels = double.Parse(sides[0]) * double.Parse(sides[1]);
        return new WorkAttribute
        {
            Pixels = work.Pixels * pixels,
            MultiplyAdds = work.MultiplyAdds * pixels,
            Bytes = work.Bytes + (work.BytesPerPixel * pixels),
            AllThreads = work.AllThreads,
        };
    }
}

/// <summary>10^6 pixels a second.</summary>
internal sealed class PixelsPerSecondColumn() : WorkColumn("Mpixel/s", "10^6 pixels (or values) per second")
{
    // Times are in nanoseconds.
    protected override string? Value(WorkAttribute work, int vectorWidth, double nanoseconds) =>
        work.Pixels > 0 ? $"{work.Pixels / nanoseconds * 1e3:F0}" : null;
}

/// <summary>The least time that the multiply-adds and the bytes can take, over the time they took.</summary>
internal sealed class LimitColumn() : WorkColumn(
    "Of limit", "The least time for its multiply-adds and its bytes, at the FMA peak and the memory bandwidth measured here, over the median")
{
    private static readonly ConcurrentDictionary<(int Threads, int Width), double> Peaks = new();
    private static readonly ConcurrentDictionary<int, double> Bandwidths = new();

    protected override string? Value(WorkAttribute work, int vectorWidth, double nanoseconds)
    {
        if (work.MultiplyAdds == 0 && work.Bytes == 0) return null;
        int threads = work.AllThreads ? Environment.ProcessorCount : 1;
        double peak = Peaks.GetOrAdd((threads, vectorWidth), static key => FmaPeak.Measure(key.Threads, key.Width));
        double arithmetic = 2 * work.MultiplyAdds / peak;
        double memory = work.Bytes == 0 ? 0 : work.Bytes / Bandwidths.GetOrAdd(threads, MemoryBandwidth.Measure);
        return $"{Math.Max(arithmetic, memory) / nanoseconds:P0}{(memory > arithmetic ? " (memory)" : "")}";
    }
}

/// <summary>A column about benchmarks that say their work.</summary>
internal abstract class WorkColumn(string name, string legend) : IColumn
{
    public string Id => GetType().Name;

    public string ColumnName => name;

    public string Legend => legend;

    public bool AlwaysShow => false;

    public ColumnCategory Category => ColumnCategory.Custom;

    public int PriorityInCategory => 0;

    public bool IsNumeric => true;

    public UnitType UnitType => UnitType.Dimensionless;

    public bool IsAvailable(Summary summary) => summary.BenchmarksCases.Any(benchmark => GetValue(summary, benchmark) != "-");

    public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase)
    {
        if (WorkAttribute.Of(benchmarkCase) is not { } work || summary[benchmarkCase]?.ResultStatistics is not { Median: > 0 } statistics) return "-";
        int vectorWidth = benchmarkCase.Parameters["Vectors"] is int width ? width : FmaPeak.WidestVector;
        return Value(work, vectorWidth, statistics.Median) ?? "-";
    }

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style) => GetValue(summary, benchmarkCase);

    protected abstract string? Value(WorkAttribute work, int vectorWidth, double nanoseconds);
}
