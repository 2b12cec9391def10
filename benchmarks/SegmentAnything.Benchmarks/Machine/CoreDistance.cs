using System.Diagnostics;
using System.Runtime.InteropServices;

namespace SegmentAnything.Benchmarks.Machine;

/// <summary>
/// How long a value takes from one thread to another. Cores that share their last cache need some tens of nanoseconds, cores
/// that do not several times as many. On a virtual machine the host decides which of them our two are, and changes its mind:
/// whatever passes data between threads has two speeds there, and a measurement has to say which one it saw.
/// </summary>
internal static class CoreDistance
{
    /// <summary>Distances above this are between cores that share no cache.</summary>
    public const int FarNanoseconds = 110;

    private const int Bursts = 5, Exchanges = 300;

    // A cache line (or two, as they are fetched in pairs) for each direction.
    [StructLayout(LayoutKind.Explicit, Size = 384)]
    private struct Mailbox
    {
        [FieldOffset(128)]
        public int There;

        [FieldOffset(256)]
        public int Back;
    }

    private sealed class Shared
    {
        public Mailbox Box;
    }

    /// <summary>Whether the two threads are on cores that share no cache, now.</summary>
    public static bool AreFar() => Environment.ProcessorCount > 1 && Measure() > FarNanoseconds;

    /// <summary>One way, in nanoseconds: the fastest of some bursts, so that a thread that was interrupted does not count.</summary>
    public static double Measure()
    {
        Shared shared = new();
        Thread echo = new(() =>
        {
            for (int i = 1; i <= Bursts * Exchanges; i++)
            {
                while (Volatile.Read(ref shared.Box.There) != i) { }
                Volatile.Write(ref shared.Box.Back, i);
            }
        });
        echo.Start();
        double fastest = double.PositiveInfinity;
        int sent = 0;
        for (int burst = 0; burst < Bursts; burst++)
        {
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < Exchanges; i++)
            {
                Volatile.Write(ref shared.Box.There, ++sent);
                while (Volatile.Read(ref shared.Box.Back) != sent) { }
            }

            fastest = Math.Min(fastest, Stopwatch.GetElapsedTime(start).TotalNanoseconds / (2 * Exchanges));
        }

        echo.Join();
        return fastest;
    }
}
