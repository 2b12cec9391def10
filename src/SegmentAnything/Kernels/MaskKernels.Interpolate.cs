using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

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
        SimdDispatch.Run<InterpolateKernel, int>(new(source, axis, start, count, destination));
    }

    internal static void InterpolateScalar(ReadOnlySpan<float> source, InterpolationAxis axis, int start, int count, Span<float> destination)
    {
        for (int i = start; i < start + count; i++)
        {
            destination[i] = MathF.FusedMultiplyAdd(
                source[axis.First[i]], axis.FirstWeight[i], source[axis.Second[i]] * axis.SecondWeight[i]);
        }
    }

    internal static void Interpolate<TSimd, TVector>(ReadOnlySpan<float> source, InterpolationAxis axis, int start, int count, Span<float> destination)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        ref float input = ref MemoryMarshal.GetReference(source);
        ref float output = ref MemoryMarshal.GetReference(destination);
        InterpolationTables tables = new(axis, TSimd.Width);
        for (int i = start; i < start + count; i += TSimd.Width)
            TSimd.Store(Interpolate<TSimd, TVector>(ref input, tables, i), ref output, (nuint)i);
    }

    // One vector of outputs. Where they read few enough neighbouring positions (enlarging), these are loaded at once and permuted.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Interpolate<TSimd, TVector>(ref float source, in InterpolationTables axis, int i)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        TVector weightB = TSimd.Load(ref axis.SecondWeight, (nuint)i);
        TVector a, b;
        if (TSimd.Width > 4 && axis.IsNear)
        {
            TVector window = TSimd.Load(ref source, (nuint)Unsafe.Add(ref axis.First, i));
            a = TSimd.Permute(window, TSimd.Load(ref axis.FirstFromOrigin, (nuint)i));
            b = TSimd.Permute(window, TSimd.Load(ref axis.SecondFromOrigin, (nuint)i));
        }
        else
        {
            ref float origin = ref Unsafe.Add(ref source, TSimd.Width == 4 ? 0 : Unsafe.Add(ref axis.First, i));
            a = TSimd.Gather(ref origin, ref Unsafe.Add(ref axis.FirstFromOrigin, i));
            b = TSimd.Gather(ref origin, ref Unsafe.Add(ref axis.SecondFromOrigin, i));
        }

        return TSimd.FusedMultiplyAdd(a, TSimd.Subtract(TSimd.Create(1f), weightB), TSimd.Multiply(b, weightB));
    }

    // Whether the outputs of a vector read more positions than two vectors have: shrinking to less than a half.
    private static bool IsTooFar<TSimd, TVector>(InterpolationAxis axis)
        where TSimd : ISimd<TVector>
        where TVector : struct => TSimd.Width == 16 && axis.Reach16 > ReadAhead;

    private readonly ref struct InterpolateKernel(
        ReadOnlySpan<float> source, InterpolationAxis axis, int start, int count, Span<float> destination) : ISimdKernel<int>
    {
        private readonly ReadOnlySpan<float> _source = source;
        private readonly Span<float> _destination = destination;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public int Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct
        {
            if (IsTooFar<TSimd, TVector>(axis)) Interpolate<Simd256, Vector256<float>>(_source, axis, start, count, _destination);
            else Interpolate<TSimd, TVector>(_source, axis, start, count, _destination);
            return count;
        }

        public int RunScalar()
        {
            InterpolateScalar(_source, axis, start, count, _destination);
            return count;
        }
    }

    /// <summary>
    /// An axis' tables, taken out of it before a loop: inside, the compiler would fetch each of them anew for every vector.
    /// </summary>
    /// <remarks>The first weight is not among them: it is what the second leaves of 1, as the axis computes it, too.</remarks>
    private readonly ref struct InterpolationTables
    {
        public readonly ref int First, FirstFromOrigin, SecondFromOrigin;
        public readonly ref float SecondWeight;

        /// <summary>Whether the outputs of a vector read no more positions than a vector has.</summary>
        public readonly bool IsNear;

        /// <param name="axis">The axis.</param>
        /// <param name="lanes">Outputs of a vector: 4, 8 or 16.</param>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public InterpolationTables(InterpolationAxis axis, int lanes)
        {
            First = ref MemoryMarshal.GetArrayDataReference(axis.First);
            FirstFromOrigin = ref MemoryMarshal.GetArrayDataReference(lanes == 16 ? axis.FirstOf16 : lanes == 8 ? axis.FirstOf8 : axis.First);
            SecondFromOrigin = ref MemoryMarshal.GetArrayDataReference(lanes == 16 ? axis.SecondOf16 : lanes == 8 ? axis.SecondOf8 : axis.Second);
            SecondWeight = ref MemoryMarshal.GetArrayDataReference(axis.SecondWeight);
            IsNear = (lanes == 16 ? axis.Reach16 : axis.Reach8) <= lanes;
        }
    }
}
