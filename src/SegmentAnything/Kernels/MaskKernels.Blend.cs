using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace SegmentAnything.Kernels;

/// <summary>Kernels for mask logits.</summary>
internal static partial class MaskKernels
{
    /// <summary>Interpolates between two rows (or columns): the weights are the same everywhere.</summary>
    /// <param name="first">The row with the first weight.</param>
    /// <param name="firstWeight">Its weight.</param>
    /// <param name="second">The other row, of the same length.</param>
    /// <param name="secondWeight">Its weight.</param>
    /// <param name="destination">As many values; may be one of the rows.</param>
    /// <remarks>
    /// destination[i] = fma(first[i], firstWeight, second[i] * secondWeight): the second product is rounded, the rest fused,
    /// as PyTorch's compiled code does it.
    /// Exactness: every path gives the same bits.
    /// </remarks>
    internal static void Blend(
        ReadOnlySpan<float> first, float firstWeight, ReadOnlySpan<float> second, float secondWeight, Span<float> destination) =>
        SimdDispatch.Run<BlendKernel, int>(new(first, firstWeight, second, secondWeight, destination));

    internal static void BlendScalar(
        ReadOnlySpan<float> first, float firstWeight, ReadOnlySpan<float> second, float secondWeight, Span<float> destination)
    {
        for (int i = 0; i < first.Length; i++)
            destination[i] = MathF.FusedMultiplyAdd(first[i], firstWeight, second[i] * secondWeight);
    }

    // Returns how many values it wrote; the rest, less than a vector, is the caller's.
    internal static int Blend<TSimd, TVector>(
        ReadOnlySpan<float> first, float firstWeight, ReadOnlySpan<float> second, float secondWeight, Span<float> destination)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        ref float a = ref MemoryMarshal.GetReference(first);
        ref float b = ref MemoryMarshal.GetReference(second[..first.Length]);
        ref float output = ref MemoryMarshal.GetReference(destination[..first.Length]);
        TVector weightA = TSimd.Create(firstWeight), weightB = TSimd.Create(secondWeight);
        int i = 0;
        for (; i + TSimd.Width <= first.Length; i += TSimd.Width)
        {
            TVector product = TSimd.Multiply(TSimd.Load(ref b, (nuint)i), weightB);
            TSimd.Store(TSimd.FusedMultiplyAdd(TSimd.Load(ref a, (nuint)i), weightA, product), ref output, (nuint)i);
        }

        return i;
    }

    private readonly ref struct BlendKernel(
        ReadOnlySpan<float> first, float firstWeight, ReadOnlySpan<float> second, float secondWeight, Span<float> destination)
        : ISimdKernel<int>
    {
        private readonly ReadOnlySpan<float> _first = first, _second = second;
        private readonly Span<float> _destination = destination;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public int Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct
        {
            int done = Blend<TSimd, TVector>(_first, firstWeight, _second, secondWeight, _destination);
            if (done < _first.Length) BlendScalar(_first[done..], firstWeight, _second[done..], secondWeight, _destination[done..]);
            return _first.Length;
        }

        public int RunScalar()
        {
            BlendScalar(_first, firstWeight, _second, secondWeight, _destination);
            return _first.Length;
        }
    }
}
