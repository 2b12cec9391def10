using System.Diagnostics;
using System.Globalization;

namespace SegmentAnything.TestSupport.Fuzzing;

/// <summary>
/// Drives a <see cref="FuzzTarget"/>: each damaged file must be read or refused with a documented exception, in bounded time and
/// memory. For a few seconds in the tests; for as long as <see cref="SecondsVariable"/> says by hand, with the seed of
/// <see cref="SeedVariable"/>.
/// </summary>
internal static class Fuzzer
{
    /// <summary>Names the seconds for each target.</summary>
    public const string SecondsVariable = "SEGMENTANYTHING_FUZZ_SECONDS";

    /// <summary>Names the seed; without it, it is always the same one.</summary>
    public const string SeedVariable = "SEGMENTANYTHING_FUZZ_SEED";

    private const int LongestMessage = 8000;

    // However slow the machine is.
    private const int FewestFiles = 60;

    /// <summary>Damages files until the time is over.</summary>
    /// <param name="target">What reads them.</param>
    /// <param name="seconds">For how long, where nothing else is said.</param>
    /// <returns>How many were read, and how many refused.</returns>
    public static (int Read, int Refused) Run(FuzzTarget target, double seconds)
    {
        if (double.TryParse(Environment.GetEnvironmentVariable(SecondsVariable), CultureInfo.InvariantCulture, out double wanted)) seconds = wanted;
        int seed = int.TryParse(Environment.GetEnvironmentVariable(SeedVariable), CultureInfo.InvariantCulture, out int given) ? given : 20261128;
        Random random = new(seed);
        IReadOnlyList<byte[]> seeds = target.Seeds();
        foreach (byte[] file in seeds) target.Read(file); // what is in order is read

        byte[] current = [];
        int read = 0, refused = 0, number = 0;
        long started = Stopwatch.GetTimestamp(), begun = started;
        Exception? failure = null;
        // On a thread of its own: a file that is read for ever must not keep the test.
        Thread thread = new(() =>
        {
            try
            {
                while (Stopwatch.GetElapsedTime(begun).TotalSeconds < seconds || number < FewestFiles) ReadOne();
            }
            catch (Exception e)
            {
                failure = e;
            }
        })
        { IsBackground = true };
        thread.Start();
        while (!thread.Join(TimeSpan.FromMilliseconds(200)))
        {
            if (Stopwatch.GetElapsedTime(Volatile.Read(ref started)) > target.TimeLimit) Fail($"has taken more than {target.TimeLimit.TotalSeconds} s");
        }

        if (failure is not null) Fail($"gave {failure}");
        TestContext.Current.TestOutputHelper?.WriteLine($"{target.Name}: {number} damaged files in {Stopwatch.GetElapsedTime(begun).TotalSeconds:F0} s, {read} read, {refused} refused");
        return (read, refused);

        void ReadOne()
        {
            Volatile.Write(ref current, target.Mutate(seeds[random.Next(seeds.Count)], random));
            number++;
            Volatile.Write(ref started, Stopwatch.GetTimestamp());
            long allocated = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                target.Read(current);
                read++;
            }
            catch (Exception e) when (target.IsDocumented(e))
            {
                if (e.Message.Length > LongestMessage) throw new InvalidOperationException($"a message of {e.Message.Length} characters", e);
                refused++;
            }

            allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
            if (allocated > target.AllocationLimit + (64L * current.Length)) throw new InvalidOperationException($"{allocated} bytes allocated for a file of {current.Length}");
        }

        void Fail(string what)
        {
            string folder = Directory.CreateDirectory(Path.Combine(TestPaths.Repository, "artifacts", "fuzz")).FullName;
            string path = Path.Combine(folder, $"{target.Name}-{seed}-{number}.bin");
            File.WriteAllBytes(path, Volatile.Read(ref current));
            Assert.Fail($"{target.Name}: file {number} of seed {seed}, kept as {path}, {what}");
        }
    }
}
