using System.Runtime.CompilerServices;

namespace SegmentAnything.Kernels;

/// <content>
/// Softmax of the token-to-image attention: over image tokens, which arrive tile by tile. Powers are taken relative to a
/// reference that stands in for the largest score; only when a score exceeds it by <see cref="Headroom"/> are the
/// reference raised and the earlier sums scaled down, so that this happens hardly ever and every number stays finite.
/// </content>
internal static unsafe partial class DecoderKernels
{
    /// <summary>2^40 times 4096 terms is far from float's 2^127, and small enough never to matter for precision.</summary>
    private const float Headroom = 40;

    /// <summary>One tile's part of the softmax whose sequences are columns: 2^(score - reference) in place, and their sums.</summary>
    /// <param name="scores">[image token][column], to the base 2; receives the powers.</param>
    /// <param name="stride">Floats from one row of scores to the next, and of <paramref name="accumulated"/>.</param>
    /// <param name="tokens">Image tokens in the tile, at least one.</param>
    /// <param name="columns">Sequences; a multiple of the vector's width.</param>
    /// <param name="reference">[column]; set by the first tile, raised when needed.</param>
    /// <param name="sum">[column]; set by the first tile, grows.</param>
    /// <param name="accumulated">[row][column]: what the earlier powers were multiplied into; scaled with the sums.</param>
    /// <param name="accumulatedRows">Rows of it.</param>
    /// <param name="first">Is this the first tile? Then nothing earlier is read.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void RunningSoftmaxColumns<TSimd, TVector>(
        float* scores, nint stride, int tokens, int columns, float* reference, float* sum, float* accumulated, int accumulatedRows, bool first)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        for (int column = 0; column < columns; column += TSimd.Width)
        {
            float* source = scores + column;
            TVector max = TSimd.Load(source);
            for (int i = 1; i < tokens; i++) max = TSimd.Max(max, TSimd.Load(source + (i * stride)));
            TVector origin, total;
            if (first)
            {
                origin = max;
                total = TSimd.Create(0);
                TSimd.Store(origin, reference + column);
            }
            else
            {
                origin = TSimd.Load(reference + column);
                total = TSimd.Load(sum + column);
                if (TSimd.GreaterThanAny(max, TSimd.Add(origin, TSimd.Create(Headroom))))
                {
                    TVector raised = TSimd.Max(max, origin);
                    TVector scale = Exp2<TSimd, TVector>(TSimd.Subtract(origin, raised));
                    for (int row = 0; row < accumulatedRows; row++)
                    {
                        float* target = accumulated + (row * stride) + column;
                        TSimd.Store(TSimd.Multiply(TSimd.Load(target), scale), target);
                    }

                    total = TSimd.Multiply(total, scale);
                    origin = raised;
                    TSimd.Store(origin, reference + column);
                }
            }

            for (int i = 0; i < tokens; i++)
            {
                TVector power = Exp2<TSimd, TVector>(TSimd.Subtract(TSimd.Load(source + (i * stride)), origin));
                total = TSimd.Add(total, power);
                TSimd.Store(power, source + (i * stride));
            }

            TSimd.Store(total, sum + column);
        }
    }

    /// <summary>The same where the sequences are rows.</summary>
    /// <param name="scores">[row][TileTokens], to the base 2; receives the powers, 0 from <paramref name="tokens"/> on.</param>
    /// <param name="rows">Sequences.</param>
    /// <param name="tokens">Image tokens in the tile, at least one.</param>
    /// <param name="reference">[row]; set by the first tile, raised when needed.</param>
    /// <param name="sum">[row]; set by the first tile, grows.</param>
    /// <param name="accumulated">[row][column]: what the earlier powers were multiplied into; scaled with the sums.</param>
    /// <param name="accumulatedColumns">Floats in a row of it, a multiple of the vector's width.</param>
    /// <param name="first">Is this the first tile? Then nothing earlier is read.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void RunningSoftmaxRows<TSimd, TVector>(
        float* scores, int rows, int tokens, float* reference, float* sum, float* accumulated, int accumulatedColumns, bool first)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        for (int row = 0; row < rows; row++, scores += TileTokens)
        {
            // Scores beyond the picture count as none: far below every real one.
            for (int i = tokens; i < TileTokens; i++) scores[i] = float.MinValue;
            TVector max = TSimd.Load(scores);
            for (int i = TSimd.Width; i < TileTokens; i += TSimd.Width) max = TSimd.Max(max, TSimd.Load(scores + i));
            float origin;
            if (first)
            {
                origin = LargestLane<TSimd, TVector>(max);
                sum[row] = 0;
            }
            else
            {
                origin = reference[row];
                if (TSimd.GreaterThanAny(max, TSimd.Create(origin + Headroom)))
                {
                    float raised = Math.Max(origin, LargestLane<TSimd, TVector>(max));
                    float scale = float.Exp2(origin - raised);
                    for (int i = 0; i < accumulatedColumns; i++) accumulated[(row * accumulatedColumns) + i] *= scale;
                    sum[row] *= scale;
                    origin = raised;
                }
            }

            reference[row] = origin;
            TVector subtrahend = TSimd.Create(origin), total = TSimd.Create(0);
            for (int i = 0; i < TileTokens; i += TSimd.Width)
            {
                TVector power = Exp2<TSimd, TVector>(TSimd.Subtract(TSimd.Load(scores + i), subtrahend));
                total = TSimd.Add(total, power);
                TSimd.Store(power, scores + i);
            }

            // The powers beyond the picture are 2^-125 each; the sum does not see them, and the product must not.
            for (int i = tokens; i < TileTokens; i++) scores[i] = 0;
            sum[row] += TSimd.Sum(total);
        }
    }

    private static float LargestLane<TSimd, TVector>(TVector value)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        float* lanes = stackalloc float[16];
        TSimd.Store(value, lanes);
        float max = lanes[0];
        for (int i = 1; i < TSimd.Width; i++) max = Math.Max(max, lanes[i]);
        return max;
    }
}
