using System.Globalization;

namespace SegmentAnything.Benchmarks.Machine;

/// <summary>
/// The most memory that this process had resident, as Linux counts it: all of it, and without the pages of mapped files,
/// which the system takes back whenever it likes. The latter has no counter of its own, so it is looked at every few
/// milliseconds.
/// </summary>
internal sealed class PeakMemory : IDisposable
{
    private readonly Timer _timer;
    private long _anonymous;

    public PeakMemory()
    {
        if (!OperatingSystem.IsLinux()) throw new PlatformNotSupportedException("Peak memory is read from Linux's proc file system.");
        _timer = new Timer(_ => Look(), null, 0, 5);
    }

    /// <summary>MB since the start, or since <see cref="Restart"/>.</summary>
    public (double All, double Anonymous) Read()
    {
        Look();
        return (Status("VmHWM:") / 1e6, Interlocked.Read(ref _anonymous) / 1e6);
    }

    /// <summary>Forgets the peaks, after what is garbage was collected.</summary>
    public void Restart()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        File.WriteAllText("/proc/self/clear_refs", "5");
        Interlocked.Exchange(ref _anonymous, 0);
    }

    public void Dispose() => _timer.Dispose();

    private static long Status(string name) => 1024 * long.Parse(
        File.ReadLines("/proc/self/status").Single(l => l.StartsWith(name, StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2],
        CultureInfo.InvariantCulture);

    private void Look()
    {
        long now = Status("RssAnon:"), known;
        do known = Interlocked.Read(ref _anonymous);
        while (now > known && Interlocked.CompareExchange(ref _anonymous, now, known) != known);
    }
}
