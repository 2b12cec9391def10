using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

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
        SimdDispatch.Run<CutKernel, int>(new(source, axis, firstWord, cutoffs, lower, middle, upper));
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

    internal static void Cut<TSimd, TVector>(
        ReadOnlySpan<float> source, InterpolationAxis axis, int firstWord, in Cutoffs cutoffs,
        Span<ulong> lower, Span<ulong> middle, Span<ulong> upper)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        if (TSimd.Width == 4) CutByOnes<TSimd, TVector>(source, axis, firstWord, cutoffs, lower, middle, upper);
        else CutByFours<TSimd, TVector>(source, axis, firstWord, cutoffs, lower, middle, upper);
    }

    // Picked one by one, values of four vectors would not fit into the registers.
    private static void CutByOnes<TSimd, TVector>(
        ReadOnlySpan<float> source, InterpolationAxis axis, int firstWord, in Cutoffs cutoffs,
        Span<ulong> lower, Span<ulong> middle, Span<ulong> upper)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        ref float input = ref MemoryMarshal.GetReference(source);
        InterpolationTables tables = new(axis, TSimd.Width);
        TVector lowerCutoff = TSimd.Create(cutoffs.Lower), middleCutoff = TSimd.Create(cutoffs.Middle), upperCutoff = TSimd.Create(cutoffs.Upper);
        for (int word = 0; word < lower.Length; word++)
        {
            ulong l = 0, m = 0, u = 0;
            for (int i = 0; i < 64; i += TSimd.Width)
            {
                TVector value = Interpolate<TSimd, TVector>(ref input, tables, (64 * (firstWord + word)) + i);
                l |= TSimd.GreaterThanBits<float>(value, lowerCutoff) << i;
                m |= TSimd.GreaterThanBits<float>(value, middleCutoff) << i;
                u |= TSimd.GreaterThanBits<float>(value, upperCutoff) << i;
            }

            (lower[word], middle[word], upper[word]) = (l, m, u);
        }
    }

    // The bits of four vectors are put together before the next are computed.
    private static void CutByFours<TSimd, TVector>(
        ReadOnlySpan<float> source, InterpolationAxis axis, int firstWord, in Cutoffs cutoffs,
        Span<ulong> lower, Span<ulong> middle, Span<ulong> upper)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        ref float input = ref MemoryMarshal.GetReference(source);
        InterpolationTables tables = new(axis, TSimd.Width);
        TVector lowerCutoff = TSimd.Create(cutoffs.Lower), middleCutoff = TSimd.Create(cutoffs.Middle), upperCutoff = TSimd.Create(cutoffs.Upper);
        for (int word = 0; word < lower.Length; word++)
        {
            ulong l = 0, m = 0, u = 0;
            int part = 0;
            do
            {
                int output = (64 * (firstWord + word)) + part;
                TVector a = Interpolate<TSimd, TVector>(ref input, tables, output);
                TVector b = Interpolate<TSimd, TVector>(ref input, tables, output + TSimd.Width);
                TVector c = Interpolate<TSimd, TVector>(ref input, tables, output + (2 * TSimd.Width));
                TVector d = Interpolate<TSimd, TVector>(ref input, tables, output + (3 * TSimd.Width));
                l |= Above<TSimd, TVector>(a, b, c, d, lowerCutoff) << part;
                m |= Above<TSimd, TVector>(a, b, c, d, middleCutoff) << part;
                u |= Above<TSimd, TVector>(a, b, c, d, upperCutoff) << part;
                part += 4 * TSimd.Width;
            }
            while (TSimd.Width < 16 && part < 64);

            (lower[word], middle[word], upper[word]) = (l, m, u);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Above<TSimd, TVector>(TVector a, TVector b, TVector c, TVector d, TVector cutoff)
        where TSimd : ISimd<TVector>
        where TVector : struct =>
        TSimd.GreaterThanBits<float>(a, cutoff)
        | (TSimd.GreaterThanBits<float>(b, cutoff) << TSimd.Width)
        | (TSimd.GreaterThanBits<float>(c, cutoff) << (2 * TSimd.Width))
        | (TSimd.GreaterThanBits<float>(d, cutoff) << (3 * TSimd.Width));

    private readonly ref struct CutKernel(
        ReadOnlySpan<float> source, InterpolationAxis axis, int firstWord, Cutoffs cutoffs,
        Span<ulong> lower, Span<ulong> middle, Span<ulong> upper) : ISimdKernel<int>
    {
        private readonly ReadOnlySpan<float> _source = source;
        private readonly Span<ulong> _lower = lower, _middle = middle, _upper = upper;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public int Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct
        {
            if (IsTooFar<TSimd, TVector>(axis)) Cut<Simd256, Vector256<float>>(_source, axis, firstWord, cutoffs, _lower, _middle, _upper);
            else Cut<TSimd, TVector>(_source, axis, firstWord, cutoffs, _lower, _middle, _upper);
            return _lower.Length;
        }

        public int RunScalar()
        {
            CutScalar(_source, axis, firstWord, cutoffs, _lower, _middle, _upper);
            return _lower.Length;
        }
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
