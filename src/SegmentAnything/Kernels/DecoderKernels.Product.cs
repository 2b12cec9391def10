using System.Runtime.CompilerServices;

namespace SegmentAnything.Kernels;

/// <summary>How the left factor of a product lies in memory. Constants, so that they end up in the instructions' addresses.</summary>
internal interface IFactorLayout
{
    /// <summary>Floats from one row to the next.</summary>
    static abstract nint RowStride { get; }

    /// <summary>Floats from one step of the sum to the next.</summary>
    static abstract nint StepStride { get; }
}

/// <summary>[step][8 rows]: weights, and whatever is packed for the purpose.</summary>
internal readonly struct PanelLayout : IFactorLayout
{
    public static nint RowStride => 1;

    public static nint StepStride => DecoderKernels.BlockRows;
}

/// <summary>A tile [channel][token] whose tokens are the rows: the sum runs over channels.</summary>
internal readonly struct TokensAsRows : IFactorLayout
{
    public static nint RowStride => 1;

    public static nint StepStride => DecoderKernels.TileTokens;
}

/// <summary>A tile [channel][token] whose channels are the rows: the sum runs over tokens.</summary>
internal readonly struct ChannelsAsRows : IFactorLayout
{
    public static nint RowStride => DecoderKernels.TileTokens;

    public static nint StepStride => 1;
}

/// <summary>What a product is added to.</summary>
internal interface IProductStart
{
    /// <summary>The address that belongs to a block's first row and column.</summary>
    static abstract unsafe float* At(float* start, nint stride, nint row, nint column);

    static abstract unsafe TVector Load<TSimd, TVector>(float* start, nint stride, int row, int vector)
        where TSimd : ISimd<TVector>
        where TVector : struct;
}

/// <summary>Nothing: the product alone.</summary>
internal readonly struct FromZero : IProductStart
{
    public static unsafe float* At(float* start, nint stride, nint row, nint column) => start;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe TVector Load<TSimd, TVector>(float* start, nint stride, int row, int vector)
        where TSimd : ISimd<TVector>
        where TVector : struct => TSimd.Create(0);
}

/// <summary>A value a row, the same in every column.</summary>
internal readonly struct FromRowBias : IProductStart
{
    public static unsafe float* At(float* start, nint stride, nint row, nint column) => start + row;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe TVector Load<TSimd, TVector>(float* start, nint stride, int row, int vector)
        where TSimd : ISimd<TVector>
        where TVector : struct => TSimd.Create(start[row]);
}

/// <summary>A value a column, the same in every row.</summary>
internal readonly struct FromColumnBias : IProductStart
{
    public static unsafe float* At(float* start, nint stride, nint row, nint column) => start + column;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe TVector Load<TSimd, TVector>(float* start, nint stride, int row, int vector)
        where TSimd : ISimd<TVector>
        where TVector : struct => TSimd.Load(start + (vector * (nint)TSimd.Width));
}

/// <summary>A matrix, which may be the destination itself.</summary>
internal readonly struct FromMatrix : IProductStart
{
    public static unsafe float* At(float* start, nint stride, nint row, nint column) => start + (row * stride) + column;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe TVector Load<TSimd, TVector>(float* start, nint stride, int row, int vector)
        where TSimd : ISimd<TVector>
        where TVector : struct => TSimd.Load(start + (row * stride) + (vector * (nint)TSimd.Width));
}

/// <summary>
/// What the tiled mask decoder is made of. A tile is <see cref="TileTokens"/> image tokens, stored [channel][token]: a
/// vector holds one channel of neighbouring tokens, so that everything that goes over channels or over prompt tokens
/// (LayerNorm, softmax, GELU) is plain vector arithmetic without shuffles.
/// </summary>
internal static unsafe partial class DecoderKernels
{
    /// <summary>
    /// Image tokens in a tile: three vectors of 16, six of 8. Three vectors beside each other are what a block of a
    /// product wants, and 256 channels of 48 tokens are 48 KB, which the second-level cache feeds to the units in time.
    /// </summary>
    public const int TileTokens = 48;

    /// <summary>Rows in a panel of a packed left factor. Every row count of the decoder is a multiple of it.</summary>
    public const int BlockRows = 8;

    /// <summary>c = start + a * b.</summary>
    /// <param name="a">Left factor, rows x steps, in blocks of eight rows that lie as <typeparamref name="TLayout"/> says.</param>
    /// <param name="aBlockStride">Floats from one block of eight rows to the next.</param>
    /// <param name="b">Right factor, steps x columns, row-major.</param>
    /// <param name="bStride">Floats from one row of b to the next.</param>
    /// <param name="steps">Length of each sum.</param>
    /// <param name="start">What the sums start from, see <typeparamref name="TStart"/>.</param>
    /// <param name="startStride">Floats from one row of a starting matrix to the next.</param>
    /// <param name="c">Result, rows x columns, row-major.</param>
    /// <param name="cStride">Floats from one row of c to the next.</param>
    /// <param name="rows">A multiple of eight.</param>
    /// <param name="columns">A multiple of the vector's width.</param>
    /// <remarks>
    /// A block of 8 x 3 vectors of c (4 x 3 where there are 16 registers) stays in registers over the whole sum: each step
    /// loads three vectors of b and one value a row of a. Columns outside, rows inside: the three columns of b stay near.
    /// </remarks>
    public static void Product<TSimd, TVector, TLayout, TStart>(
        float* a, nint aBlockStride, float* b, nint bStride, int steps, float* start, nint startStride, float* c, nint cStride, int rows, int columns)
        where TSimd : ISimd<TVector>
        where TVector : struct
        where TLayout : IFactorLayout
        where TStart : IProductStart
    {
        for (int column = 0; column < columns;)
        {
            // Four vectors are two and two: one alone would wait for its own sums.
            int vectors = (columns - column) / TSimd.Width;
            vectors = vectors >= 3 && vectors != 4 ? 3 : Math.Min(vectors, 2);
            for (int row = 0; row < rows; row += TSimd.BlockRows)
            {
                float* aBlock = a + (row / BlockRows * aBlockStride) + (row % BlockRows * TLayout.RowStride);
                float* startBlock = TStart.At(start, startStride, row, column);
                float* cBlock = c + (row * cStride) + column;
                if (TSimd.BlockRows == 8)
                {
                    if (vectors == 3)
                        Block8x3<TSimd, TVector, TLayout, TStart>(aBlock, b + column, bStride, steps, startBlock, startStride, cBlock, cStride);
                    else if (vectors == 2)
                        Block8x2<TSimd, TVector, TLayout, TStart>(aBlock, b + column, bStride, steps, startBlock, startStride, cBlock, cStride);
                    else
                        Block8x1<TSimd, TVector, TLayout, TStart>(aBlock, b + column, bStride, steps, startBlock, startStride, cBlock, cStride);
                }
                else
                {
                    if (vectors == 3)
                        Block4x3<TSimd, TVector, TLayout, TStart>(aBlock, b + column, bStride, steps, startBlock, startStride, cBlock, cStride);
                    else if (vectors == 2)
                        Block4x2<TSimd, TVector, TLayout, TStart>(aBlock, b + column, bStride, steps, startBlock, startStride, cBlock, cStride);
                    else
                        Block4x1<TSimd, TVector, TLayout, TStart>(aBlock, b + column, bStride, steps, startBlock, startStride, cBlock, cStride);
                }
            }

            column += vectors * TSimd.Width;
        }
    }

    // The blocks: cRV is row R, vector V. Every sum is explicit because only named locals are sure to stay in registers.

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Block8x3<TSimd, TVector, TLayout, TStart>(
        float* a, float* b, nint bStride, int steps, float* start, nint startStride, float* c, nint cStride)
        where TSimd : ISimd<TVector>
        where TVector : struct
        where TLayout : IFactorLayout
        where TStart : IProductStart
    {
        nint w = TSimd.Width, row = TLayout.RowStride;
        TVector c00 = TStart.Load<TSimd, TVector>(start, startStride, 0, 0), c01 = TStart.Load<TSimd, TVector>(start, startStride, 0, 1), c02 = TStart.Load<TSimd, TVector>(start, startStride, 0, 2);
        TVector c10 = TStart.Load<TSimd, TVector>(start, startStride, 1, 0), c11 = TStart.Load<TSimd, TVector>(start, startStride, 1, 1), c12 = TStart.Load<TSimd, TVector>(start, startStride, 1, 2);
        TVector c20 = TStart.Load<TSimd, TVector>(start, startStride, 2, 0), c21 = TStart.Load<TSimd, TVector>(start, startStride, 2, 1), c22 = TStart.Load<TSimd, TVector>(start, startStride, 2, 2);
        TVector c30 = TStart.Load<TSimd, TVector>(start, startStride, 3, 0), c31 = TStart.Load<TSimd, TVector>(start, startStride, 3, 1), c32 = TStart.Load<TSimd, TVector>(start, startStride, 3, 2);
        TVector c40 = TStart.Load<TSimd, TVector>(start, startStride, 4, 0), c41 = TStart.Load<TSimd, TVector>(start, startStride, 4, 1), c42 = TStart.Load<TSimd, TVector>(start, startStride, 4, 2);
        TVector c50 = TStart.Load<TSimd, TVector>(start, startStride, 5, 0), c51 = TStart.Load<TSimd, TVector>(start, startStride, 5, 1), c52 = TStart.Load<TSimd, TVector>(start, startStride, 5, 2);
        TVector c60 = TStart.Load<TSimd, TVector>(start, startStride, 6, 0), c61 = TStart.Load<TSimd, TVector>(start, startStride, 6, 1), c62 = TStart.Load<TSimd, TVector>(start, startStride, 6, 2);
        TVector c70 = TStart.Load<TSimd, TVector>(start, startStride, 7, 0), c71 = TStart.Load<TSimd, TVector>(start, startStride, 7, 1), c72 = TStart.Load<TSimd, TVector>(start, startStride, 7, 2);
        for (int k = 0; k < steps; k++, a += TLayout.StepStride, b += bStride)
        {
            TVector b0 = TSimd.Load(b), b1 = TSimd.Load(b + w), b2 = TSimd.Load(b + (2 * w));
            TVector x;
            x = TSimd.Create(*a);
            c00 = TSimd.MultiplyAdd(x, b0, c00); c01 = TSimd.MultiplyAdd(x, b1, c01); c02 = TSimd.MultiplyAdd(x, b2, c02);
            x = TSimd.Create(*(a + row));
            c10 = TSimd.MultiplyAdd(x, b0, c10); c11 = TSimd.MultiplyAdd(x, b1, c11); c12 = TSimd.MultiplyAdd(x, b2, c12);
            x = TSimd.Create(*(a + (2 * row)));
            c20 = TSimd.MultiplyAdd(x, b0, c20); c21 = TSimd.MultiplyAdd(x, b1, c21); c22 = TSimd.MultiplyAdd(x, b2, c22);
            x = TSimd.Create(*(a + (3 * row)));
            c30 = TSimd.MultiplyAdd(x, b0, c30); c31 = TSimd.MultiplyAdd(x, b1, c31); c32 = TSimd.MultiplyAdd(x, b2, c32);
            x = TSimd.Create(*(a + (4 * row)));
            c40 = TSimd.MultiplyAdd(x, b0, c40); c41 = TSimd.MultiplyAdd(x, b1, c41); c42 = TSimd.MultiplyAdd(x, b2, c42);
            x = TSimd.Create(*(a + (5 * row)));
            c50 = TSimd.MultiplyAdd(x, b0, c50); c51 = TSimd.MultiplyAdd(x, b1, c51); c52 = TSimd.MultiplyAdd(x, b2, c52);
            x = TSimd.Create(*(a + (6 * row)));
            c60 = TSimd.MultiplyAdd(x, b0, c60); c61 = TSimd.MultiplyAdd(x, b1, c61); c62 = TSimd.MultiplyAdd(x, b2, c62);
            x = TSimd.Create(*(a + (7 * row)));
            c70 = TSimd.MultiplyAdd(x, b0, c70); c71 = TSimd.MultiplyAdd(x, b1, c71); c72 = TSimd.MultiplyAdd(x, b2, c72);
        }

        TSimd.Store(c00, c);
        TSimd.Store(c01, c + w);
        TSimd.Store(c02, c + (2 * w));
        c += cStride;
        TSimd.Store(c10, c);
        TSimd.Store(c11, c + w);
        TSimd.Store(c12, c + (2 * w));
        c += cStride;
        TSimd.Store(c20, c);
        TSimd.Store(c21, c + w);
        TSimd.Store(c22, c + (2 * w));
        c += cStride;
        TSimd.Store(c30, c);
        TSimd.Store(c31, c + w);
        TSimd.Store(c32, c + (2 * w));
        c += cStride;
        TSimd.Store(c40, c);
        TSimd.Store(c41, c + w);
        TSimd.Store(c42, c + (2 * w));
        c += cStride;
        TSimd.Store(c50, c);
        TSimd.Store(c51, c + w);
        TSimd.Store(c52, c + (2 * w));
        c += cStride;
        TSimd.Store(c60, c);
        TSimd.Store(c61, c + w);
        TSimd.Store(c62, c + (2 * w));
        c += cStride;
        TSimd.Store(c70, c);
        TSimd.Store(c71, c + w);
        TSimd.Store(c72, c + (2 * w));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Block8x2<TSimd, TVector, TLayout, TStart>(
        float* a, float* b, nint bStride, int steps, float* start, nint startStride, float* c, nint cStride)
        where TSimd : ISimd<TVector>
        where TVector : struct
        where TLayout : IFactorLayout
        where TStart : IProductStart
    {
        nint w = TSimd.Width, row = TLayout.RowStride;
        TVector c00 = TStart.Load<TSimd, TVector>(start, startStride, 0, 0), c01 = TStart.Load<TSimd, TVector>(start, startStride, 0, 1);
        TVector c10 = TStart.Load<TSimd, TVector>(start, startStride, 1, 0), c11 = TStart.Load<TSimd, TVector>(start, startStride, 1, 1);
        TVector c20 = TStart.Load<TSimd, TVector>(start, startStride, 2, 0), c21 = TStart.Load<TSimd, TVector>(start, startStride, 2, 1);
        TVector c30 = TStart.Load<TSimd, TVector>(start, startStride, 3, 0), c31 = TStart.Load<TSimd, TVector>(start, startStride, 3, 1);
        TVector c40 = TStart.Load<TSimd, TVector>(start, startStride, 4, 0), c41 = TStart.Load<TSimd, TVector>(start, startStride, 4, 1);
        TVector c50 = TStart.Load<TSimd, TVector>(start, startStride, 5, 0), c51 = TStart.Load<TSimd, TVector>(start, startStride, 5, 1);
        TVector c60 = TStart.Load<TSimd, TVector>(start, startStride, 6, 0), c61 = TStart.Load<TSimd, TVector>(start, startStride, 6, 1);
        TVector c70 = TStart.Load<TSimd, TVector>(start, startStride, 7, 0), c71 = TStart.Load<TSimd, TVector>(start, startStride, 7, 1);
        for (int k = 0; k < steps; k++, a += TLayout.StepStride, b += bStride)
        {
            TVector b0 = TSimd.Load(b), b1 = TSimd.Load(b + w);
            TVector x;
            x = TSimd.Create(*a);
            c00 = TSimd.MultiplyAdd(x, b0, c00); c01 = TSimd.MultiplyAdd(x, b1, c01);
            x = TSimd.Create(*(a + row));
            c10 = TSimd.MultiplyAdd(x, b0, c10); c11 = TSimd.MultiplyAdd(x, b1, c11);
            x = TSimd.Create(*(a + (2 * row)));
            c20 = TSimd.MultiplyAdd(x, b0, c20); c21 = TSimd.MultiplyAdd(x, b1, c21);
            x = TSimd.Create(*(a + (3 * row)));
            c30 = TSimd.MultiplyAdd(x, b0, c30); c31 = TSimd.MultiplyAdd(x, b1, c31);
            x = TSimd.Create(*(a + (4 * row)));
            c40 = TSimd.MultiplyAdd(x, b0, c40); c41 = TSimd.MultiplyAdd(x, b1, c41);
            x = TSimd.Create(*(a + (5 * row)));
            c50 = TSimd.MultiplyAdd(x, b0, c50); c51 = TSimd.MultiplyAdd(x, b1, c51);
            x = TSimd.Create(*(a + (6 * row)));
            c60 = TSimd.MultiplyAdd(x, b0, c60); c61 = TSimd.MultiplyAdd(x, b1, c61);
            x = TSimd.Create(*(a + (7 * row)));
            c70 = TSimd.MultiplyAdd(x, b0, c70); c71 = TSimd.MultiplyAdd(x, b1, c71);
        }

        TSimd.Store(c00, c);
        TSimd.Store(c01, c + w);
        c += cStride;
        TSimd.Store(c10, c);
        TSimd.Store(c11, c + w);
        c += cStride;
        TSimd.Store(c20, c);
        TSimd.Store(c21, c + w);
        c += cStride;
        TSimd.Store(c30, c);
        TSimd.Store(c31, c + w);
        c += cStride;
        TSimd.Store(c40, c);
        TSimd.Store(c41, c + w);
        c += cStride;
        TSimd.Store(c50, c);
        TSimd.Store(c51, c + w);
        c += cStride;
        TSimd.Store(c60, c);
        TSimd.Store(c61, c + w);
        c += cStride;
        TSimd.Store(c70, c);
        TSimd.Store(c71, c + w);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Block8x1<TSimd, TVector, TLayout, TStart>(
        float* a, float* b, nint bStride, int steps, float* start, nint startStride, float* c, nint cStride)
        where TSimd : ISimd<TVector>
        where TVector : struct
        where TLayout : IFactorLayout
        where TStart : IProductStart
    {
        nint row = TLayout.RowStride;
        TVector c00 = TStart.Load<TSimd, TVector>(start, startStride, 0, 0);
        TVector c10 = TStart.Load<TSimd, TVector>(start, startStride, 1, 0);
        TVector c20 = TStart.Load<TSimd, TVector>(start, startStride, 2, 0);
        TVector c30 = TStart.Load<TSimd, TVector>(start, startStride, 3, 0);
        TVector c40 = TStart.Load<TSimd, TVector>(start, startStride, 4, 0);
        TVector c50 = TStart.Load<TSimd, TVector>(start, startStride, 5, 0);
        TVector c60 = TStart.Load<TSimd, TVector>(start, startStride, 6, 0);
        TVector c70 = TStart.Load<TSimd, TVector>(start, startStride, 7, 0);
        for (int k = 0; k < steps; k++, a += TLayout.StepStride, b += bStride)
        {
            TVector b0 = TSimd.Load(b);
            TVector x;
            x = TSimd.Create(*a);
            c00 = TSimd.MultiplyAdd(x, b0, c00);
            x = TSimd.Create(*(a + row));
            c10 = TSimd.MultiplyAdd(x, b0, c10);
            x = TSimd.Create(*(a + (2 * row)));
            c20 = TSimd.MultiplyAdd(x, b0, c20);
            x = TSimd.Create(*(a + (3 * row)));
            c30 = TSimd.MultiplyAdd(x, b0, c30);
            x = TSimd.Create(*(a + (4 * row)));
            c40 = TSimd.MultiplyAdd(x, b0, c40);
            x = TSimd.Create(*(a + (5 * row)));
            c50 = TSimd.MultiplyAdd(x, b0, c50);
            x = TSimd.Create(*(a + (6 * row)));
            c60 = TSimd.MultiplyAdd(x, b0, c60);
            x = TSimd.Create(*(a + (7 * row)));
            c70 = TSimd.MultiplyAdd(x, b0, c70);
        }

        TSimd.Store(c00, c);
        c += cStride;
        TSimd.Store(c10, c);
        c += cStride;
        TSimd.Store(c20, c);
        c += cStride;
        TSimd.Store(c30, c);
        c += cStride;
        TSimd.Store(c40, c);
        c += cStride;
        TSimd.Store(c50, c);
        c += cStride;
        TSimd.Store(c60, c);
        c += cStride;
        TSimd.Store(c70, c);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Block4x3<TSimd, TVector, TLayout, TStart>(
        float* a, float* b, nint bStride, int steps, float* start, nint startStride, float* c, nint cStride)
        where TSimd : ISimd<TVector>
        where TVector : struct
        where TLayout : IFactorLayout
        where TStart : IProductStart
    {
        nint w = TSimd.Width, row = TLayout.RowStride;
        TVector c00 = TStart.Load<TSimd, TVector>(start, startStride, 0, 0), c01 = TStart.Load<TSimd, TVector>(start, startStride, 0, 1), c02 = TStart.Load<TSimd, TVector>(start, startStride, 0, 2);
        TVector c10 = TStart.Load<TSimd, TVector>(start, startStride, 1, 0), c11 = TStart.Load<TSimd, TVector>(start, startStride, 1, 1), c12 = TStart.Load<TSimd, TVector>(start, startStride, 1, 2);
        TVector c20 = TStart.Load<TSimd, TVector>(start, startStride, 2, 0), c21 = TStart.Load<TSimd, TVector>(start, startStride, 2, 1), c22 = TStart.Load<TSimd, TVector>(start, startStride, 2, 2);
        TVector c30 = TStart.Load<TSimd, TVector>(start, startStride, 3, 0), c31 = TStart.Load<TSimd, TVector>(start, startStride, 3, 1), c32 = TStart.Load<TSimd, TVector>(start, startStride, 3, 2);
        for (int k = 0; k < steps; k++, a += TLayout.StepStride, b += bStride)
        {
            TVector b0 = TSimd.Load(b), b1 = TSimd.Load(b + w), b2 = TSimd.Load(b + (2 * w));
            TVector x;
            x = TSimd.Create(*a);
            c00 = TSimd.MultiplyAdd(x, b0, c00); c01 = TSimd.MultiplyAdd(x, b1, c01); c02 = TSimd.MultiplyAdd(x, b2, c02);
            x = TSimd.Create(*(a + row));
            c10 = TSimd.MultiplyAdd(x, b0, c10); c11 = TSimd.MultiplyAdd(x, b1, c11); c12 = TSimd.MultiplyAdd(x, b2, c12);
            x = TSimd.Create(*(a + (2 * row)));
            c20 = TSimd.MultiplyAdd(x, b0, c20); c21 = TSimd.MultiplyAdd(x, b1, c21); c22 = TSimd.MultiplyAdd(x, b2, c22);
            x = TSimd.Create(*(a + (3 * row)));
            c30 = TSimd.MultiplyAdd(x, b0, c30); c31 = TSimd.MultiplyAdd(x, b1, c31); c32 = TSimd.MultiplyAdd(x, b2, c32);
        }

        TSimd.Store(c00, c);
        TSimd.Store(c01, c + w);
        TSimd.Store(c02, c + (2 * w));
        c += cStride;
        TSimd.Store(c10, c);
        TSimd.Store(c11, c + w);
        TSimd.Store(c12, c + (2 * w));
        c += cStride;
        TSimd.Store(c20, c);
        TSimd.Store(c21, c + w);
        TSimd.Store(c22, c + (2 * w));
        c += cStride;
        TSimd.Store(c30, c);
        TSimd.Store(c31, c + w);
        TSimd.Store(c32, c + (2 * w));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Block4x2<TSimd, TVector, TLayout, TStart>(
        float* a, float* b, nint bStride, int steps, float* start, nint startStride, float* c, nint cStride)
        where TSimd : ISimd<TVector>
        where TVector : struct
        where TLayout : IFactorLayout
        where TStart : IProductStart
    {
        nint w = TSimd.Width, row = TLayout.RowStride;
        TVector c00 = TStart.Load<TSimd, TVector>(start, startStride, 0, 0), c01 = TStart.Load<TSimd, TVector>(start, startStride, 0, 1);
        TVector c10 = TStart.Load<TSimd, TVector>(start, startStride, 1, 0), c11 = TStart.Load<TSimd, TVector>(start, startStride, 1, 1);
        TVector c20 = TStart.Load<TSimd, TVector>(start, startStride, 2, 0), c21 = TStart.Load<TSimd, TVector>(start, startStride, 2, 1);
        TVector c30 = TStart.Load<TSimd, TVector>(start, startStride, 3, 0), c31 = TStart.Load<TSimd, TVector>(start, startStride, 3, 1);
        for (int k = 0; k < steps; k++, a += TLayout.StepStride, b += bStride)
        {
            TVector b0 = TSimd.Load(b), b1 = TSimd.Load(b + w);
            TVector x;
            x = TSimd.Create(*a);
            c00 = TSimd.MultiplyAdd(x, b0, c00); c01 = TSimd.MultiplyAdd(x, b1, c01);
            x = TSimd.Create(*(a + row));
            c10 = TSimd.MultiplyAdd(x, b0, c10); c11 = TSimd.MultiplyAdd(x, b1, c11);
            x = TSimd.Create(*(a + (2 * row)));
            c20 = TSimd.MultiplyAdd(x, b0, c20); c21 = TSimd.MultiplyAdd(x, b1, c21);
            x = TSimd.Create(*(a + (3 * row)));
            c30 = TSimd.MultiplyAdd(x, b0, c30); c31 = TSimd.MultiplyAdd(x, b1, c31);
        }

        TSimd.Store(c00, c);
        TSimd.Store(c01, c + w);
        c += cStride;
        TSimd.Store(c10, c);
        TSimd.Store(c11, c + w);
        c += cStride;
        TSimd.Store(c20, c);
        TSimd.Store(c21, c + w);
        c += cStride;
        TSimd.Store(c30, c);
        TSimd.Store(c31, c + w);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Block4x1<TSimd, TVector, TLayout, TStart>(
        float* a, float* b, nint bStride, int steps, float* start, nint startStride, float* c, nint cStride)
        where TSimd : ISimd<TVector>
        where TVector : struct
        where TLayout : IFactorLayout
        where TStart : IProductStart
    {
        nint row = TLayout.RowStride;
        TVector c00 = TStart.Load<TSimd, TVector>(start, startStride, 0, 0);
        TVector c10 = TStart.Load<TSimd, TVector>(start, startStride, 1, 0);
        TVector c20 = TStart.Load<TSimd, TVector>(start, startStride, 2, 0);
        TVector c30 = TStart.Load<TSimd, TVector>(start, startStride, 3, 0);
        for (int k = 0; k < steps; k++, a += TLayout.StepStride, b += bStride)
        {
            TVector b0 = TSimd.Load(b);
            TVector x;
            x = TSimd.Create(*a);
            c00 = TSimd.MultiplyAdd(x, b0, c00);
            x = TSimd.Create(*(a + row));
            c10 = TSimd.MultiplyAdd(x, b0, c10);
            x = TSimd.Create(*(a + (2 * row)));
            c20 = TSimd.MultiplyAdd(x, b0, c20);
            x = TSimd.Create(*(a + (3 * row)));
            c30 = TSimd.MultiplyAdd(x, b0, c30);
        }

        TSimd.Store(c00, c);
        c += cStride;
        TSimd.Store(c10, c);
        c += cStride;
        TSimd.Store(c20, c);
        c += cStride;
        TSimd.Store(c30, c);
    }
}
