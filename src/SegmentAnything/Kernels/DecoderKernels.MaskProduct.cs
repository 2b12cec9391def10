using System.Runtime.CompilerServices;

namespace SegmentAnything.Kernels;

/// <content>The last step of upscaling: GELU, and the product with the mask tokens' weights.</content>
internal static unsafe partial class DecoderKernels
{
    /// <summary>masks[m] = sum over channels of hyper[channel, m] * GELU(x[channel]), for every sub-pixel of a tile.</summary>
    /// <param name="x">[sub-pixel][channel][TileTokens].</param>
    /// <param name="subpixels">Sub-pixels: 4.</param>
    /// <param name="channels">Channels.</param>
    /// <param name="hyper">[channel][4]: the masks' weights; what is beyond <paramref name="masks"/> is 0.</param>
    /// <param name="masks">Masks that are wanted, 1 to 4.</param>
    /// <param name="destination">Receives [sub-pixel][TileTokens] a mask.</param>
    /// <param name="maskStride">Floats from one mask of the destination to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void GeluMaskProduct<TSimd, TVector>(
        float* x, int subpixels, int channels, float* hyper, int masks, float* destination, nint maskStride)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        for (int subpixel = 0; subpixel < subpixels; subpixel++, destination += TileTokens)
        {
            for (int lane = 0; lane < TileTokens; lane += TSimd.Width)
            {
                float* source = x + (subpixel * channels * TileTokens) + lane;
                float* weights = hyper;
                TVector m0 = TSimd.Create(0), m1 = m0, m2 = m0, m3 = m0;
                if (masks == 1)
                {
                    for (int c = 0; c < channels; c++, source += TileTokens, weights += 4)
                        m0 = TSimd.MultiplyAdd(Gelu<TSimd, TVector>(TSimd.Load(source)), TSimd.Create(weights[0]), m0);
                    TSimd.Store(m0, destination + lane);
                    continue;
                }

                for (int c = 0; c < channels; c++, source += TileTokens, weights += 4)
                {
                    TVector value = Gelu<TSimd, TVector>(TSimd.Load(source));
                    m0 = TSimd.MultiplyAdd(value, TSimd.Create(weights[0]), m0);
                    m1 = TSimd.MultiplyAdd(value, TSimd.Create(weights[1]), m1);
                    m2 = TSimd.MultiplyAdd(value, TSimd.Create(weights[2]), m2);
                    m3 = TSimd.MultiplyAdd(value, TSimd.Create(weights[3]), m3);
                }

                TSimd.Store(m0, destination + lane);
                TSimd.Store(m1, destination + maskStride + lane);
                if (masks > 2) TSimd.Store(m2, destination + (2 * maskStride) + lane);
                if (masks > 3) TSimd.Store(m3, destination + (3 * maskStride) + lane);
            }
        }
    }
}
