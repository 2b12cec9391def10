using System.Diagnostics;
using System.Numerics;
using System.Runtime.InteropServices;

namespace SegmentAnything.Benchmarks.Machine;

/// <summary>
/// Measures how many bytes a second this machine reads from memory: sums over arrays that are larger than every cache.
/// Work that touches each byte once cannot be faster.
/// </summary>
internal static class MemoryBandwidth
{
    private const int BytesPerThread = 128 << 20;

    /// <summary>The best of some repetitions, in GB/s, all threads together.</summary>
    /// <param name="threads">Threads that read at the same time, each an array of its own.</param>
    public static double Measure(int threads)
    {
        float[][] data = new float[threads][];
        for (int t = 0; t < threads; t++)
        {
            data[t] = new float[BytesPerThread / sizeof(float)];
            Array.Fill(data[t], 1f);
        }

        return TogetherRate.Measure(threads, 10, thread =>
        {
            long start = Stopwatch.GetTimestamp();
            float sum = Sum(data[thread]);
            double rate = BytesPerThread / Stopwatch.GetElapsedTime(start).TotalSeconds / 1e9;
            return sum > 0 ? rate : throw new InvalidOperationException("The sum of ones is not positive.");
        });
    }

    // Four sums, so that loads do not wait for additions.
    private static float Sum(float[] values)
    {
        ReadOnlySpan<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(values);
        Vector<float> a = default, b = default, c = default, d = default;
        for (int i = 0; i + 4 <= vectors.Length; i += 4)
        {
            a += vectors[i];
            b += vectors[i + 1];
            c += vectors[i + 2];
            d += vectors[i + 3];
        }

        return Vector.Sum(a + b + c + d);
    }
}
