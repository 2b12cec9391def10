using System.Runtime.CompilerServices;

namespace SegmentAnything.Kernels;

/// <content>
/// Image tokens as coordinates: LayerNorm of points that are never formed, from their products with the directions alone.
/// docs/decoder.md has the formulas.
/// </content>
internal static unsafe partial class DecoderKernels
{
    /// <summary>Rows of <see cref="ImageMoments"/>.</summary>
    public const int MomentRows = 3;

    /// <summary>What LayerNorm needs to know of the image's own values: three sums over the channels of every image token.</summary>
    /// <param name="keys">[channel][TileTokens].</param>
    /// <param name="channels">Channels.</param>
    /// <param name="constant">[channel], added to the keys; then their mean is taken off.</param>
    /// <param name="weight">[channel].</param>
    /// <param name="between">[channel].</param>
    /// <param name="moments">
    /// Receives [3][TileTokens]: the square of the length; the square of the length after the weight was applied and the mean
    /// taken off again; the product with <paramref name="between"/>.
    /// </param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ImageMoments<TSimd, TVector>(
        float* keys, int channels, float* constant, float* weight, float* between, float* moments)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        for (int lane = 0; lane < TileTokens; lane += TSimd.Width)
        {
            TVector part = TSimd.Create(1f / channels), mean = TSimd.Create(0), weighted = mean;
            for (int c = 0; c < channels; c++) mean = TSimd.Add(mean, TSimd.Add(TSimd.Load(keys + (c * TileTokens) + lane), TSimd.Create(constant[c])));
            mean = TSimd.Multiply(mean, part);
            for (int c = 0; c < channels; c++)
            {
                TVector x = TSimd.Subtract(TSimd.Add(TSimd.Load(keys + (c * TileTokens) + lane), TSimd.Create(constant[c])), mean);
                weighted = TSimd.MultiplyAdd(x, TSimd.Create(weight[c]), weighted);
            }

            weighted = TSimd.Multiply(weighted, part);
            TVector length = TSimd.Create(0), weightedLength = length, product = length;
            for (int c = 0; c < channels; c++)
            {
                TVector x = TSimd.Subtract(TSimd.Add(TSimd.Load(keys + (c * TileTokens) + lane), TSimd.Create(constant[c])), mean);
                TVector y = TSimd.Subtract(TSimd.Multiply(x, TSimd.Create(weight[c])), weighted);
                length = TSimd.MultiplyAdd(x, x, length);
                weightedLength = TSimd.MultiplyAdd(y, y, weightedLength);
                product = TSimd.MultiplyAdd(x, TSimd.Create(between[c]), product);
            }

            TSimd.Store(length, moments + lane);
            TSimd.Store(weightedLength, moments + TileTokens + lane);
            TSimd.Store(product, moments + (2 * TileTokens) + lane);
        }
    }

    /// <summary>Are all values of two tiles near each other?</summary>
    /// <param name="x">[channel][TileTokens].</param>
    /// <param name="constant">[channel], added to x.</param>
    /// <param name="y">[channel][TileTokens].</param>
    /// <param name="channels">Channels.</param>
    /// <param name="tolerance">The largest difference, as a part of the largest value in y or of 1.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool AreNear<TSimd, TVector>(float* x, float* constant, float* y, int channels, float tolerance)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        TVector difference = TSimd.Create(0), largest = TSimd.Create(1);
        for (int c = 0; c < channels; c++, x += TileTokens, y += TileTokens)
        {
            TVector shift = TSimd.Create(constant[c]);
            for (int lane = 0; lane < TileTokens; lane += TSimd.Width)
            {
                TVector value = TSimd.Load(y + lane);
                difference = TSimd.Max(difference, TSimd.Abs(TSimd.Subtract(TSimd.Add(TSimd.Load(x + lane), shift), value)));
                largest = TSimd.Max(largest, TSimd.Abs(value));
            }
        }

        return !TSimd.GreaterThanAny(difference, TSimd.Multiply(largest, TSimd.Create(tolerance)));
    }

    /// <summary>sum[i] += 2 * the sum over rows of x[row, i] * y[row, i].</summary>
    /// <param name="x">[row][TileTokens].</param>
    /// <param name="y">[row][TileTokens].</param>
    /// <param name="rows">Rows.</param>
    /// <param name="sum">[TileTokens].</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddTwiceProduct<TSimd, TVector>(float* x, float* y, int rows, float* sum)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        nint w = TSimd.Width;
        TVector two = TSimd.Create(2);
        for (nint lane = 0; lane < TileTokens; lane += 3 * w)
        {
            TVector s0 = TSimd.Create(0), s1 = s0, s2 = s0;
            float* a = x + lane, b = y + lane;
            for (int row = 0; row < rows; row++, a += TileTokens, b += TileTokens)
            {
                s0 = TSimd.MultiplyAdd(TSimd.Load(a), TSimd.Load(b), s0);
                s1 = TSimd.MultiplyAdd(TSimd.Load(a + w), TSimd.Load(b + w), s1);
                s2 = TSimd.MultiplyAdd(TSimd.Load(a + (2 * w)), TSimd.Load(b + (2 * w)), s2);
            }

            float* target = sum + lane;
            StoreThree<TSimd, TVector>(
                TSimd.MultiplyAdd(s0, two, TSimd.Load(target)), TSimd.MultiplyAdd(s1, two, TSimd.Load(target + w)),
                TSimd.MultiplyAdd(s2, two, TSimd.Load(target + (2 * w))), target);
        }
    }

    /// <summary>result[i] = start[i] + the sum over rows of weights[row] * x[row, i].</summary>
    /// <param name="x">[row][TileTokens].</param>
    /// <param name="rows">Rows.</param>
    /// <param name="weights">[row].</param>
    /// <param name="start">[TileTokens].</param>
    /// <param name="result">Receives [TileTokens].</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void WeightedSum<TSimd, TVector>(float* x, int rows, float* weights, float* start, float* result)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        nint w = TSimd.Width;
        for (nint lane = 0; lane < TileTokens; lane += 3 * w)
        {
            TVector s0 = TSimd.Load(start + lane), s1 = TSimd.Load(start + lane + w), s2 = TSimd.Load(start + lane + (2 * w));
            float* a = x + lane;
            for (int row = 0; row < rows; row++, a += TileTokens)
            {
                TVector weight = TSimd.Create(weights[row]);
                s0 = TSimd.MultiplyAdd(TSimd.Load(a), weight, s0);
                s1 = TSimd.MultiplyAdd(TSimd.Load(a + w), weight, s1);
                s2 = TSimd.MultiplyAdd(TSimd.Load(a + (2 * w)), weight, s2);
            }

            StoreThree<TSimd, TVector>(s0, s1, s2, result + lane);
        }
    }

    /// <summary>result[i] = start[i] + the sum over rows of vector[row] * matrix[row, i].</summary>
    /// <param name="vector">[row].</param>
    /// <param name="rows">Rows, a multiple of four.</param>
    /// <param name="matrix">[row][columns].</param>
    /// <param name="stride">Floats from one row of the matrix to the next.</param>
    /// <param name="columns">A multiple of the vector's width.</param>
    /// <param name="start">[columns], or null for zeros.</param>
    /// <param name="result">Receives [columns].</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void VectorProduct<TSimd, TVector>(float* vector, int rows, float* matrix, nint stride, int columns, float* start, float* result)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        if (start == null) new Span<float>(result, columns).Clear();
        else new ReadOnlySpan<float>(start, columns).CopyTo(new Span<float>(result, columns));
        for (int row = 0; row < rows; row += 4, matrix += 4 * stride)
        {
            TVector x0 = TSimd.Create(vector[row]), x1 = TSimd.Create(vector[row + 1]), x2 = TSimd.Create(vector[row + 2]), x3 = TSimd.Create(vector[row + 3]);
            for (int i = 0; i < columns; i += TSimd.Width)
            {
                TVector even = TSimd.MultiplyAdd(x0, TSimd.Load(matrix + i), TSimd.Load(result + i));
                TVector odd = TSimd.Multiply(x1, TSimd.Load(matrix + stride + i));
                even = TSimd.MultiplyAdd(x2, TSimd.Load(matrix + (2 * stride) + i), even);
                odd = TSimd.MultiplyAdd(x3, TSimd.Load(matrix + (3 * stride) + i), odd);
                TSimd.Store(TSimd.Add(even, odd), result + i);
            }
        }
    }

    /// <summary>The square of the length of point + coordinate * direction, from the three products of both.</summary>
    /// <param name="square">[TileTokens]: point with point.</param>
    /// <param name="product">[TileTokens]: point with direction.</param>
    /// <param name="directionSquare">Direction with direction.</param>
    /// <param name="coordinate">[TileTokens].</param>
    /// <param name="result">Receives [TileTokens].</param>
    public static void SquareOfSum<TSimd, TVector>(float* square, float* product, float directionSquare, float* coordinate, float* result)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        for (int lane = 0; lane < TileTokens; lane += TSimd.Width)
        {
            TVector x = TSimd.Load(coordinate + lane), twice = TSimd.Multiply(TSimd.Load(product + lane), TSimd.Create(2));
            TVector sum = TSimd.MultiplyAdd(x, TSimd.Create(directionSquare), twice);
            TSimd.Store(TSimd.MultiplyAdd(x, sum, TSimd.Load(square + lane)), result + lane);
        }
    }

    /// <summary>LayerNorm's divisor of points that are too large by a factor, and its inverse.</summary>
    /// <param name="square">[TileTokens]: the square of the length, mean taken off; rounding may leave it below zero.</param>
    /// <param name="channels">What it is divided by for the variance.</param>
    /// <param name="epsilon">What is added to the variance of points of the right size.</param>
    /// <param name="factor">[TileTokens].</param>
    /// <param name="deviation">Receives sqrt(variance + epsilon * factor^2).</param>
    /// <param name="scale">Receives 1 / deviation.</param>
    public static void Deviation<TSimd, TVector>(float* square, int channels, float epsilon, float* factor, float* deviation, float* scale)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        for (int lane = 0; lane < TileTokens; lane += TSimd.Width)
        {
            TVector variance = TSimd.Multiply(TSimd.Max(TSimd.Load(square + lane), TSimd.Create(0)), TSimd.Create(1f / channels));
            TVector times = TSimd.Load(factor + lane);
            TVector root = TSimd.Sqrt(TSimd.MultiplyAdd(TSimd.Multiply(times, times), TSimd.Create(epsilon), variance));
            TSimd.Store(root, deviation + lane);
            TSimd.Store(TSimd.Divide(TSimd.Create(1), root), scale + lane);
        }
    }

    /// <summary>destination[row, i] = x[row, i] + factor[i] * y[row, i].</summary>
    /// <param name="x">[row][TileTokens].</param>
    /// <param name="y">[row][TileTokens].</param>
    /// <param name="factor">[TileTokens].</param>
    /// <param name="rows">Rows.</param>
    /// <param name="destination">Receives [row][TileTokens].</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddScaled<TSimd, TVector>(float* x, float* y, float* factor, int rows, float* destination)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        nint w = TSimd.Width;
        for (nint lane = 0; lane < TileTokens; lane += 3 * w)
        {
            TVector f0 = TSimd.Load(factor + lane), f1 = TSimd.Load(factor + lane + w), f2 = TSimd.Load(factor + lane + (2 * w));
            float* a = x + lane, b = y + lane, target = destination + lane;
            for (int row = 0; row < rows; row++, a += TileTokens, b += TileTokens, target += TileTokens)
            {
                StoreThree<TSimd, TVector>(
                    TSimd.MultiplyAdd(TSimd.Load(b), f0, TSimd.Load(a)), TSimd.MultiplyAdd(TSimd.Load(b + w), f1, TSimd.Load(a + w)),
                    TSimd.MultiplyAdd(TSimd.Load(b + (2 * w)), f2, TSimd.Load(a + (2 * w))), target);
            }
        }
    }
}
