using System.Runtime.CompilerServices;

namespace SegmentAnything.Kernels;

/// <content>A 3 x 3 convolution by Winograd's F(4 x 4, 3 x 3): a quarter of the products.</content>
/// <remarks>
/// 4 x 4 results come of 6 x 6 values, and an image token has 4 x 4 pixels: with each of these in a plane of its own, all
/// transforms are arithmetic on whole vectors of neighbouring tokens. Source: Lavin and Gray, Fast algorithms for convolutional
/// neural networks (2016).
/// </remarks>
internal static unsafe partial class DecoderKernels
{
    /// <summary>Pixels of an image token: 4 x 4.</summary>
    public const int TokenPixels = 16;

    /// <summary>Products that give a token's pixels: 6 x 6.</summary>
    public const int WinogradProducts = 36;

    /// <summary>The weights of one pair of channels, transformed, in double precision.</summary>
    /// <param name="kernel">3 x 3.</param>
    /// <param name="result">Receives 6 x 6.</param>
    public static void TransformKernel(ReadOnlySpan<float> kernel, Span<double> result)
    {
        Span<double> half = stackalloc double[18];
        for (int x = 0; x < 3; x++) TransformTaps(kernel[x], kernel[3 + x], kernel[6 + x], half[x..], 3);
        for (int y = 0; y < 6; y++) TransformTaps(half[3 * y], half[(3 * y) + 1], half[(3 * y) + 2], result[(6 * y)..], 1);
    }

    /// <summary>Transforms a tile of one channel with what lies around it.</summary>
    /// <param name="pixels">The tile's first pixel plane; a plane holds one pixel of each token, at the positions of a grid with a border.</param>
    /// <param name="plane">Floats from one of the sixteen planes, in order of rows, to the next.</param>
    /// <param name="row">Positions from one row of tokens to the next.</param>
    /// <param name="result">Receives 6 x 6 rows of TileTokens.</param>
    /// <param name="stride">Floats from one of these to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void TransformPixels<TSimd, TVector>(float* pixels, nint plane, nint row, float* result, nint stride)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        // Down the columns first, into the place of the result; then along its rows.
        for (nint lane = 0; lane < TileTokens; lane += TSimd.Width)
        {
            float* target = result + lane;
            for (int column = 0; column < 6; column++, target += stride)
            {
                // Pixel column 3 of the token to the left, 0 to 3 of its own, 0 of the token to the right.
                float* own = pixels + lane + (column == 0 ? (3 * plane) - 1 : column == 5 ? 1 : (column - 1) * plane);
                TransformInput<TSimd, TVector>(
                    TSimd.Load(own + (12 * plane) - row), TSimd.Load(own), TSimd.Load(own + (4 * plane)), TSimd.Load(own + (8 * plane)),
                    TSimd.Load(own + (12 * plane)), TSimd.Load(own + row), target, 6 * stride);
            }

            target = result + lane;
            for (int i = 0; i < 6; i++, target += 6 * stride)
            {
                TransformInput<TSimd, TVector>(
                    TSimd.Load(target), TSimd.Load(target + stride), TSimd.Load(target + (2 * stride)), TSimd.Load(target + (3 * stride)),
                    TSimd.Load(target + (4 * stride)), TSimd.Load(target + (5 * stride)), target, stride);
            }
        }
    }

    /// <summary>A tile's pixels of one channel, from its products.</summary>
    /// <param name="products">6 x 6 rows of TileTokens; they are overwritten.</param>
    /// <param name="stride">Floats from one of these to the next.</param>
    /// <param name="bias">Is added to every pixel.</param>
    /// <param name="pixels">Receives 4 x 4 rows of TileTokens.</param>
    /// <param name="pixelStride">Floats from one of these to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void TransformProducts<TSimd, TVector>(float* products, nint stride, float bias, float* pixels, nint pixelStride)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        TVector none = TSimd.Create(0), added = TSimd.Create(bias);
        for (nint lane = 0; lane < TileTokens; lane += TSimd.Width)
        {
            float* source = products + lane;
            for (int column = 0; column < 6; column++, source += stride)
                TransformOutput<TSimd, TVector>(source, 6 * stride, none, source, 6 * stride);
            source = products + lane;
            for (int i = 0; i < 4; i++, source += 6 * stride)
                TransformOutput<TSimd, TVector>(source, stride, added, pixels + lane + (4 * i * pixelStride), pixelStride);
        }
    }

    /// <summary>
    /// A tile's 16 pixels as sums over the 3 x 3 around each: pixel (y, x) takes what the pixel at (y + j - 1, x + i - 1) has
    /// for tap (j, i).
    /// </summary>
    /// <param name="taps">The tile's first plane: [pixel][tap], each at the positions of a grid with a border.</param>
    /// <param name="plane">Floats from one plane to the next.</param>
    /// <param name="row">Positions from one row of tokens to the next.</param>
    /// <param name="result">Receives 4 x 4 rows of TileTokens, in the order of <see cref="InterleaveSubpixels"/>.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void SumTaps<TSimd, TVector>(float* taps, nint plane, nint row, float* result)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        for (int pixel = 0; pixel < TokenPixels; pixel++)
        {
            (int y, int x) = Math.DivRem(pixel, 4);
            float* target = result + (((y / 2 * 8) + (x / 2 * 4) + (y % 2 * 2) + (x % 2)) * TileTokens);
            for (nint lane = 0; lane < TileTokens; lane += TSimd.Width)
            {
                TVector sum = TSimd.Create(0);
                for (int tap = 0; tap < 9; tap++)
                {
                    int fromY = y + (tap / 3) - 1, fromX = x + (tap % 3) - 1;
                    nint offset = lane + (fromY < 0 ? -row : fromY > 3 ? row : 0) + (fromX < 0 ? -1 : fromX > 3 ? 1 : 0);
                    sum = TSimd.Add(sum, TSimd.Load(taps + offset + (((((fromY & 3) * 4) + (fromX & 3)) * 9) + tap) * plane));
                }

                TSimd.Store(sum, target + lane);
            }
        }
    }

    private static void TransformTaps(double a, double b, double c, Span<double> result, int stride)
    {
        result[0] = a / 4;
        result[stride] = -(a + b + c) / 6;
        result[2 * stride] = -(a - b + c) / 6;
        result[3 * stride] = (a / 24) + (b / 12) + (c / 6);
        result[4 * stride] = (a / 24) - (b / 12) + (c / 6);
        result[5 * stride] = c;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void TransformInput<TSimd, TVector>(
        TVector d0, TVector d1, TVector d2, TVector d3, TVector d4, TVector d5, float* result, nint stride)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        TVector minusFour = TSimd.Create(-4), minusFive = TSimd.Create(-5), four = TSimd.Create(4), two = TSimd.Create(2);
        TVector even = TSimd.MultiplyAdd(d2, minusFour, d4), odd = TSimd.MultiplyAdd(d1, minusFour, d3);
        TVector evenTwo = TSimd.Subtract(d4, d2), oddTwo = TSimd.Multiply(two, TSimd.Subtract(d3, d1));
        TSimd.Store(TSimd.MultiplyAdd(d0, four, TSimd.MultiplyAdd(d2, minusFive, d4)), result);
        TSimd.Store(TSimd.Add(even, odd), result + stride);
        TSimd.Store(TSimd.Subtract(even, odd), result + (2 * stride));
        TSimd.Store(TSimd.Add(evenTwo, oddTwo), result + (3 * stride));
        TSimd.Store(TSimd.Subtract(evenTwo, oddTwo), result + (4 * stride));
        TSimd.Store(TSimd.MultiplyAdd(d1, four, TSimd.MultiplyAdd(d3, minusFive, d5)), result + (5 * stride));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void TransformOutput<TSimd, TVector>(float* m, nint stride, TVector start, float* result, nint resultStride)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        TVector m1 = TSimd.Load(m + stride), m2 = TSimd.Load(m + (2 * stride)), m3 = TSimd.Load(m + (3 * stride)), m4 = TSimd.Load(m + (4 * stride));
        TVector first = TSimd.Add(TSimd.Load(m), start), last = TSimd.Add(TSimd.Load(m + (5 * stride)), start);
        TVector sum12 = TSimd.Add(m1, m2), difference12 = TSimd.Subtract(m1, m2), sum34 = TSimd.Add(m3, m4), difference34 = TSimd.Subtract(m3, m4);
        TSimd.Store(TSimd.Add(first, TSimd.Add(sum12, sum34)), result);
        TSimd.Store(TSimd.Add(start, TSimd.MultiplyAdd(difference34, TSimd.Create(2), difference12)), result + resultStride);
        TSimd.Store(TSimd.Add(start, TSimd.MultiplyAdd(sum34, TSimd.Create(4), sum12)), result + (2 * resultStride));
        TSimd.Store(TSimd.Add(last, TSimd.MultiplyAdd(difference34, TSimd.Create(8), difference12)), result + (3 * resultStride));
    }
}
