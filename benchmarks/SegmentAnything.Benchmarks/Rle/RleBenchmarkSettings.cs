using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Filters;
using BenchmarkDotNet.Jobs;
using Perfolizer.Horology;
using SegmentAnything.Benchmarks.Columns;

namespace SegmentAnything.Benchmarks.Rle;

/// <summary>How the run-length benchmarks run: many short ones, of which the median counts.</summary>
/// <remarks>
/// An operation is a category; its rows are "C" (the plain way in C, the baseline), "scalar" (our definition) and "ours".
/// Where there is no C compiler the rows of C are left out.
/// </remarks>
internal sealed class RleBenchmarkSettings : ManualConfig
{
    public RleBenchmarkSettings()
    {
        // Without a collection before every round: after one the first large arrays are made of memory that the system must
        // map anew, which is not what a program that goes on meets.
        AddJob(new Job().WithIterationTime(TimeInterval.FromMilliseconds(10)).WithWarmupCount(2).WithIterationCount(7)
            .WithGcForce(false).AsMutator());
        AddLogicalGroupRules(BenchmarkLogicalGroupRule.ByCategory);
        AddFilter(new SimpleFilter(benchmark =>
            NativeBaseline.IsAvailable || !benchmark.Descriptor.WorkloadMethodDisplayInfo.TrimStart('\'').StartsWith('C')));
        AddColumn(CategoriesColumn.Default, new SpeedupColumn("C"), new SpeedupColumn("scalar"));
        HideColumns("Mean", "Error", "StdDev", "Ratio", "RatioSD", "Alloc Ratio", "Gen0", "Gen1", "Gen2");
    }
}
