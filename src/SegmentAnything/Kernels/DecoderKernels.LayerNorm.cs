using System.Runtime.CompilerServices;

namespace SegmentAnything.Kernels;

/// <content>Layer normalisation: over the channels of a tile, and over the channels of token rows.</content>
internal static unsafe partial class DecoderKernels
{
    /// <summary>Normalises every image token of a tile over its channels and applies GELU, in place.</summary>
    /// <param name="tile">[channel][TileTokens].</param>
    /// <param name="channels">Channels.</param>
    /// <param name="weight">[channel].</param>
    /// <param name="bias">[channel].</param>
    /// <param name="epsilon">[TileTokens]: what is added to the variance.</param>
    /// <param name="geluTable"><see cref="GeluTable"/>, aligned.</param>
    /// <remarks>
    /// gelu((tile - mean) / sqrt(variance + epsilon) * weight + bias); the variance is divided by the channels. A tile that is
    /// too large by some factor gives the same with an epsilon that is larger by its square.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void LayerNormGeluTile<TSimd, TVector>(
        float* tile, int channels, float* weight, float* bias, float* epsilon, float* geluTable)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        nint w = TSimd.Width;
        for (nint lane = 0; lane < TileTokens; lane += 3 * w)
        {
            ChannelStatistics<TSimd, TVector>(
                tile + lane, channels, epsilon + lane,
                out TVector mean0, out TVector mean1, out TVector mean2, out TVector scale0, out TVector scale1, out TVector scale2);
            for (int c = 0; c < channels; c++)
            {
                float* at = tile + (c * TileTokens) + lane;
                TVector factor = TSimd.Create(weight[c]), shift = TSimd.Create(bias[c]);
                TVector x0 = TSimd.Multiply(TSimd.Subtract(TSimd.Load(at), mean0), scale0);
                TVector x1 = TSimd.Multiply(TSimd.Subtract(TSimd.Load(at + w), mean1), scale1);
                TVector x2 = TSimd.Multiply(TSimd.Subtract(TSimd.Load(at + (2 * w)), mean2), scale2);
                TSimd.Store(Gelu<TSimd, TVector>(TSimd.MultiplyAdd(x0, factor, shift), geluTable), at);
                TSimd.Store(Gelu<TSimd, TVector>(TSimd.MultiplyAdd(x1, factor, shift), geluTable), at + w);
                TSimd.Store(Gelu<TSimd, TVector>(TSimd.MultiplyAdd(x2, factor, shift), geluTable), at + (2 * w));
            }
        }
    }

    /// <summary>Normalises every row over its values, in place.</summary>
    /// <param name="rows">[row][width].</param>
    /// <param name="count">Rows.</param>
    /// <param name="width">Values in a row, a multiple of the vector's width.</param>
    /// <param name="weight">[width].</param>
    /// <param name="bias">[width].</param>
    /// <param name="epsilon">What is added to the variance.</param>
    public static void LayerNormRows<TSimd, TVector>(float* rows, int count, int width, float* weight, float* bias, float epsilon)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        for (int row = 0; row < count; row++, rows += width)
        {
            TVector total = TSimd.Create(0), squares = TSimd.Create(0);
            for (int i = 0; i < width; i += TSimd.Width) total = TSimd.Add(total, TSimd.Load(rows + i));
            TVector mean = TSimd.Create(TSimd.Sum(total) / width);
            for (int i = 0; i < width; i += TSimd.Width)
            {
                TVector centred = TSimd.Subtract(TSimd.Load(rows + i), mean);
                squares = TSimd.MultiplyAdd(centred, centred, squares);
            }

            TVector scale = TSimd.Create(1 / MathF.Sqrt((TSimd.Sum(squares) / width) + epsilon));
            for (int i = 0; i < width; i += TSimd.Width)
            {
                TVector centred = TSimd.Multiply(TSimd.Subtract(TSimd.Load(rows + i), mean), scale);
                TSimd.Store(TSimd.MultiplyAdd(centred, TSimd.Load(weight + i), TSimd.Load(bias + i)), rows + i);
            }
        }
    }

    // Mean and 1 / standard deviation over the channels, of three vectors beside each other: their rows are read in one go,
    // and no sum waits for itself alone. The variance comes from differences to the mean, so a large mean cancels nothing.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void ChannelStatistics<TSimd, TVector>(
        float* tile, int channels, float* epsilon,
        out TVector mean0, out TVector mean1, out TVector mean2, out TVector scale0, out TVector scale1, out TVector scale2)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        nint w = TSimd.Width;
        TVector sum0 = TSimd.Create(0), sum1 = sum0, sum2 = sum0, part = TSimd.Create(1f / channels);
        float* row = tile;
        for (int c = 0; c < channels; c++, row += TileTokens)
        {
            sum0 = TSimd.Add(sum0, TSimd.Load(row));
            sum1 = TSimd.Add(sum1, TSimd.Load(row + w));
            sum2 = TSimd.Add(sum2, TSimd.Load(row + (2 * w)));
        }

        TVector m0 = TSimd.Multiply(sum0, part), m1 = TSimd.Multiply(sum1, part), m2 = TSimd.Multiply(sum2, part);
        TVector squares0 = TSimd.Create(0), squares1 = squares0, squares2 = squares0;
        row = tile;
        for (int c = 0; c < channels; c++, row += TileTokens)
        {
            TVector d0 = TSimd.Subtract(TSimd.Load(row), m0);
            TVector d1 = TSimd.Subtract(TSimd.Load(row + w), m1);
            TVector d2 = TSimd.Subtract(TSimd.Load(row + (2 * w)), m2);
            squares0 = TSimd.MultiplyAdd(d0, d0, squares0);
            squares1 = TSimd.MultiplyAdd(d1, d1, squares1);
            squares2 = TSimd.MultiplyAdd(d2, d2, squares2);
        }

        TVector one = TSimd.Create(1);
        scale0 = TSimd.Divide(one, TSimd.Sqrt(TSimd.MultiplyAdd(squares0, part, TSimd.Load(epsilon))));
        scale1 = TSimd.Divide(one, TSimd.Sqrt(TSimd.MultiplyAdd(squares1, part, TSimd.Load(epsilon + w))));
        scale2 = TSimd.Divide(one, TSimd.Sqrt(TSimd.MultiplyAdd(squares2, part, TSimd.Load(epsilon + (2 * w)))));
        (mean0, mean1, mean2) = (m0, m1, m2);
    }
}
