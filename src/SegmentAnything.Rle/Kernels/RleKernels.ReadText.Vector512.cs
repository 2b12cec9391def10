using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace SegmentAnything.Rle.Kernels;

/// <content>Reads COCO's compressed text with AVX-512.</content>
internal static partial class RleKernels
{
    // Thirty-two numbers of one character each at a time, or sixteen of up to four. Returns -1 for a text that is not right.
    internal static int ReadTextVector512(ReadOnlySpan<byte> text, Span<int> counts)
    {
        if (text.Length < 64 || counts.Length < 16) return ReadTextVector128(text, counts);
        ref byte source = ref MemoryMarshal.GetReference(text);
        ref int destination = ref MemoryMarshal.GetReference(counts);
        // The first run goes by itself: runs 1 and 2 are then the first of their kind, with nothing to differ from.
        int position = ReadNumbers(text, 0, counts, 0, 1), runs = 1, lastPosition = text.Length - 64;
        if (position < 0) return -1;
        Vector512<byte> wrongBits = default;
        Vector512<int> before = default, signBits = default;
        while (runs < counts.Length)
        {
            // At the end: the last 64 characters, moved to the front, with zeros behind them that are numbers too.
            Vector512<byte> characters = Vector512.LoadUnsafe(ref source, (nuint)Math.Min(position, lastPosition)) - Vector512.Create((byte)48);
            if (position > lastPosition) characters = MoveDown(characters, position - lastPosition);
            wrongBits |= characters;
            Vector512<byte> endsHere = Vector512.Equals(characters & Vector512.Create((byte)0x20), Vector512<byte>.Zero);
            ulong ends = endsHere.ExtractMostSignificantBits();
            int left = counts.Length - runs;
            if ((uint)ends == uint.MaxValue && left >= 32)
            {
                (Vector512<int> low, Vector512<int> high) = ReadSingles(characters.GetLower());
                low += before;
                high += before;
                low.StoreUnsafe(ref destination, (nuint)runs);
                high.StoreUnsafe(ref destination, (nuint)runs + 16);
                signBits |= low | high;
                before = Avx512F.PermuteVar16x32(high, LastTwoLanes);
                runs += 32;
                position += 32;
                continue;
            }

            int count = Math.Min(left, 16);
            ulong lastEnd = Bmi2.X64.ParallelBitDeposit(1UL << (count - 1), ends);
            bool isTooLong = false;
            Vector512<int> read = (ends & 0xffff) == 0xffff
                ? SignExtend(characters) : JoinGroups(characters, endsHere, out isTooLong);
            if (lastEnd == 0 || isTooLong)
            {
                position = ReadNumbers(text, position, counts, runs, count);
                if (position < 0) return -1;
                runs += count;
                before = Vector512.Create(LastTwo(ref destination, runs).AsInt64().ToScalar()).AsInt32();
                continue;
            }

            read = AddUp(read) + before;
            signBits |= read;
            before = Avx512F.PermuteVar16x32(read, LastTwoLanes);
            if (count == 16) read.StoreUnsafe(ref destination, (nuint)runs);
            else StoreLast(read, count, ref Unsafe.Add(ref destination, counts.Length - 16));
            runs += count;
            position += BitOperations.TrailingZeroCount(lastEnd) + 1;
        }

        bool isRight = position == text.Length && signBits.ExtractMostSignificantBits() == 0
            && (wrongBits & Vector512.Create((byte)0xc0)) == Vector512<byte>.Zero;
        return isRight ? runs : -1;
    }

    private static Vector512<int> LastTwoLanes => Vector512.Create(14, 15, 14, 15, 14, 15, 14, 15, 14, 15, 14, 15, 14, 15, 14, 15);

    // Without the first so many bytes, and zeros behind.
    private static Vector512<byte> MoveDown(Vector512<byte> bytes, int count)
    {
        Vector512<byte> from = Vector512<byte>.Indices + Vector512.Create((byte)count);
        return Avx512Vbmi.PermuteVar64x8(bytes, from) & Vector512.LessThan(from, Vector512.Create((byte)64));
    }

    // Writes the first so many of sixteen to the end of the sixteen places from a reference; the others stay.
    private static void StoreLast(Vector512<int> values, int count, ref int last)
    {
        Vector512<int> from = Vector512<int>.Indices - Vector512.Create(16 - count);
        Vector512.ConditionalSelect(
            Vector512.LessThan(from, Vector512<int>.Zero), Vector512.LoadUnsafe(ref last), Avx512F.PermuteVar16x32(values, from))
            .StoreUnsafe(ref last);
    }

    // Thirty-two differences of one character each (less 48), added up: each plus all those of its parity before it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector512<int> Low, Vector512<int> High) ReadSingles(Vector256<byte> characters)
    {
        // Sign extension of five bits: (x ^ 16) - 16. Sixteen of them stay within 256, so 16 bits do.
        Vector256<byte> sixteens = Vector256.Create((byte)16);
        Vector512<short> sums = Avx512BW.ConvertToVector512Int16(((characters ^ sixteens) - sixteens).AsSByte());
        sums += Avx512BW.ShiftLeftLogical128BitLane(sums.AsByte(), 4).AsInt16();
        sums += Avx512BW.ShiftLeftLogical128BitLane(sums.AsByte(), 8).AsInt16();
        // The last pair of each 128 bits goes on: from the first to the second and the third to the fourth, then from those
        // two to the other two.
        Vector512<int> pairs = Avx512F.PermuteVar16x32(sums.AsInt32(), Vector512.Create(0, 0, 0, 0, 3, 3, 3, 3, 0, 0, 0, 0, 11, 11, 11, 11));
        sums += (pairs & Vector512.Create(0, 0, 0, 0, -1, -1, -1, -1, 0, 0, 0, 0, -1, -1, -1, -1)).AsInt16();
        pairs = Avx512F.PermuteVar16x32(sums.AsInt32(), Vector512.Create(7));
        sums += (pairs & Vector512.Create(0, 0, 0, 0, 0, 0, 0, 0, -1, -1, -1, -1, -1, -1, -1, -1)).AsInt16();
        return (Avx512F.ConvertToVector512Int32(sums.GetLower()), Avx512F.ConvertToVector512Int32(sums.GetUpper()));
    }

    // The first sixteen characters (less 48), each a difference.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> SignExtend(Vector512<byte> characters)
    {
        Vector128<byte> first = (characters.GetLower().GetLower() ^ Vector128.Create((byte)16)) - Vector128.Create((byte)16);
        return Avx512F.ConvertToVector512Int32(first.AsSByte());
    }

    // The first sixteen numbers of 64 characters (less 48), given which of them are the last of a number (not all are);
    // isTooLong says that one of them has more than four.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> JoinGroups(Vector512<byte> characters, Vector512<byte> endsHere, out bool isTooLong)
    {
        // Numbers start behind the end of the one before; the first at 0, which is what comes after the last end (it takes
        // the 64th). Sixteen starts, each four times, plus 0 to 3, are where the sixteen times four characters are.
        Vector512<byte> more = Vector512.Create((byte)0x20);
        Vector512<byte> starts = Avx512Vbmi2.Compress(Vector512<byte>.Zero, endsHere, Vector512<byte>.Indices);
        Vector512<byte> numberBefore = (Vector512<uint>.Indices * 0x01010101u).AsByte() - Vector512<byte>.One;
        Vector512<uint> behind = Vector512.Create(0x04030201u).WithElement(0, 0x03020100u);
        Vector512<byte> places = Avx512Vbmi.PermuteVar64x8(starts, numberBefore) + behind.AsByte();
        Vector512<byte> groups = Avx512Vbmi.PermuteVar64x8(characters, places);

        // A character belongs to the number when all before it say that more follow.
        Vector512<uint> follows = (groups & more).AsUInt32(), one = follows << 8;
        Vector512<uint> belongs = one & ((one << 8) | Vector512.Create(0x2020u)) & ((one << 16) | Vector512.Create(0x202020u));
        isTooLong = (follows & belongs & Vector512.Create(0x20000000u)) != Vector512<uint>.Zero;
        Vector512<byte> isMine = Vector512.Equals((belongs | Vector512.Create(0x20u)).AsByte(), more);

        // Five bits a character; those of the last one, which does not say that more follow, with a sign.
        Vector512<byte> isNegative = Vector512.Equals(groups & Vector512.Create((byte)0x30), Vector512.Create((byte)0x10));
        Vector512<byte> digits = ((groups & Vector512.Create((byte)0x1f)) - (isNegative & more)) & isMine;
        Vector512<short> pairs = Avx512BW.MultiplyAddAdjacent(Vector512.Create((ushort)0x2001).AsByte(), digits.AsSByte());
        return Avx512BW.MultiplyAddAdjacent(pairs, Vector512.Create(0x04000001).AsInt16());
    }

    // Run k is its difference plus run k - 2: sums over every second lane, doubling the reach.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> AddUp(Vector512<int> differences)
    {
        differences += Avx512F.AlignRight32(differences, Vector512<int>.Zero, 14);
        differences += Avx512F.AlignRight32(differences, Vector512<int>.Zero, 12);
        return differences + Avx512F.AlignRight32(differences, Vector512<int>.Zero, 8);
    }
}
