using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace SegmentAnything.Benchmarks.Machine;

/// <summary>
/// Measures how many floating-point operations a second this processor can do at all: fused multiply-adds on registers,
/// enough of them independent of each other, nothing else. What the decoder reaches is put beside this number.
/// </summary>
internal static class FmaPeak
{
    private const int Accumulators = 12;
    private const int Steps = 200_000;

    /// <summary>The best of some repetitions, in GFLOP/s (a multiply-add counts as two), all threads together.</summary>
    /// <param name="threads">Threads that work at the same time.</param>
    /// <param name="repetitions">Repetitions; the processor changes its clock, and other programs disturb.</param>
    public static double Measure(int threads, int repetitions = 30)
    {
        double best = 0;
        for (int repetition = 0; repetition < repetitions; repetition++)
        {
            using Barrier barrier = new(threads);
            double[] rates = new double[threads];
            Thread[] workers = new Thread[threads];
            for (int t = 0; t < threads; t++)
            {
                int index = t;
                workers[t] = new Thread(() =>
                {
                    barrier.SignalAndWait();
                    rates[index] = MeasureOnce();
                });
                workers[t].Start();
            }

            foreach (Thread worker in workers) worker.Join();
            best = Math.Max(best, rates.Sum());
        }

        return best;
    }

    private static double MeasureOnce()
    {
        long start = Stopwatch.GetTimestamp();
        int width = Vector512.IsHardwareAccelerated ? 16 : Vector256.IsHardwareAccelerated ? 8 : 4;
        float result = width switch
        {
            16 => Chain512(0.999f),
            8 => Chain256(0.999f),
            _ => Chain128(0.999f),
        };
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        if (float.IsNaN(result)) throw new InvalidOperationException("The chain left the finite numbers.");
        return 2.0 * width * Accumulators * Steps / seconds / 1e9;
    }

    // x = x * factor + factor stays finite; twelve chains hide the latency of each.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static float Chain512(float seed)
    {
        Vector512<float> f = Vector512.Create(seed);
        Vector512<float> a = f, b = f, c = f, d = f, e = f, g = f, h = f, i = f, j = f, k = f, l = f, m = f;
        for (int step = 0; step < Steps; step++)
        {
            a = Vector512.MultiplyAddEstimate(a, f, f);
            b = Vector512.MultiplyAddEstimate(b, f, f);
            c = Vector512.MultiplyAddEstimate(c, f, f);
            d = Vector512.MultiplyAddEstimate(d, f, f);
            e = Vector512.MultiplyAddEstimate(e, f, f);
            g = Vector512.MultiplyAddEstimate(g, f, f);
            h = Vector512.MultiplyAddEstimate(h, f, f);
            i = Vector512.MultiplyAddEstimate(i, f, f);
            j = Vector512.MultiplyAddEstimate(j, f, f);
            k = Vector512.MultiplyAddEstimate(k, f, f);
            l = Vector512.MultiplyAddEstimate(l, f, f);
            m = Vector512.MultiplyAddEstimate(m, f, f);
        }

        return Vector512.Sum(a + b + c + d + e + g + h + i + j + k + l + m);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static float Chain256(float seed)
    {
        Vector256<float> f = Vector256.Create(seed);
        Vector256<float> a = f, b = f, c = f, d = f, e = f, g = f, h = f, i = f, j = f, k = f, l = f, m = f;
        for (int step = 0; step < Steps; step++)
        {
            a = Vector256.MultiplyAddEstimate(a, f, f);
            b = Vector256.MultiplyAddEstimate(b, f, f);
            c = Vector256.MultiplyAddEstimate(c, f, f);
            d = Vector256.MultiplyAddEstimate(d, f, f);
            e = Vector256.MultiplyAddEstimate(e, f, f);
            g = Vector256.MultiplyAddEstimate(g, f, f);
            h = Vector256.MultiplyAddEstimate(h, f, f);
            i = Vector256.MultiplyAddEstimate(i, f, f);
            j = Vector256.MultiplyAddEstimate(j, f, f);
            k = Vector256.MultiplyAddEstimate(k, f, f);
            l = Vector256.MultiplyAddEstimate(l, f, f);
            m = Vector256.MultiplyAddEstimate(m, f, f);
        }

        return Vector256.Sum(a + b + c + d + e + g + h + i + j + k + l + m);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static float Chain128(float seed)
    {
        Vector128<float> f = Vector128.Create(seed);
        Vector128<float> a = f, b = f, c = f, d = f, e = f, g = f, h = f, i = f, j = f, k = f, l = f, m = f;
        for (int step = 0; step < Steps; step++)
        {
            a = Vector128.MultiplyAddEstimate(a, f, f);
            b = Vector128.MultiplyAddEstimate(b, f, f);
            c = Vector128.MultiplyAddEstimate(c, f, f);
            d = Vector128.MultiplyAddEstimate(d, f, f);
            e = Vector128.MultiplyAddEstimate(e, f, f);
            g = Vector128.MultiplyAddEstimate(g, f, f);
            h = Vector128.MultiplyAddEstimate(h, f, f);
            i = Vector128.MultiplyAddEstimate(i, f, f);
            j = Vector128.MultiplyAddEstimate(j, f, f);
            k = Vector128.MultiplyAddEstimate(k, f, f);
            l = Vector128.MultiplyAddEstimate(l, f, f);
            m = Vector128.MultiplyAddEstimate(m, f, f);
        }

        return Vector128.Sum(a + b + c + d + e + g + h + i + j + k + l + m);
    }
}
