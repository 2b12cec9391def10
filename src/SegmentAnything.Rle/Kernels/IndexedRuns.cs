using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace SegmentAnything.Rle.Kernels;

/// <summary>A mask prepared to be compared with many others.</summary>
/// <remarks>
/// Most columns of most objects have one piece of foreground. The first piece of every column of the box is kept in two
/// dense rows of 16-bit numbers, top and bottom, so that two masks are compared up to 32 columns at a time; the second
/// pieces, where there are any, make a further layer of this kind, and so on. Masks with too many pieces in a column, or
/// more rows than such numbers count, stay as runs.
/// </remarks>
internal sealed class IndexedRuns
{
    /// <summary>
    /// Columns behind the last one, so that vectors are whole. They have bottom 0, as have columns without a piece, and
    /// overlap nothing, whatever their top (which is not negative).
    /// </summary>
    private const int Padding = 32;

    /// <summary>Pieces of a column that are worth layers: comparing each with each costs about as much as the runs do.</summary>
    private const int MaxLayers = 6;

    private readonly RleMask _mask;
    private readonly Layer[] _layers;

    public IndexedRuns(RleMask mask)
    {
        _mask = mask;
        Area = RleKernels.Area(mask.Counts);
        if (mask.Height <= short.MaxValue && TryReadColumns(mask, out MaskBox box, out Layer layer))
        {
            Box = box;
            _layers = [layer];
            return;
        }

        Box = mask.BoundingBox;
        var collector = new Collector(Box);
        if (mask.Height <= short.MaxValue) RleKernels.VisitPieces(mask.Counts, mask.Height, ref collector);
        _layers = collector.Layers;
    }

    // Box and layer of a mask with one piece in each of its columns and no column without, as most have; false for another.
    private static bool TryReadColumns(RleMask mask, out MaskBox box, out Layer layer)
    {
        (box, layer) = (default, default);
        ReadOnlySpan<int> counts = mask.Counts;
        int columns = counts.Length / 2;
        if (columns == 0 || columns > mask.Width) return false;
        int left = counts[0] / mask.Height;
        var rows = new short[(2 * columns) + Padding];
        ref short tops = ref MemoryMarshal.GetArrayDataReference(rows);
        (int top, int bottom) = ReadColumns(
            ref MemoryMarshal.GetReference(counts), columns, left, mask.Height, ref tops, ref Unsafe.Add(ref tops, columns));
        if (bottom == 0) return false;
        box = new MaskBox(left, top, columns, bottom - top);
        layer = new Layer(rows, left, left + columns - 1);
        return true;
    }

    // Every foreground run as the piece of a column, from one column to the next. Returns the box's rows, or 0, 0 where a
    // run does not lie in its column.
    private static (int Top, int Bottom) ReadColumns(
        ref int counts, int columns, int left, int height, ref short tops, ref short bottoms)
    {
        int least = height, most = 0, bottom = height - (left * height);
        for (nint i = 0; i < columns; i++)
        {
            int top = bottom - height + Unsafe.Add(ref counts, 2 * i);
            bottom = top + Unsafe.Add(ref counts, (2 * i) + 1);
            if (top < 0 || bottom > height) return default;
            Unsafe.Add(ref tops, i) = (short)top;
            Unsafe.Add(ref bottoms, i) = (short)bottom;
            least = Math.Min(least, top);
            most = Math.Max(most, bottom);
        }

        return (least, most);
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
        if (_layers.Length == 0 || other._layers.Length == 0)
            return RleKernels.IntersectionArea(_mask.Counts, other._mask.Counts);
        long area = 0;
        foreach (ref readonly Layer layer in _layers.AsSpan())
            foreach (ref readonly Layer otherLayer in other._layers.AsSpan())
                area += Overlap(layer, Box, otherLayer, other.Box);
        return area;
    }

    private static int Overlap(in Layer a, MaskBox boxA, in Layer b, MaskBox boxB)
    {
        int left = Math.Max(a.First, b.First), columns = Math.Min(a.Last, b.Last) - left + 1;
        if (columns <= 0) return 0;
        int fromA = left - boxA.X, fromB = left - boxB.X;
        return DenseOverlap(
            a.Rows.AsSpan(fromA), a.Rows.AsSpan(fromA + boxA.Width), b.Rows.AsSpan(fromB), b.Rows.AsSpan(fromB + boxB.Width), columns);
    }

    /// <summary>Rows that two columns' pieces share, summed over the columns.</summary>
    /// <remarks>
    /// The sum is below 2^31. All rows go on for 32 elements behind the columns, where one mask or the other has bottom 0.
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

    // Tops and then bottoms of the columns of the box, and padding; and the columns where there are any.
    private record struct Layer(short[] Rows, int First, int Last);

    private struct Collector(MaskBox box) : IPieceVisitor
    {
        private int _column = -1;
        private int _piece;

        // None when there are more pieces in a column than layers.
        public Layer[] Layers = [];

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Visit(int column, int top, int bottom)
        {
            _piece = column == _column ? _piece + 1 : 0;
            _column = column;
            if (_piece >= Layers.Length && !TryAddLayer()) return;
            ref Layer layer = ref Layers[_piece];
            layer.Rows[column - box.X] = (short)top;
            layer.Rows[column - box.X + box.Width] = (short)bottom;
            layer.Last = column;
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        private bool TryAddLayer()
        {
            // One too many makes all useless: the next pieces find no layers either, and no place to add one.
            if (_piece >= MaxLayers) Layers = [];
            if (_piece != Layers.Length || (_piece == 0 && _column != box.X)) return false;
            Layers = [.. Layers, new Layer(new short[(2 * box.Width) + Padding], _column, _column)];
            return true;
        }
    }
}
