using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace SegmentAnything.Rle.Kernels;

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
}
