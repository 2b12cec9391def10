using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace SegmentAnything.Rle.Kernels;

/// <content>Merges two lists of changes, looking for orders in which many are done at once.</content>
internal static partial class RleKernels
{
    // The positions at which the result changes its colour. The positions at which each mask changes, rising, are merged;
    // the number of them passed says a mask's colour: foreground when it is odd. Given are the runs that end with a change
    // and where the first of them starts.
    private static ChangeList CombineChanges<TOperation>(ReadOnlySpan<int> a, int startA, ReadOnlySpan<int> b, int startB, int vectorBits)
        where TOperation : IOperation
    {
        // The changes of a, those of b, and room for the result, which has no more than both; behind each list are
        // positions that never come.
        int changesA = a.Length, changesB = b.Length;
        int[] buffer = ArrayPool<int>.Shared.Rent(checked((2 * (changesA + changesB)) + (4 * MergeSlack)));
        ref int pa = ref MemoryMarshal.GetArrayDataReference(buffer);
        ref int pb = ref Unsafe.Add(ref pa, changesA + MergeSlack);
        int firstResult = changesA + changesB + (2 * MergeSlack);
        ref int result = ref Unsafe.Add(ref pa, firstResult);
        WritePositions(a, startA, buffer.AsSpan(0, changesA + MergeSlack));
        WritePositions(b, startB, buffer.AsSpan(changesA + MergeSlack, changesB + MergeSlack));

        int i = 0, j = 0, count = 0, failures = 0;
        while (i < changesA || j < changesB)
        {
            if (vectorBits != 0)
            {
                // Eight changes of one mask before the next one of the other: kept or left out as a whole.
                int nextA = Unsafe.Add(ref pa, i), nextB = Unsafe.Add(ref pb, j);
                if (Unsafe.Add(ref pa, i + 7) < nextB)
                {
                    if (TOperation.FollowsA((j & 1) != 0))
                    {
                        Vector256.LoadUnsafe(ref pa, (nuint)i).StoreUnsafe(ref result, (nuint)count);
                        count += 8;
                    }

                    i += 8;
                    failures = 0;
                    continue;
                }

                if (Unsafe.Add(ref pb, j + 7) < nextA)
                {
                    if (TOperation.FollowsB((i & 1) != 0))
                    {
                        Vector256.LoadUnsafe(ref pb, (nuint)j).StoreUnsafe(ref result, (nuint)count);
                        count += 8;
                    }

                    j += 8;
                    failures = 0;
                    continue;
                }

                if (TOperation.IsMonotone && ((i ^ j) & 1) == 0 && i + 8 <= changesA && j + 8 <= changesB)
                {
                    Vector256<int> va = Vector256.LoadUnsafe(ref pa, (nuint)i), vb = Vector256.LoadUnsafe(ref pb, (nuint)j);
                    Vector256<int> afterA = Vector256.LoadUnsafe(ref pa, (nuint)i + 1), afterB = Vector256.LoadUnsafe(ref pb, (nuint)j + 1);
                    Vector256<int> earlier = Vector256.Min(va, vb), later = Vector256.Max(va, vb);

                    // Each change of one mask beside the same change of the other, as in columns that have a piece of each
                    // and the pieces overlap. Then the result changes once for both: going to foreground the union at the
                    // earlier of the two and the intersection at the later, and the opposite going to background.
                    if (Vector256.LessThanAll(later, Vector256.Min(afterA, afterB)))
                    {
                        bool starts = (i & 1) == 0;
                        Vector256<int> even = Vector256.Create(-1, 0, -1, 0, -1, 0, -1, 0);
                        Vector256<int> takeEarlier = starts == TOperation.StartsEarly ? even : ~even;
                        Vector256.ConditionalSelect(takeEarlier, earlier, later).StoreUnsafe(ref result, (nuint)count);
                        count += 8;
                        i += 8;
                        j += 8;
                        failures = 0;
                        continue;
                    }

                    // Pieces that take turns without touching: four of each, kept or left out.
                    bool firstIsA = nextA < nextB;
                    (Vector256<int> x, Vector256<int> afterX, Vector256<int> y, Vector256<int> afterY) =
                        firstIsA ? (va, afterA, vb, afterB) : (vb, afterB, va, afterA);
                    ref int pieces = ref firstIsA ? ref Unsafe.Add(ref pa, i) : ref Unsafe.Add(ref pb, j);
                    if ((i & 1) == 0 && TakeTurns(x, afterX, Vector256.LoadUnsafe(ref pieces, 2), y, afterY))
                    {
                        if (TOperation.StartsEarly) StoreInTurns(x, y, ref Unsafe.Add(ref result, count));
                        count += TOperation.StartsEarly ? 16 : 0;
                        i += 8;
                        j += 8;
                        failures = 0;
                        continue;
                    }
                }
            }

            if (vectorBits == 0)
            {
                MergeInTwoPlaces<TOperation>(ref pa, changesA, ref pb, changesB, ref i, ref j, ref result, ref count);
                continue;
            }

            // No order of this kind; the longer it is missed, the longer the next try waits.
            int most = FirstMerged << Math.Min(failures++, 16);
            if (vectorBits == 512)
            {
                MergeKeys<TOperation, Keys512, Vector512<uint>>(
                    ref pa, changesA, ref pb, changesB, ref i, ref j, ref result, ref count, most);
            }
            else
            {
                MergeKeys<TOperation, Keys256, Vector256<uint>>(
                    ref pa, changesA, ref pb, changesB, ref i, ref j, ref result, ref count, most);
            }
        }

        return new ChangeList(buffer, firstResult, count);
    }

    /// <summary>
    /// Elements behind a list of changes that may be read or written: a vector that starts in the list, and two behind it.
    /// </summary>
    private const int MergeSlack = 48;

    /// <summary>Changes merged in no order before the orders are looked for again; then twice as many, and so on.</summary>
    private const int FirstMerged = 64;

    // Four pieces of x and four of y: the first of x, the first of y, the second of x, ... with a gap between any two. Even
    // lanes are starts: x ends (one further) before y starts, y ends before x starts again (two further).
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool TakeTurns(
        Vector256<int> x, Vector256<int> afterX, Vector256<int> secondAfterX, Vector256<int> y, Vector256<int> afterY)
    {
        Vector256<int> odd = Vector256.Create(0, -1, 0, -1, 0, -1, 0, -1);
        return ((Vector256.LessThan(afterX, y) & Vector256.LessThan(afterY, secondAfterX)) | odd) == Vector256<int>.AllBitsSet;
    }

    // Pairs of x and y alternating: x0 y0 x1 y1 x2 y2 x3 y3.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreInTurns(Vector256<int> x, Vector256<int> y, ref int destination)
    {
        ref long pairs = ref Unsafe.As<int, long>(ref destination);
        Vector128<long> x01 = x.AsInt64().GetLower(), x23 = x.AsInt64().GetUpper(), y01 = y.AsInt64().GetLower(), y23 = y.AsInt64().GetUpper();
        Vector128.Create(x01.ToScalar(), y01.ToScalar()).StoreUnsafe(ref pairs);
        Vector128.Create(x01.GetElement(1), y01.GetElement(1)).StoreUnsafe(ref pairs, 2);
        Vector128.Create(x23.ToScalar(), y23.ToScalar()).StoreUnsafe(ref pairs, 4);
        Vector128.Create(x23.GetElement(1), y23.GetElement(1)).StoreUnsafe(ref pairs, 6);
    }

    // Positions in a pooled array, or none.
    private readonly struct ChangeList(int[] buffer, int start, int count)
    {
        public ReadOnlySpan<int> Span => buffer.AsSpan(start, count);

        public void Free()
        {
            if (buffer is not null) ArrayPool<int>.Shared.Return(buffer);
        }
    }
}
