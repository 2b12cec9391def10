using System.Runtime.CompilerServices;

namespace SegmentAnything.Rle.Kernels;

/// <summary>A truth table of two pixels: bit 2a + b says whether the result is foreground.</summary>
internal enum BooleanOperation
{
    Union = 0b1110,
    Intersection = 0b1000,
    Difference = 0b0100,
    SymmetricDifference = 0b0110,
}

/// <content>Combines two lists of runs into one.</content>
internal static partial class RleKernels
{
    /// <summary>The runs of the pixelwise combination of two masks of one size; the runs given are canonical.</summary>
    /// <remarks>
    /// Exactness: every path equals <see cref="CombineScalar"/>. Source: COCO API, maskApi.c (rleMerge) for two masks.
    /// </remarks>
    public static int[] Combine(ReadOnlySpan<int> a, ReadOnlySpan<int> b, BooleanOperation operation) =>
        CombineScalar(a, b, operation);

    // The definition: cut both lists at every run end of either, look the colour of each stretch up, join equal ones.
    internal static int[] CombineScalar(ReadOnlySpan<int> a, ReadOnlySpan<int> b, BooleanOperation operation)
    {
        var runs = new RunBuilder(a.Length + b.Length + 1);
        int i = 0, j = 0, leftA = a[0], leftB = b[0];
        while (true)
        {
            while (leftA == 0 && ++i < a.Length) leftA = a[i];
            while (leftB == 0 && ++j < b.Length) leftB = b[j];
            if (i >= a.Length || j >= b.Length) return runs.ToArrayAndFree();
            int step = Math.Min(leftA, leftB);
            runs.AddStretch(step, (((int)operation >> (((i & 1) << 1) | (j & 1))) & 1) != 0);
            leftA -= step;
            leftB -= step;
        }
    }

    /// <summary>The runs of the opposite of a mask.</summary>
    public static int[] Complement(ReadOnlySpan<int> counts)
    {
        // A first run of length 0 falls away; otherwise one is put in front.
        if (counts[0] == 0) return counts[1..].ToArray();
        var runs = new int[counts.Length + 1];
        counts.CopyTo(runs.AsSpan(1));
        return runs;
    }

    /// <summary>Calls back for every piece of foreground: a run cut at the ends of columns.</summary>
    /// <param name="counts">Canonical runs.</param>
    /// <param name="height">Pixels in a column.</param>
    /// <param name="visitor">Gets column, first row and one past the last row; columns rise, then rows.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void VisitPieces<TVisitor>(ReadOnlySpan<int> counts, int height, ref TVisitor visitor)
        where TVisitor : struct, IPieceVisitor, allows ref struct
    {
        // Position as column and row; one division for a run that leaves its column, none for the others.
        int column = 0, row = 0;
        for (int i = 0; i < counts.Length; i++)
        {
            int run = counts[i];
            if ((i & 1) == 0)
            {
                row += run;
                if (row >= height) (column, row) = NextColumn(column, row, height);
                continue;
            }

            while (run > height - row)
            {
                visitor.Visit(column, row, height);
                run -= height - row;
                row = 0;
                column++;
            }

            visitor.Visit(column, row, row + run);
            row += run;
            if (row == height)
            {
                row = 0;
                column++;
            }
        }

        static (int Column, int Row) NextColumn(int column, int row, int height)
        {
            int columns = (int)((uint)row / (uint)height);
            return (column + columns, row - (columns * height));
        }
    }
}

/// <summary>Takes the pieces of <see cref="RleKernels.VisitPieces"/>.</summary>
internal interface IPieceVisitor
{
    void Visit(int column, int top, int bottom);
}
