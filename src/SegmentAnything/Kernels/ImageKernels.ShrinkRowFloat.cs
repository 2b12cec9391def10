using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace SegmentAnything.Kernels;

/// <content>Changes the width of a row of pixels in float32.</content>
internal static partial class ImageKernels
{
    // A byte as a fraction, divided once and for all.
    private static readonly float[] Fractions = [.. Enumerable.Range(0, 256).Select(b => b / 255f)];

    /// <summary>Bytes as fractions: value / 255 in float32.</summary>
    internal static void ToFractions(ReadOnlySpan<byte> bytes, Span<float> destination)
    {
        destination = destination[..bytes.Length];
        for (int i = 0; i < destination.Length; i++) destination[i] = Fractions[bytes[i]];
    }

    /// <summary>
    /// The first of so many products of a filtered value that is fused with its addition: those before it, in groups of four, are
    /// rounded before they are added.
    /// </summary>
    /// <remarks>That is what the compiler made of PyTorch's loop, and what its bits depend on.</remarks>
    internal static int FirstFused(int count) => 1 + ((count - 1) / 4 * 4);

    /// <summary>The definition of a filtered value: the first product plus the others, one after the other.</summary>
    internal static float Filter(ReadOnlySpan<float> values, int step, ReadOnlySpan<float> weights)
    {
        float sum = values[0] * weights[0];
        int fused = FirstFused(weights.Length);
        for (int k = 1; k < weights.Length; k++)
        {
            float value = values[k * step];
            sum = k < fused ? sum + (value * weights[k]) : MathF.FusedMultiplyAdd(value, weights[k], sum);
        }

        return sum;
    }

    /// <summary>One row of pixels as fractions, four values each, its width changed, a channel after the other.</summary>
    internal static void ShrinkRowFloat(ReadOnlySpan<float> row, FloatResampleTable table, Span<float> planes)
    {
        if (Vector128.IsHardwareAccelerated) ShrinkRowFloatVector128(row, table, planes);
        else ShrinkRowFloatScalar(row, table, planes);
    }

    internal static void ShrinkRowFloatScalar(ReadOnlySpan<float> row, FloatResampleTable table, Span<float> planes)
    {
        for (int x = 0; x < table.Length; x++)
        {
            ReadOnlySpan<float> weights = table.WeightsOf(x), pixels = row.Slice(table.First[x] * 4, weights.Length * 4);
            for (int c = 0; c < 3; c++)
            {
                planes[(c * table.Length) + x] = Filter(pixels[c..], 4, weights);
            }
        }
    }

    // One pixel is one vector of four sums.
    internal static void ShrinkRowFloatVector128(ReadOnlySpan<float> row, FloatResampleTable table, Span<float> planes)
    {
        ref float pixels = ref MemoryMarshal.GetReference(row);
        ref float red = ref MemoryMarshal.GetReference(planes[..(3 * table.Length)]);
        ref float green = ref Unsafe.Add(ref red, table.Length), blue = ref Unsafe.Add(ref green, table.Length);
        ref float weights = ref MemoryMarshal.GetArrayDataReference(table.Weights);
        for (int x = 0; x < table.Length; x++)
        {
            ref float pixel = ref Unsafe.Add(ref pixels, 4 * table.First[x]);
            ref float weight = ref Unsafe.Add(ref weights, x * table.Taps);
            Vector128<float> sum = Vector128.LoadUnsafe(ref pixel) * weight;
            int count = table.Count[x], fused = FirstFused(count), k = 1;
            for (; k < fused; k++) sum += Vector128.LoadUnsafe(ref pixel, (nuint)(4 * k)) * Unsafe.Add(ref weight, k);
            for (; k < count; k++) sum = Vector128.FusedMultiplyAdd(Vector128.LoadUnsafe(ref pixel, (nuint)(4 * k)), Vector128.Create(Unsafe.Add(ref weight, k)), sum);
            Unsafe.Add(ref red, x) = sum.GetElement(0);
            Unsafe.Add(ref green, x) = sum.GetElement(1);
            Unsafe.Add(ref blue, x) = sum.GetElement(2);
        }
    }
}
