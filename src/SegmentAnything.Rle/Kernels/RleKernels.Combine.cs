using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace SegmentAnything.Rle.Kernels;

/// <summary>A truth table of two pixels: bit 2a + b says whether the result is foreground.</summary>
internal enum BooleanOperation
{
    Union = 0b1110,
    Intersection = 0b1000,
    Difference = 0b0100,
    SymmetricDifference = 0b0110,
}

/// <content>Combines two lists of runs into one.</content>
internal static partial class RleKernels
{
    /// <summary>The runs of the pixelwise combination of two masks of so many pixels; the runs given are canonical.</summary>
    /// <remarks>
    /// Exactness: every path equals <see cref="CombineScalar"/>. Source: COCO API, maskApi.c (rleMerge) for two masks.
    /// Measured by: SetOperationBenchmarks.
    /// </remarks>
    public static int[] Combine(ReadOnlySpan<int> a, ReadOnlySpan<int> b, int pixels, BooleanOperation operation) =>
        Combine(a, b, pixels, operation, WidestVectors);

    // With vectors of so many bits at most: 512, 256 or 0.
    internal static int[] Combine(ReadOnlySpan<int> a, ReadOnlySpan<int> b, int pixels, BooleanOperation operation, int vectorBits) => operation switch
    {
        BooleanOperation.Union => Combine<UnionOf>(a, b, pixels, vectorBits),
        BooleanOperation.Intersection => Combine<IntersectionOf>(a, b, pixels, vectorBits),
        BooleanOperation.Difference => Combine<DifferenceOf>(a, b, pixels, vectorBits),
        _ => Combine<SymmetricDifferenceOf>(a, b, pixels, vectorBits),
    };

    // The widest for which this processor has the instructions.
    internal static int WidestVectors => Avx512BW.IsSupported ? 512 : Avx2.IsSupported ? 256 : 0;

    /// <summary>Pixels that are foreground in both lists of runs, which cover so many pixels.</summary>
    /// <remarks>Exactness: equals <see cref="IntersectionAreaScalar"/>. Measured by: SetOperationBenchmarks.</remarks>
    public static long IntersectionArea(ReadOnlySpan<int> a, ReadOnlySpan<int> b, int pixels)
    {
        // What comes before the other mask's first change has no part in it.
        (int headA, int startA) = ChangesBefore(a, b[0], pixels);
        (int headB, int startB) = ChangesBefore(b, a[0], pixels);
        ChangeList changes = CombineChanges<IntersectionOf>(a[headA..^1], startA, b[headB..^1], startB, WidestVectors);
        // Changes come in pairs, start and end; a last one without a partner reaches to the end of the mask.
        ReadOnlySpan<int> found = changes.Span;
        long area = 0;
        for (int i = 0; i + 1 < found.Length; i += 2) area += found[i + 1] - found[i];
        if ((found.Length & 1) != 0) area += pixels - found[^1];
        changes.Free();
        return area;
    }

    // The definition: cut both lists at every run end of either.
    internal static long IntersectionAreaScalar(ReadOnlySpan<int> a, ReadOnlySpan<int> b)
    {
        long area = 0;
        int i = 0, j = 0, leftA = a[0], leftB = b[0];
        while (true)
        {
            while (leftA == 0 && ++i < a.Length) leftA = a[i];
            while (leftB == 0 && ++j < b.Length) leftB = b[j];
            if (i >= a.Length || j >= b.Length) return area;
            int step = Math.Min(leftA, leftB);
            if ((i & j & 1) != 0) area += step;
            leftA -= step;
            leftB -= step;
        }
    }

    // The definition: cut both lists at every run end of either, look the colour of each stretch up, join equal ones.
    internal static int[] CombineScalar(ReadOnlySpan<int> a, ReadOnlySpan<int> b, BooleanOperation operation)
    {
        var runs = new RunBuilder(a.Length + b.Length + 1);
        int i = 0, j = 0, leftA = a[0], leftB = b[0];
        while (true)
        {
            while (leftA == 0 && ++i < a.Length) leftA = a[i];
            while (leftB == 0 && ++j < b.Length) leftB = b[j];
            if (i >= a.Length || j >= b.Length) return runs.ToArrayAndFree();
            int step = Math.Min(leftA, leftB);
            runs.AddStretch(step, (((int)operation >> (((i & 1) << 1) | (j & 1))) & 1) != 0);
            leftA -= step;
            leftB -= step;
        }
    }

    // Before the first change of one mask, and behind its last, it keeps its colour: there the result has the runs of the
    // other mask, or none of them. Only what lies between is merged.
    private static int[] Combine<TOperation>(ReadOnlySpan<int> a, ReadOnlySpan<int> b, int pixels, int vectorBits)
        where TOperation : IOperation
    {
        (int headA, int startA) = ChangesBefore(a, b[0], pixels);
        (int headB, int startB) = ChangesBefore(b, a[0], pixels);
        (int endA, int lastA) = ChangesUpTo(a, headA, b.Length == 1 ? -1 : pixels - b[^1], pixels);
        (int endB, int lastB) = ChangesUpTo(b, headB, a.Length == 1 ? -1 : pixels - a[^1], pixels);
        ReadOnlySpan<int> head = [], tail = [];
        if (headA > 0 && TOperation.FollowsA(false)) head = a[..headA];
        if (headB > 0 && TOperation.FollowsB(false)) head = b[..headB];
        if (endA < a.Length - 1 && TOperation.FollowsA((b.Length & 1) == 0)) tail = a[endA..];
        if (endB < b.Length - 1 && TOperation.FollowsB((a.Length & 1) == 0)) tail = b[endB..];

        ChangeList middle = endA > headA || endB > headB
            ? CombineChanges<TOperation>(a[headA..endA], startA, b[headB..endB], startB, vectorBits) : default;
        int[] runs = GC.AllocateUninitializedArray<int>(head.Length + middle.Span.Length + Math.Max(1, tail.Length));
        head.CopyTo(runs);
        int position = head.IsEmpty ? 0 : headA > 0 ? startA : startB;
        WriteDifferences(middle.Span, position, runs.AsSpan(head.Length));
        if (!middle.Span.IsEmpty) position = middle.Span[^1];
        Span<int> rest = runs.AsSpan(head.Length + middle.Span.Length);
        tail.CopyTo(rest);
        // The run that reaches from one part to the next, or to the end of the mask.
        rest[0] = (tail.IsEmpty ? pixels : tail[0] + (endA < a.Length - 1 ? lastA : lastB)) - position;
        middle.Free();
        return runs;
    }

    // The changes before a position, or some fewer, an even number of them: the mask is background again; and where the last
    // of them is.
    private static (int Count, int Last) ChangesBefore(ReadOnlySpan<int> counts, int position, int pixels)
    {
        if (counts[0] >= position) return (0, 0);
        int changes = counts.Length - 1, i = 0, last = 0;
        if ((changes & 1) == 0 && pixels - counts[^1] < position) return (changes, pixels - counts[^1]);
        ref int first = ref MemoryMarshal.GetReference(counts);
        for (int sum; i <= changes - 8; i += 8, last += sum)
        {
            sum = Vector256.Sum(Vector256.LoadUnsafe(ref first, (nuint)i));
            if (last + sum >= position) break;
        }

        for (int sum; i <= changes - 2; i += 2, last += sum)
        {
            sum = counts[i] + counts[i + 1];
            if (last + sum >= position) break;
        }

        return (i, last);
    }

    // The changes up to a position, and where the last of them is; those before the first given are among them.
    private static (int Count, int Last) ChangesUpTo(ReadOnlySpan<int> counts, int first, int position, int pixels)
    {
        int i = counts.Length - 1, last = pixels - counts[i];
        if (i > 0 && first == 0 && counts[0] > position) return (0, 0);
        ref int start = ref MemoryMarshal.GetReference(counts);
        for (int sum; i >= first + 8; i -= 8, last -= sum)
        {
            sum = Vector256.Sum(Vector256.LoadUnsafe(ref start, (nuint)i - 8));
            if (last - sum <= position) break;
        }

        while (i > first && last > position) last -= counts[--i];
        return (i, last);
    }

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

    // Where the runs end; then positions that never come.
    private static void WritePositions(ReadOnlySpan<int> counts, int start, Span<int> positions)
    {
        int sum = start, i = 0, changes = counts.Length;
        ref int source = ref MemoryMarshal.GetReference(counts);
        ref int destination = ref MemoryMarshal.GetReference(positions);
        if (Avx512F.IsSupported)
        {
            Vector512<int> before = Vector512.Create(start);
            for (; i <= changes - 16; i += 16)
            {
                // Sums over lanes, doubling the reach. Only the sum of a whole vector is waited for by the next one.
                Vector512<int> v = Vector512.LoadUnsafe(ref source, (nuint)i);
                v += Avx512F.AlignRight32(v, Vector512<int>.Zero, 15);
                v += Avx512F.AlignRight32(v, Vector512<int>.Zero, 14);
                v += Avx512F.AlignRight32(v, Vector512<int>.Zero, 12);
                v += Avx512F.AlignRight32(v, Vector512<int>.Zero, 8);
                (v + before).StoreUnsafe(ref destination, (nuint)i);
                before += Vector512.Shuffle(v, Vector512.Create(15));
            }

            sum = before.ToScalar();
        }
        else if (Vector256.IsHardwareAccelerated)
        {
            // Sums over lanes, doubling the reach, within each half; then the lower half's sum is added to the upper half.
            Vector256<int> before = Vector256.Create(start);
            for (; i <= changes - 8; i += 8)
            {
                Vector256<int> v = Vector256.LoadUnsafe(ref source, (nuint)i);
                v += Vector256.Shuffle(v, Vector256.Create(8, 0, 1, 2, 8, 4, 5, 6));
                v += Vector256.Shuffle(v, Vector256.Create(8, 8, 0, 1, 8, 8, 4, 5));
                v += Vector256.Shuffle(v, Vector256.Create(8, 8, 8, 8, 3, 3, 3, 3));
                (v + before).StoreUnsafe(ref destination, (nuint)i);
                before += Vector256.Shuffle(v, Vector256.Create(7));
            }

            sum = before.ToScalar();
        }

        for (; i < changes; i++) positions[i] = sum += counts[i];
        positions[changes..].Fill(int.MaxValue);
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

    // What the merge must know of an operation; all of it is decided when the code is compiled.
    private interface IOperation
    {
        // The lowest bit is the result's colour when i changes of a and j of b have been passed.
        static abstract int State(int i, int j);

        // Whether the result changes wherever a does, as long as b keeps the colour given; and the other way round.
        static abstract bool FollowsA(bool b);

        static abstract bool FollowsB(bool a);

        // Whether two changes of the same kind always make one of the result.
        static abstract bool IsMonotone { get; }

        // Of a monotone operation: whether the earlier of two starts counts (and the later of two ends).
        static abstract bool StartsEarly { get; }
    }

    private readonly struct UnionOf : IOperation
    {
        public static int State(int i, int j) => i | j;
        public static bool FollowsA(bool b) => !b;
        public static bool FollowsB(bool a) => !a;
        public static bool IsMonotone => true;
        public static bool StartsEarly => true;
    }

    private readonly struct IntersectionOf : IOperation
    {
        public static int State(int i, int j) => i & j;
        public static bool FollowsA(bool b) => b;
        public static bool FollowsB(bool a) => a;
        public static bool IsMonotone => true;
        public static bool StartsEarly => false;
    }

    private readonly struct DifferenceOf : IOperation
    {
        public static int State(int i, int j) => i & ~j;
        public static bool FollowsA(bool b) => !b;
        public static bool FollowsB(bool a) => a;
        public static bool IsMonotone => false;
        public static bool StartsEarly => false;
    }

    private readonly struct SymmetricDifferenceOf : IOperation
    {
        public static int State(int i, int j) => i ^ j;
        public static bool FollowsA(bool b) => true;
        public static bool FollowsB(bool a) => true;
        public static bool IsMonotone => false;
        public static bool StartsEarly => false;
    }

    /// <summary>The runs of the opposite of a mask.</summary>
    public static int[] Complement(ReadOnlySpan<int> counts)
    {
        // A first run of length 0 falls away; otherwise one is put in front.
        if (counts[0] == 0) return counts[1..].ToArray();
        var runs = new int[counts.Length + 1];
        counts.CopyTo(runs.AsSpan(1));
        return runs;
    }

    /// <summary>Calls back for every piece of foreground: a run cut at the ends of columns.</summary>
    /// <param name="counts">Canonical runs.</param>
    /// <param name="height">Pixels in a column.</param>
    /// <param name="visitor">Gets column, first row and one past the last row; columns rise, then rows.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void VisitPieces<TVisitor>(ReadOnlySpan<int> counts, int height, ref TVisitor visitor)
        where TVisitor : struct, IPieceVisitor, allows ref struct
    {
        // Position as column and row; one division for a run that goes over more than two columns, none for the others.
        int column = 0, row = 0;
        for (int i = 0; i < counts.Length; i++)
        {
            int run = counts[i];
            if ((i & 1) == 0)
            {
                row += run;
                if (row >= height) NextColumn(ref column, ref row, height);
                continue;
            }

            while (run > height - row)
            {
                visitor.Visit(column, row, height);
                run -= height - row;
                row = 0;
                column++;
            }

            visitor.Visit(column, row, row + run);
            row += run;
            if (row == height)
            {
                row = 0;
                column++;
            }
        }
    }
}

/// <summary>Takes the pieces of <see cref="RleKernels.VisitPieces"/>.</summary>
internal interface IPieceVisitor
{
    void Visit(int column, int top, int bottom);
}
