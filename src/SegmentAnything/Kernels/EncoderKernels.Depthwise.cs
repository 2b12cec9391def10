using System.Runtime.CompilerServices;

namespace SegmentAnything.Kernels;

/// <summary>A row of a depthwise 3 x 3 convolution: every channel on its own.</summary>
internal unsafe struct DepthwiseRow
{
    /// <summary>The three rows that it sees, from the first token that the middle column of the kernel meets.</summary>
    public float* Above, Here, Below;

    /// <summary>Tokens of the result.</summary>
    public int Tokens;

    /// <summary>By how many tokens the kernel goes on: 1 or 2.</summary>
    public int Stride;

    /// <summary>Is there a token before the first? If not, it counts as zero.</summary>
    public bool Left;

    /// <summary>Is there a token after the last that the middle column meets? If not, it counts as zero.</summary>
    public bool Right;

    /// <summary>Room of a token, in floats: a multiple of <see cref="EncoderKernels.Lanes"/>.</summary>
    public int Channels;

    /// <summary>[row of the kernel][column][channel].</summary>
    public float* Weights;

    /// <summary>[channel].</summary>
    public float* Bias;

    /// <summary>A token of zeros.</summary>
    public float* Zeros;

    /// <summary>Receives the tokens.</summary>
    public float* Result;

    /// <summary><see cref="DecoderKernels.GeluTable"/>, aligned, where GELU follows; or null.</summary>
    public float* Gelu;
}

/// <content>Depthwise convolution.</content>
internal static unsafe partial class EncoderKernels
{
    /// <summary>Computes a <see cref="DepthwiseRow"/>.</summary>
    /// <remarks>Four tokens at a time share the loading of the weights.</remarks>
    public static void Depthwise<TSimd, TVector>(in DepthwiseRow row)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        int token = 0, whole = row.Right ? row.Tokens : row.Tokens - 1;
        if (!row.Left)
        {
            DepthwiseEdge<TSimd, TVector>(row, 0);
            token = 1;
        }

        for (; token + 4 <= whole; token += 4) DepthwiseFour<TSimd, TVector>(row, token);
        for (; token < row.Tokens; token++) DepthwiseEdge<TSimd, TVector>(row, token);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void DepthwiseFour<TSimd, TVector>(in DepthwiseRow row, int token)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        nint channels = row.Channels, next = row.Stride * channels, from = (((nint)token * row.Stride) - 1) * channels;
        float* above = row.Above + from, here = row.Here + from, below = row.Below + from, result = row.Result + (token * channels);
        for (nint c = 0; c < channels; c += TSimd.Width)
        {
            float* weights = row.Weights + c;
            TVector s0 = TSimd.Load(row.Bias + c), s1 = s0, s2 = s0, s3 = s0;
            DepthwiseTaps<TSimd, TVector>(above + c, weights, channels, next, ref s0, ref s1, ref s2, ref s3);
            DepthwiseTaps<TSimd, TVector>(here + c, weights + (3 * channels), channels, next, ref s0, ref s1, ref s2, ref s3);
            DepthwiseTaps<TSimd, TVector>(below + c, weights + (6 * channels), channels, next, ref s0, ref s1, ref s2, ref s3);
            if (row.Gelu != null)
            {
                s0 = DecoderKernels.Gelu<TSimd, TVector>(s0, row.Gelu);
                s1 = DecoderKernels.Gelu<TSimd, TVector>(s1, row.Gelu);
                s2 = DecoderKernels.Gelu<TSimd, TVector>(s2, row.Gelu);
                s3 = DecoderKernels.Gelu<TSimd, TVector>(s3, row.Gelu);
            }

            TSimd.Store(s0, result + c);
            TSimd.Store(s1, result + channels + c);
            TSimd.Store(s2, result + (2 * channels) + c);
            TSimd.Store(s3, result + (3 * channels) + c);
        }
    }

    // The three taps of one row of the kernel, for four tokens.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void DepthwiseTaps<TSimd, TVector>(
        float* x, float* weights, nint channels, nint next, ref TVector s0, ref TVector s1, ref TVector s2, ref TVector s3)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        for (int tap = 0; tap < 3; tap++, x += channels, weights += channels)
        {
            TVector weight = TSimd.Load(weights);
            s0 = TSimd.MultiplyAdd(TSimd.Load(x), weight, s0);
            s1 = TSimd.MultiplyAdd(TSimd.Load(x + next), weight, s1);
            s2 = TSimd.MultiplyAdd(TSimd.Load(x + (2 * next)), weight, s2);
            s3 = TSimd.MultiplyAdd(TSimd.Load(x + (3 * next)), weight, s3);
        }
    }

    // One token, which may be at an edge.
    private static void DepthwiseEdge<TSimd, TVector>(in DepthwiseRow row, int token)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        nint channels = row.Channels;
        float** taps = stackalloc float*[9];
        for (int tap = 0; tap < 9; tap++)
        {
            int column = (tap % 3) - 1;
            bool missing = (column < 0 && token == 0 && !row.Left) || (column > 0 && token == row.Tokens - 1 && !row.Right);
            float* from = tap < 3 ? row.Above : tap < 6 ? row.Here : row.Below;
            taps[tap] = missing ? row.Zeros : from + ((((nint)token * row.Stride) + column) * channels);
        }

        for (nint c = 0; c < channels; c += TSimd.Width)
        {
            TVector sum = TSimd.Load(row.Bias + c);
            for (int tap = 0; tap < 9; tap++) sum = TSimd.MultiplyAdd(TSimd.Load(taps[tap] + c), TSimd.Load(row.Weights + (tap * channels) + c), sum);
            TSimd.Store(row.Gelu == null ? sum : DecoderKernels.Gelu<TSimd, TVector>(sum, row.Gelu), row.Result + (token * channels) + c);
        }
    }
}
