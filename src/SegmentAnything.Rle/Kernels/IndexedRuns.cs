using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace SegmentAnything.Rle.Kernels;

/// <summary>A mask prepared to be compared with many others.</summary>
/// <remarks>
/// Most columns of most objects have one piece of foreground. The first piece of every column of the box is kept in two
/// dense rows of 16-bit numbers, top and bottom, so that two masks are compared up to 32 columns at a time; the second
/// pieces, where there are any, make a further layer of this kind, and so on. Masks with too many pieces in a column, or
/// more rows than such numbers count, or very many columns, stay as runs.
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

    /// <summary>Columns of a mask that is worth layers: memory is to stay in proportion to the runs.</summary>
    private const int MaxWidth = 1 << 16;

    private readonly RleMask _mask;
    private readonly Layer[] _layers;

    public IndexedRuns(RleMask mask)
    {
        _mask = mask;
        Area = RleKernels.Area(mask.Counts);
        bool staysAsRuns = mask.IsEmpty || mask.Height > short.MaxValue || mask.Width > MaxWidth;
        (_layers, Box) = staysAsRuns ? ([], mask.BoundingBox) : ReadPieces(mask.Counts, mask.Width, mask.Height);
    }

    // The pieces of all columns in layers (none when a column has too many), and the box around them.
    private static (Layer[] Layers, MaskBox Box) ReadPieces(ReadOnlySpan<int> counts, int width, int height)
    {
        // The last run is background when there is an odd number of them.
        int behind = (counts.Length & 1) != 0 ? counts[^1] : 0;
        int left = counts[0] / height, right = ((width * height) - 1 - behind) / height, columns = right - left + 1;
        Layer[] layers = [new Layer(columns, 0) { Last = columns - 1 }];
        ref short tops = ref MemoryMarshal.GetArrayDataReference(layers[0].Rows), bottoms = ref Unsafe.Add(ref tops, columns);
        int column = 0, top = counts[0] - (left * height), piece = 0, least = height, most = 0;
        for (int i = 1; i < counts.Length; i += 2)
        {
            int bottom = top + counts[i];
            for (; bottom > height; bottom -= height, top = 0, piece = 0, column++)
            {
                if (piece != 0) layers = AddPiece(layers, piece, columns, column, top, height);
                else (Unsafe.Add(ref tops, column), Unsafe.Add(ref bottoms, column)) = ((short)top, (short)height);
                // It goes on at the top of the next column.
                (least, most) = (0, height);
            }

            if (piece != 0) layers = AddPiece(layers, piece, columns, column, top, bottom);
            else (Unsafe.Add(ref tops, column), Unsafe.Add(ref bottoms, column)) = ((short)top, (short)bottom);
            (least, most) = (Math.Min(least, top), Math.Max(most, bottom));
            if (i + 1 == counts.Length) break;
            top = bottom + counts[i + 1];
            piece++;
            if (top < height) continue;
            piece = 0;
            RleKernels.NextColumn(ref column, ref top, height);
        }

        return (layers, new MaskBox(left, least, columns, most - least));
    }

    // A piece that is not the first of its column. One too many makes all layers useless: the next pieces find none either,
    // and no place to add one.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Layer[] AddPiece(Layer[] layers, int piece, int columns, int column, int top, int bottom)
    {
        if (piece >= MaxLayers || layers.Length == 0) return [];
        if (piece == layers.Length) layers = [.. layers, new Layer(columns, column)];
        ref Layer layer = ref layers[piece];
        layer.Rows[column] = (short)top;
        layer.Rows[columns + column] = (short)bottom;
        layer.Last = column;
        return layers;
    }

    /// <summary>Number of foreground pixels.</summary>
    public long Area { get; }

    /// <summary>The smallest box around them.</summary>
    public MaskBox Box { get; }

    /// <summary>As <see cref="RleMask.IntersectionOverUnion"/>, after a look at the boxes.</summary>
    public double IntersectionOverUnion(IndexedRuns other, bool otherIsCrowd)
    {
        if (!MeetsBox(other)) return 0;
        long intersection = IntersectionArea(other);
        if (intersection == 0) return 0;
        return intersection / (double)(otherIsCrowd ? Area : Area + other.Area - intersection);
    }

    /// <summary>As the method of that name, after a look at the boxes.</summary>
    public double Overlap(IndexedRuns other, MaskOverlap overlap)
    {
        if (overlap == MaskOverlap.IntersectionOverUnion) return IntersectionOverUnion(other, otherIsCrowd: false);
        long intersection = MeetsBox(other) ? IntersectionArea(other) : 0;
        return intersection == 0 ? 0 : intersection / (double)Math.Min(Area, other.Area);
    }

    /// <summary>Pixels in both.</summary>
    public long IntersectionArea(IndexedRuns other)
    {
        if (_layers.Length == 0 || other._layers.Length == 0)
            return RleKernels.IntersectionArea(_mask.Counts, other._mask.Counts, _mask.Width * _mask.Height);
        long area = 0;
        foreach (ref readonly Layer layer in _layers.AsSpan())
            foreach (ref readonly Layer otherLayer in other._layers.AsSpan())
                area += Overlap(layer, Box, otherLayer, other.Box);
        return area;
    }

    private bool MeetsBox(IndexedRuns other)
    {
        MaskBox a = Box, b = other.Box;
        return a.X < b.Right && b.X < a.Right && a.Y < b.Bottom && b.Y < a.Bottom;
    }

    private static int Overlap(in Layer a, MaskBox boxA, in Layer b, MaskBox boxB)
    {
        int left = Math.Max(boxA.X + a.First, boxB.X + b.First);
        int columns = Math.Min(boxA.X + a.Last, boxB.X + b.Last) - left + 1;
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
        ReadOnlySpan<short> topsA, ReadOnlySpan<short> bottomsA, ReadOnlySpan<short> topsB, ReadOnlySpan<short> bottomsB, int columns) =>
        SimdDispatch.Run<DenseOverlapKernel, int>(new(topsA, bottomsA, topsB, bottomsB, columns));

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
    internal static int DenseOverlap<TSimd, TVector>(
        ReadOnlySpan<short> topsA, ReadOnlySpan<short> bottomsA, ReadOnlySpan<short> topsB, ReadOnlySpan<short> bottomsB, int columns)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        ref short topA = ref MemoryMarshal.GetReference(topsA), bottomA = ref MemoryMarshal.GetReference(bottomsA);
        ref short topB = ref MemoryMarshal.GetReference(topsB), bottomB = ref MemoryMarshal.GetReference(bottomsB);
        TVector sum = TSimd.Broadcast(0), zero = sum, lowHalf = TSimd.Broadcast(0xffff);
        for (int i = 0; i < columns; i += 2 * TSimd.Width)
        {
            TVector bottom = TSimd.Min<short>(TSimd.Load(in bottomA, (nuint)i), TSimd.Load(in bottomB, (nuint)i));
            TVector top = TSimd.Max<short>(TSimd.Load(in topA, (nuint)i), TSimd.Load(in topB, (nuint)i));
            TVector shared = TSimd.Max<short>(TSimd.Subtract<short>(bottom, top), zero);
            sum = TSimd.Add<int>(sum, TSimd.Add<int>(TSimd.And(shared, lowHalf), TSimd.ShiftRight(shared, 16)));
        }

        return TSimd.Sum<int>(sum);
    }

    private readonly ref struct DenseOverlapKernel(
        ReadOnlySpan<short> topsA, ReadOnlySpan<short> bottomsA, ReadOnlySpan<short> topsB, ReadOnlySpan<short> bottomsB, int columns) : ISimdKernel<int>
    {
        private readonly ReadOnlySpan<short> _topsA = topsA, _bottomsA = bottomsA, _topsB = topsB, _bottomsB = bottomsB;

        public int Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct => DenseOverlap<TSimd, TVector>(_topsA, _bottomsA, _topsB, _bottomsB, columns);

        public int RunScalar() => DenseOverlapScalar(_topsA, _bottomsA, _topsB, _bottomsB, columns);
    }

    // Tops and then bottoms of the columns of the box, and padding; and the columns (of the box) where there are any.
    private record struct Layer(short[] Rows, int First, int Last)
    {
        public Layer(int columns, int first)
            : this(new short[(2 * columns) + Padding], first, first)
        {
        }
    }
}
