using System.Runtime.CompilerServices;

namespace SegmentAnything.Kernels;

/// <content>The Gaussian error linear unit in its exact form.</content>
internal static unsafe partial class DecoderKernels
{
    private const float GeluLimit = 5.2f;

    /// <summary>x/2 * (1 + erf(x / sqrt(2))).</summary>
    /// <remarks>
    /// erf(x / sqrt(2)) / x is even: a polynomial of degree 12 in x^2, mapped from [0, 5.2^2] to [-1, 1] so that nothing
    /// cancels, fitted for the smallest largest error of the result: 7e-7, with rounding 1.5e-6. Outside of +-5.2 the
    /// error function is 1 to 2e-7, and x is held there for it. The tanh form would be 5e-4 off.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Gelu<TSimd, TVector>(TVector x)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        TVector held = TSimd.Max(TSimd.Min(x, TSimd.Create(GeluLimit)), TSimd.Create(-GeluLimit));
        TVector u = TSimd.MultiplyAdd(TSimd.Multiply(held, held), TSimd.Create(2 / (GeluLimit * GeluLimit)), TSimd.Create(-1));
        TVector p = TSimd.MultiplyAdd(TSimd.Create(0.0017183911986649036f), u, TSimd.Create(-0.005008524749428034f));
        p = TSimd.MultiplyAdd(p, u, TSimd.Create(0.005705616902559996f));
        p = TSimd.MultiplyAdd(p, u, TSimd.Create(-0.007009151857346296f));
        p = TSimd.MultiplyAdd(p, u, TSimd.Create(0.015116620808839798f));
        p = TSimd.MultiplyAdd(p, u, TSimd.Create(-0.026208369061350822f));
        p = TSimd.MultiplyAdd(p, u, TSimd.Create(0.0367741584777832f));
        p = TSimd.MultiplyAdd(p, u, TSimd.Create(-0.04918628931045532f));
        p = TSimd.MultiplyAdd(p, u, TSimd.Create(0.06381451338529587f));
        p = TSimd.MultiplyAdd(p, u, TSimd.Create(-0.0798826664686203f));
        p = TSimd.MultiplyAdd(p, u, TSimd.Create(0.10006033629179001f));
        p = TSimd.MultiplyAdd(p, u, TSimd.Create(-0.13548679649829865f));
        p = TSimd.MultiplyAdd(p, u, TSimd.Create(0.27189987897872925f));
        TVector half = TSimd.Multiply(x, TSimd.Create(0.5f));
        return TSimd.MultiplyAdd(half, TSimd.Multiply(held, p), half);
    }
}
