using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;

namespace SegmentAnything.Benchmarks.Columns;

/// <summary>
/// How many times faster a row is than the row of one name in its category, with the same parameters; by their medians.
/// </summary>
/// <param name="rival">The other row's description.</param>
internal sealed class SpeedupColumn(string rival) : IColumn
{
    public string Id => $"{nameof(SpeedupColumn)}.{rival}";

    public string ColumnName => $"{rival} / this";

    public string Legend => $"The time of \"{rival}\" divided by the time of this row";

    public bool AlwaysShow => true;

    public ColumnCategory Category => ColumnCategory.Custom;

    public int PriorityInCategory => 1;

    public bool IsNumeric => true;

    public UnitType UnitType => UnitType.Dimensionless;

    public bool IsAvailable(Summary summary) => true;

    public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase)
    {
        BenchmarkCase? other = summary.BenchmarksCases.FirstOrDefault(candidate =>
            candidate.Descriptor.WorkloadMethodDisplayInfo == rival
            && candidate.Descriptor.Type == benchmarkCase.Descriptor.Type
            && candidate.Descriptor.Categories.SequenceEqual(benchmarkCase.Descriptor.Categories)
            && candidate.Parameters.DisplayInfo == benchmarkCase.Parameters.DisplayInfo);
        return other is not null && summary[other]?.ResultStatistics is { } theirs && summary[benchmarkCase]?.ResultStatistics is { Median: > 0 } own
            ? $"{theirs.Median / own.Median:F1}" : "-";
    }

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style) => GetValue(summary, benchmarkCase);
}
