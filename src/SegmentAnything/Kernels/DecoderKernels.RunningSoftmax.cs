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

    /// <summary>One tile's part of the softmax: powers of its scores, and their sums.</summary>
    /// <param name="scores">[row][TileTokens], to the base 2 and still without their factor; receives the powers times the factor, 0 from <paramref name="tokens"/> on.</param>
    /// <param name="rows">Sequences.</param>
    /// <param name="tokens">Image tokens in the tile, at least one.</param>
    /// <param name="factor">[TileTokens]: what an image token's scores are multiplied with, and then its powers, for what they are summed with.</param>
    /// <param name="reference">[row]; set by the first tile, raised when needed.</param>
    /// <param name="sum">[row]; set by the first tile, grows. The powers count without their factor.</param>
    /// <param name="rescale">[row]; where a reference was raised, what earlier sums must be multiplied with; 1 elsewhere.</param>
    /// <param name="first">Is this the first tile? Then nothing earlier is read.</param>
    /// <returns>Was any reference raised? If not, <paramref name="rescale"/> says nothing.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool RunningSoftmax<TSimd, TVector>(
        float* scores, int rows, int tokens, float* factor, float* reference, float* sum, float* rescale, bool first)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        bool raised = false;
        for (int row = 0; row < rows; row++, scores += TileTokens)
        {
            TVector max = TSimd.Create(float.MinValue);
            for (int i = 0; i < TileTokens; i += TSimd.Width)
            {
                TVector score = TSimd.Multiply(TSimd.Load(scores + i), TSimd.Load(factor + i));
                TSimd.Store(score, scores + i);
                max = TSimd.Max(score, max);
            }

            if (tokens < TileTokens) max = HideRest<TSimd, TVector>(scores, tokens);
            float origin;
            if (first)
            {
                origin = LargestLane<TSimd, TVector>(max);
                reference[row] = origin;
                sum[row] = 0;
            }
            else
            {
                origin = reference[row];
                if (TSimd.GreaterThanAny(max, TSimd.Create(origin + Headroom)))
                {
                    if (!raised) new Span<float>(rescale, rows).Fill(1);
                    raised = true;
                    float largest = Math.Max(origin, LargestLane<TSimd, TVector>(max));
                    rescale[row] = float.Exp2(origin - largest);
                    sum[row] *= rescale[row];
                    reference[row] = origin = largest;
                }
            }

            TVector subtrahend = TSimd.Create(origin), total = TSimd.Create(0);
            for (int i = 0; i < TileTokens; i += TSimd.Width)
            {
                TVector power = Exp2<TSimd, TVector>(TSimd.Subtract(TSimd.Load(scores + i), subtrahend));
                total = TSimd.Add(total, power);
                TSimd.Store(TSimd.Multiply(power, TSimd.Load(factor + i)), scores + i);
            }

            // The powers beyond the picture are 2^-125 each; the sum does not see them, and the product must not.
            for (int i = tokens; i < TileTokens; i++) scores[i] = 0;
            sum[row] += TSimd.Sum(total);
        }

        return raised;
    }

    // Scores beyond the picture count as none: far below every real one. Returns the largest of what is left.
    private static TVector HideRest<TSimd, TVector>(float* scores, int tokens)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        new Span<float>(scores + tokens, TileTokens - tokens).Fill(float.MinValue);
        TVector max = TSimd.Load(scores);
        for (int i = TSimd.Width; i < TileTokens; i += TSimd.Width) max = TSimd.Max(max, TSimd.Load(scores + i));
        return max;
    }

    internal static float LargestLane<TSimd, TVector>(TVector value)
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
