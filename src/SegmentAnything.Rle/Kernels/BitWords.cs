using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace SegmentAnything.Rle.Kernels;

/// <summary>Between bytes and bits. A word is 64 pixels, the first in the lowest bit.</summary>
internal static class BitWords<TSimd, TVector>
    where TSimd : ISimd<TVector>
    where TVector : struct
{
    /// <summary>Bytes, and bits of a word, that a vector of bytes has.</summary>
    private static int Bytes => 4 * TSimd.Width;

    /// <summary>Lanes of 64 bits.</summary>
    private static int Words => TSimd.Width / 2;

    // For each of 64 pixels the byte of its word.
    private static ReadOnlySpan<byte> BytesOfWord =>
    [
        0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3,
        4, 4, 4, 4, 4, 4, 4, 4, 5, 5, 5, 5, 5, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 6, 7, 7, 7, 7, 7, 7, 7, 7,
    ];

    /// <summary>Bit i says whether source[i] is not 0; reads 64 bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong NonZero(ref readonly byte source)
    {
        // Byte i's comparison with 0 gives bit i of a word that says where zeros are.
        ulong zero = 0;
        for (int i = 0; i < 64; i += Bytes)
            zero |= TSimd.AreEqualBits<byte>(TSimd.Load(in source, (nuint)i), TSimd.Broadcast<byte>(0)) << i;
        return ~zero;
    }

    /// <summary>Bit i says whether source[i] is above the cut-off (NaN is not); reads 64 numbers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Above(ref readonly float source, float cutoff)
    {
        TVector limit = TSimd.Create(cutoff);
        ulong bits = AboveInFour(in source, limit);
        for (int i = 4 * TSimd.Width; i < 64; i += 4 * TSimd.Width) bits |= AboveInFour(ref Unsafe.Add(ref Unsafe.AsRef(in source), i), limit) << i;
        return bits;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong AboveInFour(ref readonly float source, TVector limit) =>
        AboveInOne(in source, 0, limit) | (AboveInOne(in source, 1, limit) << TSimd.Width)
        | (AboveInOne(in source, 2, limit) << (2 * TSimd.Width)) | (AboveInOne(in source, 3, limit) << (3 * TSimd.Width));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong AboveInOne(ref readonly float source, int vector, TVector limit) =>
        TSimd.GreaterThanBits<float>(TSimd.Load(in source, (nuint)(vector * TSimd.Width)), limit);

    /// <summary>Writes 64 bytes: the foreground value where a bit is set, 0 elsewhere.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Spread(ulong bits, byte foreground, ref byte destination)
    {
        // The word in every 64-bit lane; byte lane i gets the word's byte i / 8 and looks at its bit i % 8.
        TVector select = TSimd.Broadcast(0x8040201008040201UL), word = TSimd.Broadcast(bits), value = TSimd.Broadcast(foreground);
        ref byte indices = ref MemoryMarshal.GetReference(BytesOfWord);
        for (int i = 0; i < 64; i += Bytes)
        {
            TVector set = TSimd.And(TSimd.ShuffleBytes(word, TSimd.Load(in indices, (nuint)i)), select);
            TSimd.Store(TSimd.And(TSimd.AreEqual<byte>(set, select), value), ref destination, (nuint)i);
        }
    }

    /// <summary>Fills 64 bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Fill(byte value, ref byte destination)
    {
        // Written out: as a loop it takes three times as long.
        TVector vector = TSimd.Broadcast(value);
        TSimd.Store(vector, ref destination, 0);
        if (Bytes <= 32) TSimd.Store(vector, ref destination, 32);
        if (Bytes <= 16)
        {
            TSimd.Store(vector, ref destination, 16);
            TSimd.Store(vector, ref destination, 48);
        }
    }

    /// <summary>Transposes 64 words of 64 bits: bit c of word r goes to bit r of word c.</summary>
    /// <remarks>
    /// Exchanges ever smaller off-diagonal squares: 32 x 32, then 16 x 16 in each quarter, down to single bits. The words of a
    /// square's upper and lower half are in different vectors until the squares are smaller than a vector; eight vectors are
    /// in registers at a time, which with AVX-512 are all.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transpose(ref ulong block)
    {
        for (int i = 0; i < 8; i += Words)
        {
            ref ulong first = ref Unsafe.Add(ref block, i);
            TVector v0 = TSimd.Load(in first, 0), v1 = TSimd.Load(in first, 8), v2 = TSimd.Load(in first, 16), v3 = TSimd.Load(in first, 24);
            TVector v4 = TSimd.Load(in first, 32), v5 = TSimd.Load(in first, 40), v6 = TSimd.Load(in first, 48), v7 = TSimd.Load(in first, 56);
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
            if (Words == 8)
            {
                (v0, v1, v2, v3) = (SwapInside(v0), SwapInside(v1), SwapInside(v2), SwapInside(v3));
                (v4, v5, v6, v7) = (SwapInside(v4), SwapInside(v5), SwapInside(v6), SwapInside(v7));
            }

            TSimd.Store(v0, ref first, 0);
            TSimd.Store(v1, ref first, 8);
            TSimd.Store(v2, ref first, 16);
            TSimd.Store(v3, ref first, 24);
            TSimd.Store(v4, ref first, 32);
            TSimd.Store(v5, ref first, 40);
            TSimd.Store(v6, ref first, 48);
            TSimd.Store(v7, ref first, 56);
        }

        if (Words < 8) TransposeEights(ref block);
    }

    // The squares of 4 words and less, in eight words at a time, where these are several vectors.
    private static void TransposeEights(ref ulong block)
    {
        for (int i = 0; i < 64; i += 8)
        {
            ref ulong first = ref Unsafe.Add(ref block, i);
            if (Words == 4)
            {
                TVector a = TSimd.Load(in first, 0), b = TSimd.Load(in first, 4);
                SwapSquares(ref a, ref b, 4, 0x0F0F0F0F0F0F0F0FUL);
                TSimd.Store(SwapInside(a), ref first, 0);
                TSimd.Store(SwapInside(b), ref first, 4);
                continue;
            }

            TVector v0 = TSimd.Load(in first, 0), v1 = TSimd.Load(in first, 2), v2 = TSimd.Load(in first, 4), v3 = TSimd.Load(in first, 6);
            SwapSquares(ref v0, ref v2, 4, 0x0F0F0F0F0F0F0F0FUL);
            SwapSquares(ref v1, ref v3, 4, 0x0F0F0F0F0F0F0F0FUL);
            SwapSquares(ref v0, ref v1, 2, 0x3333333333333333UL);
            SwapSquares(ref v2, ref v3, 2, 0x3333333333333333UL);
            TSimd.Store(SwapInside(v0), ref first, 0);
            TSimd.Store(SwapInside(v1), ref first, 2);
            TSimd.Store(SwapInside(v2), ref first, 4);
            TSimd.Store(SwapInside(v3), ref first, 6);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void SwapSquares(ref TVector a, ref TVector b, int size, ulong lowHalves)
    {
        TVector t = TSimd.And(TSimd.Xor(TSimd.ShiftRight64(a, size), b), TSimd.Broadcast(lowHalves));
        a = TSimd.Xor(a, TSimd.ShiftLeft64(t, size));
        b = TSimd.Xor(b, t);
    }

    // The last exchanges are between lanes of one vector.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector SwapInside(TVector v)
    {
        if (Words > 4) v = SwapLanes(v, 4, 0x0F0F0F0F0F0F0F0FUL);
        if (Words > 2) v = SwapLanes(v, 2, 0x3333333333333333UL);
        return SwapLanes(v, 1, 0x5555555555555555UL);
    }

    // A lane takes half its bits from the one so far away, shifted up in the lower lane of a pair and down in the upper one.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector SwapLanes(TVector v, int distance, ulong lowHalves)
    {
        TVector lower = TSimd.AreEqual<ulong>(TSimd.And(TSimd.Indices<ulong>(), TSimd.Broadcast((ulong)distance)), TSimd.Broadcast(0UL));
        TVector keep = TSimd.Xor(lower, TSimd.Broadcast(~lowHalves)), other = TSimd.ExchangeLanes(v, distance);
        return TSimd.Select(keep, v, TSimd.Select(lower, TSimd.ShiftLeft64(other, distance), TSimd.ShiftRight64(other, distance)));
    }
}
