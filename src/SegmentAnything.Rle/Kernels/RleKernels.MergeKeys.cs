using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace SegmentAnything.Rle.Kernels;

/// <content>Merges two lists of changes that have no order among each other, a vector at a time.</content>
internal static partial class RleKernels
{
    // A key is a position with the list it is from in the lowest bit, so that keys of both lists can be sorted together. The
    // smaller half of two sorted vectors is the next to come out; the greater half is merged with the next vector of the
    // list whose head is smaller. For every key in the order, counting keys of either list tells the colours of both masks
    // behind it, as bits; the result changes where its bits differ from their neighbours.
    // Merges at least so many changes, or all that are left; two changes at one position stay together.
    private static void MergeKeys<TOperation, TKeys, TVector>(
        ref int pa, int changesA, ref int pb, int changesB, ref int i, ref int j, ref int result, ref int count, int most)
        where TOperation : IOperation
        where TKeys : IKeys<TVector>
        where TVector : struct
    {
        int left = Math.Min(most, changesA - i + (changesB - j)), taken = left, takenOfA = 0;
        int aheadA = i + TKeys.Count, aheadB = j + TKeys.Count;
        nint distance = Unsafe.ByteOffset(ref pa, ref pb) / sizeof(int);
        TVector low = TKeys.Load(ref Unsafe.Add(ref pa, i), 0), high = TKeys.Load(ref Unsafe.Add(ref pb, j), 1);
        int colourOfA = -(i & 1), alternating = 0x55555555 ^ -((i ^ j) & 1), colour = TOperation.State(i, j) & 1;
        while (true)
        {
            TKeys.Merge(ref low, ref high);
            int headA = Unsafe.Add(ref pa, aheadA), headB = Unsafe.Add(ref pb, aheadB);
            Vector128<uint> nextKey = Vector128.Min(
                TKeys.First(high), Vector128.Min(Vector128.Create((uint)headA << 1), Vector128.Create(((uint)headB << 1) | 1)));
            int equal = TKeys.EqualToNext(low, nextKey);
            int keys = Math.Min(left, TKeys.Count);
            bool isLast = left <= TKeys.Count;
            if (isLast && (equal & (1 << (keys - 1))) != 0)
            {
                keys--;
                taken--;
                if (keys == 0) break;
            }

            int all = (1 << keys) - 1;
            int fromA = ~TKeys.Tags(low);
            int a = fromA ^ (fromA << 1);
            a ^= a << 2;
            a ^= a << 4;
            a ^= a << 8;
            a ^= colourOfA;
            // Each key is of one list, so the two colours are equal behind every second key.
            int colours = TOperation.State(a, a ^ alternating);
            // Between two changes at one position nothing is shown.
            colours = (colours & ~equal) | (((colours << 1) | colour) & equal);
            int changes = (colours ^ ((colours << 1) | colour)) & all;
            TKeys.StorePositions(low, changes, ref Unsafe.Add(ref result, count));
            count += BitOperations.PopCount((uint)changes);
            takenOfA += BitOperations.PopCount((uint)(fromA & all));
            if (isLast) break;
            colour = (colours >> (TKeys.Count - 1)) & 1;
            colourOfA = -((a >> (TKeys.Count - 1)) & 1);
            left -= TKeys.Count;
            // Bits instead of a branch, which would be guessed wrong every second time.
            int isB = (headB - headA) >> 31;
            nint ahead = aheadA + ((distance + aheadB - aheadA) & isB);
            low = TKeys.Load(ref Unsafe.Add(ref pa, ahead), (uint)isB & 1);
            aheadA += TKeys.Count & ~isB;
            aheadB += TKeys.Count & isB;
        }

        i += takenOfA;
        j += taken - takenOfA;
    }

    // Vectors of keys; masks have a bit a lane, the first lane the lowest.
    private interface IKeys<TVector>
    {
        static abstract int Count { get; }

        static abstract TVector Load(ref int positions, uint tag);

        // Two sorted vectors become the sorted smaller half of their keys and the sorted greater half.
        static abstract void Merge(ref TVector low, ref TVector high);

        static abstract Vector128<uint> First(TVector keys);

        static abstract int Tags(TVector keys);

        // Lanes with the position of the next lane; the last lane's next key is the first of those given.
        static abstract int EqualToNext(TVector keys, Vector128<uint> next);

        // Writes the positions of some lanes, one after the other; a whole vector is written.
        static abstract void StorePositions(TVector keys, int lanes, ref int destination);
    }

    private readonly struct Keys512 : IKeys<Vector512<uint>>
    {
        public static int Count => 16;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<uint> Load(ref int positions, uint tag) =>
            (Vector512.LoadUnsafe(ref positions).AsUInt32() << 1) | Vector512.Create(tag);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Merge(ref Vector512<uint> low, ref Vector512<uint> high)
        {
            // Against the other one in opposite order; each half then rises and falls once, and exchanges over distances 8,
            // 4, 2 and 1 sort it.
            Vector512<uint> turned = Vector512.Shuffle(high, Vector512.Create(15u, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
            Vector512<uint> l = Vector512.Min(low, turned), h = Vector512.Max(low, turned);
            Vector512<uint> lanes = Vector512.Create(8u, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
            Vector512<uint> lower = Vector512.Create(~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, 0, 0, 0, 0, 0, 0, 0, 0);
            (l, h) = (Exchange(l, Vector512.Shuffle(l, lanes), lower), Exchange(h, Vector512.Shuffle(h, lanes), lower));
            lanes = Vector512.Create(4u, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
            lower = Vector512.Create(~0u, ~0u, ~0u, ~0u, 0, 0, 0, 0, ~0u, ~0u, ~0u, ~0u, 0, 0, 0, 0);
            (l, h) = (Exchange(l, Vector512.Shuffle(l, lanes), lower), Exchange(h, Vector512.Shuffle(h, lanes), lower));
            lower = Vector512.Create(~0u, ~0u, 0, 0, ~0u, ~0u, 0, 0, ~0u, ~0u, 0, 0, ~0u, ~0u, 0, 0);
            (l, h) = (Exchange(l, Avx512F.Shuffle(l, 0b01_00_11_10), lower), Exchange(h, Avx512F.Shuffle(h, 0b01_00_11_10), lower));
            lower = Vector512.Create(~0u, 0, ~0u, 0, ~0u, 0, ~0u, 0, ~0u, 0, ~0u, 0, ~0u, 0, ~0u, 0);
            (low, high) = (Exchange(l, Avx512F.Shuffle(l, 0b10_11_00_01), lower), Exchange(h, Avx512F.Shuffle(h, 0b10_11_00_01), lower));
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static Vector512<uint> Exchange(Vector512<uint> keys, Vector512<uint> others, Vector512<uint> lower) =>
            Vector512.ConditionalSelect(lower, Vector512.Min(keys, others), Vector512.Max(keys, others));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<uint> First(Vector512<uint> keys) => keys.GetLower().GetLower();

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static int Tags(Vector512<uint> keys) => (int)(keys << 31).ExtractMostSignificantBits();

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static int EqualToNext(Vector512<uint> keys, Vector128<uint> next)
        {
            // Of two keys at one position the first is even and the second odd.
            Vector512<uint> following = Avx512F.AlignRight32(next.ToVector256Unsafe().ToVector512Unsafe(), keys, 1);
            return (int)Vector512.Equals(keys ^ following, Vector512<uint>.One).ExtractMostSignificantBits();
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void StorePositions(Vector512<uint> keys, int lanes, ref int destination) =>
            Simd512.StoreSelected((keys >>> 1).AsSingle(), (uint)lanes, ref destination);
    }

    private readonly struct Keys256 : IKeys<Vector256<uint>>
    {
        public static int Count => 8;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<uint> Load(ref int positions, uint tag) =>
            (Vector256.LoadUnsafe(ref positions).AsUInt32() << 1) | Vector256.Create(tag);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Merge(ref Vector256<uint> low, ref Vector256<uint> high)
        {
            Vector256<uint> turned = Vector256.Shuffle(high, Vector256.Create(7u, 6, 5, 4, 3, 2, 1, 0));
            Vector256<uint> l = Vector256.Min(low, turned), h = Vector256.Max(low, turned);
            Vector256<uint> lower = Vector256.Create(~0u, ~0u, ~0u, ~0u, 0, 0, 0, 0);
            (l, h) = (Exchange(l, Avx2.Permute2x128(l, l, 1), lower), Exchange(h, Avx2.Permute2x128(h, h, 1), lower));
            lower = Vector256.Create(~0u, ~0u, 0, 0, ~0u, ~0u, 0, 0);
            (l, h) = (Exchange(l, Avx2.Shuffle(l, 0b01_00_11_10), lower), Exchange(h, Avx2.Shuffle(h, 0b01_00_11_10), lower));
            lower = Vector256.Create(~0u, 0, ~0u, 0, ~0u, 0, ~0u, 0);
            (low, high) = (Exchange(l, Avx2.Shuffle(l, 0b10_11_00_01), lower), Exchange(h, Avx2.Shuffle(h, 0b10_11_00_01), lower));
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static Vector256<uint> Exchange(Vector256<uint> keys, Vector256<uint> others, Vector256<uint> lower) =>
            Vector256.ConditionalSelect(lower, Vector256.Min(keys, others), Vector256.Max(keys, others));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<uint> First(Vector256<uint> keys) => keys.GetLower();

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static int Tags(Vector256<uint> keys) => (int)(keys << 31).ExtractMostSignificantBits();

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static int EqualToNext(Vector256<uint> keys, Vector128<uint> next)
        {
            Vector256<uint> following = Avx2.PermuteVar8x32(keys, Vector256.Create(1u, 2, 3, 4, 5, 6, 7, 0));
            following = Vector256.ConditionalSelect(Vector256.Create(0u, 0, 0, 0, 0, 0, 0, ~0u), Avx2.BroadcastScalarToVector256(next), following);
            return (int)Vector256.Equals(keys ^ following, Vector256<uint>.One).ExtractMostSignificantBits();
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void StorePositions(Vector256<uint> keys, int lanes, ref int destination) =>
            Simd256.StoreSelected((keys >>> 1).AsSingle(), (uint)lanes, ref destination);
    }
}
