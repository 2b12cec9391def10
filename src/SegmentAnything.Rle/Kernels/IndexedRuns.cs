using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace SegmentAnything.Rle.Kernels;

/// <summary>A mask prepared to be compared with many others.</summary>
/// <remarks>
/// Most columns of most objects have one piece of foreground. The first piece of every column of the box is kept in two
/// dense rows, top and bottom, so that two masks are compared eight columns at a time; pieces after the first are kept
/// aside, in a list that is often empty.
/// </remarks>
internal sealed class IndexedRuns
{
    private readonly int[] _tops;
    private readonly int[] _bottoms;
    private readonly Piece[] _furtherPieces;

    public IndexedRuns(RleMask mask)
    {
        Area = RleKernels.Area(mask.Counts);
        Box = mask.BoundingBox;
        // A column without pieces has top and bottom 0 and overlaps nothing.
        var collector = new Collector { Left = Box.X, Tops = new int[Box.Width], Bottoms = new int[Box.Width] };
        RleKernels.VisitPieces(mask.Counts, mask.Height, ref collector);
        _tops = collector.Tops;
        _bottoms = collector.Bottoms;
        _furtherPieces = collector.Further is null ? [] : [.. collector.Further];
    }

    /// <summary>Number of foreground pixels.</summary>
    public long Area { get; }

    /// <summary>The smallest box around them.</summary>
    public MaskBox Box { get; }

    /// <summary>As <see cref="RleMask.IntersectionOverUnion"/>, after a look at the boxes.</summary>
    public double IntersectionOverUnion(IndexedRuns other, bool otherIsCrowd)
    {
        MaskBox a = Box, b = other.Box;
        if (a.X >= b.Right || b.X >= a.Right || a.Y >= b.Bottom || b.Y >= a.Bottom) return 0;
        long intersection = IntersectionArea(other);
        if (intersection == 0) return 0;
        return intersection / (double)(otherIsCrowd ? Area : Area + other.Area - intersection);
    }

    /// <summary>Pixels in both.</summary>
    public long IntersectionArea(IndexedRuns other)
    {
        int left = Math.Max(Box.X, other.Box.X), right = Math.Min(Box.Right, other.Box.Right);
        if (left >= right) return 0;
        int columns = right - left;
        long area = DenseOverlap(
            _tops.AsSpan(left - Box.X, columns), _bottoms.AsSpan(left - Box.X, columns),
            other._tops.AsSpan(left - other.Box.X, columns), other._bottoms.AsSpan(left - other.Box.X, columns));
        if (_furtherPieces.Length + other._furtherPieces.Length == 0) return area;

        ReadOnlySpan<Piece> own = PiecesIn(_furtherPieces, left, right), others = PiecesIn(other._furtherPieces, left, right);
        return area + OverlapWithDense(own, other) + OverlapWithDense(others, this) + Overlap(own, others);
    }

    /// <summary>Rows that two columns' pieces share, summed over the columns.</summary>
    internal static long DenseOverlap(
        ReadOnlySpan<int> topsA, ReadOnlySpan<int> bottomsA, ReadOnlySpan<int> topsB, ReadOnlySpan<int> bottomsB)
    {
        int i = 0;
        long area = 0;
        if (Vector256.IsHardwareAccelerated)
        {
            // The sums fit: together they are at most the mask's pixels.
            ref int topA = ref MemoryMarshal.GetReference(topsA), bottomA = ref MemoryMarshal.GetReference(bottomsA);
            ref int topB = ref MemoryMarshal.GetReference(topsB), bottomB = ref MemoryMarshal.GetReference(bottomsB);
            Vector256<int> sum = default;
            for (; i <= topsA.Length - Vector256<int>.Count; i += Vector256<int>.Count)
            {
                Vector256<int> bottom = Vector256.Min(Vector256.LoadUnsafe(ref bottomA, (nuint)i), Vector256.LoadUnsafe(ref bottomB, (nuint)i));
                Vector256<int> top = Vector256.Max(Vector256.LoadUnsafe(ref topA, (nuint)i), Vector256.LoadUnsafe(ref topB, (nuint)i));
                sum += Vector256.Max(bottom - top, Vector256<int>.Zero);
            }

            area = Vector256.Sum(sum);
        }

        for (; i < topsA.Length; i++)
            area += Math.Max(0, Math.Min(bottomsA[i], bottomsB[i]) - Math.Max(topsA[i], topsB[i]));
        return area;
    }

    // The pieces of columns left..right - 1.
    private static ReadOnlySpan<Piece> PiecesIn(Piece[] pieces, int left, int right) =>
        pieces.AsSpan(FirstFrom(pieces, left)..FirstFrom(pieces, right));

    // The first piece whose column is at least the one given.
    private static int FirstFrom(Piece[] pieces, int column)
    {
        int low = 0, high = pieces.Length;
        while (low < high)
        {
            int middle = (int)(((uint)low + (uint)high) / 2);
            if (pieces[middle].Column < column) low = middle + 1;
            else high = middle;
        }

        return low;
    }

    private static long OverlapWithDense(ReadOnlySpan<Piece> pieces, IndexedRuns dense)
    {
        long area = 0;
        foreach (Piece piece in pieces)
        {
            int column = piece.Column - dense.Box.X;
            area += Math.Max(0, Math.Min(piece.Bottom, dense._bottoms[column]) - Math.Max(piece.Top, dense._tops[column]));
        }

        return area;
    }

    private static long Overlap(ReadOnlySpan<Piece> a, ReadOnlySpan<Piece> b)
    {
        long area = 0;
        int i = 0, j = 0;
        while (i < a.Length && j < b.Length)
        {
            Piece p = a[i], q = b[j];
            // Ends compared by column first: as one number of 64 bits.
            long endP = ((long)p.Column << 32) + p.Bottom, endQ = ((long)q.Column << 32) + q.Bottom;
            if (p.Column == q.Column) area += Math.Max(0, Math.Min(p.Bottom, q.Bottom) - Math.Max(p.Top, q.Top));
            i += endP <= endQ ? 1 : 0;
            j += endQ <= endP ? 1 : 0;
        }

        return area;
    }

    private readonly record struct Piece(int Column, int Top, int Bottom);

    private struct Collector : IPieceVisitor
    {
        public int Left;
        public int[] Tops;
        public int[] Bottoms;
        public List<Piece>? Further;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Visit(int column, int top, int bottom)
        {
            int index = column - Left;
            if (Bottoms[index] == 0)
            {
                Tops[index] = top;
                Bottoms[index] = bottom;
            }
            else
            {
                (Further ??= []).Add(new Piece(column, top, bottom));
            }
        }
    }
}
