using System.Runtime.CompilerServices;

namespace SegmentAnything.Kernels;

/// <content>
/// Softmax over keys that arrive tile by tile. Powers are taken relative to a reference that stands in for the largest score; only
/// when a score exceeds it by <see cref="Headroom"/> are the reference raised and the earlier sums scaled down.
/// </content>
internal static unsafe partial class EncoderKernels
{
    /// <summary>2^40 times 2^20 keys is far from float's 2^127, and small enough never to matter for precision.</summary>
    private const float Headroom = 40;

    /// <summary>Replaces a tile's scores, to the base 2, by powers of their difference to the row's reference.</summary>
    /// <param name="scores">rows x columns; columns that do not count hold <see cref="NoScore"/>.</param>
    /// <param name="stride">Floats from one row to the next.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">A multiple of the vector's width.</param>
    /// <param name="first">Is this the first tile? Then nothing earlier is read.</param>
    /// <param name="reference">[row]: set by the first tile, raised when needed.</param>
    /// <param name="sum">[row]: set by the first tile, grows.</param>
    /// <param name="rescale">[row]: where a reference was raised, what earlier results must be multiplied with; 1 elsewhere.</param>
    /// <returns>Was any reference raised? If not, <paramref name="rescale"/> says nothing.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool RunningSoftmax<TSimd, TVector>(
        float* scores, nint stride, int rows, int columns, bool first, float* reference, float* sum, float* rescale)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        bool raised = false;
        for (int row = 0; row < rows; row++, scores += stride)
        {
            TVector max = TSimd.Load(scores);
            for (int i = TSimd.Width; i < columns; i += TSimd.Width) max = TSimd.Max(max, TSimd.Load(scores + i));
            float origin;
            if (first)
            {
                reference[row] = origin = DecoderKernels.LargestLane<TSimd, TVector>(max);
                sum[row] = 0;
            }
            else
            {
                origin = reference[row];
                if (TSimd.GreaterThanAny(max, TSimd.Create(origin + Headroom)))
                {
                    if (!raised) new Span<float>(rescale, rows).Fill(1);
                    raised = true;
                    float largest = DecoderKernels.LargestLane<TSimd, TVector>(max);
                    rescale[row] = float.Exp2(origin - largest);
                    sum[row] *= rescale[row];
                    reference[row] = origin = largest;
                }
            }

            TVector subtrahend = TSimd.Create(origin), total = TSimd.Create(0);
            for (int i = 0; i < columns; i += TSimd.Width)
            {
                TVector power = DecoderKernels.Exp2<TSimd, TVector>(TSimd.Subtract(TSimd.Load(scores + i), subtrahend));
                total = TSimd.Add(total, power);
                TSimd.Store(power, scores + i);
            }

            sum[row] += TSimd.Sum(total);
        }

        return raised;
    }
}
