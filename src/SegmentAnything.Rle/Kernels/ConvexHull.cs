namespace SegmentAnything.Rle.Kernels;

/// <summary>The convex hull of a mask's pixels, as unit squares.</summary>
internal static class ConvexHull
{
    /// <summary>Its area, exact up to the last conversion to double.</summary>
    public static double Area(ReadOnlySpan<int> counts, int height)
    {
        var outline = new Outline { Column = -1 };
        RleKernels.VisitBlocks(counts, height, ref outline);
        outline.EndColumn();
        return (outline.Lower.TwiceArea() - outline.Upper.TwiceArea()) / 2.0;
    }

    // Collects the corners of each column's topmost and lowest pixel, of whole columns beside each other once, into two half hulls, left to right.
    private struct Outline : IBlockVisitor
    {
        public int Column;
        public HalfHull Upper = new(turn: 1);
        public HalfHull Lower = new(turn: -1);
        private int _columnEnd, _top, _bottom;

        public Outline()
        {
        }

        public void Visit(int column, int columnEnd, int top, int bottom)
        {
            if (column != Column)
            {
                EndColumn();
                Column = column;
                _columnEnd = columnEnd;
                _top = top;
            }

            _bottom = bottom;
        }

        public void EndColumn()
        {
            if (Column < 0) return;
            Upper.Add(Column, _top);
            Upper.Add(_columnEnd, _top);
            Lower.Add(Column, _bottom);
            Lower.Add(_columnEnd, _bottom);
        }
    }

    // A chain of points with rising x (the highest or lowest of equal x) that turns only one way (Andrew's monotone chain).
    private readonly struct HalfHull(int turn)
    {
        private readonly List<(long X, long Y)> _points = [];

        public void Add(long x, long y)
        {
            // y grows downwards: the upper chain keeps small y and turns clockwise on the screen, the lower the opposite.
            while (_points.Count > 0)
            {
                (long x1, long y1) = _points[^1];
                if (x1 == x)
                {
                    if ((y1 - y) * turn <= 0) return;
                    _points.RemoveAt(_points.Count - 1);
                    continue;
                }

                if (_points.Count < 2) break;
                (long x0, long y0) = _points[^2];
                if ((((x1 - x0) * (y - y0)) - ((y1 - y0) * (x - x0))) * turn > 0) break;
                _points.RemoveAt(_points.Count - 1);
            }

            _points.Add((x, y));
        }

        // Twice the area between the chain and y = 0.
        public long TwiceArea()
        {
            long area = 0;
            for (int i = 1; i < _points.Count; i++)
                area += (_points[i].X - _points[i - 1].X) * (_points[i].Y + _points[i - 1].Y);
            return area;
        }
    }
}
