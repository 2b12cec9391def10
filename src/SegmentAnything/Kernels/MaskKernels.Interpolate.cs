using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace SegmentAnything.Kernels;

/// <content>Resizes one row, or one column.</content>
internal static partial class MaskKernels
{
    /// <summary>Values that must be readable (whatever they are) beyond the last source position of an interpolation.</summary>
    internal const int ReadAhead = 32;

    /// <summary>Interpolates along a row (or column): each output has its own neighbours and weights.</summary>
    /// <param name="source">Its positions, and <see cref="ReadAhead"/> values more.</param>
    /// <param name="axis">Neighbours and weights.</param>
    /// <param name="start">The first output that is wanted, a multiple of 16.</param>
    /// <param name="count">How many are wanted, a multiple of 16.</param>
    /// <param name="destination">Output i is written to destination[i].</param>
    /// <remarks>
    /// destination[i] = fma(source[first], firstWeight, source[second] * secondWeight), as <see cref="Blend"/>.
    /// Exactness: every path gives the same bits.
    /// </remarks>
    internal static void Interpolate(ReadOnlySpan<float> source, InterpolationAxis axis, int start, int count, Span<float> destination)
    {
        Debug.Assert(start % 16 == 0 && count % 16 == 0 && start + count <= axis.First.Length, "Whole vectors only.");
        ArgumentOutOfRangeException.ThrowIfLessThan(source.Length, axis.SourceLength + ReadAhead, nameof(source));
        ArgumentOutOfRangeException.ThrowIfLessThan(destination.Length, start + count, nameof(destination));
        ref float input = ref MemoryMarshal.GetReference(source);
        ref float output = ref MemoryMarshal.GetReference(destination);
        int end = start + count;
        if (Vector512.IsHardwareAccelerated && Avx512F.IsSupported && axis.Reach16 <= ReadAhead)
        {
            InterpolationTables tables = new(axis, Vector512<float>.Count);
            for (int i = start; i < end; i += Vector512<float>.Count)
                InterpolateVector512(ref input, tables, i).StoreUnsafe(ref output, (nuint)i);
        }
        else if (Vector256.IsHardwareAccelerated && Avx2.IsSupported)
        {
            InterpolationTables tables = new(axis, Vector256<float>.Count);
            for (int i = start; i < end; i += Vector256<float>.Count)
                InterpolateVector256(ref input, tables, i).StoreUnsafe(ref output, (nuint)i);
        }
        else if (Vector128.IsHardwareAccelerated)
        {
            InterpolationTables tables = new(axis, Vector128<float>.Count);
            for (int i = start; i < end; i += Vector128<float>.Count)
                InterpolateVector128(ref input, tables, i).StoreUnsafe(ref output, (nuint)i);
        }
        else
        {
            InterpolateScalar(source, axis, start, count, destination);
        }
    }

    internal static void InterpolateScalar(ReadOnlySpan<float> source, InterpolationAxis axis, int start, int count, Span<float> destination)
    {
        for (int i = start; i < start + count; i++)
        {
            destination[i] = MathF.FusedMultiplyAdd(
                source[axis.First[i]], axis.FirstWeight[i], source[axis.Second[i]] * axis.SecondWeight[i]);
        }
    }

    // Four neighbours picked one by one: there is no cheap lookup at this width.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<float> InterpolateVector128(ref float source, in InterpolationTables axis, int i)
    {
        ref int first = ref Unsafe.Add(ref axis.First, i);
        ref int second = ref Unsafe.Add(ref axis.Second, i);
        Vector128<float> a = Vector128.Create(
            Unsafe.Add(ref source, first), Unsafe.Add(ref source, Unsafe.Add(ref first, 1)),
            Unsafe.Add(ref source, Unsafe.Add(ref first, 2)), Unsafe.Add(ref source, Unsafe.Add(ref first, 3)));
        Vector128<float> b = Vector128.Create(
            Unsafe.Add(ref source, second), Unsafe.Add(ref source, Unsafe.Add(ref second, 1)),
            Unsafe.Add(ref source, Unsafe.Add(ref second, 2)), Unsafe.Add(ref source, Unsafe.Add(ref second, 3)));
        Vector128<float> weightB = Vector128.LoadUnsafe(ref axis.SecondWeight, (nuint)i);
        return Vector128.FusedMultiplyAdd(a, Vector128<float>.One - weightB, b * weightB);
    }

    // Where 8 outputs read at most 8 neighbouring positions (enlarging), these are loaded at once and permuted;
    // otherwise (shrinking) they are gathered.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static unsafe Vector256<float> InterpolateVector256(ref float source, in InterpolationTables axis, int i)
    {
        Vector256<float> weightB = Vector256.LoadUnsafe(ref axis.SecondWeight, (nuint)i);
        Vector256<float> a, b;
        if (axis.IsNear)
        {
            Vector256<float> window = Vector256.LoadUnsafe(ref source, (nuint)Unsafe.Add(ref axis.First, i));
            a = Avx2.PermuteVar8x32(window, Vector256.LoadUnsafe(ref axis.FirstInGroup, (nuint)i));
            b = Avx2.PermuteVar8x32(window, Vector256.LoadUnsafe(ref axis.SecondInGroup, (nuint)i));
        }
        else
        {
            fixed (float* pinned = &source)
            {
                a = Avx2.GatherVector256(pinned, Vector256.LoadUnsafe(ref axis.First, (nuint)i), sizeof(float));
                b = Avx2.GatherVector256(pinned, Vector256.LoadUnsafe(ref axis.Second, (nuint)i), sizeof(float));
            }
        }

        return Vector256.FusedMultiplyAdd(a, Vector256<float>.One - weightB, b * weightB);
    }

    // 16 outputs read at most 16 neighbouring positions (enlarging: one load), or at most 32 (shrinking to a half: two).
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector512<float> InterpolateVector512(ref float source, in InterpolationTables axis, int i)
    {
        Vector512<int> first = Vector512.LoadUnsafe(ref axis.FirstInGroup, (nuint)i);
        Vector512<int> second = Vector512.LoadUnsafe(ref axis.SecondInGroup, (nuint)i);
        Vector512<float> weightB = Vector512.LoadUnsafe(ref axis.SecondWeight, (nuint)i);
        nuint start = (nuint)Unsafe.Add(ref axis.First, i);
        Vector512<float> window = Vector512.LoadUnsafe(ref source, start);
        Vector512<float> a, b;
        if (axis.IsNear)
        {
            a = Avx512F.PermuteVar16x32(window, first);
            b = Avx512F.PermuteVar16x32(window, second);
        }
        else
        {
            Vector512<float> next = Vector512.LoadUnsafe(ref source, start + (nuint)Vector512<float>.Count);
            a = Avx512F.PermuteVar16x32x2(window, first, next);
            b = Avx512F.PermuteVar16x32x2(window, second, next);
        }

        return Vector512.FusedMultiplyAdd(a, Vector512<float>.One - weightB, b * weightB);
    }

    /// <summary>
    /// An axis' tables, taken out of it before a loop: inside, the compiler would fetch each of them anew for every vector.
    /// </summary>
    /// <remarks>The first weight is not among them: it is what the second leaves of 1, as the axis computes it, too.</remarks>
    internal readonly ref struct InterpolationTables
    {
        public readonly ref int First, Second, FirstInGroup, SecondInGroup;
        public readonly ref float SecondWeight;

        /// <summary>Whether the outputs of a vector read no more positions than a vector has.</summary>
        public readonly bool IsNear;

        /// <param name="axis">The axis.</param>
        /// <param name="lanes">Outputs of a vector: 4, 8 or 16.</param>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public InterpolationTables(InterpolationAxis axis, int lanes)
        {
            First = ref MemoryMarshal.GetArrayDataReference(axis.First);
            Second = ref MemoryMarshal.GetArrayDataReference(axis.Second);
            FirstInGroup = ref MemoryMarshal.GetArrayDataReference(lanes == 16 ? axis.FirstOf16 : axis.FirstOf8);
            SecondInGroup = ref MemoryMarshal.GetArrayDataReference(lanes == 16 ? axis.SecondOf16 : axis.SecondOf8);
            SecondWeight = ref MemoryMarshal.GetArrayDataReference(axis.SecondWeight);
            IsNear = (lanes == 16 ? axis.Reach16 : axis.Reach8) <= lanes;
        }
    }
}
