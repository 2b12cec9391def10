using System.Runtime.CompilerServices;

namespace SegmentAnything.Kernels;

/// <content>Softmax of attention's scores, whose division is left for the result: it is much smaller.</content>
internal static unsafe partial class EncoderKernels
{
    /// <summary>A score that stands for none: far below every real one, and its difference to them is finite.</summary>
    public const float NoScore = -1e30f;

    /// <summary>Replaces scores, to the base 2, by powers of their difference to the row's largest.</summary>
    /// <param name="scores">rows x columns; columns that do not count hold <see cref="NoScore"/>.</param>
    /// <param name="stride">Floats from one row to the next.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">A multiple of the vector's width.</param>
    /// <param name="factors">[row]: receives 1 / sum of the powers, which makes a softmax of them.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void SoftmaxPowers<TSimd, TVector>(float* scores, nint stride, int rows, int columns, float* factors)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        for (int row = 0; row < rows; row++, scores += stride)
        {
            TVector max = TSimd.Load(scores);
            for (int i = TSimd.Width; i < columns; i += TSimd.Width) max = TSimd.Max(max, TSimd.Load(scores + i));
            TVector subtrahend = TSimd.Create(DecoderKernels.LargestLane<TSimd, TVector>(max)), total = TSimd.Create(0);
            for (int i = 0; i < columns; i += TSimd.Width)
            {
                TVector power = DecoderKernels.Exp2<TSimd, TVector>(TSimd.Subtract(TSimd.Load(scores + i), subtrahend));
                total = TSimd.Add(total, power);
                TSimd.Store(power, scores + i);
            }

            factors[row] = 1 / TSimd.Sum(total);
        }
    }

    /// <summary>Multiplies each row by a factor of its own, in place.</summary>
    /// <param name="rows">[row]: where it lies.</param>
    /// <param name="offset">Is added to each of these addresses.</param>
    /// <param name="count">Rows.</param>
    /// <param name="columns">A multiple of the vector's width.</param>
    /// <param name="factors">[row].</param>
    public static void ScaleRows<TSimd, TVector>(float** rows, nint offset, int count, int columns, float* factors)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        for (int row = 0; row < count; row++)
        {
            float* at = rows[row] + offset;
            TVector factor = TSimd.Create(factors[row]);
            for (int i = 0; i < columns; i += TSimd.Width) TSimd.Store(TSimd.Multiply(TSimd.Load(at + i), factor), at + i);
        }
    }
}
