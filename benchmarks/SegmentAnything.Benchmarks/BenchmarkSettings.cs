using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Perfolizer.Horology;
using SegmentAnything.Benchmarks.Columns;

namespace SegmentAnything.Benchmarks;

/// <summary>How every benchmark of the project runs and what its table shows.</summary>
/// <remarks>
/// <para>
/// Times, ratios to the baseline of the group, allocated bytes, and data per second where a benchmark says how much it
/// handles. <see cref="ResultsExporter"/> writes the tables, with the versions they were measured with, to
/// benchmarks/results, a folder for each processor.
/// </para>
/// <para>
/// Benchmarks run in this process: nothing is built or restored at run time, and the switches of the runtime
/// (DOTNET_EnableAVX512=0 and the like) are simply set for the whole run.
/// </para>
/// </remarks>
internal sealed class BenchmarkSettings : ManualConfig
{
    public BenchmarkSettings()
    {
        AddLogger(ConsoleLogger.Default);
        AddColumnProvider(DefaultColumnProviders.Instance);
        AddColumn(StatisticColumn.Median, new ThroughputColumn(), new PixelsPerSecondColumn(), new LimitColumn());
        AddDiagnoser(MemoryDiagnoser.Default);
        AddExporter(new ResultsExporter());
        // Short, so that a whole table takes a minute or two; what is read is the median.
        AddJob(Job.Default.WithToolchain(InProcessEmitToolchain.Instance)
            .WithWarmupCount(3).WithIterationCount(9).WithIterationTime(TimeInterval.FromMilliseconds(100)).AsDefault());
        WithOptions(ConfigOptions.DisableLogFile);
    }
}
