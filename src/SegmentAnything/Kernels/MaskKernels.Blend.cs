using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace SegmentAnything.Kernels;

/// <summary>Kernels for mask logits.</summary>
internal static partial class MaskKernels
{
    /// <summary>Interpolates between two rows (or columns): the weights are the same everywhere.</summary>
    /// <param name="first">The row with the first weight.</param>
    /// <param name="firstWeight">Its weight.</param>
    /// <param name="second">The other row, of the same length.</param>
    /// <param name="secondWeight">Its weight.</param>
    /// <param name="destination">As many values; may be one of the rows.</param>
    /// <remarks>
    /// destination[i] = fma(first[i], firstWeight, second[i] * secondWeight): the second product is rounded, the rest fused,
    /// as PyTorch's compiled code does it.
    /// Exactness: every path gives the same bits.
    /// </remarks>
    internal static void Blend(
        ReadOnlySpan<float> first, float firstWeight, ReadOnlySpan<float> second, float secondWeight, Span<float> destination)
    {
        int done = 0;
        if (Vector512.IsHardwareAccelerated) done = BlendVector512(first, firstWeight, second, secondWeight, destination);
        else if (Vector256.IsHardwareAccelerated) done = BlendVector256(first, firstWeight, second, secondWeight, destination);
        else if (Vector128.IsHardwareAccelerated) done = BlendVector128(first, firstWeight, second, secondWeight, destination);
        BlendScalar(first[done..], firstWeight, second[done..], secondWeight, destination[done..]);
    }

    internal static void BlendScalar(
        ReadOnlySpan<float> first, float firstWeight, ReadOnlySpan<float> second, float secondWeight, Span<float> destination)
    {
        for (int i = 0; i < first.Length; i++)
            destination[i] = MathF.FusedMultiplyAdd(first[i], firstWeight, second[i] * secondWeight);
    }

    // Each returns how many values it wrote; the rest, less than a vector, is the caller's.
    internal static int BlendVector128(
        ReadOnlySpan<float> first, float firstWeight, ReadOnlySpan<float> second, float secondWeight, Span<float> destination)
    {
        ref float a = ref MemoryMarshal.GetReference(first);
        ref float b = ref MemoryMarshal.GetReference(second[..first.Length]);
        ref float output = ref MemoryMarshal.GetReference(destination[..first.Length]);
        Vector128<float> weightA = Vector128.Create(firstWeight);
        Vector128<float> weightB = Vector128.Create(secondWeight);
        int i = 0;
        for (; i + Vector128<float>.Count <= first.Length; i += Vector128<float>.Count)
        {
            Vector128.FusedMultiplyAdd(Vector128.LoadUnsafe(ref a, (nuint)i), weightA, Vector128.LoadUnsafe(ref b, (nuint)i) * weightB)
                .StoreUnsafe(ref output, (nuint)i);
        }

        return i;
    }

    internal static int BlendVector256(
        ReadOnlySpan<float> first, float firstWeight, ReadOnlySpan<float> second, float secondWeight, Span<float> destination)
    {
        ref float a = ref MemoryMarshal.GetReference(first);
        ref float b = ref MemoryMarshal.GetReference(second[..first.Length]);
        ref float output = ref MemoryMarshal.GetReference(destination[..first.Length]);
        Vector256<float> weightA = Vector256.Create(firstWeight);
        Vector256<float> weightB = Vector256.Create(secondWeight);
        int i = 0;
        for (; i + Vector256<float>.Count <= first.Length; i += Vector256<float>.Count)
        {
            Vector256.FusedMultiplyAdd(Vector256.LoadUnsafe(ref a, (nuint)i), weightA, Vector256.LoadUnsafe(ref b, (nuint)i) * weightB)
                .StoreUnsafe(ref output, (nuint)i);
        }

        return i;
    }

    internal static int BlendVector512(
        ReadOnlySpan<float> first, float firstWeight, ReadOnlySpan<float> second, float secondWeight, Span<float> destination)
    {
        ref float a = ref MemoryMarshal.GetReference(first);
        ref float b = ref MemoryMarshal.GetReference(second[..first.Length]);
        ref float output = ref MemoryMarshal.GetReference(destination[..first.Length]);
        Vector512<float> weightA = Vector512.Create(firstWeight);
        Vector512<float> weightB = Vector512.Create(secondWeight);
        int i = 0;
        for (; i + Vector512<float>.Count <= first.Length; i += Vector512<float>.Count)
        {
            Vector512.FusedMultiplyAdd(Vector512.LoadUnsafe(ref a, (nuint)i), weightA, Vector512.LoadUnsafe(ref b, (nuint)i) * weightB)
                .StoreUnsafe(ref output, (nuint)i);
        }

        return i;
    }
}
