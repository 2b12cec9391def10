namespace SegmentAnything.Rle.Kernels;

/// <summary>Finds the foreground pixel with the greatest distance to the background.</summary>
/// <remarks>
/// The distance changes by at most one pixel a pixel, so a square cell whose centre has distance d holds no pixel beyond d
/// plus its half diagonal. Cells are halved, most promising first, until none can beat the best pixel (branch and bound).
/// Squared distances are integers, so ties are exact.
/// </remarks>
internal readonly ref struct InscribedPoint
{
    private readonly int _width, _height;
    private readonly int[] _ends;
    private readonly int[] _runOfColumn;

    /// <summary>Indexes the runs by column.</summary>
    public InscribedPoint(ReadOnlySpan<int> counts, int width, int height)
    {
        _width = width;
        _height = height;
        _ends = new int[counts.Length];
        _runOfColumn = new int[width];
        int end = 0, column = 0;
        for (int i = 0; i < counts.Length; i++)
        {
            _ends[i] = end += counts[i];
            // Columns that start inside this run.
            while (column < width && column * height < end) _runOfColumn[column++] = i;
        }
    }

    /// <summary>The pixel, first in reading order, and its squared distance; -1, -1, 0 when there is none.</summary>
    public (int X, int Y, long SquaredDistance) Find(MaskBox box)
    {
        if (box.IsEmpty) return (-1, -1, 0);
        var cells = new PriorityQueue<Cell, double>();
        (int X, int Y, long Squared) best = (-1, -1, 0);
        int size = 1;
        while (size < Math.Max(box.Width, box.Height)) size *= 2;
        Consider(new Cell(box.X, box.Y, size), box, cells, ref best);
        while (cells.TryDequeue(out Cell cell, out double negativeBound))
        {
            if (!CanMatch(-negativeBound, best.Squared)) break;
            int half = cell.Size / 2;
            Consider(new Cell(cell.X, cell.Y, half), box, cells, ref best);
            Consider(new Cell(cell.X + half, cell.Y, half), box, cells, ref best);
            Consider(new Cell(cell.X, cell.Y + half, half), box, cells, ref best);
            Consider(new Cell(cell.X + half, cell.Y + half, half), box, cells, ref best);
        }

        return best;
    }

    // Measures the pixel in the middle of the cell's part inside the box; queues the cell when more can be in it.
    private void Consider(
        Cell cell, MaskBox box, PriorityQueue<Cell, double> cells, ref (int X, int Y, long Squared) best)
    {
        int right = Math.Min(cell.X + cell.Size, box.Right) - 1, bottom = Math.Min(cell.Y + cell.Size, box.Bottom) - 1;
        if (right < cell.X || bottom < cell.Y) return;
        int x = (cell.X + right) / 2, y = (cell.Y + bottom) / 2;
        long squared = SquaredDistance(x, y);
        if (squared > 0 && (squared > best.Squared || (squared == best.Squared && (y, x).CompareTo((best.Y, best.X)) < 0)))
            best = (x, y, squared);
        if (cell.Size == 1) return;

        long reachX = Math.Max(right - x, x - cell.X), reachY = Math.Max(bottom - y, y - cell.Y);
        double bound = Math.Sqrt(squared) + Math.Sqrt((reachX * reachX) + (reachY * reachY));
        if (CanMatch(bound, best.Squared)) cells.Enqueue(cell, -bound);
    }

    // Whether a pixel of at most this distance may equal or beat the best; the margin is for the rounding of the roots.
    private static bool CanMatch(double bound, long bestSquared) => bound * bound * (1 + 1e-12) >= bestSquared;

    // To the nearest background pixel, by columns outwards until they are too far.
    private long SquaredDistance(int x, int y)
    {
        long nearest = Vertical(x, y);
        nearest *= nearest;
        for (long dx = 1; dx * dx < nearest; dx++)
        {
            if (x - dx < 0 || x + dx >= _width) return dx * dx;
            long left = Vertical((int)(x - dx), y), right = Vertical((int)(x + dx), y);
            long dy = Math.Min(left, right);
            nearest = Math.Min(nearest, (dx * dx) + (dy * dy));
        }

        return nearest;
    }

    // Rows from a pixel to the nearest background pixel of its column, 0 when it is background itself.
    private int Vertical(int x, int y)
    {
        int columnStart = x * _height, columnEnd = columnStart + _height, position = columnStart + y;
        // The run that holds the position lies between those that hold this column's start and the next one's.
        int low = _runOfColumn[x], high = x + 1 < _width ? _runOfColumn[x + 1] : _ends.Length - 1;
        while (low < high)
        {
            int middle = (int)(((uint)low + (uint)high) / 2);
            if (_ends[middle] > position) high = middle;
            else low = middle + 1;
        }

        if ((low & 1) == 0) return 0;
        int above = position - Math.Max(_ends[low - 1], columnStart) + 1;
        int below = Math.Min(_ends[low], columnEnd) - position;
        return Math.Min(above, below);
    }

    private readonly record struct Cell(int X, int Y, int Size);
}
