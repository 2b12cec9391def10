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

/// <summary>How many vectors of a row stay in registers over the whole sum.</summary>
internal interface IBlockVectors
{
    /// <summary>1 to 3.</summary>
    static abstract int Count { get; }
}

internal readonly struct OneVector : IBlockVectors
{
    public static int Count => 1;
}

internal readonly struct TwoVectors : IBlockVectors
{
    public static int Count => 2;
}

internal readonly struct ThreeVectors : IBlockVectors
{
    public static int Count => 3;
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
            if (vectors == 3)
                Blocks<TSimd, TVector, TLayout, TStart, ThreeVectors>(a, aBlockStride, y, bStride, steps, s, startStride, target, cStride, rows, following, nextLines);
            else if (vectors == 2)
                Blocks<TSimd, TVector, TLayout, TStart, TwoVectors>(a, aBlockStride, y, bStride, steps, s, startStride, target, cStride, rows, following, nextLines);
            else
                Blocks<TSimd, TVector, TLayout, TStart, OneVector>(a, aBlockStride, y, bStride, steps, s, startStride, target, cStride, rows, following, nextLines);

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

    // cRV is the sum of row R, vector V. Each has a name, because only named locals are sure to stay in registers; the
    // compiler leaves out those that a block does not have, with all that is done to them. Four steps a turn keep the turns
    // so few that the processor foresees the last one.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Blocks<TSimd, TVector, TLayout, TStart, TVectors>(
        float* a, nint aBlockStride, float* b, nint bStride, int steps, float* start, nint startStride, float* c, nint cStride, int rows, float* next, int nextLines)
        where TSimd : ISimd<TVector>
        where TVector : struct
        where TLayout : IFactorLayout
        where TStart : IProductStart
        where TVectors : IBlockVectors
    {
        nint ahead = AheadInTurn(next, nextLines * TSimd.BlockRows, steps / 4);
        for (int row = 0; row < rows; row += TSimd.BlockRows)
        {
            float* x = a + (row / BlockRows * aBlockStride) + (row % BlockRows * TLayout.RowStride), y = b, s = TStart.Row(start, startStride, row);
            TVector c00 = Start<TSimd, TVector, TStart, TVectors>(s, startStride, 0, 0), c01 = Start<TSimd, TVector, TStart, TVectors>(s, startStride, 0, 1), c02 = Start<TSimd, TVector, TStart, TVectors>(s, startStride, 0, 2);
            TVector c10 = Start<TSimd, TVector, TStart, TVectors>(s, startStride, 1, 0), c11 = Start<TSimd, TVector, TStart, TVectors>(s, startStride, 1, 1), c12 = Start<TSimd, TVector, TStart, TVectors>(s, startStride, 1, 2);
            TVector c20 = Start<TSimd, TVector, TStart, TVectors>(s, startStride, 2, 0), c21 = Start<TSimd, TVector, TStart, TVectors>(s, startStride, 2, 1), c22 = Start<TSimd, TVector, TStart, TVectors>(s, startStride, 2, 2);
            TVector c30 = Start<TSimd, TVector, TStart, TVectors>(s, startStride, 3, 0), c31 = Start<TSimd, TVector, TStart, TVectors>(s, startStride, 3, 1), c32 = Start<TSimd, TVector, TStart, TVectors>(s, startStride, 3, 2);
            TVector c40 = Start<TSimd, TVector, TStart, TVectors>(s, startStride, 4, 0), c41 = Start<TSimd, TVector, TStart, TVectors>(s, startStride, 4, 1), c42 = Start<TSimd, TVector, TStart, TVectors>(s, startStride, 4, 2);
            TVector c50 = Start<TSimd, TVector, TStart, TVectors>(s, startStride, 5, 0), c51 = Start<TSimd, TVector, TStart, TVectors>(s, startStride, 5, 1), c52 = Start<TSimd, TVector, TStart, TVectors>(s, startStride, 5, 2);
            TVector c60 = Start<TSimd, TVector, TStart, TVectors>(s, startStride, 6, 0), c61 = Start<TSimd, TVector, TStart, TVectors>(s, startStride, 6, 1), c62 = Start<TSimd, TVector, TStart, TVectors>(s, startStride, 6, 2);
            TVector c70 = Start<TSimd, TVector, TStart, TVectors>(s, startStride, 7, 0), c71 = Start<TSimd, TVector, TStart, TVectors>(s, startStride, 7, 1), c72 = Start<TSimd, TVector, TStart, TVectors>(s, startStride, 7, 2);
            float* soon = next == null ? y : next + (row * nextLines * FloatsInLine);
            int left = steps;
            for (; left >= 4; left -= 4, x += 4 * TLayout.StepStride, y += 4 * bStride)
            {
                Prefetch(soon, 2);
                soon += ahead;
                Step<TSimd, TVector, TLayout, TVectors>(
                    x, y,
                    ref c00, ref c01, ref c02, ref c10, ref c11, ref c12, ref c20, ref c21, ref c22, ref c30, ref c31, ref c32,
                    ref c40, ref c41, ref c42, ref c50, ref c51, ref c52, ref c60, ref c61, ref c62, ref c70, ref c71, ref c72);
                Step<TSimd, TVector, TLayout, TVectors>(
                    x + TLayout.StepStride, y + bStride,
                    ref c00, ref c01, ref c02, ref c10, ref c11, ref c12, ref c20, ref c21, ref c22, ref c30, ref c31, ref c32,
                    ref c40, ref c41, ref c42, ref c50, ref c51, ref c52, ref c60, ref c61, ref c62, ref c70, ref c71, ref c72);
                Step<TSimd, TVector, TLayout, TVectors>(
                    x + (2 * TLayout.StepStride), y + (2 * bStride),
                    ref c00, ref c01, ref c02, ref c10, ref c11, ref c12, ref c20, ref c21, ref c22, ref c30, ref c31, ref c32,
                    ref c40, ref c41, ref c42, ref c50, ref c51, ref c52, ref c60, ref c61, ref c62, ref c70, ref c71, ref c72);
                Step<TSimd, TVector, TLayout, TVectors>(
                    x + (3 * TLayout.StepStride), y + (3 * bStride),
                    ref c00, ref c01, ref c02, ref c10, ref c11, ref c12, ref c20, ref c21, ref c22, ref c30, ref c31, ref c32,
                    ref c40, ref c41, ref c42, ref c50, ref c51, ref c52, ref c60, ref c61, ref c62, ref c70, ref c71, ref c72);
            }

            for (; left > 0; left--, x += TLayout.StepStride, y += bStride)
            {
                Step<TSimd, TVector, TLayout, TVectors>(
                    x, y,
                    ref c00, ref c01, ref c02, ref c10, ref c11, ref c12, ref c20, ref c21, ref c22, ref c30, ref c31, ref c32,
                    ref c40, ref c41, ref c42, ref c50, ref c51, ref c52, ref c60, ref c61, ref c62, ref c70, ref c71, ref c72);
            }

            float* target = c + (row * cStride);
            StoreRow<TSimd, TVector, TVectors>(0, c00, c01, c02, target, cStride);
            StoreRow<TSimd, TVector, TVectors>(1, c10, c11, c12, target, cStride);
            StoreRow<TSimd, TVector, TVectors>(2, c20, c21, c22, target, cStride);
            StoreRow<TSimd, TVector, TVectors>(3, c30, c31, c32, target, cStride);
            StoreRow<TSimd, TVector, TVectors>(4, c40, c41, c42, target, cStride);
            StoreRow<TSimd, TVector, TVectors>(5, c50, c51, c52, target, cStride);
            StoreRow<TSimd, TVector, TVectors>(6, c60, c61, c62, target, cStride);
            StoreRow<TSimd, TVector, TVectors>(7, c70, c71, c72, target, cStride);
        }
    }

    // What a sum of the block starts from; nothing where the block has no such row or vector.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Start<TSimd, TVector, TStart, TVectors>(float* start, nint stride, int row, int vector)
        where TSimd : ISimd<TVector>
        where TVector : struct
        where TStart : IProductStart
        where TVectors : IBlockVectors =>
        row < TSimd.BlockRows && vector < TVectors.Count ? TStart.Load<TSimd, TVector>(start, stride, row, vector) : default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreRow<TSimd, TVector, TVectors>(int row, TVector c0, TVector c1, TVector c2, float* block, nint stride)
        where TSimd : ISimd<TVector>
        where TVector : struct
        where TVectors : IBlockVectors
    {
        if (row >= TSimd.BlockRows) return;
        float* target = block + (row * stride);
        TSimd.Store(c0, target);
        if (TVectors.Count > 1) TSimd.Store(c1, target + TSimd.Width);
        if (TVectors.Count > 2) TSimd.Store(c2, target + (2 * TSimd.Width));
    }

    // One step of all sums of a block.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step<TSimd, TVector, TLayout, TVectors>(
        float* a, float* b,
        ref TVector c00, ref TVector c01, ref TVector c02, ref TVector c10, ref TVector c11, ref TVector c12,
        ref TVector c20, ref TVector c21, ref TVector c22, ref TVector c30, ref TVector c31, ref TVector c32,
        ref TVector c40, ref TVector c41, ref TVector c42, ref TVector c50, ref TVector c51, ref TVector c52,
        ref TVector c60, ref TVector c61, ref TVector c62, ref TVector c70, ref TVector c71, ref TVector c72)
        where TSimd : ISimd<TVector>
        where TVector : struct
        where TLayout : IFactorLayout
        where TVectors : IBlockVectors
    {
        nint w = TSimd.Width, row = TLayout.RowStride;
        TVector b0 = TSimd.Load(b);
        TVector b1 = TVectors.Count > 1 ? TSimd.Load(b + w) : default;
        TVector b2 = TVectors.Count > 2 ? TSimd.Load(b + (2 * w)) : default;
        StepRow<TSimd, TVector, TVectors>(a, b0, b1, b2, ref c00, ref c01, ref c02);
        StepRow<TSimd, TVector, TVectors>(a + row, b0, b1, b2, ref c10, ref c11, ref c12);
        StepRow<TSimd, TVector, TVectors>(a + (2 * row), b0, b1, b2, ref c20, ref c21, ref c22);
        StepRow<TSimd, TVector, TVectors>(a + (3 * row), b0, b1, b2, ref c30, ref c31, ref c32);
        if (TSimd.BlockRows == 4) return;
        StepRow<TSimd, TVector, TVectors>(a + (4 * row), b0, b1, b2, ref c40, ref c41, ref c42);
        StepRow<TSimd, TVector, TVectors>(a + (5 * row), b0, b1, b2, ref c50, ref c51, ref c52);
        StepRow<TSimd, TVector, TVectors>(a + (6 * row), b0, b1, b2, ref c60, ref c61, ref c62);
        StepRow<TSimd, TVector, TVectors>(a + (7 * row), b0, b1, b2, ref c70, ref c71, ref c72);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StepRow<TSimd, TVector, TVectors>(
        float* a, TVector b0, TVector b1, TVector b2, ref TVector c0, ref TVector c1, ref TVector c2)
        where TSimd : ISimd<TVector>
        where TVector : struct
        where TVectors : IBlockVectors
    {
        TVector x = TSimd.Create(*a);
        c0 = TSimd.MultiplyAdd(x, b0, c0);
        if (TVectors.Count > 1) c1 = TSimd.MultiplyAdd(x, b1, c1);
        if (TVectors.Count > 2) c2 = TSimd.MultiplyAdd(x, b2, c2);
    }
}
