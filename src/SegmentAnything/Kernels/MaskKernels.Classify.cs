using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

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
        SimdDispatch.Run<ClassifyKernel, int>(new(values, belowLimit, aboveLimit, below, above));
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

    // Returns how many values it took; the rest, less than a vector, is the caller's. All bits are 0 before.
    internal static int Classify<TSimd, TVector>(
        ReadOnlySpan<float> values, float belowLimit, float aboveLimit, Span<ulong> below, Span<ulong> above)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        ref float input = ref MemoryMarshal.GetReference(values);
        TVector least = TSimd.Create(belowLimit), most = TSimd.Create(aboveLimit);
        int done = 0;
        for (; done + TSimd.Width <= values.Length; done += TSimd.Width)
        {
            TVector value = TSimd.Load(ref input, (nuint)done);
            below[done / 64] |= TSimd.LessThanBits<float>(value, least) << (done % 64);
            above[done / 64] |= TSimd.GreaterThanBits<float>(value, most) << (done % 64);
        }

        return done;
    }

    private readonly ref struct ClassifyKernel(
        ReadOnlySpan<float> values, float belowLimit, float aboveLimit, Span<ulong> below, Span<ulong> above) : ISimdKernel<int>
    {
        private readonly ReadOnlySpan<float> _values = values;
        private readonly Span<ulong> _below = below, _above = above;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public int Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct
        {
            int done = Classify<TSimd, TVector>(_values, belowLimit, aboveLimit, _below, _above);
            ClassifyScalar(_values, done, belowLimit, aboveLimit, _below, _above);
            return _values.Length;
        }

        public int RunScalar()
        {
            ClassifyScalar(_values, 0, belowLimit, aboveLimit, _below, _above);
            return _values.Length;
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
