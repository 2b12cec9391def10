using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace SegmentAnything.Kernels;

/// <content>Finds where logits are clearly mask and clearly not.</content>
internal static partial class MaskKernels
{
    /// <summary>Marks values below one limit and values above another, a bit each.</summary>
    /// <param name="values">Up to 64 times as many as there are words.</param>
    /// <param name="belowLimit">A value less than this sets its bit of <paramref name="below"/>.</param>
    /// <param name="aboveLimit">A value greater than this sets its bit of <paramref name="above"/>.</param>
    /// <param name="below">One bit a value, lowest first; bits beyond the values are 0.</param>
    /// <param name="above">One bit a value, lowest first; bits beyond the values are 0.</param>
    /// <remarks>NaN sets no bit. Exactness: every path gives the same bits.</remarks>
    internal static void Classify(
        ReadOnlySpan<float> values, float belowLimit, float aboveLimit, Span<ulong> below, Span<ulong> above)
    {
        below = below[..((values.Length + 63) / 64)];
        above = above[..below.Length];
        below.Clear();
        above.Clear();
        int done = 0;
        ref float input = ref MemoryMarshal.GetReference(values);
        if (Vector512.IsHardwareAccelerated)
        {
            for (; done + Vector512<float>.Count <= values.Length; done += Vector512<float>.Count)
            {
                Vector512<float> value = Vector512.LoadUnsafe(ref input, (nuint)done);
                below[done / 64] |= Vector512.LessThan(value, Vector512.Create(belowLimit)).ExtractMostSignificantBits() << (done % 64);
                above[done / 64] |= Vector512.GreaterThan(value, Vector512.Create(aboveLimit)).ExtractMostSignificantBits() << (done % 64);
            }
        }
        else if (Vector256.IsHardwareAccelerated)
        {
            for (; done + Vector256<float>.Count <= values.Length; done += Vector256<float>.Count)
            {
                Vector256<float> value = Vector256.LoadUnsafe(ref input, (nuint)done);
                below[done / 64] |= (ulong)Vector256.LessThan(value, Vector256.Create(belowLimit)).ExtractMostSignificantBits() << (done % 64);
                above[done / 64] |= (ulong)Vector256.GreaterThan(value, Vector256.Create(aboveLimit)).ExtractMostSignificantBits() << (done % 64);
            }
        }
        else if (Vector128.IsHardwareAccelerated)
        {
            for (; done + Vector128<float>.Count <= values.Length; done += Vector128<float>.Count)
            {
                Vector128<float> value = Vector128.LoadUnsafe(ref input, (nuint)done);
                below[done / 64] |= (ulong)Vector128.LessThan(value, Vector128.Create(belowLimit)).ExtractMostSignificantBits() << (done % 64);
                above[done / 64] |= (ulong)Vector128.GreaterThan(value, Vector128.Create(aboveLimit)).ExtractMostSignificantBits() << (done % 64);
            }
        }

        ClassifyScalar(values, done, belowLimit, aboveLimit, below, above);
    }

    internal static void ClassifyScalar(
        ReadOnlySpan<float> values, int start, float belowLimit, float aboveLimit, Span<ulong> below, Span<ulong> above)
    {
        for (int i = start; i < values.Length; i++)
        {
            if (values[i] < belowLimit) below[i / 64] |= 1UL << (i % 64);
            if (values[i] > aboveLimit) above[i / 64] |= 1UL << (i % 64);
        }
    }

    /// <summary>Whether every bit from first to last, both included, is set.</summary>
    internal static bool AllSet(ReadOnlySpan<ulong> bits, int first, int last)
    {
        int firstWord = first / 64, lastWord = last / 64;
        ulong head = ulong.MaxValue << (first % 64);
        ulong tail = ulong.MaxValue >> (63 - (last % 64));
        if (firstWord == lastWord) return (~bits[firstWord] & head & tail) == 0;
        if ((~bits[firstWord] & head) != 0) return false;
        for (int word = firstWord + 1; word < lastWord; word++)
        {
            if (bits[word] != ulong.MaxValue) return false;
        }

        return (~bits[lastWord] & tail) == 0;
    }
}
