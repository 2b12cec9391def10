using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace SegmentAnything.Rle.Kernels;

/// <summary>The few steps between bytes and bits that differ from one vector width to the next.</summary>
/// <remarks>A word is 64 pixels, the first in the lowest bit. The kernels are written once, over this interface.</remarks>
internal interface IBitWords
{
    /// <summary>Bit i says whether source[i] is not 0; reads 64 bytes.</summary>
    static abstract ulong NonZero(ref readonly byte source);

    /// <summary>Bit i says whether source[i] is above the cut-off (NaN is not); reads 64 numbers.</summary>
    static abstract ulong Above(ref readonly float source, float cutoff);

    /// <summary>Writes 64 bytes: the foreground value where a bit is set, 0 elsewhere.</summary>
    static abstract void Spread(ulong bits, byte foreground, ref byte destination);

    /// <summary>Transposes 64 words of 64 bits: bit c of word r goes to bit r of word c.</summary>
    static abstract void Transpose(ref ulong block);
}

/// <summary>16 bytes at a time.</summary>
internal readonly struct BitWords128 : IBitWords
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong NonZero(ref readonly byte source)
    {
        // Byte i's comparison with 0 gives bit i; four vectors make a word, which says where zeros are.
        ref byte first = ref Unsafe.AsRef(in source);
        ulong zero = Vector128.Equals(Vector128.LoadUnsafe(ref first), Vector128<byte>.Zero).ExtractMostSignificantBits()
            | ((ulong)Vector128.Equals(Vector128.LoadUnsafe(ref first, 16), Vector128<byte>.Zero).ExtractMostSignificantBits() << 16)
            | ((ulong)Vector128.Equals(Vector128.LoadUnsafe(ref first, 32), Vector128<byte>.Zero).ExtractMostSignificantBits() << 32)
            | ((ulong)Vector128.Equals(Vector128.LoadUnsafe(ref first, 48), Vector128<byte>.Zero).ExtractMostSignificantBits() << 48);
        return ~zero;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Above(ref readonly float source, float cutoff)
    {
        ref float first = ref Unsafe.AsRef(in source);
        Vector128<float> limit = Vector128.Create(cutoff);
        ulong bits = 0;
        for (int i = 0; i < 64; i += 4)
            bits |= (ulong)Vector128.GreaterThan(Vector128.LoadUnsafe(ref first, (nuint)i), limit).ExtractMostSignificantBits() << i;
        return bits;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Spread(ulong bits, byte foreground, ref byte destination)
    {
        // Byte lane i looks at bit i % 8 of the word's byte i / 8.
        Vector128<byte> select = Vector128.Create(0x8040201008040201UL).AsByte();
        Vector128<byte> value = Vector128.Create(foreground);
        for (int i = 0; i < 4; i++)
        {
            ulong low = (byte)bits * 0x0101010101010101UL, high = (byte)(bits >> 8) * 0x0101010101010101UL;
            Vector128<byte> set = Vector128.Equals(Vector128.Create(low, high).AsByte() & select, select);
            (set & value).StoreUnsafe(ref destination, (nuint)(16 * i));
            bits >>= 16;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose(ref ulong block)
    {
        // Exchanges ever smaller off-diagonal squares: 32 x 32, then 16 x 16 in each quarter, down to single bits. The
        // words of a square's upper and lower half are whole vectors until the squares are as small as a vector.
        SwapSquares(ref block, 32, 0x00000000FFFFFFFFUL);
        SwapSquares(ref block, 16, 0x0000FFFF0000FFFFUL);
        SwapSquares(ref block, 8, 0x00FF00FF00FF00FFUL);
        SwapSquares(ref block, 4, 0x0F0F0F0F0F0F0F0FUL);
        SwapSquares(ref block, 2, 0x3333333333333333UL);
        for (int i = 0; i < 64; i += 2)
        {
            ulong a = Unsafe.Add(ref block, i), b = Unsafe.Add(ref block, i + 1);
            ulong t = ((a >> 1) ^ b) & 0x5555555555555555UL;
            Unsafe.Add(ref block, i) = a ^ (t << 1);
            Unsafe.Add(ref block, i + 1) = b ^ t;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void SwapSquares(ref ulong block, int size, ulong lowHalves)
    {
        Vector128<ulong> mask = Vector128.Create(lowHalves);
        for (int start = 0; start < 64; start += 2 * size)
        {
            for (int i = start; i < start + size; i += Vector128<ulong>.Count)
            {
                Vector128<ulong> a = Vector128.LoadUnsafe(ref block, (nuint)i), b = Vector128.LoadUnsafe(ref block, (nuint)(i + size));
                Vector128<ulong> t = ((a >>> size) ^ b) & mask;
                (a ^ (t << size)).StoreUnsafe(ref block, (nuint)i);
                (b ^ t).StoreUnsafe(ref block, (nuint)(i + size));
            }
        }
    }
}

/// <summary>32 bytes at a time.</summary>
internal readonly struct BitWords256 : IBitWords
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong NonZero(ref readonly byte source)
    {
        ref byte first = ref Unsafe.AsRef(in source);
        uint low = Vector256.Equals(Vector256.LoadUnsafe(ref first), Vector256<byte>.Zero).ExtractMostSignificantBits();
        uint high = Vector256.Equals(Vector256.LoadUnsafe(ref first, 32), Vector256<byte>.Zero).ExtractMostSignificantBits();
        return ~(low | ((ulong)high << 32));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Above(ref readonly float source, float cutoff)
    {
        ref float first = ref Unsafe.AsRef(in source);
        Vector256<float> limit = Vector256.Create(cutoff);
        ulong bits = 0;
        for (int i = 0; i < 64; i += 8)
            bits |= (ulong)Vector256.GreaterThan(Vector256.LoadUnsafe(ref first, (nuint)i), limit).ExtractMostSignificantBits() << i;
        return bits;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Spread(ulong bits, byte foreground, ref byte destination)
    {
        // Four bytes of the word in every 32-bit lane; byte lane i then gets byte i / 8 of them. The upper half takes its
        // own copy, so that no byte crosses the middle.
        Vector256<byte> select = Vector256.Create(0x8040201008040201UL).AsByte();
        Vector256<byte> indices = Vector256.Create(
            0x0000000000000000UL, 0x0101010101010101UL, 0x1212121212121212UL, 0x1313131313131313UL).AsByte();
        Vector256<byte> value = Vector256.Create(foreground);
        Vector256<byte> low = ShuffleInHalves(Vector256.Create((uint)bits).AsByte(), indices) & select;
        Vector256<byte> high = ShuffleInHalves(Vector256.Create((uint)(bits >> 32)).AsByte(), indices) & select;
        (Vector256.Equals(low, select) & value).StoreUnsafe(ref destination);
        (Vector256.Equals(high, select) & value).StoreUnsafe(ref destination, 32);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> ShuffleInHalves(Vector256<byte> bytes, Vector256<byte> indices) =>
        Avx2.IsSupported ? Avx2.Shuffle(bytes, indices) : Vector256.Shuffle(bytes, indices);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose(ref ulong block)
    {
        SwapSquares(ref block, 32, 0x00000000FFFFFFFFUL);
        SwapSquares(ref block, 16, 0x0000FFFF0000FFFFUL);
        SwapSquares(ref block, 8, 0x00FF00FF00FF00FFUL);
        SwapSquares(ref block, 4, 0x0F0F0F0F0F0F0F0FUL);
        // The last two exchanges are between lanes of one vector: lane i takes half its bits from lane i ^ 2, then i ^ 1,
        // shifted up in the lower lane of a pair and down in the upper one.
        Vector256<ulong> low2 = Vector256.Create(0x3333333333333333UL), low1 = Vector256.Create(0x5555555555555555UL);
        Vector256<ulong> keep2 = Vector256.Create(~0UL, ~0UL, 0, 0) ^ ~low2, keep1 = Vector256.Create(~0UL, 0, ~0UL, 0) ^ ~low1;
        Vector256<ulong> lower2 = Vector256.Create(~0UL, ~0UL, 0, 0), lower1 = Vector256.Create(~0UL, 0, ~0UL, 0);
        for (int i = 0; i < 64; i += Vector256<ulong>.Count)
        {
            Vector256<ulong> v = Vector256.LoadUnsafe(ref block, (nuint)i);
            Vector256<ulong> other = Vector256.Shuffle(v, Vector256.Create(2UL, 3, 0, 1));
            v = Vector256.ConditionalSelect(keep2, v, Vector256.ConditionalSelect(lower2, other << 2, other >>> 2));
            other = Vector256.Shuffle(v, Vector256.Create(1UL, 0, 3, 2));
            v = Vector256.ConditionalSelect(keep1, v, Vector256.ConditionalSelect(lower1, other << 1, other >>> 1));
            v.StoreUnsafe(ref block, (nuint)i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void SwapSquares(ref ulong block, int size, ulong lowHalves)
    {
        Vector256<ulong> mask = Vector256.Create(lowHalves);
        for (int start = 0; start < 64; start += 2 * size)
        {
            for (int i = start; i < start + size; i += Vector256<ulong>.Count)
            {
                Vector256<ulong> a = Vector256.LoadUnsafe(ref block, (nuint)i), b = Vector256.LoadUnsafe(ref block, (nuint)(i + size));
                Vector256<ulong> t = ((a >>> size) ^ b) & mask;
                (a ^ (t << size)).StoreUnsafe(ref block, (nuint)i);
                (b ^ t).StoreUnsafe(ref block, (nuint)(i + size));
            }
        }
    }
}

/// <summary>64 bytes at a time.</summary>
internal readonly struct BitWords512 : IBitWords
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong NonZero(ref readonly byte source) =>
        ~Vector512.Equals(Vector512.LoadUnsafe(in source), Vector512<byte>.Zero).ExtractMostSignificantBits();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Above(ref readonly float source, float cutoff)
    {
        ref float first = ref Unsafe.AsRef(in source);
        Vector512<float> limit = Vector512.Create(cutoff);
        ulong bits = 0;
        for (int i = 0; i < 64; i += 16)
            bits |= Vector512.GreaterThan(Vector512.LoadUnsafe(ref first, (nuint)i), limit).ExtractMostSignificantBits() << i;
        return bits;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Spread(ulong bits, byte foreground, ref byte destination)
    {
        // The word in every 64-bit lane; byte lane i gets the word's byte i / 8 from its own quarter.
        Vector512<byte> select = Vector512.Create(0x8040201008040201UL).AsByte();
        Vector512<byte> indices = Vector512.Create(
            0x0000000000000000UL, 0x0101010101010101UL, 0x1212121212121212UL, 0x1313131313131313UL,
            0x2424242424242424UL, 0x2525252525252525UL, 0x3636363636363636UL, 0x3737373737373737UL).AsByte();
        Vector512<byte> words = Vector512.Create(bits).AsByte();
        Vector512<byte> bytes = Avx512BW.IsSupported ? Avx512BW.Shuffle(words, indices) : Vector512.Shuffle(words, indices);
        (Vector512.Equals(bytes & select, select) & Vector512.Create(foreground)).StoreUnsafe(ref destination);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose(ref ulong block)
    {
        // All 64 words are in eight registers: squares of 32, 16 and 8 words are exchanged between these.
        Vector512<ulong> v0 = Vector512.LoadUnsafe(ref block), v1 = Vector512.LoadUnsafe(ref block, 8);
        Vector512<ulong> v2 = Vector512.LoadUnsafe(ref block, 16), v3 = Vector512.LoadUnsafe(ref block, 24);
        Vector512<ulong> v4 = Vector512.LoadUnsafe(ref block, 32), v5 = Vector512.LoadUnsafe(ref block, 40);
        Vector512<ulong> v6 = Vector512.LoadUnsafe(ref block, 48), v7 = Vector512.LoadUnsafe(ref block, 56);
        SwapSquares(ref v0, ref v4, 32, 0x00000000FFFFFFFFUL);
        SwapSquares(ref v1, ref v5, 32, 0x00000000FFFFFFFFUL);
        SwapSquares(ref v2, ref v6, 32, 0x00000000FFFFFFFFUL);
        SwapSquares(ref v3, ref v7, 32, 0x00000000FFFFFFFFUL);
        SwapSquares(ref v0, ref v2, 16, 0x0000FFFF0000FFFFUL);
        SwapSquares(ref v1, ref v3, 16, 0x0000FFFF0000FFFFUL);
        SwapSquares(ref v4, ref v6, 16, 0x0000FFFF0000FFFFUL);
        SwapSquares(ref v5, ref v7, 16, 0x0000FFFF0000FFFFUL);
        SwapSquares(ref v0, ref v1, 8, 0x00FF00FF00FF00FFUL);
        SwapSquares(ref v2, ref v3, 8, 0x00FF00FF00FF00FFUL);
        SwapSquares(ref v4, ref v5, 8, 0x00FF00FF00FF00FFUL);
        SwapSquares(ref v6, ref v7, 8, 0x00FF00FF00FF00FFUL);
        SwapInside(v0).StoreUnsafe(ref block);
        SwapInside(v1).StoreUnsafe(ref block, 8);
        SwapInside(v2).StoreUnsafe(ref block, 16);
        SwapInside(v3).StoreUnsafe(ref block, 24);
        SwapInside(v4).StoreUnsafe(ref block, 32);
        SwapInside(v5).StoreUnsafe(ref block, 40);
        SwapInside(v6).StoreUnsafe(ref block, 48);
        SwapInside(v7).StoreUnsafe(ref block, 56);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void SwapSquares(ref Vector512<ulong> a, ref Vector512<ulong> b, int size, ulong lowHalves)
    {
        Vector512<ulong> t = ((a >>> size) ^ b) & Vector512.Create(lowHalves);
        a ^= t << size;
        b ^= t;
    }

    // The last three exchanges are between lanes of one vector; see BitWords256.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<ulong> SwapInside(Vector512<ulong> v)
    {
        Vector512<ulong> lower = Vector512.Create(~0UL, ~0UL, ~0UL, ~0UL, 0, 0, 0, 0);
        v = SwapLanes(v, Vector512.Shuffle(v, Vector512.Create(4UL, 5, 6, 7, 0, 1, 2, 3)), lower, 4, 0x0F0F0F0F0F0F0F0FUL);
        lower = Vector512.Create(~0UL, ~0UL, 0, 0, ~0UL, ~0UL, 0, 0);
        v = SwapLanes(v, Vector512.Shuffle(v, Vector512.Create(2UL, 3, 0, 1, 6, 7, 4, 5)), lower, 2, 0x3333333333333333UL);
        lower = Vector512.Create(~0UL, 0, ~0UL, 0, ~0UL, 0, ~0UL, 0);
        return SwapLanes(v, Vector512.Shuffle(v, Vector512.Create(1UL, 0, 3, 2, 5, 4, 7, 6)), lower, 1, 0x5555555555555555UL);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<ulong> SwapLanes(
        Vector512<ulong> v, Vector512<ulong> other, Vector512<ulong> lower, int size, ulong lowHalves)
    {
        Vector512<ulong> keep = lower ^ Vector512.Create(~lowHalves);
        return Vector512.ConditionalSelect(keep, v, Vector512.ConditionalSelect(lower, other << size, other >>> size));
    }
}
