using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace SegmentAnything.Rle.Kernels;

/// <content>Writes COCO's compressed text.</content>
internal static partial class RleKernels
{
    /// <summary>Writes runs as COCO's text.</summary>
    /// <param name="counts">Run lengths, none negative.</param>
    /// <param name="text">ASCII; 7 bytes a run always suffice, with 8 more it goes faster.</param>
    /// <returns>The number of characters written.</returns>
    /// <remarks>
    /// A number is written in groups of five bits, lowest first; 0x20 says that more follow, 0x10 of the last group is
    /// the sign, and 48 is added. From the fourth run on the difference to the run two before is written.
    /// Exactness: every path equals <see cref="WriteTextScalar"/>. Source: COCO API, maskApi.c (rleToString). Measured by:
    /// TextBenchmarks.
    /// </remarks>
    public static int WriteText(ReadOnlySpan<int> counts, Span<byte> text)
    {
        // The paths below write 8 bytes at a time, over the end of a number; 7 a run leave room for that but at the end.
        if (counts.Length < 8 || text.Length < ((long)counts.Length * MaxGroups) + 8) return WriteTextScalar(counts, text);
        if (Avx512Vbmi2.IsSupported && counts.Length >= 18) return WriteTextVector512(counts, text);
        return Vector256.IsHardwareAccelerated ? WriteTextVector256(counts, text) : WriteTextSpread(counts, text);
    }

    // The definition.
    internal static int WriteTextScalar(ReadOnlySpan<int> counts, Span<byte> text)
    {
        int length = 0;
        for (int i = 0; i < counts.Length; i++)
        {
            int value = counts[i];
            if (i > 2) value -= counts[i - 2];
            bool more;
            do
            {
                int group = value & 0x1f;
                value >>= 5;
                more = (group & 0x10) != 0 ? value != -1 : value != 0;
                text[length++] = (byte)((more ? group | 0x20 : group) + 48);
            }
            while (more);
        }

        return length;
    }

    // Without vectors: a number at a time, all its groups at once.
    internal static int WriteTextSpread(ReadOnlySpan<int> counts, Span<byte> text)
    {
        ref int runs = ref MemoryMarshal.GetReference(counts);
        ref byte start = ref MemoryMarshal.GetReference(text);
        ref byte end = ref WriteNumbers(ref runs, 3, counts.Length, ref WriteFirstThree(ref runs, ref start));
        return (int)Unsafe.ByteOffset(ref start, ref end);
    }

    // They have no run two before them, or (run 2) are not written as the difference to it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ref byte WriteFirstThree(ref int runs, ref byte next)
    {
        next = ref WriteNumber(runs, ref next);
        next = ref WriteNumber(Unsafe.Add(ref runs, 1), ref next);
        return ref WriteNumber(Unsafe.Add(ref runs, 2), ref next);
    }

    // Writes the runs from one index to another, each as the difference to the run two before; returns where the text ends.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ref byte WriteNumbers(ref int runs, int from, int to, ref byte next)
    {
        for (int i = from; i < to; i++)
            next = ref WriteNumber(Unsafe.Add(ref runs, i) - Unsafe.Add(ref runs, i - 2), ref next);
        return ref next;
    }

    // Spreads the bits of a number over bytes, five to each, sets the continuation bit in all but the last and adds 48;
    // writes 8 bytes, of which the number's are the first. Returns the place behind those.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ref byte WriteNumber(int value, ref byte next)
    {
        // Bits without the sign's repetitions, and one for the sign; five a group.
        int bits = 33 - BitOperations.LeadingZeroCount((uint)(value ^ (value >> 31)));
        int groups = ((bits * 13) + 52) >> 6;
        ulong more = 0x2020202020202020UL & ((1UL << (8 * (groups - 1))) - 1);
        // The sum stays below 128 in each byte, so nothing is carried.
        Unsafe.WriteUnaligned(ref next, (SpreadGroups((ulong)value) | more) + 0x3030303030303030UL);
        return ref Unsafe.Add(ref next, groups);
    }
}
