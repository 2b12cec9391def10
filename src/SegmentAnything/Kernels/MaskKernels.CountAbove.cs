using System.Numerics;
using System.Runtime.InteropServices;

namespace SegmentAnything.Kernels;

/// <content>Counts logits.</content>
internal static partial class MaskKernels
{
    /// <summary>How many values are larger than a threshold. NaN is not.</summary>
    /// <remarks>Exactness: every path gives the same number.</remarks>
    internal static int CountAbove(ReadOnlySpan<float> values, float threshold)
    {
        ReadOnlySpan<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(values);
        Vector<float> limit = new(threshold);
        // A comparison that holds is -1.
        Vector<int> counts = Vector<int>.Zero;
        foreach (Vector<float> vector in vectors) counts -= Vector.GreaterThan(vector, limit);
        return Vector.Sum(counts) + CountAboveScalar(values[(vectors.Length * Vector<float>.Count)..], threshold);
    }

    internal static int CountAboveScalar(ReadOnlySpan<float> values, float threshold)
    {
        int count = 0;
        foreach (float value in values)
        {
            if (value > threshold) count++;
        }

        return count;
    }
}
