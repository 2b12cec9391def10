using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace SegmentAnything.Rle.Kernels;

/// <summary>A mask prepared to be compared with many others.</summary>
/// <remarks>
/// Most columns of most objects have one piece of foreground. The first piece of every column of the box is kept in two
/// dense rows of 16-bit numbers, top and bottom, so that two masks are compared up to 32 columns at a time; pieces after
/// the first are kept aside, in a list that is often empty. Masks of more rows than such numbers count stay as runs.
/// </remarks>
internal sealed class IndexedRuns
{
    /// <summary>
    /// Columns behind the last one, so that vectors are whole. They have top and bottom 0, as have columns without a piece,
    /// and overlap nothing.
    /// </summary>
    private const int Padding = 32;

    private readonly short[] _tops = [];
    private readonly short[] _bottoms = [];
    private readonly Piece[] _furtherPieces = [];
    private readonly RleMask _mask;

    public IndexedRuns(RleMask mask)
    {
        _mask = mask;
        Area = RleKernels.Area(mask.Counts);
        Box = mask.BoundingBox;
        if (mask.Height > short.MaxValue) return;
        var collector = new Collector
        {
            Left = Box.X, Tops = new short[Box.Width + Padding], Bottoms = new short[Box.Width + Padding],
        };
        RleKernels.VisitPieces(mask.Counts, mask.Height, ref collector);
        _tops = collector.Tops;
        _bottoms = collector.Bottoms;
        if (collector.Further is not null) _furtherPieces = [.. collector.Further];
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
        if (_mask.Height > short.MaxValue) return RleKernels.IntersectionArea(_mask.Counts, other._mask.Counts);
        int columns = right - left, a = left - Box.X, b = left - other.Box.X;
        long area = DenseOverlap(
            _tops.AsSpan(a), _bottoms.AsSpan(a), other._tops.AsSpan(b), other._bottoms.AsSpan(b), columns);
        if (_furtherPieces.Length + other._furtherPieces.Length == 0) return area;

        ReadOnlySpan<Piece> own = PiecesIn(_furtherPieces, left, right), others = PiecesIn(other._furtherPieces, left, right);
        return area + OverlapWithDense(own, other) + OverlapWithDense(others, this) + Overlap(own, others);
    }

    /// <summary>Rows that two columns' pieces share, summed over the columns.</summary>
    /// <remarks>
    /// The sum is below 2^31. All rows go on for 32 elements behind the columns, where one mask or the other has zeros.
    /// Exactness: every path equals <see cref="DenseOverlapScalar"/>. Measured by: IouMatrixBenchmarks.
    /// </remarks>
    internal static int DenseOverlap(
        ReadOnlySpan<short> topsA, ReadOnlySpan<short> bottomsA, ReadOnlySpan<short> topsB, ReadOnlySpan<short> bottomsB, int columns)
    {
        if (Vector512.IsHardwareAccelerated && columns > 16) return DenseOverlapVector512(topsA, bottomsA, topsB, bottomsB, columns);
        if (Vector256.IsHardwareAccelerated) return DenseOverlapVector256(topsA, bottomsA, topsB, bottomsB, columns);
        return DenseOverlapScalar(topsA, bottomsA, topsB, bottomsB, columns);
    }

    // The definition.
    internal static int DenseOverlapScalar(
        ReadOnlySpan<short> topsA, ReadOnlySpan<short> bottomsA, ReadOnlySpan<short> topsB, ReadOnlySpan<short> bottomsB, int columns)
    {
        int area = 0;
        for (int i = 0; i < columns; i++)
            area += Math.Max(0, Math.Min(bottomsA[i], bottomsB[i]) - Math.Max(topsA[i], topsB[i]));
        return area;
    }

    // Two numbers of 16 bits are taken apart as the halves of one of 32; none is negative.
    internal static int DenseOverlapVector512(
        ReadOnlySpan<short> topsA, ReadOnlySpan<short> bottomsA, ReadOnlySpan<short> topsB, ReadOnlySpan<short> bottomsB, int columns)
    {
        ref short topA = ref MemoryMarshal.GetReference(topsA), bottomA = ref MemoryMarshal.GetReference(bottomsA);
        ref short topB = ref MemoryMarshal.GetReference(topsB), bottomB = ref MemoryMarshal.GetReference(bottomsB);
        Vector512<int> sum = default;
        for (nuint i = 0; i < (nuint)columns; i += 32)
        {
            Vector512<short> bottom = Vector512.Min(Vector512.LoadUnsafe(ref bottomA, i), Vector512.LoadUnsafe(ref bottomB, i));
            Vector512<short> top = Vector512.Max(Vector512.LoadUnsafe(ref topA, i), Vector512.LoadUnsafe(ref topB, i));
            Vector512<int> shared = Vector512.Max(bottom - top, Vector512<short>.Zero).AsInt32();
            sum += (shared & Vector512.Create(0xffff)) + (shared >>> 16);
        }

        return Vector512.Sum(sum);
    }

    internal static int DenseOverlapVector256(
        ReadOnlySpan<short> topsA, ReadOnlySpan<short> bottomsA, ReadOnlySpan<short> topsB, ReadOnlySpan<short> bottomsB, int columns)
    {
        ref short topA = ref MemoryMarshal.GetReference(topsA), bottomA = ref MemoryMarshal.GetReference(bottomsA);
        ref short topB = ref MemoryMarshal.GetReference(topsB), bottomB = ref MemoryMarshal.GetReference(bottomsB);
        Vector256<int> sum = default;
        for (nuint i = 0; i < (nuint)columns; i += 16)
        {
            Vector256<short> bottom = Vector256.Min(Vector256.LoadUnsafe(ref bottomA, i), Vector256.LoadUnsafe(ref bottomB, i));
            Vector256<short> top = Vector256.Max(Vector256.LoadUnsafe(ref topA, i), Vector256.LoadUnsafe(ref topB, i));
            Vector256<int> shared = Vector256.Max(bottom - top, Vector256<short>.Zero).AsInt32();
            sum += (shared & Vector256.Create(0xffff)) + (shared >>> 16);
        }

        return Vector256.Sum(sum);
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
        public short[] Tops;
        public short[] Bottoms;
        public List<Piece>? Further;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Visit(int column, int top, int bottom)
        {
            int index = column - Left;
            if (Bottoms[index] == 0)
            {
                Tops[index] = (short)top;
                Bottoms[index] = (short)bottom;
            }
            else
            {
                (Further ??= []).Add(new Piece(column, top, bottom));
            }
        }
    }
}
