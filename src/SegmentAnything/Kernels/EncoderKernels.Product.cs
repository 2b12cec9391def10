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
    // Of a panel's values so many are read again and again while all rows go over them; half of it would suit the first-level cache,
    // but sums would be fetched and written twice as often.
    private const int PanelValues = 16384;

    /// <summary>Vectors in the panel that begins a matrix of so many vectors: three, or two where one alone would be left.</summary>
    /// <remarks>One vector alone would wait for its own sums.</remarks>
    public static int PanelVectors(int vectors) => vectors >= 3 && vectors != 4 ? 3 : Math.Min(vectors, 2);

    /// <summary>Computes a <see cref="RowProduct"/>.</summary>
    /// <remarks>
    /// A block of 8 rows x 3 vectors (4 x 3 where there are 16 registers) stays in registers over a part of the sum: each step loads
    /// three vectors of the matrix and one value a row. All parts of a panel come one after the other, so that its sums stay in the
    /// nearest caches, as the part's piece of the panel does while all rows pass by.
    /// </remarks>
    public static void Product<TSimd, TVector>(in RowProduct product)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        int most = PanelValues / (3 * TSimd.Width), together = 1, length = product.Length;
        if (length <= most)
        {
            int parts = (product.Segments + (most / length) - 1) / (most / length);
            together = (product.Segments + parts - 1) / parts;
        }
        else
        {
            int parts = (length + most - 1) / most;
            length = (((length + parts - 1) / parts) + 3) / 4 * 4;
        }

        RowProduct part = product;
        for (int left = product.Columns / TSimd.Width; left > 0;)
        {
            int vectors = PanelVectors(left), columns = vectors * TSimd.Width;
            for (int segment = 0; segment < product.Segments; segment += together)
            {
                for (int from = 0; from < product.Length; from += length)
                {
                    part.Rows = product.Rows + ((nint)segment * product.Count);
                    part.Offset = product.Offset + from;
                    part.Segments = Math.Min(together, product.Segments - segment);
                    part.Length = Math.Min(length, product.Length - from);
                    part.Gelu = segment + part.Segments == product.Segments && from + part.Length == product.Length ? product.Gelu : null;
                    if (vectors == 3) Panel<TSimd, TVector, ThreeVectors>(part, product.Count);
                    else if (vectors == 2) Panel<TSimd, TVector, TwoVectors>(part, product.Count);
                    else Panel<TSimd, TVector, OneVector>(part, product.Count);
                    // The next part goes on where this one ends, in the matrix as in the sums.
                    part.Matrix += (nint)part.Segments * part.Length * columns;
                    part.Bias = null;
                    part.Start = product.Result;
                    part.StartOffset = part.ResultOffset;
                }
            }

            left -= vectors;
            part.ResultOffset += columns;
            part.Start = product.Start;
            part.StartOffset = product.StartOffset + (part.ResultOffset - product.ResultOffset);
            part.Bias = product.Bias == null ? null : product.Bias + (part.ResultOffset - product.ResultOffset);
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
        // Every row begins with the bias. What else the sums start from is added at the end: so little code here keeps all of it inlined.
        TVector c00 = Begin<TSimd, TVector, TVectors>(part.Bias, 0), c01 = Begin<TSimd, TVector, TVectors>(part.Bias, 1), c02 = Begin<TSimd, TVector, TVectors>(part.Bias, 2);
        TVector c10 = c00, c11 = c01, c12 = c02;
        TVector c20 = c00, c21 = c01, c22 = c02;
        TVector c30 = c00, c31 = c01, c32 = c02;
        TVector c40 = c00, c41 = c01, c42 = c02;
        TVector c50 = c00, c51 = c01, c52 = c02;
        TVector c60 = c00, c61 = c01, c62 = c02;
        TVector c70 = c00, c71 = c01, c72 = c02;
        float* b = part.Matrix;
        float** rows = part.Rows + row;
        nint length = part.Length, step = TVectors.Count * (nint)TSimd.Width;
        for (int segment = part.Segments; segment > 0; segment--, rows += rowsOfSegment)
        {
            float* a0 = Address<TRows>(rows, part.Offset, 0), a1 = Address<TRows>(rows, part.Offset, 1), a2 = Address<TRows>(rows, part.Offset, 2), a3 = Address<TRows>(rows, part.Offset, 3);
            float* a4 = Address<TRows>(rows, part.Offset, 4), a5 = Address<TRows>(rows, part.Offset, 5), a6 = Address<TRows>(rows, part.Offset, 6), a7 = Address<TRows>(rows, part.Offset, 7);
            // The step is written out here: the compiler inlines nothing that has more than 32 arguments.
            for (nint k = 0; k < length; k++, b += step)
            {
                TVector b0 = TSimd.Load(b);
                TVector b1 = TVectors.Count > 1 ? TSimd.Load(b + TSimd.Width) : default;
                TVector b2 = TVectors.Count > 2 ? TSimd.Load(b + (2 * TSimd.Width)) : default;
                StepRow<TSimd, TVector, TRows, TVectors>(0, a0 + k, b0, b1, b2, ref c00, ref c01, ref c02);
                StepRow<TSimd, TVector, TRows, TVectors>(1, a1 + k, b0, b1, b2, ref c10, ref c11, ref c12);
                StepRow<TSimd, TVector, TRows, TVectors>(2, a2 + k, b0, b1, b2, ref c20, ref c21, ref c22);
                StepRow<TSimd, TVector, TRows, TVectors>(3, a3 + k, b0, b1, b2, ref c30, ref c31, ref c32);
                StepRow<TSimd, TVector, TRows, TVectors>(4, a4 + k, b0, b1, b2, ref c40, ref c41, ref c42);
                StepRow<TSimd, TVector, TRows, TVectors>(5, a5 + k, b0, b1, b2, ref c50, ref c51, ref c52);
                StepRow<TSimd, TVector, TRows, TVectors>(6, a6 + k, b0, b1, b2, ref c60, ref c61, ref c62);
                StepRow<TSimd, TVector, TRows, TVectors>(7, a7 + k, b0, b1, b2, ref c70, ref c71, ref c72);
            }
        }

        float** start = part.Start == null ? null : part.Start + row, result = part.Result + row;
        End<TSimd, TVector, TRows, TVectors>(0, c00, c01, c02, start, part.StartOffset, result, part.ResultOffset);
        End<TSimd, TVector, TRows, TVectors>(1, c10, c11, c12, start, part.StartOffset, result, part.ResultOffset);
        End<TSimd, TVector, TRows, TVectors>(2, c20, c21, c22, start, part.StartOffset, result, part.ResultOffset);
        End<TSimd, TVector, TRows, TVectors>(3, c30, c31, c32, start, part.StartOffset, result, part.ResultOffset);
        End<TSimd, TVector, TRows, TVectors>(4, c40, c41, c42, start, part.StartOffset, result, part.ResultOffset);
        End<TSimd, TVector, TRows, TVectors>(5, c50, c51, c52, start, part.StartOffset, result, part.ResultOffset);
        End<TSimd, TVector, TRows, TVectors>(6, c60, c61, c62, start, part.StartOffset, result, part.ResultOffset);
        End<TSimd, TVector, TRows, TVectors>(7, c70, c71, c72, start, part.StartOffset, result, part.ResultOffset);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float* Address<TRows>(float** rows, nint offset, int row)
        where TRows : IBlockRows => row < TRows.Count ? rows[row] + offset : null;

    // What a sum begins with; nothing where the block has no such vector.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Begin<TSimd, TVector, TVectors>(float* bias, int vector)
        where TSimd : ISimd<TVector>
        where TVector : struct
        where TVectors : IBlockVectors =>
        bias == null || vector >= TVectors.Count ? default : TSimd.Load(bias + (vector * TSimd.Width));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void End<TSimd, TVector, TRows, TVectors>(
        int row, TVector c0, TVector c1, TVector c2, float** start, nint startOffset, float** result, nint offset)
        where TSimd : ISimd<TVector>
        where TVector : struct
        where TRows : IBlockRows
        where TVectors : IBlockVectors
    {
        if (row >= TRows.Count) return;
        float* target = result[row] + offset;
        if (start != null)
        {
            float* from = start[row] + startOffset;
            c0 = TSimd.Add(c0, TSimd.Load(from));
            if (TVectors.Count > 1) c1 = TSimd.Add(c1, TSimd.Load(from + TSimd.Width));
            if (TVectors.Count > 2) c2 = TSimd.Add(c2, TSimd.Load(from + (2 * TSimd.Width)));
        }

        TSimd.Store(c0, target);
        if (TVectors.Count > 1) TSimd.Store(c1, target + TSimd.Width);
        if (TVectors.Count > 2) TSimd.Store(c2, target + (2 * TSimd.Width));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StepRow<TSimd, TVector, TRows, TVectors>(
        int row, float* a, TVector b0, TVector b1, TVector b2, ref TVector c0, ref TVector c1, ref TVector c2)
        where TSimd : ISimd<TVector>
        where TVector : struct
        where TRows : IBlockRows
        where TVectors : IBlockVectors
    {
        if (row >= TRows.Count) return;
        TVector x = TSimd.Create(*a);
        c0 = TSimd.MultiplyAdd(x, b0, c0);
        if (TVectors.Count > 1) c1 = TSimd.MultiplyAdd(x, b1, c1);
        if (TVectors.Count > 2) c2 = TSimd.MultiplyAdd(x, b2, c2);
    }
}
