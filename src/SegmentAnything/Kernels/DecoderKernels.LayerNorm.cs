using System.Runtime.CompilerServices;

namespace SegmentAnything.Kernels;

/// <content>Layer normalisation: over the channels of a tile, and over the channels of token rows.</content>
internal static unsafe partial class DecoderKernels
{
    /// <summary>Normalises every image token of a tile over its channels, and adds the positional encoding for the next scores.</summary>
    /// <param name="source">[channel][TileTokens].</param>
    /// <param name="channels">Channels.</param>
    /// <param name="weight">[channel].</param>
    /// <param name="bias">[channel].</param>
    /// <param name="epsilon">What is added to the variance.</param>
    /// <param name="encoding">[channel][TileTokens].</param>
    /// <param name="normalized">Receives [channel][TileTokens]; may be <paramref name="source"/>.</param>
    /// <param name="encoded">Receives normalized + encoding.</param>
    /// <remarks>normalized = (source - mean) / sqrt(variance + epsilon) * weight + bias; the variance is divided by the channels.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void LayerNormTile<TSimd, TVector>(
        float* source, int channels, float* weight, float* bias, float epsilon, float* encoding, float* normalized, float* encoded)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        for (int lane = 0; lane < TileTokens; lane += TSimd.Width)
        {
            TVector mean = ChannelMean<TSimd, TVector>(source + lane, channels);
            TVector scale = ChannelScale<TSimd, TVector>(source + lane, channels, mean, epsilon);
            for (int c = 0; c < channels; c++)
            {
                nint at = (c * TileTokens) + lane;
                TVector centred = TSimd.Multiply(TSimd.Subtract(TSimd.Load(source + at), mean), scale);
                TVector value = TSimd.MultiplyAdd(centred, TSimd.Create(weight[c]), TSimd.Create(bias[c]));
                TSimd.Store(value, normalized + at);
                TSimd.Store(TSimd.Add(value, TSimd.Load(encoding + at)), encoded + at);
            }
        }
    }

    /// <summary>Normalises every image token of a tile over its channels and applies GELU, in place.</summary>
    /// <param name="tile">[channel][TileTokens].</param>
    /// <param name="channels">Channels.</param>
    /// <param name="weight">[channel].</param>
    /// <param name="bias">[channel].</param>
    /// <param name="epsilon">What is added to the variance.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void LayerNormGeluTile<TSimd, TVector>(float* tile, int channels, float* weight, float* bias, float epsilon)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        for (int lane = 0; lane < TileTokens; lane += TSimd.Width)
        {
            TVector mean = ChannelMean<TSimd, TVector>(tile + lane, channels);
            TVector scale = ChannelScale<TSimd, TVector>(tile + lane, channels, mean, epsilon);
            for (int c = 0; c < channels; c++)
            {
                float* at = tile + (c * TileTokens) + lane;
                TVector centred = TSimd.Multiply(TSimd.Subtract(TSimd.Load(at), mean), scale);
                TVector value = TSimd.MultiplyAdd(centred, TSimd.Create(weight[c]), TSimd.Create(bias[c]));
                TSimd.Store(Gelu<TSimd, TVector>(value), at);
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

    // Two sums at a time (and four in the next), because one would wait for its own additions. Channels are even.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector ChannelMean<TSimd, TVector>(float* tile, int channels)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        TVector even = TSimd.Create(0), odd = TSimd.Create(0);
        for (int c = 0; c < channels; c += 2, tile += 2 * TileTokens)
        {
            even = TSimd.Add(even, TSimd.Load(tile));
            odd = TSimd.Add(odd, TSimd.Load(tile + TileTokens));
        }

        return TSimd.Multiply(TSimd.Add(even, odd), TSimd.Create(1f / channels));
    }

    // 1 / standard deviation, from differences to the mean: no cancellation where the mean is large.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector ChannelScale<TSimd, TVector>(float* tile, int channels, TVector mean, float epsilon)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        TVector even = TSimd.Create(0), odd = TSimd.Create(0);
        for (int c = 0; c < channels; c += 2, tile += 2 * TileTokens)
        {
            TVector first = TSimd.Subtract(TSimd.Load(tile), mean);
            TVector second = TSimd.Subtract(TSimd.Load(tile + TileTokens), mean);
            even = TSimd.MultiplyAdd(first, first, even);
            odd = TSimd.MultiplyAdd(second, second, odd);
        }

        TVector variance = TSimd.Multiply(TSimd.Add(even, odd), TSimd.Create(1f / channels));
        return TSimd.Divide(TSimd.Create(1), TSimd.Sqrt(TSimd.Add(variance, TSimd.Create(epsilon))));
    }
}
