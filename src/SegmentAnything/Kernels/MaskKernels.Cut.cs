using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace SegmentAnything.Kernels;

/// <content>Resizes 64 values and compares them with three cut-offs, keeping only bits.</content>
internal static partial class MaskKernels
{
    /// <summary>Interpolates 64 outputs and says which are above each of three cut-offs.</summary>
    /// <param name="source">Source positions, and <see cref="ReadAhead"/> values more.</param>
    /// <param name="axis">Neighbours and weights.</param>
    /// <param name="start">The first output, a multiple of 64.</param>
    /// <param name="cutoffs">Three cut-offs.</param>
    /// <returns>Three words; bit i belongs to output start + i. Bits beyond the axis' length repeat its last output.</returns>
    /// <remarks>As <see cref="Interpolate"/> followed by &gt;: NaN is above nothing. Exactness: every path gives the same bits.</remarks>
    internal static (ulong Lower, ulong Middle, ulong Upper) Cut(
        ReadOnlySpan<float> source, InterpolationAxis axis, int start, in Cutoffs cutoffs)
    {
        Debug.Assert(start % 64 == 0 && start < axis.First.Length, "Whole words only.");
        ArgumentOutOfRangeException.ThrowIfLessThan(source.Length, axis.SourceLength + ReadAhead, nameof(source));
        if (Vector512.IsHardwareAccelerated && Avx512F.IsSupported && axis.Reach16 <= ReadAhead) return CutVector512(source, axis, start, cutoffs);
        if (Vector256.IsHardwareAccelerated && Avx2.IsSupported) return CutVector256(source, axis, start, cutoffs);
        if (Vector128.IsHardwareAccelerated) return CutVector128(source, axis, start, cutoffs);
        return CutScalar(source, axis, start, cutoffs);
    }

    internal static (ulong Lower, ulong Middle, ulong Upper) CutScalar(
        ReadOnlySpan<float> source, InterpolationAxis axis, int start, in Cutoffs cutoffs)
    {
        ulong lower = 0, middle = 0, upper = 0;
        for (int i = 0; i < 64; i++)
        {
            float value = MathF.FusedMultiplyAdd(source[axis.First[start + i]], axis.FirstWeight[start + i],
                source[axis.Second[start + i]] * axis.SecondWeight[start + i]);
            if (value > cutoffs.Lower) lower |= 1UL << i;
            if (value > cutoffs.Middle) middle |= 1UL << i;
            if (value > cutoffs.Upper) upper |= 1UL << i;
        }

        return (lower, middle, upper);
    }

    internal static (ulong Lower, ulong Middle, ulong Upper) CutVector128(
        ReadOnlySpan<float> source, InterpolationAxis axis, int start, in Cutoffs cutoffs)
    {
        ref float input = ref MemoryMarshal.GetReference(source);
        ulong lower = 0, middle = 0, upper = 0;
        for (int i = 0; i < 64; i += Vector128<float>.Count)
        {
            Vector128<float> value = InterpolateVector128(ref input, axis, start + i);
            lower |= (ulong)Vector128.GreaterThan(value, Vector128.Create(cutoffs.Lower)).ExtractMostSignificantBits() << i;
            middle |= (ulong)Vector128.GreaterThan(value, Vector128.Create(cutoffs.Middle)).ExtractMostSignificantBits() << i;
            upper |= (ulong)Vector128.GreaterThan(value, Vector128.Create(cutoffs.Upper)).ExtractMostSignificantBits() << i;
        }

        return (lower, middle, upper);
    }

    internal static (ulong Lower, ulong Middle, ulong Upper) CutVector256(
        ReadOnlySpan<float> source, InterpolationAxis axis, int start, in Cutoffs cutoffs)
    {
        ref float input = ref MemoryMarshal.GetReference(source);
        ulong lower = 0, middle = 0, upper = 0;
        for (int i = 0; i < 64; i += Vector256<float>.Count)
        {
            Vector256<float> value = InterpolateVector256(ref input, axis, start + i);
            lower |= (ulong)Vector256.GreaterThan(value, Vector256.Create(cutoffs.Lower)).ExtractMostSignificantBits() << i;
            middle |= (ulong)Vector256.GreaterThan(value, Vector256.Create(cutoffs.Middle)).ExtractMostSignificantBits() << i;
            upper |= (ulong)Vector256.GreaterThan(value, Vector256.Create(cutoffs.Upper)).ExtractMostSignificantBits() << i;
        }

        return (lower, middle, upper);
    }

    internal static (ulong Lower, ulong Middle, ulong Upper) CutVector512(
        ReadOnlySpan<float> source, InterpolationAxis axis, int start, in Cutoffs cutoffs)
    {
        ref float input = ref MemoryMarshal.GetReference(source);
        ulong lower = 0, middle = 0, upper = 0;
        for (int i = 0; i < 64; i += Vector512<float>.Count)
        {
            Vector512<float> value = InterpolateVector512(ref input, axis, start + i);
            lower |= Vector512.GreaterThan(value, Vector512.Create(cutoffs.Lower)).ExtractMostSignificantBits() << i;
            middle |= Vector512.GreaterThan(value, Vector512.Create(cutoffs.Middle)).ExtractMostSignificantBits() << i;
            upper |= Vector512.GreaterThan(value, Vector512.Create(cutoffs.Upper)).ExtractMostSignificantBits() << i;
        }

        return (lower, middle, upper);
    }
}

/// <summary>The cut-off of a mask, and those that its stability is measured at.</summary>
/// <param name="Lower">Cut-off less the offset.</param>
/// <param name="Middle">The cut-off.</param>
/// <param name="Upper">Cut-off plus the offset.</param>
internal readonly record struct Cutoffs(float Lower, float Middle, float Upper)
{
    public static Cutoffs Around(float cutoff, float offset) => new(cutoff - offset, cutoff, cutoff + offset);
}
