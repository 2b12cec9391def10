using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace SegmentAnything.Rle.Kernels;

/// <content>Brings runs into the one form that stands for a mask.</content>
internal static partial class RleKernels
{
    /// <summary>Checks that runs fill a mask and brings them into the canonical form, without runs of length 0.</summary>
    /// <param name="counts">Run lengths; none may be negative. Changed in place.</param>
    /// <param name="pixels">What they must add up to.</param>
    /// <returns>The number of runs that are left, at the start of <paramref name="counts"/>.</returns>
    /// <exception cref="RleFormatException">A negative run, or another sum.</exception>
    public static int Canonicalize(Span<int> counts, int pixels) =>
        IsCanonical(counts, pixels) ? counts.Length : CanonicalizeScalar(counts, pixels);

    // Whether nothing has to be done, as for almost all that is read: no run but the first is 0 or less, and the sum fits.
    private static bool IsCanonical(ReadOnlySpan<int> counts, int pixels)
    {
        if (counts.IsEmpty || counts[0] < 0) return false;
        long sum = counts[0];
        int i = 1;
        if (Vector512.IsHardwareAccelerated && !AddUpPositive<Simd512, Vector512<float>>(counts, ref i, ref sum)) return false;
        if (Vector256.IsHardwareAccelerated && !AddUpPositive<Simd256, Vector256<float>>(counts, ref i, ref sum)) return false;
        for (; i < counts.Length; i++)
        {
            if (counts[i] <= 0) return false;
            sum += counts[i];
        }

        return sum == pixels;
    }

    // Adds up whole vectors of runs, from where the last width ended; false when one of them is 0 or less.
    private static bool AddUpPositive<TSimd, TVector>(ReadOnlySpan<int> counts, ref int done, ref long sum)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        ref int runs = ref MemoryMarshal.GetReference(counts);
        TVector low = TSimd.Broadcast(0UL), high = low, lowHalf = TSimd.Broadcast(0xffffffffUL), least = TSimd.Broadcast(int.MaxValue);
        int i = done;
        for (; i <= counts.Length - TSimd.Width; i += TSimd.Width)
        {
            TVector v = TSimd.Load(in runs, (nuint)i);
            least = TSimd.Min<int>(least, v);
            low = TSimd.Add<ulong>(low, TSimd.And(v, lowHalf));
            high = TSimd.Add<ulong>(high, TSimd.ShiftRight64(v, 32));
        }

        done = i;
        sum += (long)TSimd.Sum<ulong>(TSimd.Add<ulong>(low, high));
        return TSimd.LessThanBits<int>(least, TSimd.Broadcast(1)) == 0;
    }

    // The definition.
    internal static int CanonicalizeScalar(Span<int> counts, int pixels)
    {
        long sum = 0;
        int runs = 0;
        for (int i = 0; i < counts.Length; i++)
        {
            int run = counts[i];
            if (run < 0) ThrowHelper.Format($"run {i} has length {run}; no run is negative", i);
            sum += run;
            if (sum > pixels)
            {
                ThrowHelper.Format(
                    $"the runs add up to {sum} or more; the mask has {pixels} pixels: is this the text of another size?", i);
            }

            if (run == 0 && i > 0) continue;
            // Run i has the colour of i's parity; after left-out runs it may belong to the last one kept.
            if (runs > 0 && ((runs - 1) & 1) == (i & 1)) counts[runs - 1] += run;
            else counts[runs++] = run;
        }

        if (sum != pixels)
        {
            ThrowHelper.Format(
                $"the runs add up to {sum}; the mask has {pixels} pixels: is this the text of another size?", counts.Length);
        }

        return runs;
    }
}
