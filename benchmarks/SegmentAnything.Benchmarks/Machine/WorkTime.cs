using System.Diagnostics;

namespace SegmentAnything.Benchmarks.Machine;

/// <summary>
/// How long work takes: on the clock, or, with one thread, as the processor's own time, which other programs on the same machine
/// do not lengthen but for the caches that they share.
/// </summary>
internal sealed class WorkTime(bool ofProcessor)
{
    /// <summary>The threads to work with.</summary>
    public int Threads => ofProcessor ? 1 : Environment.ProcessorCount;

    /// <summary>What is measured, for tables.</summary>
    public string Name => ofProcessor ? "processor time of one thread" : $"time with {Threads} threads";

    /// <summary>Seconds that an action takes.</summary>
    public double Measure(Action action)
    {
        long start = Stopwatch.GetTimestamp();
        TimeSpan before = Process.GetCurrentProcess().TotalProcessorTime;
        action();
        return ofProcessor ? (Process.GetCurrentProcess().TotalProcessorTime - before).TotalSeconds : Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
