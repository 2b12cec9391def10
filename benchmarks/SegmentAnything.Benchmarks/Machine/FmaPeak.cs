using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using SegmentAnything.Kernels;

namespace SegmentAnything.Benchmarks.Machine;

/// <summary>
/// Measures how many floating-point operations a second this processor can do at all: fused multiply-adds on registers,
/// enough of them independent of each other, nothing else. What the decoder reaches is put beside this number.
/// </summary>
internal static class FmaPeak
{
    private const int Accumulators = 12;
    private const int Steps = 200_000;

    /// <summary>Floats in the widest vectors of this processor.</summary>
    public static int WidestVector => Vector512.IsHardwareAccelerated ? 16 : Vector256.IsHardwareAccelerated ? 8 : 4;

    /// <summary>The best of some repetitions with the widest vectors, in GFLOP/s (a multiply-add counts as two), all threads together.</summary>
    /// <param name="threads">Threads that work at the same time.</param>
    public static double Measure(int threads) => Measure(threads, WidestVector);

    /// <summary>The same with vectors of 4, 8 or 16 floats.</summary>
    public static double Measure(int threads, int vectorWidth) => TogetherRate.Measure(threads, 30, _ => MeasureOnce(vectorWidth));

    private static double MeasureOnce(int vectorWidth)
    {
        long start = Stopwatch.GetTimestamp();
        float result = vectorWidth switch
        {
            16 => Chains<Simd512, Vector512<float>>(0.999f),
            8 => Chains<Simd256, Vector256<float>>(0.999f),
            _ => Chains<Simd128, Vector128<float>>(0.999f),
        };
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        if (float.IsNaN(result)) throw new InvalidOperationException("The chains left the finite numbers.");
        return 2.0 * vectorWidth * Accumulators * Steps / seconds / 1e9;
    }

    // x = x * factor + factor stays finite; twelve chains hide the latency of each.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static float Chains<TSimd, TVector>(float seed)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        TVector f = TSimd.Create(seed);
        TVector a = f, b = f, c = f, d = f, e = f, g = f, h = f, i = f, j = f, k = f, l = f, m = f;
        for (int step = 0; step < Steps; step++)
        {
            a = TSimd.MultiplyAdd(a, f, f);
            b = TSimd.MultiplyAdd(b, f, f);
            c = TSimd.MultiplyAdd(c, f, f);
            d = TSimd.MultiplyAdd(d, f, f);
            e = TSimd.MultiplyAdd(e, f, f);
            g = TSimd.MultiplyAdd(g, f, f);
            h = TSimd.MultiplyAdd(h, f, f);
            i = TSimd.MultiplyAdd(i, f, f);
            j = TSimd.MultiplyAdd(j, f, f);
            k = TSimd.MultiplyAdd(k, f, f);
            l = TSimd.MultiplyAdd(l, f, f);
            m = TSimd.MultiplyAdd(m, f, f);
        }

        a = TSimd.Add(TSimd.Add(TSimd.Add(a, b), TSimd.Add(c, d)), TSimd.Add(TSimd.Add(e, g), TSimd.Add(h, i)));
        return TSimd.Sum(TSimd.Add(a, TSimd.Add(TSimd.Add(j, k), TSimd.Add(l, m))));
    }
}
