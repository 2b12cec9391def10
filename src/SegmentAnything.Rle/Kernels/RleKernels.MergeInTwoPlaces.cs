using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace SegmentAnything.Rle.Kernels;

/// <content>Merges two lists of changes without vectors.</content>
internal static partial class RleKernels
{
    // One change, or two at one position; without a branch that could be guessed wrong.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step<TOperation>(ref int pa, ref int pb, ref int i, ref int j, ref int result, ref int count)
        where TOperation : IOperation
    {
        int nextA = Unsafe.Add(ref pa, i), nextB = Unsafe.Add(ref pb, j);
        int before = TOperation.State(i, j);
        Unsafe.Add(ref result, count) = Math.Min(nextA, nextB);
        i += nextA <= nextB ? 1 : 0;
        j += nextB <= nextA ? 1 : 0;
        count += (TOperation.State(i, j) ^ before) & 1;
    }

    // A step waits for the one before it, so two merges that do not wait for each other take hardly longer than one: the
    // first half of what is left, and the second.
    private static void MergeInTwoPlaces<TOperation>(
        ref int pa, int changesA, ref int pb, int changesB, ref int i, ref int j, ref int result, ref int count)
        where TOperation : IOperation
    {
        // How many of a are among the first half of both: the least for which the next of a is not before the last of b.
        int total = changesA - i + (changesB - j), half = total / 2;
        int low = Math.Max(0, half - (changesB - j)), high = Math.Min(half, changesA - i);
        while (low < high)
        {
            int middle = (int)(((uint)low + (uint)high) / 2);
            if (Unsafe.Add(ref pa, i + middle) < Unsafe.Add(ref pb, j + half - middle - 1)) low = middle + 1;
            else high = middle;
        }

        int middleA = i + low, middleB = j + half - low;
        // Two changes at one position stay together.
        if (middleA > i && Unsafe.Add(ref pa, middleA - 1) == Unsafe.Add(ref pb, middleB)) middleB++;
        else if (middleB > j && Unsafe.Add(ref pb, middleB - 1) == Unsafe.Add(ref pa, middleA)) middleA++;

        // The second half is written behind the room of the first and moved there in the end.
        int i2 = middleA, j2 = middleB, count2 = 0;
        ref int result2 = ref Unsafe.Add(ref result, count + (middleA - i) + (middleB - j) + 1);
        while (true)
        {
            // A half with so many changes left in one of its lists has at least so many steps before it.
            int steps = Math.Min(Math.Max(middleA - i, middleB - j), Math.Max(changesA - i2, changesB - j2));
            if (steps == 0) break;
            for (; steps > 0; steps--)
            {
                Step<TOperation>(ref pa, ref pb, ref i, ref j, ref result, ref count);
                Step<TOperation>(ref pa, ref pb, ref i2, ref j2, ref result2, ref count2);
            }
        }

        while (i < middleA || j < middleB) Step<TOperation>(ref pa, ref pb, ref i, ref j, ref result, ref count);
        while (i2 < changesA || j2 < changesB) Step<TOperation>(ref pa, ref pb, ref i2, ref j2, ref result2, ref count2);
        MemoryMarshal.CreateSpan(ref result2, count2).CopyTo(MemoryMarshal.CreateSpan(ref Unsafe.Add(ref result, count), count2));
        count += count2;
        i = changesA;
        j = changesB;
    }
}
