namespace SegmentAnything.Evaluation;

/// <summary>
/// Pairs the pixels of two edge images one to one, none farther apart than a limit: as many pairs as can be, and of all such
/// pairings the one of least summed distance.
/// </summary>
/// <remarks>
/// The benchmark's own code solves an assignment in which an unmatched pixel costs the limit, on a graph thinned at random; this is
/// that assignment's exact solution. First every pixel of the smaller side is added to an optimal pairing, along the shortest
/// augmenting path, at the cost of two unmatched pixels; then pairs are added while there are paths at all.
/// Source: BSDS500, bench/source (correspondPixels): Martin, Fowlkes and Malik (2004). Shortest augmenting paths with prices: Jonker
/// and Volgenant (1987).
/// </remarks>
internal sealed class EdgeMatching
{
    // Distances are whole hundredths of a pixel, as in the official code: paths can be sorted by counting.
    private const double Scale = 100;
    private const int None = -1;

    private readonly (int X, int Y)[] _rows;
    private readonly (int X, int Y)[] _columns;
    private readonly int[] _first;
    private readonly int[] _neighbours;
    private readonly int[] _costs;
    private readonly int[] _columnOf;
    private readonly int[] _rowOf;
    private readonly int[] _price;
    private readonly int[] _paid;
    private readonly int[] _distance;
    private readonly int[] _cameFrom;
    private readonly int[] _seen;
    private readonly int[] _done;
    private readonly List<int> _settled = [];
    private readonly BucketQueue _queue = new();
    private int _search;

    private EdgeMatching((int X, int Y)[] rows, (int X, int Y)[] columns, int width, int height, double maxDistanceSquared)
    {
        _rows = rows;
        _columns = columns;
        (_first, _neighbours, _costs) = Connect(width, height, maxDistanceSquared);
        _columnOf = new int[rows.Length];
        _rowOf = new int[columns.Length];
        _price = new int[columns.Length];
        _paid = new int[rows.Length];
        _distance = new int[columns.Length];
        _cameFrom = new int[columns.Length];
        _seen = new int[columns.Length];
        _done = new int[columns.Length];
        Array.Fill(_columnOf, None);
        Array.Fill(_rowOf, None);
    }

    /// <summary>Pairs the pixels of two images.</summary>
    /// <param name="first">One image's pixels, in reading order.</param>
    /// <param name="second">The other's.</param>
    /// <param name="width">Width of both.</param>
    /// <param name="height">Height of both.</param>
    /// <param name="maxDistanceSquared">The square of the greatest distance of a pair, in pixels.</param>
    /// <returns>For each pixel of the first the place of its partner in the second, or -1; the sum of distances, in pixels.</returns>
    public static (int[] Partners, double DistanceSum) Match(
        (int X, int Y)[] first, (int X, int Y)[] second, int width, int height, double maxDistanceSquared)
    {
        // The side with fewer pixels searches: nearly all of its searches find a free pixel nearby.
        bool swap = first.Length > second.Length;
        var matching = new EdgeMatching(swap ? second : first, swap ? first : second, width, height, maxDistanceSquared);
        int alone = (int)Math.Ceiling(2 * Math.Sqrt(maxDistanceSquared) * Scale) + 1;
        matching.MatchNearest();
        for (int row = 0; row < matching._rows.Length; row++)
        {
            if (matching._columnOf[row] == None) matching.AddRow(row, alone);
        }

        matching.AddPairs();
        return (swap ? matching._rowOf : matching._columnOf, matching.DistanceSum());
    }

    private double DistanceSum()
    {
        double sum = 0;
        for (int row = 0; row < _rows.Length; row++)
        {
            if (_columnOf[row] == None) continue;
            (int x, int y) = _rows[row];
            (int u, int v) = _columns[_columnOf[row]];
            sum += Math.Sqrt(((x - u) * (x - u)) + ((y - v) * (y - v)));
        }

        return sum;
    }

    // The columns within reach of each row, nearest first.
    private (int[] First, int[] Neighbours, int[] Costs) Connect(int width, int height, double maxDistanceSquared)
    {
        int[] placeOf = new int[width * height];
        for (int c = 0; c < _columns.Length; c++) placeOf[(_columns[c].Y * width) + _columns[c].X] = c + 1;
        int reach = (int)Math.Min(Math.Sqrt(maxDistanceSquared), Math.Max(width, height));
        (int X, int Y, int Cost)[] offsets =
        [
            .. from y in Enumerable.Range(-reach, (2 * reach) + 1)
               from x in Enumerable.Range(-reach, (2 * reach) + 1)
               let squared = (x * x) + (y * y)
               where squared <= maxDistanceSquared
               orderby squared
               select (x, y, (int)Math.Round(Math.Sqrt(squared) * Scale)),
        ];
        int[] first = new int[_rows.Length + 1];
        var neighbours = new List<int>(_rows.Length * 8);
        var costs = new List<int>(_rows.Length * 8);
        for (int row = 0; row < _rows.Length; row++)
        {
            foreach ((int dx, int dy, int cost) in offsets)
            {
                int x = _rows[row].X + dx, y = _rows[row].Y + dy;
                if ((uint)x >= (uint)width || (uint)y >= (uint)height) continue;
                int column = placeOf[(y * width) + x] - 1;
                if (column < 0) continue;
                neighbours.Add(column);
                costs.Add(cost);
            }

            first[row + 1] = neighbours.Count;
        }

        return (first, [.. neighbours], [.. costs]);
    }

    // A pair whose row has nothing nearer is optimal while all prices are 0.
    private void MatchNearest()
    {
        for (int row = 0; row < _rows.Length; row++)
        {
            if (_first[row] == _first[row + 1]) continue;
            int column = _neighbours[_first[row]];
            if (_rowOf[column] != None) continue;
            _paid[row] = _costs[_first[row]];
            Pair(row, column);
        }
    }

    private void Pair(int row, int column)
    {
        _columnOf[row] = column;
        _rowOf[column] = row;
    }

    // Finds the cheapest of: a free column; a row on the way that is better left unmatched; leaving this row unmatched.
    private void AddRow(int row, int alone)
    {
        Begin();
        int best = alone, end = None, left = row;
        Relax(row, 0, 0, best);
        while (Next(best) is var column and not None)
        {
            int distance = _distance[column], owner = _rowOf[column];
            if (owner == None)
            {
                best = distance;
                end = column;
                left = None;
                break;
            }

            _settled.Add(column);
            if (distance - _paid[owner] + alone < best)
            {
                best = distance - _paid[owner] + alone;
                end = column;
                left = owner;
            }

            Relax(owner, distance, _paid[owner], best);
        }

        Reprice(best);
        if (end == None) return;
        _paid[row] = best;
        if (left != None) _columnOf[left] = None;
        Augment(end, row);
    }

    // Adds pairs along the shortest paths from any unmatched row to any free column, until there is none.
    private void AddPairs()
    {
        while (true)
        {
            Begin();
            for (int row = 0; row < _rows.Length; row++)
            {
                if (_columnOf[row] == None) Relax(row, 0, 0, int.MaxValue);
            }

            int end = None;
            while (end == None)
            {
                int column = Next(int.MaxValue);
                if (column == None) return;
                int owner = _rowOf[column];
                if (owner == None)
                {
                    end = column;
                    continue;
                }

                _settled.Add(column);
                Relax(owner, _distance[column], _paid[owner], int.MaxValue);
            }

            Reprice(_distance[end]);
            int start = Augment(end, None);
            _paid[start] = _distance[end];
        }
    }

    private void Begin()
    {
        _search++;
        _queue.Clear();
        _settled.Clear();
    }

    // The nearest column that is not settled, if it is nearer than the limit.
    private int Next(int limit)
    {
        while (_queue.TryTake(limit, out int column, out int distance))
        {
            if (_done[column] == _search || distance > _distance[column]) continue;
            _done[column] = _search;
            return column;
        }

        return None;
    }

    // The lengths of paths that go on from a row to its columns.
    private void Relax(int row, int distance, int paid, int limit)
    {
        for (int e = _first[row]; e < _first[row + 1]; e++)
        {
            int column = _neighbours[e];
            if (_done[column] == _search) continue;
            int length = distance + _costs[e] - _price[column] - paid;
            if (length >= limit || (_seen[column] == _search && length >= _distance[column])) continue;
            _seen[column] = _search;
            _distance[column] = length;
            _cameFrom[column] = row;
            _queue.Add(column, length);
        }
    }

    // What is nearer than the path is long pays the difference: afterwards the path costs nothing.
    private void Reprice(int length)
    {
        foreach (int column in _settled)
        {
            int difference = length - _distance[column];
            _price[column] -= difference;
            _paid[_rowOf[column]] += difference;
        }
    }

    // Turns the pairs of a path round, from its end to the row it began at, which is given back.
    private int Augment(int column, int start)
    {
        while (true)
        {
            int row = _cameFrom[column];
            int next = _columnOf[row];
            Pair(row, column);
            if (row == start || next == None) return row;
            column = next;
        }
    }
}
