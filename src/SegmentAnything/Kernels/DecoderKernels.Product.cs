using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

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
    /// <summary>The address for blocks that begin at a column.</summary>
    static abstract unsafe float* Column(float* start, nint column);

    /// <summary>The address for a block that begins at a row.</summary>
    static abstract unsafe float* Row(float* start, nint stride, nint row);

    /// <summary>What one of a block's vectors starts from.</summary>
    static abstract unsafe TVector Load<TSimd, TVector>(float* start, nint stride, int row, int vector)
        where TSimd : ISimd<TVector>
        where TVector : struct;
}

/// <summary>Nothing: the product alone.</summary>
internal readonly struct FromZero : IProductStart
{
    public static unsafe float* Column(float* start, nint column) => start;

    public static unsafe float* Row(float* start, nint stride, nint row) => start;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe TVector Load<TSimd, TVector>(float* start, nint stride, int row, int vector)
        where TSimd : ISimd<TVector>
        where TVector : struct => TSimd.Create(0);
}

/// <summary>A value a row, the same in every column.</summary>
internal readonly struct FromRowBias : IProductStart
{
    public static unsafe float* Column(float* start, nint column) => start;

    public static unsafe float* Row(float* start, nint stride, nint row) => start + row;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe TVector Load<TSimd, TVector>(float* start, nint stride, int row, int vector)
        where TSimd : ISimd<TVector>
        where TVector : struct => TSimd.Create(start[row]);
}

/// <summary>A value a column, the same in every row.</summary>
internal readonly struct FromColumnBias : IProductStart
{
    public static unsafe float* Column(float* start, nint column) => start + column;

    public static unsafe float* Row(float* start, nint stride, nint row) => start;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe TVector Load<TSimd, TVector>(float* start, nint stride, int row, int vector)
        where TSimd : ISimd<TVector>
        where TVector : struct => TSimd.Load(start + (vector * (nint)TSimd.Width));
}

/// <summary>A matrix, which may be the destination itself.</summary>
internal readonly struct FromMatrix : IProductStart
{
    public static unsafe float* Column(float* start, nint column) => start + column;

    public static unsafe float* Row(float* start, nint stride, nint row) => start + (row * stride);

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

    private const int FloatsInLine = 16;

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
    /// <param name="next">What is needed soon and may be far away in memory: fetched into the cache meanwhile. Or null.</param>
    /// <param name="nextLines">Lines of 64 bytes to fetch for each row of c.</param>
    /// <remarks>
    /// A block of 8 x 3 vectors of c (4 x 3 where there are 16 registers) stays in registers over the whole sum: each step
    /// loads three vectors of b and one value a row of a. Columns outside, rows inside: the three columns of b stay near.
    /// </remarks>
    public static void Product<TSimd, TVector, TLayout, TStart>(
        float* a, nint aBlockStride, float* b, nint bStride, int steps, float* start, nint startStride, float* c, nint cStride, int rows, int columns,
        float* next = null, int nextLines = 0)
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
            float* y = b + column, s = TStart.Column(start, column), target = c + column, following = column == 0 ? next : null;
            if (TSimd.BlockRows == 8)
            {
                if (vectors == 3)
                    Blocks8x3<TSimd, TVector, TLayout, TStart>(a, aBlockStride, y, bStride, steps, s, startStride, target, cStride, rows, following, nextLines);
                else if (vectors == 2)
                    Blocks8x2<TSimd, TVector, TLayout, TStart>(a, aBlockStride, y, bStride, steps, s, startStride, target, cStride, rows, following, nextLines);
                else
                    Blocks8x1<TSimd, TVector, TLayout, TStart>(a, aBlockStride, y, bStride, steps, s, startStride, target, cStride, rows, following, nextLines);
            }
            else
            {
                if (vectors == 3)
                    Blocks4x3<TSimd, TVector, TLayout, TStart>(a, aBlockStride, y, bStride, steps, s, startStride, target, cStride, rows, following, nextLines);
                else if (vectors == 2)
                    Blocks4x2<TSimd, TVector, TLayout, TStart>(a, aBlockStride, y, bStride, steps, s, startStride, target, cStride, rows, following, nextLines);
                else
                    Blocks4x1<TSimd, TVector, TLayout, TStart>(a, aBlockStride, y, bStride, steps, s, startStride, target, cStride, rows, following, nextLines);
            }

            column += vectors * TSimd.Width;
        }
    }

    /// <summary>Asks for lines that are needed soon, so that arithmetic does not wait for them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(float* address, int lines)
    {
        if (!Sse.IsSupported) return;
        for (int line = 0; line < lines; line++) Sse.Prefetch1(address + (line * FloatsInLine));
    }

    // Floats to go on in a turn of four steps, so that the lines are spread over a block's turns. Two lines a turn are asked
    // for: more at a time would keep the units from what they need now.
    private static nint AheadInTurn(float* next, int lines, int turns) =>
        next == null ? 0 : Math.Min(((lines * FloatsInLine) + turns - 1) / Math.Max(turns, 1), 2 * FloatsInLine);

    // cRV is the sum of row R, vector V. Each has a name, because only named locals are sure to stay in registers. Four steps
    // a turn keep the turns so few that the processor foresees the last one.

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Blocks8x3<TSimd, TVector, TLayout, TStart>(
        float* a, nint aBlockStride, float* b, nint bStride, int steps, float* start, nint startStride, float* c, nint cStride, int rows, float* next, int nextLines)
        where TSimd : ISimd<TVector>
        where TVector : struct
        where TLayout : IFactorLayout
        where TStart : IProductStart
    {
        nint w = TSimd.Width;
        nint ahead = AheadInTurn(next, nextLines * 8, steps / 4);
        for (int row = 0; row < rows; row += 8)
        {
            float* x = a + (row / BlockRows * aBlockStride), y = b, s = TStart.Row(start, startStride, row);
            TVector c00 = TStart.Load<TSimd, TVector>(s, startStride, 0, 0), c01 = TStart.Load<TSimd, TVector>(s, startStride, 0, 1), c02 = TStart.Load<TSimd, TVector>(s, startStride, 0, 2);
            TVector c10 = TStart.Load<TSimd, TVector>(s, startStride, 1, 0), c11 = TStart.Load<TSimd, TVector>(s, startStride, 1, 1), c12 = TStart.Load<TSimd, TVector>(s, startStride, 1, 2);
            TVector c20 = TStart.Load<TSimd, TVector>(s, startStride, 2, 0), c21 = TStart.Load<TSimd, TVector>(s, startStride, 2, 1), c22 = TStart.Load<TSimd, TVector>(s, startStride, 2, 2);
            TVector c30 = TStart.Load<TSimd, TVector>(s, startStride, 3, 0), c31 = TStart.Load<TSimd, TVector>(s, startStride, 3, 1), c32 = TStart.Load<TSimd, TVector>(s, startStride, 3, 2);
            TVector c40 = TStart.Load<TSimd, TVector>(s, startStride, 4, 0), c41 = TStart.Load<TSimd, TVector>(s, startStride, 4, 1), c42 = TStart.Load<TSimd, TVector>(s, startStride, 4, 2);
            TVector c50 = TStart.Load<TSimd, TVector>(s, startStride, 5, 0), c51 = TStart.Load<TSimd, TVector>(s, startStride, 5, 1), c52 = TStart.Load<TSimd, TVector>(s, startStride, 5, 2);
            TVector c60 = TStart.Load<TSimd, TVector>(s, startStride, 6, 0), c61 = TStart.Load<TSimd, TVector>(s, startStride, 6, 1), c62 = TStart.Load<TSimd, TVector>(s, startStride, 6, 2);
            TVector c70 = TStart.Load<TSimd, TVector>(s, startStride, 7, 0), c71 = TStart.Load<TSimd, TVector>(s, startStride, 7, 1), c72 = TStart.Load<TSimd, TVector>(s, startStride, 7, 2);
            float* soon = next == null ? y : next + (row * nextLines * FloatsInLine);
            int left = steps;
            for (; left >= 4; left -= 4, x += 4 * TLayout.StepStride, y += 4 * bStride)
            {
                Prefetch(soon, 2);
                soon += ahead;
                Step8x3<TSimd, TVector, TLayout>(
                    x, y,
                    ref c00, ref c01, ref c02, ref c10, ref c11, ref c12, ref c20, ref c21, ref c22, ref c30, ref c31, ref c32,
                    ref c40, ref c41, ref c42, ref c50, ref c51, ref c52, ref c60, ref c61, ref c62, ref c70, ref c71, ref c72);
                Step8x3<TSimd, TVector, TLayout>(
                    x + TLayout.StepStride, y + bStride,
                    ref c00, ref c01, ref c02, ref c10, ref c11, ref c12, ref c20, ref c21, ref c22, ref c30, ref c31, ref c32,
                    ref c40, ref c41, ref c42, ref c50, ref c51, ref c52, ref c60, ref c61, ref c62, ref c70, ref c71, ref c72);
                Step8x3<TSimd, TVector, TLayout>(
                    x + (2 * TLayout.StepStride), y + (2 * bStride),
                    ref c00, ref c01, ref c02, ref c10, ref c11, ref c12, ref c20, ref c21, ref c22, ref c30, ref c31, ref c32,
                    ref c40, ref c41, ref c42, ref c50, ref c51, ref c52, ref c60, ref c61, ref c62, ref c70, ref c71, ref c72);
                Step8x3<TSimd, TVector, TLayout>(
                    x + (3 * TLayout.StepStride), y + (3 * bStride),
                    ref c00, ref c01, ref c02, ref c10, ref c11, ref c12, ref c20, ref c21, ref c22, ref c30, ref c31, ref c32,
                    ref c40, ref c41, ref c42, ref c50, ref c51, ref c52, ref c60, ref c61, ref c62, ref c70, ref c71, ref c72);
            }

            for (; left > 0; left--, x += TLayout.StepStride, y += bStride)
            {
                Step8x3<TSimd, TVector, TLayout>(
                    x, y,
                    ref c00, ref c01, ref c02, ref c10, ref c11, ref c12, ref c20, ref c21, ref c22, ref c30, ref c31, ref c32,
                    ref c40, ref c41, ref c42, ref c50, ref c51, ref c52, ref c60, ref c61, ref c62, ref c70, ref c71, ref c72);
            }

            float* target = c + (row * cStride);
            TSimd.Store(c00, target);
            TSimd.Store(c01, target + w);
            TSimd.Store(c02, target + (2 * w));
            target += cStride;
            TSimd.Store(c10, target);
            TSimd.Store(c11, target + w);
            TSimd.Store(c12, target + (2 * w));
            target += cStride;
            TSimd.Store(c20, target);
            TSimd.Store(c21, target + w);
            TSimd.Store(c22, target + (2 * w));
            target += cStride;
            TSimd.Store(c30, target);
            TSimd.Store(c31, target + w);
            TSimd.Store(c32, target + (2 * w));
            target += cStride;
            TSimd.Store(c40, target);
            TSimd.Store(c41, target + w);
            TSimd.Store(c42, target + (2 * w));
            target += cStride;
            TSimd.Store(c50, target);
            TSimd.Store(c51, target + w);
            TSimd.Store(c52, target + (2 * w));
            target += cStride;
            TSimd.Store(c60, target);
            TSimd.Store(c61, target + w);
            TSimd.Store(c62, target + (2 * w));
            target += cStride;
            TSimd.Store(c70, target);
            TSimd.Store(c71, target + w);
            TSimd.Store(c72, target + (2 * w));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step8x3<TSimd, TVector, TLayout>(
        float* a, float* b,
        ref TVector c00, ref TVector c01, ref TVector c02, ref TVector c10, ref TVector c11, ref TVector c12,
        ref TVector c20, ref TVector c21, ref TVector c22, ref TVector c30, ref TVector c31, ref TVector c32,
        ref TVector c40, ref TVector c41, ref TVector c42, ref TVector c50, ref TVector c51, ref TVector c52,
        ref TVector c60, ref TVector c61, ref TVector c62, ref TVector c70, ref TVector c71, ref TVector c72)
        where TSimd : ISimd<TVector>
        where TVector : struct
        where TLayout : IFactorLayout
    {
        nint w = TSimd.Width, row = TLayout.RowStride;
        TVector b0 = TSimd.Load(b), b1 = TSimd.Load(b + w), b2 = TSimd.Load(b + (2 * w));
        TVector x = TSimd.Create(*a);
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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Blocks8x2<TSimd, TVector, TLayout, TStart>(
        float* a, nint aBlockStride, float* b, nint bStride, int steps, float* start, nint startStride, float* c, nint cStride, int rows, float* next, int nextLines)
        where TSimd : ISimd<TVector>
        where TVector : struct
        where TLayout : IFactorLayout
        where TStart : IProductStart
    {
        nint w = TSimd.Width;
        nint ahead = AheadInTurn(next, nextLines * 8, steps / 4);
        for (int row = 0; row < rows; row += 8)
        {
            float* x = a + (row / BlockRows * aBlockStride), y = b, s = TStart.Row(start, startStride, row);
            TVector c00 = TStart.Load<TSimd, TVector>(s, startStride, 0, 0), c01 = TStart.Load<TSimd, TVector>(s, startStride, 0, 1);
            TVector c10 = TStart.Load<TSimd, TVector>(s, startStride, 1, 0), c11 = TStart.Load<TSimd, TVector>(s, startStride, 1, 1);
            TVector c20 = TStart.Load<TSimd, TVector>(s, startStride, 2, 0), c21 = TStart.Load<TSimd, TVector>(s, startStride, 2, 1);
            TVector c30 = TStart.Load<TSimd, TVector>(s, startStride, 3, 0), c31 = TStart.Load<TSimd, TVector>(s, startStride, 3, 1);
            TVector c40 = TStart.Load<TSimd, TVector>(s, startStride, 4, 0), c41 = TStart.Load<TSimd, TVector>(s, startStride, 4, 1);
            TVector c50 = TStart.Load<TSimd, TVector>(s, startStride, 5, 0), c51 = TStart.Load<TSimd, TVector>(s, startStride, 5, 1);
            TVector c60 = TStart.Load<TSimd, TVector>(s, startStride, 6, 0), c61 = TStart.Load<TSimd, TVector>(s, startStride, 6, 1);
            TVector c70 = TStart.Load<TSimd, TVector>(s, startStride, 7, 0), c71 = TStart.Load<TSimd, TVector>(s, startStride, 7, 1);
            float* soon = next == null ? y : next + (row * nextLines * FloatsInLine);
            int left = steps;
            for (; left >= 4; left -= 4, x += 4 * TLayout.StepStride, y += 4 * bStride)
            {
                Prefetch(soon, 2);
                soon += ahead;
                Step8x2<TSimd, TVector, TLayout>(
                    x, y,
                    ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30, ref c31, ref c40, ref c41, ref c50, ref c51,
                    ref c60, ref c61, ref c70, ref c71);
                Step8x2<TSimd, TVector, TLayout>(
                    x + TLayout.StepStride, y + bStride,
                    ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30, ref c31, ref c40, ref c41, ref c50, ref c51,
                    ref c60, ref c61, ref c70, ref c71);
                Step8x2<TSimd, TVector, TLayout>(
                    x + (2 * TLayout.StepStride), y + (2 * bStride),
                    ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30, ref c31, ref c40, ref c41, ref c50, ref c51,
                    ref c60, ref c61, ref c70, ref c71);
                Step8x2<TSimd, TVector, TLayout>(
                    x + (3 * TLayout.StepStride), y + (3 * bStride),
                    ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30, ref c31, ref c40, ref c41, ref c50, ref c51,
                    ref c60, ref c61, ref c70, ref c71);
            }

            for (; left > 0; left--, x += TLayout.StepStride, y += bStride)
            {
                Step8x2<TSimd, TVector, TLayout>(
                    x, y,
                    ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30, ref c31, ref c40, ref c41, ref c50, ref c51,
                    ref c60, ref c61, ref c70, ref c71);
            }

            float* target = c + (row * cStride);
            TSimd.Store(c00, target);
            TSimd.Store(c01, target + w);
            target += cStride;
            TSimd.Store(c10, target);
            TSimd.Store(c11, target + w);
            target += cStride;
            TSimd.Store(c20, target);
            TSimd.Store(c21, target + w);
            target += cStride;
            TSimd.Store(c30, target);
            TSimd.Store(c31, target + w);
            target += cStride;
            TSimd.Store(c40, target);
            TSimd.Store(c41, target + w);
            target += cStride;
            TSimd.Store(c50, target);
            TSimd.Store(c51, target + w);
            target += cStride;
            TSimd.Store(c60, target);
            TSimd.Store(c61, target + w);
            target += cStride;
            TSimd.Store(c70, target);
            TSimd.Store(c71, target + w);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step8x2<TSimd, TVector, TLayout>(
        float* a, float* b,
        ref TVector c00, ref TVector c01, ref TVector c10, ref TVector c11, ref TVector c20, ref TVector c21,
        ref TVector c30, ref TVector c31, ref TVector c40, ref TVector c41, ref TVector c50, ref TVector c51,
        ref TVector c60, ref TVector c61, ref TVector c70, ref TVector c71)
        where TSimd : ISimd<TVector>
        where TVector : struct
        where TLayout : IFactorLayout
    {
        nint w = TSimd.Width, row = TLayout.RowStride;
        TVector b0 = TSimd.Load(b), b1 = TSimd.Load(b + w);
        TVector x = TSimd.Create(*a);
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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Blocks8x1<TSimd, TVector, TLayout, TStart>(
        float* a, nint aBlockStride, float* b, nint bStride, int steps, float* start, nint startStride, float* c, nint cStride, int rows, float* next, int nextLines)
        where TSimd : ISimd<TVector>
        where TVector : struct
        where TLayout : IFactorLayout
        where TStart : IProductStart
    {
        nint ahead = AheadInTurn(next, nextLines * 8, steps / 4);
        for (int row = 0; row < rows; row += 8)
        {
            float* x = a + (row / BlockRows * aBlockStride), y = b, s = TStart.Row(start, startStride, row);
            TVector c00 = TStart.Load<TSimd, TVector>(s, startStride, 0, 0);
            TVector c10 = TStart.Load<TSimd, TVector>(s, startStride, 1, 0);
            TVector c20 = TStart.Load<TSimd, TVector>(s, startStride, 2, 0);
            TVector c30 = TStart.Load<TSimd, TVector>(s, startStride, 3, 0);
            TVector c40 = TStart.Load<TSimd, TVector>(s, startStride, 4, 0);
            TVector c50 = TStart.Load<TSimd, TVector>(s, startStride, 5, 0);
            TVector c60 = TStart.Load<TSimd, TVector>(s, startStride, 6, 0);
            TVector c70 = TStart.Load<TSimd, TVector>(s, startStride, 7, 0);
            float* soon = next == null ? y : next + (row * nextLines * FloatsInLine);
            int left = steps;
            for (; left >= 4; left -= 4, x += 4 * TLayout.StepStride, y += 4 * bStride)
            {
                Prefetch(soon, 2);
                soon += ahead;
                Step8x1<TSimd, TVector, TLayout>(
                    x, y,
                    ref c00, ref c10, ref c20, ref c30, ref c40, ref c50, ref c60, ref c70);
                Step8x1<TSimd, TVector, TLayout>(
                    x + TLayout.StepStride, y + bStride,
                    ref c00, ref c10, ref c20, ref c30, ref c40, ref c50, ref c60, ref c70);
                Step8x1<TSimd, TVector, TLayout>(
                    x + (2 * TLayout.StepStride), y + (2 * bStride),
                    ref c00, ref c10, ref c20, ref c30, ref c40, ref c50, ref c60, ref c70);
                Step8x1<TSimd, TVector, TLayout>(
                    x + (3 * TLayout.StepStride), y + (3 * bStride),
                    ref c00, ref c10, ref c20, ref c30, ref c40, ref c50, ref c60, ref c70);
            }

            for (; left > 0; left--, x += TLayout.StepStride, y += bStride)
            {
                Step8x1<TSimd, TVector, TLayout>(
                    x, y,
                    ref c00, ref c10, ref c20, ref c30, ref c40, ref c50, ref c60, ref c70);
            }

            float* target = c + (row * cStride);
            TSimd.Store(c00, target);
            target += cStride;
            TSimd.Store(c10, target);
            target += cStride;
            TSimd.Store(c20, target);
            target += cStride;
            TSimd.Store(c30, target);
            target += cStride;
            TSimd.Store(c40, target);
            target += cStride;
            TSimd.Store(c50, target);
            target += cStride;
            TSimd.Store(c60, target);
            target += cStride;
            TSimd.Store(c70, target);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step8x1<TSimd, TVector, TLayout>(
        float* a, float* b,
        ref TVector c00, ref TVector c10, ref TVector c20, ref TVector c30, ref TVector c40, ref TVector c50,
        ref TVector c60, ref TVector c70)
        where TSimd : ISimd<TVector>
        where TVector : struct
        where TLayout : IFactorLayout
    {
        nint row = TLayout.RowStride;
        TVector b0 = TSimd.Load(b);
        TVector x = TSimd.Create(*a);
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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Blocks4x3<TSimd, TVector, TLayout, TStart>(
        float* a, nint aBlockStride, float* b, nint bStride, int steps, float* start, nint startStride, float* c, nint cStride, int rows, float* next, int nextLines)
        where TSimd : ISimd<TVector>
        where TVector : struct
        where TLayout : IFactorLayout
        where TStart : IProductStart
    {
        nint w = TSimd.Width;
        nint ahead = AheadInTurn(next, nextLines * 4, steps / 4);
        for (int row = 0; row < rows; row += 4)
        {
            float* x = a + (row / BlockRows * aBlockStride) + (row % BlockRows * TLayout.RowStride);
            float* y = b, s = TStart.Row(start, startStride, row);
            TVector c00 = TStart.Load<TSimd, TVector>(s, startStride, 0, 0), c01 = TStart.Load<TSimd, TVector>(s, startStride, 0, 1), c02 = TStart.Load<TSimd, TVector>(s, startStride, 0, 2);
            TVector c10 = TStart.Load<TSimd, TVector>(s, startStride, 1, 0), c11 = TStart.Load<TSimd, TVector>(s, startStride, 1, 1), c12 = TStart.Load<TSimd, TVector>(s, startStride, 1, 2);
            TVector c20 = TStart.Load<TSimd, TVector>(s, startStride, 2, 0), c21 = TStart.Load<TSimd, TVector>(s, startStride, 2, 1), c22 = TStart.Load<TSimd, TVector>(s, startStride, 2, 2);
            TVector c30 = TStart.Load<TSimd, TVector>(s, startStride, 3, 0), c31 = TStart.Load<TSimd, TVector>(s, startStride, 3, 1), c32 = TStart.Load<TSimd, TVector>(s, startStride, 3, 2);
            float* soon = next == null ? y : next + (row * nextLines * FloatsInLine);
            int left = steps;
            for (; left >= 4; left -= 4, x += 4 * TLayout.StepStride, y += 4 * bStride)
            {
                Prefetch(soon, 2);
                soon += ahead;
                Step4x3<TSimd, TVector, TLayout>(
                    x, y,
                    ref c00, ref c01, ref c02, ref c10, ref c11, ref c12, ref c20, ref c21, ref c22, ref c30, ref c31, ref c32);
                Step4x3<TSimd, TVector, TLayout>(
                    x + TLayout.StepStride, y + bStride,
                    ref c00, ref c01, ref c02, ref c10, ref c11, ref c12, ref c20, ref c21, ref c22, ref c30, ref c31, ref c32);
                Step4x3<TSimd, TVector, TLayout>(
                    x + (2 * TLayout.StepStride), y + (2 * bStride),
                    ref c00, ref c01, ref c02, ref c10, ref c11, ref c12, ref c20, ref c21, ref c22, ref c30, ref c31, ref c32);
                Step4x3<TSimd, TVector, TLayout>(
                    x + (3 * TLayout.StepStride), y + (3 * bStride),
                    ref c00, ref c01, ref c02, ref c10, ref c11, ref c12, ref c20, ref c21, ref c22, ref c30, ref c31, ref c32);
            }

            for (; left > 0; left--, x += TLayout.StepStride, y += bStride)
            {
                Step4x3<TSimd, TVector, TLayout>(
                    x, y,
                    ref c00, ref c01, ref c02, ref c10, ref c11, ref c12, ref c20, ref c21, ref c22, ref c30, ref c31, ref c32);
            }

            float* target = c + (row * cStride);
            TSimd.Store(c00, target);
            TSimd.Store(c01, target + w);
            TSimd.Store(c02, target + (2 * w));
            target += cStride;
            TSimd.Store(c10, target);
            TSimd.Store(c11, target + w);
            TSimd.Store(c12, target + (2 * w));
            target += cStride;
            TSimd.Store(c20, target);
            TSimd.Store(c21, target + w);
            TSimd.Store(c22, target + (2 * w));
            target += cStride;
            TSimd.Store(c30, target);
            TSimd.Store(c31, target + w);
            TSimd.Store(c32, target + (2 * w));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step4x3<TSimd, TVector, TLayout>(
        float* a, float* b,
        ref TVector c00, ref TVector c01, ref TVector c02, ref TVector c10, ref TVector c11, ref TVector c12,
        ref TVector c20, ref TVector c21, ref TVector c22, ref TVector c30, ref TVector c31, ref TVector c32)
        where TSimd : ISimd<TVector>
        where TVector : struct
        where TLayout : IFactorLayout
    {
        nint w = TSimd.Width, row = TLayout.RowStride;
        TVector b0 = TSimd.Load(b), b1 = TSimd.Load(b + w), b2 = TSimd.Load(b + (2 * w));
        TVector x = TSimd.Create(*a);
        c00 = TSimd.MultiplyAdd(x, b0, c00); c01 = TSimd.MultiplyAdd(x, b1, c01); c02 = TSimd.MultiplyAdd(x, b2, c02);
        x = TSimd.Create(*(a + row));
        c10 = TSimd.MultiplyAdd(x, b0, c10); c11 = TSimd.MultiplyAdd(x, b1, c11); c12 = TSimd.MultiplyAdd(x, b2, c12);
        x = TSimd.Create(*(a + (2 * row)));
        c20 = TSimd.MultiplyAdd(x, b0, c20); c21 = TSimd.MultiplyAdd(x, b1, c21); c22 = TSimd.MultiplyAdd(x, b2, c22);
        x = TSimd.Create(*(a + (3 * row)));
        c30 = TSimd.MultiplyAdd(x, b0, c30); c31 = TSimd.MultiplyAdd(x, b1, c31); c32 = TSimd.MultiplyAdd(x, b2, c32);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Blocks4x2<TSimd, TVector, TLayout, TStart>(
        float* a, nint aBlockStride, float* b, nint bStride, int steps, float* start, nint startStride, float* c, nint cStride, int rows, float* next, int nextLines)
        where TSimd : ISimd<TVector>
        where TVector : struct
        where TLayout : IFactorLayout
        where TStart : IProductStart
    {
        nint w = TSimd.Width;
        nint ahead = AheadInTurn(next, nextLines * 4, steps / 4);
        for (int row = 0; row < rows; row += 4)
        {
            float* x = a + (row / BlockRows * aBlockStride) + (row % BlockRows * TLayout.RowStride);
            float* y = b, s = TStart.Row(start, startStride, row);
            TVector c00 = TStart.Load<TSimd, TVector>(s, startStride, 0, 0), c01 = TStart.Load<TSimd, TVector>(s, startStride, 0, 1);
            TVector c10 = TStart.Load<TSimd, TVector>(s, startStride, 1, 0), c11 = TStart.Load<TSimd, TVector>(s, startStride, 1, 1);
            TVector c20 = TStart.Load<TSimd, TVector>(s, startStride, 2, 0), c21 = TStart.Load<TSimd, TVector>(s, startStride, 2, 1);
            TVector c30 = TStart.Load<TSimd, TVector>(s, startStride, 3, 0), c31 = TStart.Load<TSimd, TVector>(s, startStride, 3, 1);
            float* soon = next == null ? y : next + (row * nextLines * FloatsInLine);
            int left = steps;
            for (; left >= 4; left -= 4, x += 4 * TLayout.StepStride, y += 4 * bStride)
            {
                Prefetch(soon, 2);
                soon += ahead;
                Step4x2<TSimd, TVector, TLayout>(
                    x, y,
                    ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30, ref c31);
                Step4x2<TSimd, TVector, TLayout>(
                    x + TLayout.StepStride, y + bStride,
                    ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30, ref c31);
                Step4x2<TSimd, TVector, TLayout>(
                    x + (2 * TLayout.StepStride), y + (2 * bStride),
                    ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30, ref c31);
                Step4x2<TSimd, TVector, TLayout>(
                    x + (3 * TLayout.StepStride), y + (3 * bStride),
                    ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30, ref c31);
            }

            for (; left > 0; left--, x += TLayout.StepStride, y += bStride)
            {
                Step4x2<TSimd, TVector, TLayout>(
                    x, y,
                    ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30, ref c31);
            }

            float* target = c + (row * cStride);
            TSimd.Store(c00, target);
            TSimd.Store(c01, target + w);
            target += cStride;
            TSimd.Store(c10, target);
            TSimd.Store(c11, target + w);
            target += cStride;
            TSimd.Store(c20, target);
            TSimd.Store(c21, target + w);
            target += cStride;
            TSimd.Store(c30, target);
            TSimd.Store(c31, target + w);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step4x2<TSimd, TVector, TLayout>(
        float* a, float* b,
        ref TVector c00, ref TVector c01, ref TVector c10, ref TVector c11, ref TVector c20, ref TVector c21,
        ref TVector c30, ref TVector c31)
        where TSimd : ISimd<TVector>
        where TVector : struct
        where TLayout : IFactorLayout
    {
        nint w = TSimd.Width, row = TLayout.RowStride;
        TVector b0 = TSimd.Load(b), b1 = TSimd.Load(b + w);
        TVector x = TSimd.Create(*a);
        c00 = TSimd.MultiplyAdd(x, b0, c00); c01 = TSimd.MultiplyAdd(x, b1, c01);
        x = TSimd.Create(*(a + row));
        c10 = TSimd.MultiplyAdd(x, b0, c10); c11 = TSimd.MultiplyAdd(x, b1, c11);
        x = TSimd.Create(*(a + (2 * row)));
        c20 = TSimd.MultiplyAdd(x, b0, c20); c21 = TSimd.MultiplyAdd(x, b1, c21);
        x = TSimd.Create(*(a + (3 * row)));
        c30 = TSimd.MultiplyAdd(x, b0, c30); c31 = TSimd.MultiplyAdd(x, b1, c31);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Blocks4x1<TSimd, TVector, TLayout, TStart>(
        float* a, nint aBlockStride, float* b, nint bStride, int steps, float* start, nint startStride, float* c, nint cStride, int rows, float* next, int nextLines)
        where TSimd : ISimd<TVector>
        where TVector : struct
        where TLayout : IFactorLayout
        where TStart : IProductStart
    {
        nint ahead = AheadInTurn(next, nextLines * 4, steps / 4);
        for (int row = 0; row < rows; row += 4)
        {
            float* x = a + (row / BlockRows * aBlockStride) + (row % BlockRows * TLayout.RowStride);
            float* y = b, s = TStart.Row(start, startStride, row);
            TVector c00 = TStart.Load<TSimd, TVector>(s, startStride, 0, 0);
            TVector c10 = TStart.Load<TSimd, TVector>(s, startStride, 1, 0);
            TVector c20 = TStart.Load<TSimd, TVector>(s, startStride, 2, 0);
            TVector c30 = TStart.Load<TSimd, TVector>(s, startStride, 3, 0);
            float* soon = next == null ? y : next + (row * nextLines * FloatsInLine);
            int left = steps;
            for (; left >= 4; left -= 4, x += 4 * TLayout.StepStride, y += 4 * bStride)
            {
                Prefetch(soon, 2);
                soon += ahead;
                Step4x1<TSimd, TVector, TLayout>(
                    x, y,
                    ref c00, ref c10, ref c20, ref c30);
                Step4x1<TSimd, TVector, TLayout>(
                    x + TLayout.StepStride, y + bStride,
                    ref c00, ref c10, ref c20, ref c30);
                Step4x1<TSimd, TVector, TLayout>(
                    x + (2 * TLayout.StepStride), y + (2 * bStride),
                    ref c00, ref c10, ref c20, ref c30);
                Step4x1<TSimd, TVector, TLayout>(
                    x + (3 * TLayout.StepStride), y + (3 * bStride),
                    ref c00, ref c10, ref c20, ref c30);
            }

            for (; left > 0; left--, x += TLayout.StepStride, y += bStride)
            {
                Step4x1<TSimd, TVector, TLayout>(
                    x, y,
                    ref c00, ref c10, ref c20, ref c30);
            }

            float* target = c + (row * cStride);
            TSimd.Store(c00, target);
            target += cStride;
            TSimd.Store(c10, target);
            target += cStride;
            TSimd.Store(c20, target);
            target += cStride;
            TSimd.Store(c30, target);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step4x1<TSimd, TVector, TLayout>(
        float* a, float* b,
        ref TVector c00, ref TVector c10, ref TVector c20, ref TVector c30)
        where TSimd : ISimd<TVector>
        where TVector : struct
        where TLayout : IFactorLayout
    {
        nint row = TLayout.RowStride;
        TVector b0 = TSimd.Load(b);
        TVector x = TSimd.Create(*a);
        c00 = TSimd.MultiplyAdd(x, b0, c00);
        x = TSimd.Create(*(a + row));
        c10 = TSimd.MultiplyAdd(x, b0, c10);
        x = TSimd.Create(*(a + (2 * row)));
        c20 = TSimd.MultiplyAdd(x, b0, c20);
        x = TSimd.Create(*(a + (3 * row)));
        c30 = TSimd.MultiplyAdd(x, b0, c30);
    }
}
