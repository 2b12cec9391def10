using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace SegmentAnything.Rle.Kernels;

/// <content>Turns bytes in column-major order into run lengths.</content>
internal static partial class RleKernels
{
    /// <summary>Run lengths of bytes in column-major order.</summary>
    /// <remarks>
    /// Runs alternate between zero and non-zero bytes; the first counts zeros and may be 0. Exactness: every path equals
    /// <see cref="FindRunsScalar"/>. Source: COCO API, maskApi.c (rleEncode). Measured by: EncodeBenchmarks.
    /// </remarks>
    public static int[] FindRuns(ReadOnlySpan<byte> columnMajor) => SimdDispatch.Run<FindRunsKernel, int[]>(new(columnMajor));

    // The definition: a run ends where zero-ness changes.
    internal static int[] FindRunsScalar(ReadOnlySpan<byte> columnMajor)
    {
        var counts = new RunBuilder();
        bool foreground = false;
        int start = 0;
        for (int i = 0; i < columnMajor.Length; i++)
        {
            if (columnMajor[i] != 0 == foreground) continue;
            counts.Add(i - start);
            start = i;
            foreground = !foreground;
        }

        counts.Add(columnMajor.Length - start);
        return counts.ToArrayAndFree();
    }

    // 64 bytes become a word; where a bit differs from the one before it a run ends. Four words at a time are passed over
    // when they are all of the colour of the pixel before them.
    internal static int[] FindRuns<TSimd, TVector>(ReadOnlySpan<byte> columnMajor)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        var ends = new RunBuilder();
        ref byte source = ref MemoryMarshal.GetReference(columnMajor);
        int length = columnMajor.Length, position = 0;
        ulong last = 0;
        for (; position <= length - 256; position += 256)
        {
            ulong w0 = BitWords<TSimd, TVector>.NonZero(ref Unsafe.Add(ref source, position));
            ulong w1 = BitWords<TSimd, TVector>.NonZero(ref Unsafe.Add(ref source, position + 64));
            ulong w2 = BitWords<TSimd, TVector>.NonZero(ref Unsafe.Add(ref source, position + 128));
            ulong w3 = BitWords<TSimd, TVector>.NonZero(ref Unsafe.Add(ref source, position + 192));
            ulong uniform = 0 - last;
            if (((w0 ^ uniform) | (w1 ^ uniform) | (w2 ^ uniform) | (w3 ^ uniform)) == 0) continue;
            ref int found = ref ends.GetReference(256 + ChangeSlack);
            int count = 0;
            WriteChanges(w0 ^ ((w0 << 1) | last), position, ref found, ref count);
            WriteChanges(w1 ^ ((w1 << 1) | (w0 >> 63)), position + 64, ref found, ref count);
            WriteChanges(w2 ^ ((w2 << 1) | (w1 >> 63)), position + 128, ref found, ref count);
            WriteChanges(w3 ^ ((w3 << 1) | (w2 >> 63)), position + 192, ref found, ref count);
            last = w3 >> 63;
            ends.Advance(count);
        }

        Span<byte> tail = stackalloc byte[64];
        for (; position < length; position += 64)
        {
            int rest = length - position;
            ulong word;
            if (rest >= 64)
            {
                word = BitWords<TSimd, TVector>.NonZero(ref Unsafe.Add(ref source, position));
            }
            else
            {
                // The last bytes again, in a vector of their own; what follows them repeats their last bit, so that no
                // run ends there.
                tail.Clear();
                columnMajor[position..].CopyTo(tail);
                word = BitWords<TSimd, TVector>.NonZero(ref MemoryMarshal.GetReference(tail));
                if (((word >> (rest - 1)) & 1) != 0) word |= ulong.MaxValue << rest;
            }

            int count = 0;
            WriteChanges(word ^ ((word << 1) | last), position, ref ends.GetReference(64 + ChangeSlack), ref count);
            last = word >> 63;
            ends.Advance(count);
        }

        int[] runs = DifferencesOf(ends.Runs, length);
        ends.Free();
        return runs;
    }

    /// <summary>Elements past the last change that <see cref="WriteChanges"/> may overwrite.</summary>
    internal const int ChangeSlack = 8;

    // Appends the positions of the set bits. Four are written at a time whether there are as many or not: a branch for each
    // number of bits would be guessed wrong too often.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void WriteChanges(ulong changes, int position, ref int destination, ref int count)
    {
        if (changes == 0) return;
        ref int next = ref Unsafe.Add(ref destination, count);
        count += BitOperations.PopCount(changes);
        ref int end = ref Unsafe.Add(ref destination, count);
        do
        {
            next = position + BitOperations.TrailingZeroCount(changes);
            changes &= changes - 1;
            Unsafe.Add(ref next, 1) = position + BitOperations.TrailingZeroCount(changes);
            changes &= changes - 1;
            Unsafe.Add(ref next, 2) = position + BitOperations.TrailingZeroCount(changes);
            changes &= changes - 1;
            Unsafe.Add(ref next, 3) = position + BitOperations.TrailingZeroCount(changes);
            changes &= changes - 1;
            next = ref Unsafe.Add(ref next, 4);
        }
        while (Unsafe.IsAddressLessThan(ref next, ref end));
    }

    // Positions where the colour changes, rising, to run lengths: the differences, and what is left after the last one.
    private static int[] DifferencesOf(ReadOnlySpan<int> changes, int pixels)
    {
        int[] runs = GC.AllocateUninitializedArray<int>(changes.Length + 1);
        WriteDifferences(changes, 0, runs);
        runs[^1] = changes.IsEmpty ? pixels : pixels - changes[^1];
        return runs;
    }

    /// <summary>The length of the run that ends at each change.</summary>
    /// <param name="changes">Rising.</param>
    /// <param name="previous">The change before the first.</param>
    /// <param name="destination">As many lengths.</param>
    internal static void WriteDifferences(ReadOnlySpan<int> changes, int previous, Span<int> destination)
    {
        if (changes.IsEmpty) return;
        ref int source = ref MemoryMarshal.GetReference(changes);
        ref int runs = ref MemoryMarshal.GetReference(destination[..changes.Length]);
        runs = source - previous;
        int i = 1;
        if (Vector256.IsHardwareAccelerated)
        {
            for (; i <= changes.Length - Vector256<int>.Count; i += Vector256<int>.Count)
            {
                (Vector256.LoadUnsafe(ref source, (nuint)i) - Vector256.LoadUnsafe(ref source, (nuint)i - 1))
                    .StoreUnsafe(ref runs, (nuint)i);
            }
        }

        for (; i < changes.Length; i++) Unsafe.Add(ref runs, i) = changes[i] - changes[i - 1];
    }

    private readonly ref struct FindRunsKernel(ReadOnlySpan<byte> columnMajor) : ISimdKernel<int[]>
    {
        private readonly ReadOnlySpan<byte> _columnMajor = columnMajor;

        public int[] Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct => FindRuns<TSimd, TVector>(_columnMajor);

        public int[] RunScalar() => FindRunsScalar(_columnMajor);
    }
}
