using System.Runtime.CompilerServices;

namespace SegmentAnything.Kernels;

/// <content>Softmax of the image-to-token attention: over prompt tokens, which are rows of a tile.</content>
internal static unsafe partial class DecoderKernels
{
    /// <summary>For every head and image token, the softmax of the scores over the prompt tokens.</summary>
    /// <param name="scores">[head][tokens][TileTokens], to the base 2 and still without their factor.</param>
    /// <param name="heads">Heads.</param>
    /// <param name="tokens">Prompt tokens, at least one.</param>
    /// <param name="factor">[TileTokens]: what an image token's scores are multiplied with.</param>
    /// <param name="total">[TileTokens]: what an image token's weights sum to for every head.</param>
    /// <param name="omitted">How many of the first tokens' weights are left out: 0 or 1. It is what is missing to the total.</param>
    /// <param name="weights">Receives [head][tokens - omitted][TileTokens]; may be <paramref name="scores"/>.</param>
    /// <remarks>
    /// The factor is positive, so that the largest score stays the largest.
    /// weights[h, t, i] = total[i] * 2^(factor[i] * scores[h, t, i]) / sum over s of 2^(factor[i] * scores[h, s, i]).
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void SoftmaxHeads<TSimd, TVector>(
        float* scores, int heads, int tokens, float* factor, float* total, int omitted, float* weights)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        for (int lane = 0; lane < TileTokens; lane += TSimd.Width)
        {
            TVector times = TSimd.Load(factor + lane), share = TSimd.Load(total + lane);
            for (int head = 0; head < heads; head++)
            {
                float* source = scores + (head * tokens * TileTokens) + lane;
                float* target = weights + (head * (tokens - omitted) * TileTokens) + lane;
                TVector max = TSimd.Load(source);
                for (int t = 1; t < tokens; t++) max = TSimd.Max(max, TSimd.Load(source + (t * TileTokens)));
                TVector sum = TSimd.Create(0);
                if (omitted > 0) sum = Exp2<TSimd, TVector>(TSimd.Multiply(TSimd.Subtract(TSimd.Load(source), max), times));
                source += omitted * TileTokens;
                for (int t = 0; t < tokens - omitted; t++)
                {
                    TVector power = Exp2<TSimd, TVector>(TSimd.Multiply(TSimd.Subtract(TSimd.Load(source + (t * TileTokens)), max), times));
                    sum = TSimd.Add(sum, power);
                    TSimd.Store(power, target + (t * TileTokens));
                }

                TVector scale = TSimd.Divide(share, sum);
                for (int t = 0; t < tokens - omitted; t++)
                    TSimd.Store(TSimd.Multiply(TSimd.Load(target + (t * TileTokens)), scale), target + (t * TileTokens));
            }
        }
    }
}
