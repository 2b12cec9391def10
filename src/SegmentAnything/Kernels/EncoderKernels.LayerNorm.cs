using System.Runtime.CompilerServices;

namespace SegmentAnything.Kernels;

/// <content>Layer normalisation of rows, wherever they lie.</content>
internal static unsafe partial class EncoderKernels
{
    /// <summary>Normalises each row over its channels: (x - mean) / sqrt(variance + epsilon) * weight + bias.</summary>
    /// <param name="rows">[row]: where it lies.</param>
    /// <param name="count">Rows.</param>
    /// <param name="channels">Channels there are.</param>
    /// <param name="weight">[channel], with room for a multiple of <see cref="Lanes"/>; null where what follows has weight and bias in it.</param>
    /// <param name="bias">The same.</param>
    /// <param name="epsilon">What is added to the variance.</param>
    /// <param name="result">Receives the rows.</param>
    /// <param name="stride">Floats from one of these to the next.</param>
    /// <remarks>The variance comes from differences to the mean, so that a large mean cancels nothing.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void LayerNorm<TSimd, TVector>(
        float** rows, int count, int channels, float* weight, float* bias, float epsilon, float* result, nint stride)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        int w = TSimd.Width, whole = channels / w * w;
        for (int row = 0; row < count; row++, result += stride)
        {
            float* x = rows[row];
            TVector total = TSimd.Create(0), other = total;
            int i = 0;
            for (; i <= whole - (2 * w); i += 2 * w)
            {
                total = TSimd.Add(total, TSimd.Load(x + i));
                other = TSimd.Add(other, TSimd.Load(x + i + w));
            }

            if (i < whole) total = TSimd.Add(total, TSimd.Load(x + i));
            float sum = TSimd.Sum(TSimd.Add(total, other));
            for (i = whole; i < channels; i++) sum += x[i];
            float mean = sum / channels;
            TVector subtrahend = TSimd.Create(mean), squares = TSimd.Create(0), more = squares;
            for (i = 0; i <= whole - (2 * w); i += 2 * w)
            {
                TVector a = TSimd.Subtract(TSimd.Load(x + i), subtrahend), b = TSimd.Subtract(TSimd.Load(x + i + w), subtrahend);
                squares = TSimd.MultiplyAdd(a, a, squares);
                more = TSimd.MultiplyAdd(b, b, more);
            }

            if (i < whole)
            {
                TVector a = TSimd.Subtract(TSimd.Load(x + i), subtrahend);
                squares = TSimd.MultiplyAdd(a, a, squares);
            }

            float variance = TSimd.Sum(TSimd.Add(squares, more));
            for (i = whole; i < channels; i++) variance += (x[i] - mean) * (x[i] - mean);
            TVector factor = TSimd.Create(1 / MathF.Sqrt((variance / channels) + epsilon));
            for (i = 0; i < channels; i += w)
            {
                TVector normal = TSimd.Multiply(TSimd.Subtract(TSimd.Load(x + i), subtrahend), factor);
                TSimd.Store(weight == null ? normal : TSimd.MultiplyAdd(normal, TSimd.Load(weight + i), TSimd.Load(bias + i)), result + i);
            }
        }
    }
}
