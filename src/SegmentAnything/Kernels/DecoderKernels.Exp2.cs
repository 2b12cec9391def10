using System.Runtime.CompilerServices;

namespace SegmentAnything.Kernels;

/// <content>Powers of two, the exponential of every softmax here.</content>
internal static unsafe partial class DecoderKernels
{
    /// <summary>The smallest exponent that <see cref="Exp2"/> answers exactly; below, it answers as for this one.</summary>
    private const float LeastExponent = -125;

    /// <summary>2^x. The scores' weights carry the factor log2(e), so that this is exp.</summary>
    /// <param name="x">Up to 127; below -125 the result is 2^-125, which is nothing beside a softmax's largest term of 1.</param>
    /// <remarks>
    /// 2^x = 2^n * 2^r with n the nearest integer: adding 1.5 * 2^23 leaves n in the lowest bits. 2^r on [-1/2, 1/2] is a
    /// polynomial of degree 5 with the smallest largest relative error, 7.5e-8; with rounding 2e-7.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Exp2<TSimd, TVector>(TVector x)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        x = TSimd.Max(x, TSimd.Create(LeastExponent));
        TVector shift = TSimd.Create(12582912f);
        TVector shifted = TSimd.Add(x, shift);
        TVector r = TSimd.Subtract(x, TSimd.Subtract(shifted, shift));
        TVector p = TSimd.MultiplyAdd(TSimd.Create(0.0013276466634124517f), r, TSimd.Create(0.009675540961325169f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Create(0.05550713464617729f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Create(0.24022120237350464f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Create(0.6931469440460205f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Create(1.0000001192092896f));
        return TSimd.ScaleByLowBits(p, shifted);
    }
}
