using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace SegmentAnything.Rle.Kernels;

/// <content>Reads COCO's compressed text.</content>
internal static partial class RleKernels
{
    /// <summary>Reads COCO's text into runs, as they are written: runs of length 0 are kept.</summary>
    /// <param name="text">ASCII.</param>
    /// <param name="counts">As long as <see cref="CountNumbers"/> says.</param>
    /// <returns>The number of runs.</returns>
    /// <exception cref="RleFormatException">
    /// A character outside '0' to 'o', a number of more than 7 characters or that does not end, a run that is negative
    /// or above 2^31 - 1.
    /// </exception>
    public static int ReadText(ReadOnlySpan<byte> text, Span<int> counts)
    {
        int runs = -1;
        if (Avx512Vbmi2.IsSupported && text.Length >= 64) runs = ReadTextVector512(text, counts);
        else if (Vector128.IsHardwareAccelerated && text.Length >= 16) runs = ReadTextVector128(text, counts);
        // What the fast ways refuse the plain way reads again, to say what is wrong.
        return runs >= 0 ? runs : ReadTextScalar(text, counts);
    }

    // The definition.
    internal static int ReadTextScalar(ReadOnlySpan<byte> text, Span<int> counts)
    {
        int runs = 0, position = 0;
        while (position < text.Length)
        {
            // A number that is cut off has no place in the counts.
            int run = ReadRun(text, counts, runs, ref position);
            counts[runs++] = run;
        }

        return runs;
    }

    // So many numbers from a position, one by one; returns where the text goes on, or -1 where one is not right.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int ReadNumbers(ReadOnlySpan<byte> text, int position, Span<int> counts, int runs, int count)
    {
        for (int end = runs + count; runs < end; runs++)
        {
            if (!TryReadNumber(text, ref position, out long number)) return -1;
            if (runs > 2) number += counts[runs - 2];
            if ((ulong)number > int.MaxValue) return -1;
            counts[runs] = (int)number;
        }

        return position;
    }

    // As ReadRun, without saying what is wrong, and without the run two before.
    private static bool TryReadNumber(ReadOnlySpan<byte> text, ref int position, out long number)
    {
        number = 0;
        if (position <= text.Length - 8)
        {
            // The first byte without the bit that says that more follow is the last of the number.
            ulong bytes = BinaryPrimitives.ReadUInt64LittleEndian(text[position..]) - 0x3030303030303030UL;
            int groups = (BitOperations.TrailingZeroCount(~bytes & 0x2020202020202020UL) + 3) >> 3;
            if (groups > MaxGroups || (bytes & (0xc0c0c0c0c0c0c0c0UL >> (64 - (8 * groups)))) != 0) return false;
            int unused = 64 - (5 * groups);
            number = (long)(GatherGroups(bytes) << unused) >> unused;
            position += groups;
            return true;
        }

        for (int shift = 0; shift < 5 * MaxGroups && position < text.Length; shift += 5)
        {
            int group = text[position++] - 48;
            if ((uint)group > 0x3f) return false;
            number |= (long)(group & 0x1f) << shift;
            if ((group & 0x20) != 0) continue;
            if ((group & 0x10) != 0) number |= -1L << (shift + 5);
            return true;
        }

        return false;
    }

    // One run; counts[..index] are the runs before it.
    private static int ReadRun(ReadOnlySpan<byte> text, ReadOnlySpan<int> counts, int index, ref int position)
    {
        int start = position;
        long value = 0;
        for (int shift = 0; ; shift += 5)
        {
            if (position == text.Length)
                ThrowHelper.Format($"the text ends inside the number that starts at {start}; it was cut off", position);
            int group = text[position] - 48;
            if ((uint)group > 0x3f)
            {
                ThrowHelper.Format(
                    $"the character 0x{text[position]:X2} is not one of COCO's, which are '0' (0x30) to 'o' (0x6F)", position);
            }

            if (shift == 5 * MaxGroups)
                ThrowHelper.Format($"the number that starts at {start} has more than {MaxGroups} characters", position);
            position++;
            value |= (long)(group & 0x1f) << shift;
            if ((group & 0x20) != 0) continue;
            if ((group & 0x10) != 0) value |= -1L << (shift + 5);
            break;
        }

        if (index > 2) value += counts[index - 2];
        if ((ulong)value > int.MaxValue)
        {
            ThrowHelper.Format(
                value < 0 ? $"run {index} has length {value}; no run is negative"
                    : $"run {index} has length {value}; at most {int.MaxValue} can be counted", start);
        }

        return (int)value;
    }
}
