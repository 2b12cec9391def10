using System.Runtime.CompilerServices;

namespace SegmentAnything.Kernels;

/// <summary>How many rows of a block stay in registers over the whole sum.</summary>
internal interface IBlockRows
{
    /// <summary>1, 2, 4 or 8.</summary>
    static abstract int Count { get; }
}

internal readonly struct OneRow : IBlockRows
{
    public static int Count => 1;
}

internal readonly struct TwoRows : IBlockRows
{
    public static int Count => 2;
}

internal readonly struct FourRows : IBlockRows
{
    public static int Count => 4;
}

internal readonly struct EightRows : IBlockRows
{
    public static int Count => 8;
}

/// <summary>
/// result = after(start + bias + rows * matrix), where a row may lie in several segments: the neighbours that a convolution sees.
/// </summary>
internal unsafe struct RowProduct
{
    /// <summary>[segment][row]: where each row's segments begin.</summary>
    public float** Rows;

    /// <summary>Is added to each of these addresses.</summary>
    public nint Offset;

    /// <summary>Rows there are, at least one.</summary>
    public int Count;

    /// <summary>Segments of a row, at least one.</summary>
    public int Segments;

    /// <summary>Values in a segment, at least one.</summary>
    public int Length;

    /// <summary>Segments x length rows and <see cref="Columns"/> columns, in the panels that <see cref="EncoderKernels.PackTransposed"/> writes.</summary>
    public float* Matrix;

    /// <summary>A multiple of the vector's width.</summary>
    public int Columns;

    /// <summary>[column], or null.</summary>
    public float* Bias;

    /// <summary>[row]: what the sums start from, or null. May be the result.</summary>
    public float** Start;

    /// <summary>Is added to each of these addresses.</summary>
    public nint StartOffset;

    /// <summary>[row]: receive the columns.</summary>
    public float** Result;

    /// <summary>Is added to each of these addresses.</summary>
    public nint ResultOffset;

    /// <summary><see cref="DecoderKernels.GeluTable"/>, aligned, where GELU follows; or null.</summary>
    public float* Gelu;
}

/// <content>The product of rows, wherever they lie, with a packed matrix.</content>
internal static unsafe partial class EncoderKernels
{
    // Of a panel's values so many stay in the first-level cache while all rows go over them.
    private const int PanelValues = 6144;

    /// <summary>Vectors in the panel that begins a matrix of so many vectors: three, or two where one alone would be left.</summary>
    /// <remarks>One vector alone would wait for its own sums.</remarks>
    public static int PanelVectors(int vectors) => vectors >= 3 && vectors != 4 ? 3 : Math.Min(vectors, 2);

    /// <summary>Computes a <see cref="RowProduct"/>.</summary>
    /// <remarks>
    /// A block of 8 rows x 3 vectors (4 x 3 where there are 16 registers) stays in registers over a part of the sum: each step loads
    /// three vectors of the matrix and one value a row. The part is as long as a panel's piece fits into the first-level cache,
    /// where it stays while all rows pass by.
    /// </remarks>
    public static void Product<TSimd, TVector>(in RowProduct product)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        int most = PanelValues / (3 * TSimd.Width), steps = product.Segments * product.Length;
        if (product.Length <= most)
        {
            int parts = (product.Segments + (most / product.Length) - 1) / (most / product.Length), together = (product.Segments + parts - 1) / parts;
            for (int segment = 0; segment < product.Segments; segment += together)
                Part<TSimd, TVector>(product, steps, segment, Math.Min(together, product.Segments - segment), 0, product.Length);
        }
        else
        {
            int parts = (product.Length + most - 1) / most, length = (((product.Length + parts - 1) / parts) + 3) / 4 * 4;
            for (int segment = 0; segment < product.Segments; segment++)
            {
                for (int from = 0; from < product.Length; from += length)
                    Part<TSimd, TVector>(product, steps, segment, 1, from, Math.Min(length, product.Length - from));
            }
        }
    }

    // A part of the sums, of all columns and rows.
    private static void Part<TSimd, TVector>(in RowProduct product, int steps, int segment, int segments, int from, int length)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        nint w = TSimd.Width;
        bool first = segment == 0 && from == 0, last = segment + segments == product.Segments && from + length == product.Length;
        RowProduct part = product;
        part.Rows += (nint)segment * product.Count;
        part.Offset += from;
        part.Segments = segments;
        part.Length = length;
        if (!first)
        {
            part.Bias = null;
            part.Start = product.Result;
            part.StartOffset = product.ResultOffset;
        }

        if (!last) part.Gelu = null;
        float* panel = product.Matrix;
        nint firstStep = ((nint)segment * product.Length) + from;
        for (int left = product.Columns / (int)w; left > 0;)
        {
            int vectors = PanelVectors(left);
            part.Matrix = panel + (firstStep * vectors * w);
            if (vectors == 3) Panel<TSimd, TVector, ThreeVectors>(part, product.Count);
            else if (vectors == 2) Panel<TSimd, TVector, TwoVectors>(part, product.Count);
            else Panel<TSimd, TVector, OneVector>(part, product.Count);
            panel += steps * vectors * w;
            left -= vectors;
            part.StartOffset += vectors * w;
            part.ResultOffset += vectors * w;
            if (part.Bias != null) part.Bias += vectors * w;
        }
    }

    private static void Panel<TSimd, TVector, TVectors>(in RowProduct part, int rowsOfSegment)
        where TSimd : ISimd<TVector>
        where TVector : struct
        where TVectors : IBlockVectors
    {
        for (int row = 0, count; row < part.Count; row += count)
        {
            int left = part.Count - row;
            if (left >= 8 && TSimd.BlockRows == 8)
            {
                count = 8;
                Block<TSimd, TVector, EightRows, TVectors>(part, row, rowsOfSegment);
            }
            else if (left >= 4)
            {
                count = 4;
                Block<TSimd, TVector, FourRows, TVectors>(part, row, rowsOfSegment);
            }
            else if (left >= 2)
            {
                count = 2;
                Block<TSimd, TVector, TwoRows, TVectors>(part, row, rowsOfSegment);
            }
            else
            {
                count = 1;
                Block<TSimd, TVector, OneRow, TVectors>(part, row, rowsOfSegment);
            }

            if (part.Gelu != null) GeluBlock<TSimd, TVector, TVectors>(part.Result + row, part.ResultOffset, count, part.Gelu);
        }
    }

    // What was just written is still in the first-level cache; in the block's registers there is no room for more.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void GeluBlock<TSimd, TVector, TVectors>(float** rows, nint offset, int count, float* table)
        where TSimd : ISimd<TVector>
        where TVector : struct
        where TVectors : IBlockVectors
    {
        for (int row = 0; row < count; row++)
        {
            float* at = rows[row] + offset;
            TSimd.Store(DecoderKernels.Gelu<TSimd, TVector>(TSimd.Load(at), table), at);
            if (TVectors.Count > 1) TSimd.Store(DecoderKernels.Gelu<TSimd, TVector>(TSimd.Load(at + TSimd.Width), table), at + TSimd.Width);
            if (TVectors.Count > 2) TSimd.Store(DecoderKernels.Gelu<TSimd, TVector>(TSimd.Load(at + (2 * TSimd.Width)), table), at + (2 * TSimd.Width));
        }
    }

    // cRV is the sum of row R, vector V, aR where row R is read. Each has a name, because only named locals are sure to stay in
    // registers; the compiler leaves out those that a block does not have, with all that is done to them.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Block<TSimd, TVector, TRows, TVectors>(in RowProduct part, int row, int rowsOfSegment)
        where TSimd : ISimd<TVector>
        where TVector : struct
        where TRows : IBlockRows
        where TVectors : IBlockVectors
    {
        float* bias = part.Bias;
        float** start = part.Start == null ? null : part.Start + row;
        nint offset = part.StartOffset;
        TVector c00 = Begin<TSimd, TVector, TRows, TVectors>(bias, start, offset, 0, 0), c01 = Begin<TSimd, TVector, TRows, TVectors>(bias, start, offset, 0, 1), c02 = Begin<TSimd, TVector, TRows, TVectors>(bias, start, offset, 0, 2);
        TVector c10 = Begin<TSimd, TVector, TRows, TVectors>(bias, start, offset, 1, 0), c11 = Begin<TSimd, TVector, TRows, TVectors>(bias, start, offset, 1, 1), c12 = Begin<TSimd, TVector, TRows, TVectors>(bias, start, offset, 1, 2);
        TVector c20 = Begin<TSimd, TVector, TRows, TVectors>(bias, start, offset, 2, 0), c21 = Begin<TSimd, TVector, TRows, TVectors>(bias, start, offset, 2, 1), c22 = Begin<TSimd, TVector, TRows, TVectors>(bias, start, offset, 2, 2);
        TVector c30 = Begin<TSimd, TVector, TRows, TVectors>(bias, start, offset, 3, 0), c31 = Begin<TSimd, TVector, TRows, TVectors>(bias, start, offset, 3, 1), c32 = Begin<TSimd, TVector, TRows, TVectors>(bias, start, offset, 3, 2);
        TVector c40 = Begin<TSimd, TVector, TRows, TVectors>(bias, start, offset, 4, 0), c41 = Begin<TSimd, TVector, TRows, TVectors>(bias, start, offset, 4, 1), c42 = Begin<TSimd, TVector, TRows, TVectors>(bias, start, offset, 4, 2);
        TVector c50 = Begin<TSimd, TVector, TRows, TVectors>(bias, start, offset, 5, 0), c51 = Begin<TSimd, TVector, TRows, TVectors>(bias, start, offset, 5, 1), c52 = Begin<TSimd, TVector, TRows, TVectors>(bias, start, offset, 5, 2);
        TVector c60 = Begin<TSimd, TVector, TRows, TVectors>(bias, start, offset, 6, 0), c61 = Begin<TSimd, TVector, TRows, TVectors>(bias, start, offset, 6, 1), c62 = Begin<TSimd, TVector, TRows, TVectors>(bias, start, offset, 6, 2);
        TVector c70 = Begin<TSimd, TVector, TRows, TVectors>(bias, start, offset, 7, 0), c71 = Begin<TSimd, TVector, TRows, TVectors>(bias, start, offset, 7, 1), c72 = Begin<TSimd, TVector, TRows, TVectors>(bias, start, offset, 7, 2);
        float* b = part.Matrix;
        float** rows = part.Rows + row;
        nint length = part.Length, step = TVectors.Count * (nint)TSimd.Width;
        for (int segment = part.Segments; segment > 0; segment--, rows += rowsOfSegment)
        {
            float* a0 = Address<TRows>(rows, part.Offset, 0), a1 = Address<TRows>(rows, part.Offset, 1), a2 = Address<TRows>(rows, part.Offset, 2), a3 = Address<TRows>(rows, part.Offset, 3);
            float* a4 = Address<TRows>(rows, part.Offset, 4), a5 = Address<TRows>(rows, part.Offset, 5), a6 = Address<TRows>(rows, part.Offset, 6), a7 = Address<TRows>(rows, part.Offset, 7);
            nint k = 0;
            for (; k <= length - 4; k += 4, b += 4 * step)
            {
                Step<TSimd, TVector, TRows, TVectors>(
                    a0 + k, a1 + k, a2 + k, a3 + k, a4 + k, a5 + k, a6 + k, a7 + k, b,
                    ref c00, ref c01, ref c02, ref c10, ref c11, ref c12, ref c20, ref c21, ref c22, ref c30, ref c31, ref c32,
                    ref c40, ref c41, ref c42, ref c50, ref c51, ref c52, ref c60, ref c61, ref c62, ref c70, ref c71, ref c72);
                Step<TSimd, TVector, TRows, TVectors>(
                    a0 + k + 1, a1 + k + 1, a2 + k + 1, a3 + k + 1, a4 + k + 1, a5 + k + 1, a6 + k + 1, a7 + k + 1, b + step,
                    ref c00, ref c01, ref c02, ref c10, ref c11, ref c12, ref c20, ref c21, ref c22, ref c30, ref c31, ref c32,
                    ref c40, ref c41, ref c42, ref c50, ref c51, ref c52, ref c60, ref c61, ref c62, ref c70, ref c71, ref c72);
                Step<TSimd, TVector, TRows, TVectors>(
                    a0 + k + 2, a1 + k + 2, a2 + k + 2, a3 + k + 2, a4 + k + 2, a5 + k + 2, a6 + k + 2, a7 + k + 2, b + (2 * step),
                    ref c00, ref c01, ref c02, ref c10, ref c11, ref c12, ref c20, ref c21, ref c22, ref c30, ref c31, ref c32,
                    ref c40, ref c41, ref c42, ref c50, ref c51, ref c52, ref c60, ref c61, ref c62, ref c70, ref c71, ref c72);
                Step<TSimd, TVector, TRows, TVectors>(
                    a0 + k + 3, a1 + k + 3, a2 + k + 3, a3 + k + 3, a4 + k + 3, a5 + k + 3, a6 + k + 3, a7 + k + 3, b + (3 * step),
                    ref c00, ref c01, ref c02, ref c10, ref c11, ref c12, ref c20, ref c21, ref c22, ref c30, ref c31, ref c32,
                    ref c40, ref c41, ref c42, ref c50, ref c51, ref c52, ref c60, ref c61, ref c62, ref c70, ref c71, ref c72);
            }

            for (; k < length; k++, b += step)
            {
                Step<TSimd, TVector, TRows, TVectors>(
                    a0 + k, a1 + k, a2 + k, a3 + k, a4 + k, a5 + k, a6 + k, a7 + k, b,
                    ref c00, ref c01, ref c02, ref c10, ref c11, ref c12, ref c20, ref c21, ref c22, ref c30, ref c31, ref c32,
                    ref c40, ref c41, ref c42, ref c50, ref c51, ref c52, ref c60, ref c61, ref c62, ref c70, ref c71, ref c72);
            }
        }

        float** result = part.Result + row;
        offset = part.ResultOffset;
        End<TSimd, TVector, TRows, TVectors>(0, c00, c01, c02, result, offset);
        End<TSimd, TVector, TRows, TVectors>(1, c10, c11, c12, result, offset);
        End<TSimd, TVector, TRows, TVectors>(2, c20, c21, c22, result, offset);
        End<TSimd, TVector, TRows, TVectors>(3, c30, c31, c32, result, offset);
        End<TSimd, TVector, TRows, TVectors>(4, c40, c41, c42, result, offset);
        End<TSimd, TVector, TRows, TVectors>(5, c50, c51, c52, result, offset);
        End<TSimd, TVector, TRows, TVectors>(6, c60, c61, c62, result, offset);
        End<TSimd, TVector, TRows, TVectors>(7, c70, c71, c72, result, offset);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float* Address<TRows>(float** rows, nint offset, int row)
        where TRows : IBlockRows => row < TRows.Count ? rows[row] + offset : null;

    // What a sum begins with; nothing where the block has no such row or vector.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Begin<TSimd, TVector, TRows, TVectors>(float* bias, float** start, nint offset, int row, int vector)
        where TSimd : ISimd<TVector>
        where TVector : struct
        where TRows : IBlockRows
        where TVectors : IBlockVectors
    {
        if (row >= TRows.Count || vector >= TVectors.Count) return default;
        nint at = vector * (nint)TSimd.Width;
        TVector value = bias == null ? TSimd.Create(0) : TSimd.Load(bias + at);
        return start == null ? value : TSimd.Add(value, TSimd.Load(start[row] + offset + at));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void End<TSimd, TVector, TRows, TVectors>(int row, TVector c0, TVector c1, TVector c2, float** result, nint offset)
        where TSimd : ISimd<TVector>
        where TVector : struct
        where TRows : IBlockRows
        where TVectors : IBlockVectors
    {
        if (row >= TRows.Count) return;
        float* target = result[row] + offset;
        TSimd.Store(c0, target);
        if (TVectors.Count > 1) TSimd.Store(c1, target + TSimd.Width);
        if (TVectors.Count > 2) TSimd.Store(c2, target + (2 * TSimd.Width));
    }

    // One step of all sums of a block.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step<TSimd, TVector, TRows, TVectors>(
        float* a0, float* a1, float* a2, float* a3, float* a4, float* a5, float* a6, float* a7, float* b,
        ref TVector c00, ref TVector c01, ref TVector c02, ref TVector c10, ref TVector c11, ref TVector c12,
        ref TVector c20, ref TVector c21, ref TVector c22, ref TVector c30, ref TVector c31, ref TVector c32,
        ref TVector c40, ref TVector c41, ref TVector c42, ref TVector c50, ref TVector c51, ref TVector c52,
        ref TVector c60, ref TVector c61, ref TVector c62, ref TVector c70, ref TVector c71, ref TVector c72)
        where TSimd : ISimd<TVector>
        where TVector : struct
        where TRows : IBlockRows
        where TVectors : IBlockVectors
    {
        nint w = TSimd.Width;
        TVector b0 = TSimd.Load(b);
        TVector b1 = TVectors.Count > 1 ? TSimd.Load(b + w) : default;
        TVector b2 = TVectors.Count > 2 ? TSimd.Load(b + (2 * w)) : default;
        StepRow<TSimd, TVector, TVectors>(a0, b0, b1, b2, ref c00, ref c01, ref c02);
        if (TRows.Count == 1) return;
        StepRow<TSimd, TVector, TVectors>(a1, b0, b1, b2, ref c10, ref c11, ref c12);
        if (TRows.Count == 2) return;
        StepRow<TSimd, TVector, TVectors>(a2, b0, b1, b2, ref c20, ref c21, ref c22);
        StepRow<TSimd, TVector, TVectors>(a3, b0, b1, b2, ref c30, ref c31, ref c32);
        if (TRows.Count == 4) return;
        StepRow<TSimd, TVector, TVectors>(a4, b0, b1, b2, ref c40, ref c41, ref c42);
        StepRow<TSimd, TVector, TVectors>(a5, b0, b1, b2, ref c50, ref c51, ref c52);
        StepRow<TSimd, TVector, TVectors>(a6, b0, b1, b2, ref c60, ref c61, ref c62);
        StepRow<TSimd, TVector, TVectors>(a7, b0, b1, b2, ref c70, ref c71, ref c72);
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
