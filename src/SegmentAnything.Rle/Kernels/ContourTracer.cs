namespace SegmentAnything.Rle.Kernels;

/// <summary>Follows the borders of a mask along the edges of pixels, from the runs alone.</summary>
/// <remarks>
/// The nodes are the horizontal unit edges: the top and the bottom of each piece of a run in its column. A top is walked to
/// the right, a bottom to the left, so that foreground lies on the right hand. On every vertical grid line the ends of the
/// edges from either side are joined: directly where a border goes straight on, otherwise in pairs from the top, each pair
/// being a vertical stretch of border. Memory is proportional to runs and columns.
/// </remarks>
internal static class ContourTracer
{
    /// <summary>All contours; see <see cref="RleMask.ToPolygons"/>.</summary>
    public static MaskPolygon[] Trace(ReadOnlySpan<int> counts, int height, PixelConnectivity connectivity)
    {
        // Each piece has two edges, which are the crossings that drawing counts: what is traced here can be drawn again.
        long pieces = RunComponents.CountPieces(counts, height, foreground: true);
        if (2 * pieces > DrawingLimit.MaxCrossings)
        {
            ThrowHelper.Format(
                $"the mask's columns have {pieces} pieces of foreground; the contours of at most {DrawingLimit.MaxCrossings / 2} are traced. "
                + "Clean the mask, resize it, or keep it as run lengths", -1);
        }

        var edges = new EdgeList();
        RleKernels.VisitPieces(counts, height, ref edges);
        return Follow(edges, JoinEdges(edges, connectivity));
    }

    // The edge that follows each edge. Edge 2i is the top of piece i, edge 2i + 1 its bottom.
    private static int[] JoinEdges(EdgeList edges, PixelConnectivity connectivity)
    {
        var next = new int[edges.Rows.Count];
        int index = 0;
        // The edges of the column before the present line: leftStart..leftEnd.
        int leftStart = 0, leftEnd = 0, leftColumn = -2;
        while (index < next.Length || leftStart < leftEnd)
        {
            // The line between leftColumn and the column after it, or the left side of a column with nothing before it.
            int column = leftStart < leftEnd ? leftColumn + 1 : edges.Columns[index / 2];
            int rightEnd = index;
            while (rightEnd < next.Length && edges.Columns[rightEnd / 2] == column) rightEnd++;
            JoinLine(edges.Rows, leftStart, leftEnd, index, rightEnd, next, connectivity);
            (leftStart, leftEnd, leftColumn) = (index, rightEnd, column);
            index = rightEnd;
        }

        return next;
    }

    private static void JoinLine(
        List<int> rows, int left, int leftEnd, int right, int rightEnd, int[] next, PixelConnectivity connectivity)
    {
        // The edge at the upper end of a vertical stretch that is not yet closed, -1 when none is open.
        int open = -1;
        while (left < leftEnd || right < rightEnd)
        {
            // A column may end at int.MaxValue.
            long leftRow = left < leftEnd ? rows[left] : long.MaxValue, rightRow = right < rightEnd ? rows[right] : long.MaxValue;
            if (leftRow < rightRow)
            {
                OpenOrClose(left++, ref open);
            }
            else if (rightRow < leftRow)
            {
                OpenOrClose(right++, ref open);
            }
            else if (((left ^ right) & 1) == 0)
            {
                // Both tops or both bottoms: straight on.
                if ((left & 1) == 0) next[left] = right;
                else next[right] = left;
                left++;
                right++;
            }
            else
            {
                // Two pixels that touch at this corner only: one stretch ends here and one begins. Going round the corner
                // on the same pixel keeps them apart, going over to the other pixel joins them.
                bool leftPixelAbove = (left & 1) == 1;
                bool closeWithLeft = leftPixelAbove == (connectivity == PixelConnectivity.Four);
                OpenOrClose(closeWithLeft ? left : right, ref open);
                OpenOrClose(closeWithLeft ? right : left, ref open);
                left++;
                right++;
            }
        }

        void OpenOrClose(int edge, ref int open)
        {
            if (open < 0)
            {
                open = edge;
                return;
            }

            // One of the two arrives at this line, the other leaves it: tops of the left column and bottoms of the
            // right one arrive.
            if (Arrives(open)) next[open] = edge;
            else next[edge] = open;
            open = -1;
        }

        bool Arrives(int edge) => (edge & 1) == 0 == (edge < leftEnd);
    }

    private static MaskPolygon[] Follow(EdgeList edges, int[] next)
    {
        var contours = new List<MaskPolygon>();
        var points = new List<double>();
        var seen = new bool[next.Length];
        for (int start = 0; start < next.Length; start++)
        {
            if (seen[start]) continue;
            points.Clear();
            int edge = start;
            do
            {
                seen[edge] = true;
                int following = next[edge];
                // Where this edge ends; a top ends at its right side.
                int x = edges.Columns[edge / 2] + (1 - (edge & 1));
                int y = edges.Rows[edge], nextY = edges.Rows[following];
                if (nextY != y)
                {
                    points.Add(x);
                    points.Add(y);
                    points.Add(x);
                    points.Add(nextY);
                }

                edge = following;
            }
            while (edge != start);

            // The first edge is the topmost of the contour's first column: the top of a region, or of a hole (which is
            // the bottom of the foreground above it).
            contours.Add(MaskPolygon.FromOwnedCoordinates([.. points], isHole: (start & 1) == 1));
        }

        return [.. contours];
    }

    private readonly struct EdgeList : IPieceVisitor
    {
        public readonly List<int> Columns = [];
        public readonly List<int> Rows = [];

        public EdgeList()
        {
        }

        public void Visit(int column, int top, int bottom)
        {
            Columns.Add(column);
            Rows.Add(top);
            Rows.Add(bottom);
        }
    }
}
