using System.Runtime.CompilerServices;

namespace SegmentAnything.Kernels;

/// <content>Softmax of the image-to-token attention: over prompt tokens, which are rows of a tile.</content>
internal static unsafe partial class DecoderKernels
{
    /// <summary>For every head and image token, the softmax of the scores over the prompt tokens.</summary>
    /// <param name="scores">[head][at least <paramref name="tokens"/> rows][TileTokens], to the base 2.</param>
    /// <param name="scoreRows">Rows of scores a head has, padding included.</param>
    /// <param name="heads">Heads.</param>
    /// <param name="tokens">Prompt tokens, at least one.</param>
    /// <param name="weights">Receives [head][tokens][TileTokens]; may be <paramref name="scores"/>.</param>
    /// <remarks>weights[h, t, i] = 2^scores[h, t, i] / sum over s of 2^scores[h, s, i], after subtracting the largest.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void SoftmaxHeads<TSimd, TVector>(float* scores, int scoreRows, int heads, int tokens, float* weights)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        for (int head = 0; head < heads; head++)
        {
            for (int lane = 0; lane < TileTokens; lane += TSimd.Width)
            {
                float* source = scores + (head * scoreRows * TileTokens) + lane;
                float* target = weights + (head * tokens * TileTokens) + lane;
                TVector max = TSimd.Load(source);
                for (int t = 1; t < tokens; t++) max = TSimd.Max(max, TSimd.Load(source + (t * TileTokens)));
                TVector sum = TSimd.Create(0);
                for (int t = 0; t < tokens; t++)
                {
                    TVector power = Exp2<TSimd, TVector>(TSimd.Subtract(TSimd.Load(source + (t * TileTokens)), max));
                    sum = TSimd.Add(sum, power);
                    TSimd.Store(power, target + (t * TileTokens));
                }

                TVector scale = TSimd.Divide(TSimd.Create(1), sum);
                for (int t = 0; t < tokens; t++)
                    TSimd.Store(TSimd.Multiply(TSimd.Load(target + (t * TileTokens)), scale), target + (t * TileTokens));
            }
        }
    }
}
