using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace SegmentAnything.Rle.Kernels;

/// <content>COCO's compressed text.</content>
internal static partial class RleKernels
{
    /// <summary>Most characters a number takes: 7 groups of 5 bits hold any difference of two runs below 2^31.</summary>
    internal const int MaxGroups = 7;

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
        int length = WriteTextScalar(counts[..3], text);
        for (int i = 3; i < counts.Length; i++) WriteNumber(counts[i] - counts[i - 2], text, ref length);
        return length;
    }

    // Eight differences at a time: most fit one character each, and then they are eight bytes.
    internal static int WriteTextVector256(ReadOnlySpan<int> counts, Span<byte> text)
    {
        int length = WriteTextScalar(counts[..3], text);
        ref int runs = ref MemoryMarshal.GetReference(counts);
        ref byte destination = ref MemoryMarshal.GetReference(text);
        int i = 3;
        for (; i <= counts.Length - 8; i += 8)
        {
            Vector256<int> difference = Vector256.LoadUnsafe(ref runs, (nuint)i) - Vector256.LoadUnsafe(ref runs, (nuint)i - 2);
            // -16..15 moved to 0..31: no bit above the fifth.
            if (((difference + Vector256.Create(16)) & Vector256.Create(~31)) == Vector256<int>.Zero)
            {
                Vector256<int> characters = (difference & Vector256.Create(31)) + Vector256.Create(48);
                Vector128<short> words = Vector128.Narrow(characters.GetLower(), characters.GetUpper());
                Unsafe.WriteUnaligned(
                    ref Unsafe.Add(ref destination, length), Vector128.Narrow(words, words).AsUInt64().ToScalar());
                length += 8;
                continue;
            }

            for (int j = i; j < i + 8; j++) WriteNumber(counts[j] - counts[j - 2], text, ref length);
        }

        for (; i < counts.Length; i++) WriteNumber(counts[i] - counts[i - 2], text, ref length);
        return length;
    }

    // Spreads the bits of a number over bytes, five to each, sets the continuation bit in all but the last and adds 48;
    // writes 8 bytes, of which the number's are the first.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void WriteNumber(int value, Span<byte> text, ref int length)
    {
        // Bits without the sign's repetitions, and one for the sign; five a group.
        int bits = 33 - BitOperations.LeadingZeroCount((uint)(value ^ (value >> 31)));
        int groups = ((bits * 13) + 52) >> 6;
        ulong spread = SpreadGroups((ulong)value);
        ulong more = 0x2020202020202020UL & ((1UL << (8 * (groups - 1))) - 1);
        // The sum stays below 128 in each byte, so nothing is carried.
        Unsafe.WriteUnaligned(
            ref Unsafe.Add(ref MemoryMarshal.GetReference(text), length), (spread | more) + 0x3030303030303030UL);
        length += groups;
    }

    // Bits 5 k .. 5 k + 4 go to the low bits of byte k.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong SpreadGroups(ulong value)
    {
        if (Bmi2.X64.IsSupported) return Bmi2.X64.ParallelBitDeposit(value, 0x1f1f1f1f1f1f1f1fUL);
        value &= 0xffffffffffUL;
        value = (value | (value << 12)) & 0x000fffff000fffffUL;
        value = (value | (value << 6)) & 0x03ff03ff03ff03ffUL;
        return (value | (value << 3)) & 0x1f1f1f1f1f1f1f1fUL;
    }

    // The low five bits of each byte, put together: the inverse of SpreadGroups.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong GatherGroups(ulong bytes)
    {
        if (Bmi2.X64.IsSupported) return Bmi2.X64.ParallelBitExtract(bytes, 0x1f1f1f1f1f1f1f1fUL);
        bytes &= 0x1f1f1f1f1f1f1f1fUL;
        bytes = (bytes | (bytes >> 3)) & 0x03ff03ff03ff03ffUL;
        bytes = (bytes | (bytes >> 6)) & 0x000fffff000fffffUL;
        return (bytes | (bytes >> 12)) & 0xffffffffffUL;
    }

    /// <summary>Reads COCO's text into runs, as they are written: runs of length 0 are kept.</summary>
    /// <param name="text">ASCII.</param>
    /// <param name="counts">At least as long as <paramref name="text"/>.</param>
    /// <returns>The number of runs.</returns>
    /// <exception cref="RleFormatException">
    /// A character outside '0' to 'o', a number of more than 7 characters or that does not end, a run that is negative
    /// or above 2^31 - 1.
    /// </exception>
    public static int ReadText(ReadOnlySpan<byte> text, Span<int> counts)
    {
        int runs = Vector128.IsHardwareAccelerated && text.Length >= 16 ? ReadTextVector128(text, counts) : -1;
        // What the fast way refuses the plain way reads again, to say what is wrong.
        return runs >= 0 ? runs : ReadTextScalar(text, counts);
    }

    // The definition.
    internal static int ReadTextScalar(ReadOnlySpan<byte> text, Span<int> counts)
    {
        int runs = 0, position = 0;
        while (position < text.Length) counts[runs++] = ReadRun(text, counts, runs - 1, ref position);
        return runs;
    }

    // 16 characters at a time. When each is a number of its own, vectors add the differences up; otherwise the last
    // characters of the numbers are found as bits and each number is put together from 8 bytes. Returns -1 for a text that
    // is not right.
    internal static int ReadTextVector128(ReadOnlySpan<byte> text, Span<int> counts)
    {
        int runs = 0, position = 0;
        while (runs < 3 && position < text.Length)
        {
            if (!TryReadNumber(text, ref position, out long number) || (ulong)number > int.MaxValue) return -1;
            counts[runs++] = (int)number;
        }

        if (runs < 3) return runs;
        ref byte source = ref MemoryMarshal.GetReference(text);
        ref int destination = ref MemoryMarshal.GetReference(counts);
        // The runs are written after those that a difference refers to; bits of all of them, for the sign.
        int signs = 0;
        while (position <= text.Length - 24)
        {
            Vector128<byte> characters = Vector128.LoadUnsafe(ref source, (nuint)position) - Vector128.Create((byte)48);
            if (Vector128.GreaterThanAny(characters, Vector128.Create((byte)63))) return -1;
            uint more = (characters + Vector128.Create((byte)96)).ExtractMostSignificantBits();
            if (more == 0)
            {
                // Sign extension of five bits: (x ^ 16) - 16.
                Vector128<sbyte> differences = ((characters ^ Vector128.Create((byte)16)) - Vector128.Create((byte)16)).AsSByte();
                (Vector128<short> low, Vector128<short> high) = Vector128.Widen(differences);
                signs |= AddDifferences(low, ref destination, runs);
                signs |= AddDifferences(high, ref destination, runs + 8);
                runs += 16;
                position += 16;
                continue;
            }

            // Each clear bit ends a number. Those that go on behind the 16 characters are left to the next round.
            uint ends = ~more & 0xffff;
            if (ends == 0) return -1;
            int start = 0;
            do
            {
                int end = BitOperations.TrailingZeroCount(ends);
                int groups = end - start + 1;
                if (groups > MaxGroups) return -1;
                ulong bytes = Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref source, position + start)) - 0x3030303030303030UL;
                int unused = 64 - (5 * groups);
                long number = (long)(GatherGroups(bytes) << unused) >> unused;
                number += Unsafe.Add(ref destination, runs - 2);
                if ((ulong)number > int.MaxValue) return -1;
                Unsafe.Add(ref destination, runs++) = (int)number;
                start = end + 1;
                ends &= ends - 1;
            }
            while (ends != 0);
            position += start;
        }

        if (signs < 0) return -1;
        while (position < text.Length)
        {
            if (!TryReadNumber(text, ref position, out long number)) return -1;
            number += counts[runs - 2];
            if ((ulong)number > int.MaxValue) return -1;
            counts[runs++] = (int)number;
        }

        return runs;
    }

    // Runs from differences: run k is its difference plus run k - 2. Sums over every second lane, doubling the reach, then
    // the two runs before are added to all. Returns a number that is negative when a run is (a sum above 2^31 - 1 turns
    // negative too: a difference adds at most 15).
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int AddDifferences(Vector128<short> differences, ref int destination, int runs)
    {
        // Within 8 differences sums stay within 4 x 16: shorts do.
        differences += Vector128.Shuffle(differences, Vector128.Create((short)-1, -1, 0, 1, 2, 3, 4, 5));
        differences += Vector128.Shuffle(differences, Vector128.Create((short)-1, -1, -1, -1, 0, 1, 2, 3));
        (Vector128<int> low, Vector128<int> high) = Vector128.Widen(differences);
        Vector128<int> before = Vector128.Create(Unsafe.ReadUnaligned<long>(
            ref Unsafe.As<int, byte>(ref Unsafe.Add(ref destination, runs - 2)))).AsInt32();
        low += before;
        high += before;
        low.StoreUnsafe(ref destination, (nuint)runs);
        high.StoreUnsafe(ref destination, (nuint)runs + 4);
        return (low | high).ExtractMostSignificantBits() == 0 ? 0 : -1;
    }

    // As ReadRun, without saying what is wrong, and without the run two before.
    private static bool TryReadNumber(ReadOnlySpan<byte> text, ref int position, out long number)
    {
        number = 0;
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
        if (Vector256.IsHardwareAccelerated)
        {
            ref int runs = ref MemoryMarshal.GetReference(counts);
            Vector256<ulong> low = default, high = default;
            Vector256<int> least = Vector256.Create(int.MaxValue);
            for (; i <= counts.Length - 8; i += 8)
            {
                Vector256<int> v = Vector256.LoadUnsafe(ref runs, (nuint)i);
                least = Vector256.Min(least, v);
                low += v.AsUInt64() & Vector256.Create(0xffffffffUL);
                high += v.AsUInt64() >>> 32;
            }

            if (!Vector256.GreaterThanAll(least, Vector256<int>.Zero)) return false;
            sum += (long)Vector256.Sum(low + high);
        }

        for (; i < counts.Length; i++)
        {
            if (counts[i] <= 0) return false;
            sum += counts[i];
        }

        return sum == pixels;
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
