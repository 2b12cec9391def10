using System.Buffers.Binary;
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

    // Sixteen differences at a time when each fits one character: then they are as many bytes. Otherwise eight, of one or
    // two characters.
    internal static int WriteTextVector256(ReadOnlySpan<int> counts, Span<byte> text)
    {
        ref int runs = ref MemoryMarshal.GetReference(counts);
        ref byte start = ref MemoryMarshal.GetReference(text);
        ref byte next = ref WriteFirstThree(ref runs, ref start);
        int i = 3, last = counts.Length - 1;
        while (i <= counts.Length - 16)
        {
            if (TryWriteSingles(ref runs, i, ref next, out Vector256<int> first))
            {
                next = ref Unsafe.Add(ref next, 16);
                i += 16;
                continue;
            }

            int length = Ssse3.IsSupported ? WritePairs(first, ref next) : 0;
            next = ref length != 0 ? ref Unsafe.Add(ref next, length) : ref WriteNumbers(ref runs, i, i + 8, ref next);
            i += 8;
        }

        // What is left, but for the last run, which is often far from its neighbours: as the end of sixteen. Where all have
        // a character each, those before them are written again where they are; otherwise nothing is written.
        int left = last - i;
        if (left > 0 && last >= 19 && TryWriteSingles(ref runs, last - 16, ref Unsafe.Subtract(ref next, 16 - left), out _))
        {
            next = ref Unsafe.Add(ref next, left);
            i = last;
        }

        next = ref WriteNumbers(ref runs, i, counts.Length, ref next);
        return (int)Unsafe.ByteOffset(ref start, ref next);
    }

    // Sixteen differences of one character each; false, and nothing written, when one needs more. Gives the first eight.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool TryWriteSingles(ref int runs, int i, ref byte next, out Vector256<int> first)
    {
        Vector256<int> low = Vector256.LoadUnsafe(ref runs, (nuint)i) - Vector256.LoadUnsafe(ref runs, (nuint)i - 2);
        Vector256<int> high = Vector256.LoadUnsafe(ref runs, (nuint)i + 8) - Vector256.LoadUnsafe(ref runs, (nuint)i + 6);
        first = low;
        // -16..15 moved to 0..31: no bit above the fifth.
        Vector256<int> beyondLow = low + Vector256.Create(16), beyondHigh = high + Vector256.Create(16);
        if (((beyondLow | beyondHigh) & Vector256.Create(~31)) != Vector256<int>.Zero) return false;
        Vector256<short> words = Vector256.Narrow(low, high);
        Vector128<sbyte> bytes = Vector128.Narrow(words.GetLower(), words.GetUpper());
        ((bytes & Vector128.Create((sbyte)31)) + Vector128.Create((sbyte)48)).AsByte().StoreUnsafe(ref next);
        return true;
    }

    // Eight differences of one or two characters: 16 bytes, from which a shuffle takes the second characters that are not
    // there. Returns how many are left; 0 when a difference needs more.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int WritePairs(Vector256<int> differences, ref byte next)
    {
        Vector256<int> magnitudes = differences ^ (differences >> 31);
        if ((magnitudes & Vector256.Create(~511)) != Vector256<int>.Zero) return 0;
        Vector128<short> words = Vector128.Narrow(differences.GetLower(), differences.GetUpper());
        Vector128<short> magnitude = Vector128.Narrow(magnitudes.GetLower(), magnitudes.GetUpper());
        Vector128<short> isPair = Vector128.GreaterThan(magnitude, Vector128.Create((short)15));
        Vector128<short> characters = (words & Vector128.Create((short)0x1f)) | ((words << 3) & Vector128.Create((short)0x1f00));
        characters = (characters | (isPair & Vector128.Create((short)0x20))) + Vector128.Create((short)0x3030);
        uint pairs = isPair.ExtractMostSignificantBits();
        ref byte shuffle = ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(JoinPairs), (nint)(16 * pairs));
        Ssse3.Shuffle(characters.AsByte(), Vector128.LoadUnsafe(ref shuffle)).StoreUnsafe(ref next);
        return 8 + BitOperations.PopCount(pairs);
    }

    /// <summary>
    /// For each set of pairs among eight numbers, where the bytes come from when pairs of bytes become one or two
    /// characters: 16 bytes a set, bit k of its number saying that number k has two.
    /// </summary>
    private static readonly byte[] JoinPairs = MakeShuffles(join: true);

    /// <summary>The inverse: characters to pairs of bytes, the second one 0 where there is none.</summary>
    private static readonly byte[] SplitPairs = MakeShuffles(join: false);

    private static byte[] MakeShuffles(bool join)
    {
        var shuffles = new byte[256 * 16];
        // A byte with the highest bit set takes nothing.
        shuffles.AsSpan().Fill(0x80);
        for (int pairs = 0; pairs < 256; pairs++)
        {
            int character = 0;
            for (int k = 0; k < 8; k++)
            {
                for (int j = 0; j <= ((pairs >> k) & 1); j++, character++)
                    shuffles[(16 * pairs) + (join ? character : (2 * k) + j)] = (byte)(join ? (2 * k) + j : character);
            }
        }

        return shuffles;
    }

    // Sixteen differences of up to four characters: each has its own four bytes, from which those that are not there are
    // taken out. The first run and the last are often far from their neighbours, so they go by themselves.
    internal static int WriteTextVector512(ReadOnlySpan<int> counts, Span<byte> text)
    {
        ref int runs = ref MemoryMarshal.GetReference(counts);
        ref byte start = ref MemoryMarshal.GetReference(text);
        int i = 17, last = counts.Length - 1;
        ref byte next = ref WriteNumber(runs, ref start);
        // Runs 1 and 2 have none before them to differ from.
        Vector512<int> first = Vector512.LoadUnsafe(ref runs, 1);
        int length = WriteGroups(first - Avx512F.AlignRight32(first, Vector512<int>.Zero, 14), 16, ref next);
        next = ref length != 0 ? ref Unsafe.Add(ref next, length) : ref Unsafe.Add(ref start, WriteTextScalar(counts[..i], text));
        for (; i <= last - 16; i += 16)
        {
            Vector512<int> differences = Vector512.LoadUnsafe(ref runs, (nuint)i) - Vector512.LoadUnsafe(ref runs, (nuint)i - 2);
            length = WriteGroups(differences, 16, ref next);
            next = ref length != 0 ? ref Unsafe.Add(ref next, length) : ref WriteNumbers(ref runs, i, i + 16, ref next);
        }

        // What is left, as the end of sixteen; where there is room for them.
        if (i < last && Unsafe.ByteOffset(ref start, ref next) <= text.Length - 64)
        {
            Vector512<int> differences = Vector512.LoadUnsafe(ref runs, (nuint)last - 16) - Vector512.LoadUnsafe(ref runs, (nuint)last - 18);
            length = WriteGroups(differences, last - i, ref next);
            next = ref Unsafe.Add(ref next, length);
            if (length != 0) i = last;
        }

        next = ref WriteNumbers(ref runs, i, counts.Length, ref next);
        return (int)Unsafe.ByteOffset(ref start, ref next);
    }

    // Writes the last so many of sixteen differences; 64 bytes, of which the numbers' are the first. Returns how many those
    // are; 0 when one of the sixteen differences needs more than four characters.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int WriteGroups(Vector512<int> differences, int count, ref byte next)
    {
        Vector512<uint> bits = differences.AsUInt32(), magnitudes = (differences ^ (differences >> 31)).AsUInt32();
        if (count == 16 && (magnitudes & Vector512.Create(~0xfu)) == Vector512<uint>.Zero)
        {
            // A character each.
            Avx512F.ConvertToVector128Byte((bits & Vector512.Create(0x1fu)) + Vector512.Create(0x30u)).StoreUnsafe(ref next);
            return 16;
        }

        if ((magnitudes & Vector512.Create(~0x7ffffu)) != Vector512<uint>.Zero) return 0;
        Vector512<uint> groups = (bits & Vector512.Create(0x1fu)) | ((bits << 3) & Vector512.Create(0x1f00u))
            | ((bits << 6) & Vector512.Create(0x1f0000u)) | ((bits << 9) & Vector512.Create(0x1f000000u));
        // 5 bits a character, one of them the sign.
        Vector512<uint> further = (Vector512.GreaterThan(magnitudes, Vector512.Create(0xfu)) & Vector512.Create(0xff00u))
            | (Vector512.GreaterThan(magnitudes, Vector512.Create(0x1ffu)) & Vector512.Create(0xff0000u))
            | (Vector512.GreaterThan(magnitudes, Vector512.Create(0x3fffu)) & Vector512.Create(0xff000000u));
        Vector512<uint> characters = (groups | ((further >>> 8) & Vector512.Create(0x202020u))) + Vector512.Create(0x30303030u);
        Vector512<byte> present = (further | Vector512.Create(0xffu)).AsByte();
        if (count < 16) present &= Vector512.LessThan(Vector512.Create(15 - count), Vector512<int>.Indices).AsByte();
        Avx512Vbmi2.Compress(Vector512<byte>.Zero, present, characters.AsByte()).StoreUnsafe(ref next);
        return BitOperations.PopCount(present.ExtractMostSignificantBits());
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

    // Bits 5 k .. 5 k + 4 go to the low bits of byte k.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong SpreadGroups(ulong value)
    {
        if (Bmi2.X64.IsSupported) return Bmi2.X64.ParallelBitDeposit(value, 0x1f1f1f1f1f1f1f1fUL);
        // The upper halves move up: 20 of 40 bits, then 10 of each 20, then 5 of each 10.
        value = (value & 0xfffffUL) | ((value & 0xfffff00000UL) << 12);
        value = (value & 0x000003ff000003ffUL) | ((value & 0x000ffc00000ffc00UL) << 6);
        return (value & 0x001f001f001f001fUL) | ((value & 0x03e003e003e003e0UL) << 3);
    }

    // The low five bits of each byte, put together: the inverse of SpreadGroups.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong GatherGroups(ulong bytes)
    {
        if (Bmi2.X64.IsSupported) return Bmi2.X64.ParallelBitExtract(bytes, 0x1f1f1f1f1f1f1f1fUL);
        bytes = (bytes & 0x001f001f001f001fUL) | ((bytes & 0x1f001f001f001f00UL) >> 3);
        bytes = (bytes & 0x000003ff000003ffUL) | ((bytes & 0x03ff000003ff0000UL) >> 6);
        return (bytes & 0xfffffUL) | ((bytes & 0x000fffff00000000UL) >> 12);
    }

    /// <summary>How many numbers a text has that is right; of another text, at least as many as can be read.</summary>
    public static int CountNumbers(ReadOnlySpan<byte> text)
    {
        // A number ends with a character without the bit that says that more follow; 48 more makes it the highest bit.
        ref byte source = ref MemoryMarshal.GetReference(text);
        int i = 0, more = 0;
        if (Vector512.IsHardwareAccelerated)
        {
            for (; i <= text.Length - 64; i += 64)
            {
                more += BitOperations.PopCount(
                    (Vector512.LoadUnsafe(ref source, (nuint)i) + Vector512.Create((byte)48)).ExtractMostSignificantBits());
            }
        }

        if (Vector128.IsHardwareAccelerated && text.Length >= 16)
        {
            for (; i <= text.Length - 16; i += 16) more += BitOperations.PopCount(MoreBits(ref source, i));
            // The rest as the end of the last sixteen.
            return text.Length - more - BitOperations.PopCount(MoreBits(ref source, text.Length - 16) >> (16 - text.Length + i));
        }

        for (; i < text.Length; i++) more += (byte)(text[i] + 48) >> 7;
        return text.Length - more;
    }

    // Which of sixteen characters say that more follow.
    private static uint MoreBits(ref byte source, int from) =>
        (Vector128.LoadUnsafe(ref source, (nuint)from) + Vector128.Create((byte)48)).ExtractMostSignificantBits();

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
        ref int runs = ref MemoryMarshal.GetReference(counts);
        if (Vector512.IsHardwareAccelerated)
        {
            Vector512<ulong> low = default, high = default;
            Vector512<int> least = Vector512.Create(int.MaxValue);
            for (; i <= counts.Length - 16; i += 16)
            {
                Vector512<int> v = Vector512.LoadUnsafe(ref runs, (nuint)i);
                least = Vector512.Min(least, v);
                low += v.AsUInt64() & Vector512.Create(0xffffffffUL);
                high += v.AsUInt64() >>> 32;
            }

            if (!Vector512.GreaterThanAll(least, Vector512<int>.Zero)) return false;
            sum += (long)Vector512.Sum(low + high);
        }

        if (Vector256.IsHardwareAccelerated)
        {
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
