using System.Runtime.CompilerServices;

namespace SegmentAnything.Kernels;

/// <content>The last step of upscaling: GELU, and the product with the mask tokens' weights.</content>
internal static unsafe partial class DecoderKernels
{
    /// <summary>Masks that <see cref="GeluMaskProduct"/> gives at once, at most.</summary>
    public const int MostMasks = 4;

    /// <summary>GELU of a tile's values, in place.</summary>
    /// <param name="x">[row][TileTokens].</param>
    /// <param name="rows">Rows.</param>
    /// <param name="geluTable"><see cref="GeluTable"/>, aligned.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void GeluTile<TSimd, TVector>(float* x, int rows, float* geluTable)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        nint w = TSimd.Width;
        for (nint i = 0; i < rows * (nint)TileTokens; i += 3 * w)
        {
            StoreThree<TSimd, TVector>(
                Gelu<TSimd, TVector>(TSimd.Load(x + i), geluTable), Gelu<TSimd, TVector>(TSimd.Load(x + i + w), geluTable),
                Gelu<TSimd, TVector>(TSimd.Load(x + i + (2 * w)), geluTable), x + i);
        }
    }

    /// <summary>masks[m] = sum over channels of hyper[channel, m] * GELU(x[channel]), for every sub-pixel of a tile.</summary>
    /// <param name="x">[sub-pixel][channel][TileTokens].</param>
    /// <param name="subpixels">Sub-pixels: 4.</param>
    /// <param name="channels">Channels.</param>
    /// <param name="hyper">[channel][4]: the masks' weights; what is beyond <paramref name="masks"/> is 0.</param>
    /// <param name="masks">Masks that are wanted, 1 to 4.</param>
    /// <param name="geluTable"><see cref="GeluTable"/>, aligned.</param>
    /// <param name="destination">Receives [sub-pixel][TileTokens] a mask.</param>
    /// <param name="maskStride">Floats from one mask of the destination to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void GeluMaskProduct<TSimd, TVector>(
        float* x, int subpixels, int channels, float* hyper, int masks, float* geluTable, float* destination, nint maskStride)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        for (int subpixel = 0; subpixel < subpixels; subpixel++, destination += TileTokens)
        {
            float* source = x + (subpixel * channels * TileTokens);
            for (int lane = 0; lane < TileTokens; lane += 3 * TSimd.Width)
            {
                if (masks == 1) OneMask<TSimd, TVector>(source + lane, channels, hyper, geluTable, destination + lane);
                else SeveralMasks<TSimd, TVector>(source + lane, channels, hyper, masks, geluTable, destination + lane, maskStride);
            }
        }
    }

    // Three vectors beside each other share what is read of the masks' weights. mMV: mask M, vector V.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void SeveralMasks<TSimd, TVector>(float* source, int channels, float* hyper, int masks, float* geluTable, float* destination, nint maskStride)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        nint w = TSimd.Width;
        TVector m00 = TSimd.Create(0), m01 = m00, m02 = m00, m10 = m00, m11 = m00, m12 = m00;
        TVector m20 = m00, m21 = m00, m22 = m00, m30 = m00, m31 = m00, m32 = m00;
        for (int c = 0; c < channels; c++, source += TileTokens, hyper += MostMasks)
        {
            TVector x0 = Gelu<TSimd, TVector>(TSimd.Load(source), geluTable);
            TVector x1 = Gelu<TSimd, TVector>(TSimd.Load(source + w), geluTable);
            TVector x2 = Gelu<TSimd, TVector>(TSimd.Load(source + (2 * w)), geluTable);
            TVector h = TSimd.Create(hyper[0]);
            m00 = TSimd.MultiplyAdd(x0, h, m00);
            m01 = TSimd.MultiplyAdd(x1, h, m01);
            m02 = TSimd.MultiplyAdd(x2, h, m02);
            h = TSimd.Create(hyper[1]);
            m10 = TSimd.MultiplyAdd(x0, h, m10);
            m11 = TSimd.MultiplyAdd(x1, h, m11);
            m12 = TSimd.MultiplyAdd(x2, h, m12);
            h = TSimd.Create(hyper[2]);
            m20 = TSimd.MultiplyAdd(x0, h, m20);
            m21 = TSimd.MultiplyAdd(x1, h, m21);
            m22 = TSimd.MultiplyAdd(x2, h, m22);
            if (masks < MostMasks) continue;
            h = TSimd.Create(hyper[3]);
            m30 = TSimd.MultiplyAdd(x0, h, m30);
            m31 = TSimd.MultiplyAdd(x1, h, m31);
            m32 = TSimd.MultiplyAdd(x2, h, m32);
        }

        StoreThree<TSimd, TVector>(m00, m01, m02, destination);
        StoreThree<TSimd, TVector>(m10, m11, m12, destination + maskStride);
        if (masks > 2) StoreThree<TSimd, TVector>(m20, m21, m22, destination + (2 * maskStride));
        if (masks > 3) StoreThree<TSimd, TVector>(m30, m31, m32, destination + (3 * maskStride));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void OneMask<TSimd, TVector>(float* source, int channels, float* hyper, float* geluTable, float* destination)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        nint w = TSimd.Width;
        TVector m0 = TSimd.Create(0), m1 = m0, m2 = m0;
        for (int c = 0; c < channels; c++, source += TileTokens, hyper += MostMasks)
        {
            TVector h = TSimd.Create(hyper[0]);
            m0 = TSimd.MultiplyAdd(Gelu<TSimd, TVector>(TSimd.Load(source), geluTable), h, m0);
            m1 = TSimd.MultiplyAdd(Gelu<TSimd, TVector>(TSimd.Load(source + w), geluTable), h, m1);
            m2 = TSimd.MultiplyAdd(Gelu<TSimd, TVector>(TSimd.Load(source + (2 * w)), geluTable), h, m2);
        }

        StoreThree<TSimd, TVector>(m0, m1, m2, destination);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreThree<TSimd, TVector>(TVector v0, TVector v1, TVector v2, float* destination)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        TSimd.Store(v0, destination);
        TSimd.Store(v1, destination + TSimd.Width);
        TSimd.Store(v2, destination + (2 * TSimd.Width));
    }
}
