using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace SegmentAnything.Rle.Kernels;

/// <content>Reads COCO's compressed text with vectors of 128 bits.</content>
internal static partial class RleKernels
{
    // 16 characters at a time. When each is a number of its own, vectors add the differences up; otherwise eight numbers of
    // one or two characters; otherwise the last characters of the numbers are found as bits and each number is put together
    // from 8 bytes. Returns -1 for a text that is not right.
    internal static int ReadTextVector128(ReadOnlySpan<byte> text, Span<int> counts)
    {
        int runs = Math.Min(counts.Length, 3), position = ReadNumbers(text, 0, counts, 0, runs);
        if (position < 0) return -1;
        ref byte source = ref MemoryMarshal.GetReference(text);
        ref int destination = ref MemoryMarshal.GetReference(counts);
        // The sign bits say whether a run is negative (a sum above 2^31 - 1 turns negative too: what is added is small).
        Vector128<int> signBits = default;
        while (position <= text.Length - 24)
        {
            Vector128<byte> characters = Vector128.LoadUnsafe(ref source, (nuint)position) - Vector128.Create((byte)48);
            if (Vector128.GreaterThanAny(characters, Vector128.Create((byte)63))) return -1;
            uint more = (characters + Vector128.Create((byte)96)).ExtractMostSignificantBits();
            // The two runs before are carried in a vector from one round to the next.
            Vector128<int> before = LastTwo(ref destination, runs);
            if (more == 0)
            {
                do
                {
                    AddSingles(characters, ref before, ref signBits, ref Unsafe.Add(ref destination, runs));
                    runs += 16;
                    position += 16;
                    if (position > text.Length - 24) break;
                    characters = Vector128.LoadUnsafe(ref source, (nuint)position) - Vector128.Create((byte)48);
                }
                while (Vector128.LessThanAll(characters, Vector128.Create((byte)32)));
                continue;
            }

            if (Bmi2.IsSupported && Ssse3.IsSupported)
            {
                uint pairs = Bmi2.ParallelBitExtract(more, ~(more << 1)) & 0xff;
                int length = 8 + BitOperations.PopCount(pairs);
                if ((more & (more >> 1) & ((1u << length) - 1)) == 0)
                {
                    Vector128<byte> isNegative = Vector128.Equals(characters & Vector128.Create((byte)0x30), Vector128.Create((byte)0x10));
                    Vector128<byte> digits = (characters & Vector128.Create((byte)0x1f)) - (isNegative & Vector128.Create((byte)0x20));
                    ref byte shuffle = ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(SplitPairs), (nint)(16 * pairs));
                    digits = Ssse3.Shuffle(digits, Vector128.LoadUnsafe(ref shuffle));
                    Vector128<short> differences = Ssse3.MultiplyAddAdjacent(Vector128.Create((ushort)0x2001).AsByte(), digits.AsSByte());
                    AddDifferences(differences, ref before, ref signBits, ref Unsafe.Add(ref destination, runs));
                    runs += 8;
                    position += length;
                    continue;
                }
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

        // What is left, but for the last run, which is often far from its neighbours: as the end of sixteen, where each is
        // a number of its own. Those before them are read again.
        int left = counts.Length - 1 - runs, from = position + left - 16;
        if (left is > 0 and <= 16 && runs + left >= 19 && from + 16 <= text.Length && text[from - 1] < 48 + 32)
        {
            Vector128<byte> characters = Vector128.LoadUnsafe(ref source, (nuint)from) - Vector128.Create((byte)48);
            if (Vector128.LessThanAll(characters, Vector128.Create((byte)32)))
            {
                runs += left;
                position += left;
                Vector128<int> before = LastTwo(ref destination, runs - 16);
                AddSingles(characters, ref before, ref signBits, ref Unsafe.Add(ref destination, runs - 16));
            }
        }

        if (signBits.ExtractMostSignificantBits() != 0) return -1;
        return ReadNumbers(text, position, counts, runs, counts.Length - runs) == text.Length ? counts.Length : -1;
    }

    private static Vector128<int> LastTwo(ref int counts, int index) => Vector128.Create(
        Unsafe.ReadUnaligned<long>(ref Unsafe.As<int, byte>(ref Unsafe.Add(ref counts, index - 2)))).AsInt32();

    // Sixteen characters (less 48), each a difference.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddSingles(
        Vector128<byte> characters, ref Vector128<int> before, ref Vector128<int> signBits, ref int destination)
    {
        // Sign extension of five bits: (x ^ 16) - 16.
        Vector128<sbyte> differences = ((characters ^ Vector128.Create((byte)16)) - Vector128.Create((byte)16)).AsSByte();
        if (Avx2.IsSupported)
        {
            Vector256<short> sums = Avx2.ConvertToVector256Int16(differences);
            sums += Avx2.ShiftLeftLogical128BitLane(sums, 4);
            sums += Avx2.ShiftLeftLogical128BitLane(sums, 8);
            // The last pair of the lower half goes on in the upper one.
            Vector256<int> pair = Avx2.PermuteVar8x32(sums.AsInt32(), Vector256.Create(3));
            sums += (pair & Vector256.Create(0, 0, 0, 0, -1, -1, -1, -1)).AsInt16();
            Vector256<int> lower = Avx2.ConvertToVector256Int32(sums.GetLower()) + Vector256.Create(before, before);
            Vector256<int> upper = Avx2.ConvertToVector256Int32(sums.GetUpper()) + Vector256.Create(before, before);
            lower.StoreUnsafe(ref destination);
            upper.StoreUnsafe(ref destination, 8);
            signBits |= (lower | upper).GetLower() | (lower | upper).GetUpper();
            before = Vector128.Shuffle(upper.GetUpper(), Vector128.Create(2, 3, 2, 3));
            return;
        }

        (Vector128<short> low, Vector128<short> high) = Vector128.Widen(differences);
        AddDifferences(low, ref before, ref signBits, ref destination);
        AddDifferences(high, ref before, ref signBits, ref Unsafe.Add(ref destination, 8));
    }

    // Runs from differences: run k is its difference plus run k - 2. Sums over every second lane, doubling the reach, then
    // the two runs before are added to all.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddDifferences(
        Vector128<short> differences, ref Vector128<int> before, ref Vector128<int> signBits, ref int destination)
    {
        // Within 8 differences sums stay within 4 x 512: shorts do.
        differences += Vector128.Shuffle(differences, Vector128.Create((short)-1, -1, 0, 1, 2, 3, 4, 5));
        differences += Vector128.Shuffle(differences, Vector128.Create((short)-1, -1, -1, -1, 0, 1, 2, 3));
        (Vector128<int> low, Vector128<int> high) = Vector128.Widen(differences);
        low += before;
        high += before;
        low.StoreUnsafe(ref destination);
        high.StoreUnsafe(ref destination, 4);
        signBits |= low | high;
        before = Vector128.Shuffle(high, Vector128.Create(2, 3, 2, 3));
    }
}
