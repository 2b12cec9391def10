using System.Runtime.CompilerServices;

namespace SegmentAnything.Rle.Kernels;

/// <content>Cuts runs at the ends of columns.</content>
internal static partial class RleKernels
{
    /// <summary>Calls back for every piece of foreground: a run cut at the ends of columns.</summary>
    /// <param name="counts">Canonical runs.</param>
    /// <param name="height">Pixels in a column.</param>
    /// <param name="visitor">Gets column, first row and one past the last row; columns rise, then rows.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void VisitPieces<TVisitor>(ReadOnlySpan<int> counts, int height, ref TVisitor visitor)
        where TVisitor : struct, IPieceVisitor, allows ref struct
    {
        // Position as column and row; one division for a run that goes over more than two columns, none for the others.
        int column = 0, row = 0;
        for (int i = 0; i < counts.Length; i++)
        {
            int run = counts[i];
            if ((i & 1) == 0)
            {
                row += run;
                if (row >= height) NextColumn(ref column, ref row, height);
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
    }

    /// <summary>Calls back for every block of foreground: the pieces of <see cref="VisitPieces"/>, whole columns beside each other as one.</summary>
    /// <param name="counts">Canonical runs.</param>
    /// <param name="height">Pixels in a column.</param>
    /// <param name="visitor">Gets three blocks a run at most, so that its work is in proportion to the runs, however wide the mask is.</param>
    public static void VisitBlocks<TVisitor>(ReadOnlySpan<int> counts, int height, ref TVisitor visitor)
        where TVisitor : struct, IBlockVisitor, allows ref struct
    {
        long position = 0;
        for (int i = 0; i < counts.Length; i++)
        {
            long end = position + counts[i];
            if ((i & 1) == 0)
            {
                position = end;
                continue;
            }

            while (position < end)
            {
                int column = (int)(position / height), top = (int)(position % height);
                long columns = top == 0 ? (end - position) / height : 0;
                if (columns > 0)
                {
                    visitor.Visit(column, column + (int)columns, 0, height);
                    position += columns * height;
                    continue;
                }

                int bottom = (int)Math.Min(height, top + end - position);
                visitor.Visit(column, column + 1, top, bottom);
                position += bottom - top;
            }
        }
    }
}

/// <summary>Takes the blocks of <see cref="RleKernels.VisitBlocks"/>.</summary>
internal interface IBlockVisitor
{
    void Visit(int column, int columnEnd, int top, int bottom);
}

/// <summary>Takes the pieces of <see cref="RleKernels.VisitPieces"/>.</summary>
internal interface IPieceVisitor
{
    void Visit(int column, int top, int bottom);
}
