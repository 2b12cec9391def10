using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace SegmentAnything.Kernels;

/// <content>Resizes words of 64 values and compares them with three cut-offs, keeping only bits.</content>
internal static partial class MaskKernels
{
    /// <summary>Interpolates 64 outputs a word and says which are above each of three cut-offs.</summary>
    /// <param name="source">Source positions, and <see cref="ReadAhead"/> values more.</param>
    /// <param name="axis">Neighbours and weights.</param>
    /// <param name="firstWord">The first word that is wanted: output 64 * firstWord is its lowest bit.</param>
    /// <param name="cutoffs">Three cut-offs.</param>
    /// <param name="lower">As many words as are wanted; bits above the lower cut-off are set. Bits beyond the axis' length repeat its last output.</param>
    /// <param name="middle">The same for the middle cut-off.</param>
    /// <param name="upper">The same for the upper cut-off.</param>
    /// <remarks>As <see cref="Interpolate"/> followed by &gt;: NaN is above nothing. Exactness: every path gives the same bits.</remarks>
    internal static void Cut(
        ReadOnlySpan<float> source, InterpolationAxis axis, int firstWord, in Cutoffs cutoffs,
        Span<ulong> lower, Span<ulong> middle, Span<ulong> upper)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(source.Length, axis.SourceLength + ReadAhead, nameof(source));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(64 * (firstWord + lower.Length), axis.First.Length, nameof(lower));
        ArgumentOutOfRangeException.ThrowIfNotEqual(middle.Length, lower.Length, nameof(middle));
        ArgumentOutOfRangeException.ThrowIfNotEqual(upper.Length, lower.Length, nameof(upper));
        if (Vector512.IsHardwareAccelerated && Avx512F.IsSupported && axis.Reach16 <= ReadAhead)
            CutVector512(source, axis, firstWord, cutoffs, lower, middle, upper);
        else if (Vector256.IsHardwareAccelerated && Avx2.IsSupported)
            CutVector256(source, axis, firstWord, cutoffs, lower, middle, upper);
        else if (Vector128.IsHardwareAccelerated)
            CutVector128(source, axis, firstWord, cutoffs, lower, middle, upper);
        else
            CutScalar(source, axis, firstWord, cutoffs, lower, middle, upper);
    }

    internal static void CutScalar(
        ReadOnlySpan<float> source, InterpolationAxis axis, int firstWord, in Cutoffs cutoffs,
        Span<ulong> lower, Span<ulong> middle, Span<ulong> upper)
    {
        lower.Clear();
        middle.Clear();
        upper.Clear();
        for (int i = 0; i < 64 * lower.Length; i++)
        {
            int output = (64 * firstWord) + i;
            float value = MathF.FusedMultiplyAdd(
                source[axis.First[output]], axis.FirstWeight[output], source[axis.Second[output]] * axis.SecondWeight[output]);
            if (value > cutoffs.Lower) lower[i / 64] |= 1UL << (i % 64);
            if (value > cutoffs.Middle) middle[i / 64] |= 1UL << (i % 64);
            if (value > cutoffs.Upper) upper[i / 64] |= 1UL << (i % 64);
        }
    }

    internal static void CutVector128(
        ReadOnlySpan<float> source, InterpolationAxis axis, int firstWord, in Cutoffs cutoffs,
        Span<ulong> lower, Span<ulong> middle, Span<ulong> upper)
    {
        ref float input = ref MemoryMarshal.GetReference(source);
        InterpolationTables tables = new(axis, Vector128<float>.Count);
        Vector128<float> lowerCutoff = Vector128.Create(cutoffs.Lower);
        Vector128<float> middleCutoff = Vector128.Create(cutoffs.Middle);
        Vector128<float> upperCutoff = Vector128.Create(cutoffs.Upper);
        for (int word = 0; word < lower.Length; word++)
        {
            ulong l = 0, m = 0, u = 0;
            for (int i = 0; i < 64; i += Vector128<float>.Count)
            {
                Vector128<float> value = InterpolateVector128(ref input, tables, (64 * (firstWord + word)) + i);
                l |= (ulong)Vector128.GreaterThan(value, lowerCutoff).ExtractMostSignificantBits() << i;
                m |= (ulong)Vector128.GreaterThan(value, middleCutoff).ExtractMostSignificantBits() << i;
                u |= (ulong)Vector128.GreaterThan(value, upperCutoff).ExtractMostSignificantBits() << i;
            }

            (lower[word], middle[word], upper[word]) = (l, m, u);
        }
    }

    internal static void CutVector256(
        ReadOnlySpan<float> source, InterpolationAxis axis, int firstWord, in Cutoffs cutoffs,
        Span<ulong> lower, Span<ulong> middle, Span<ulong> upper)
    {
        ref float input = ref MemoryMarshal.GetReference(source);
        InterpolationTables tables = new(axis, Vector256<float>.Count);
        Vector256<float> lowerCutoff = Vector256.Create(cutoffs.Lower);
        Vector256<float> middleCutoff = Vector256.Create(cutoffs.Middle);
        Vector256<float> upperCutoff = Vector256.Create(cutoffs.Upper);
        for (int word = 0; word < lower.Length; word++)
        {
            ulong l = 0, m = 0, u = 0;
            for (int half = 0; half < 64; half += 32)
            {
                int output = (64 * (firstWord + word)) + half;
                Vector256<float> a = InterpolateVector256(ref input, tables, output);
                Vector256<float> b = InterpolateVector256(ref input, tables, output + 8);
                Vector256<float> c = InterpolateVector256(ref input, tables, output + 16);
                Vector256<float> d = InterpolateVector256(ref input, tables, output + 24);
                l |= (ulong)Above(a, b, c, d, lowerCutoff) << half;
                m |= (ulong)Above(a, b, c, d, middleCutoff) << half;
                u |= (ulong)Above(a, b, c, d, upperCutoff) << half;
            }

            (lower[word], middle[word], upper[word]) = (l, m, u);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Above(Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d, Vector256<float> cutoff) =>
        Vector256.GreaterThan(a, cutoff).ExtractMostSignificantBits()
        | (Vector256.GreaterThan(b, cutoff).ExtractMostSignificantBits() << 8)
        | (Vector256.GreaterThan(c, cutoff).ExtractMostSignificantBits() << 16)
        | (Vector256.GreaterThan(d, cutoff).ExtractMostSignificantBits() << 24);

    internal static void CutVector512(
        ReadOnlySpan<float> source, InterpolationAxis axis, int firstWord, in Cutoffs cutoffs,
        Span<ulong> lower, Span<ulong> middle, Span<ulong> upper)
    {
        ref float input = ref MemoryMarshal.GetReference(source);
        InterpolationTables tables = new(axis, Vector512<float>.Count);
        Vector512<float> lowerCutoff = Vector512.Create(cutoffs.Lower);
        Vector512<float> middleCutoff = Vector512.Create(cutoffs.Middle);
        Vector512<float> upperCutoff = Vector512.Create(cutoffs.Upper);
        for (int word = 0; word < lower.Length; word++)
        {
            int output = 64 * (firstWord + word);
            Vector512<float> a = InterpolateVector512(ref input, tables, output);
            Vector512<float> b = InterpolateVector512(ref input, tables, output + 16);
            Vector512<float> c = InterpolateVector512(ref input, tables, output + 32);
            Vector512<float> d = InterpolateVector512(ref input, tables, output + 48);
            lower[word] = Above(a, b, c, d, lowerCutoff);
            middle[word] = Above(a, b, c, d, middleCutoff);
            upper[word] = Above(a, b, c, d, upperCutoff);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Above(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d, Vector512<float> cutoff) =>
        Vector512.GreaterThan(a, cutoff).ExtractMostSignificantBits()
        | (Vector512.GreaterThan(b, cutoff).ExtractMostSignificantBits() << 16)
        | (Vector512.GreaterThan(c, cutoff).ExtractMostSignificantBits() << 32)
        | (Vector512.GreaterThan(d, cutoff).ExtractMostSignificantBits() << 48);
}

/// <summary>The cut-off of a mask, and those that its stability is measured at.</summary>
/// <param name="Lower">Cut-off less the offset.</param>
/// <param name="Middle">The cut-off.</param>
/// <param name="Upper">Cut-off plus the offset.</param>
internal readonly record struct Cutoffs(float Lower, float Middle, float Upper)
{
    public static Cutoffs Around(float cutoff, float offset) => new(cutoff - offset, cutoff, cutoff + offset);
}
