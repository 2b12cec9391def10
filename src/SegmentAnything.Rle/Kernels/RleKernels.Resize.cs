namespace SegmentAnything.Rle.Kernels;

/// <content>Resizes by the nearest pixel.</content>
internal static partial class RleKernels
{
    /// <summary>The runs of a mask at another size.</summary>
    /// <param name="counts">Canonical runs.</param>
    /// <param name="width">Columns of the mask.</param>
    /// <param name="height">Rows of the mask.</param>
    /// <param name="newWidth">Columns of the result.</param>
    /// <param name="newHeight">Rows of the result.</param>
    /// <remarks>
    /// Each piece of a column becomes the new rows whose centres lie in it, in as many columns as have their centres in this one.
    /// Exactness: equals <see cref="ResizeScalar"/>. Measured by: rle-ratios.
    /// </remarks>
    public static int[] Resize(ReadOnlySpan<int> counts, int width, int height, int newWidth, int newHeight)
    {
        var resizer = new Resizer(counts.Length, width, height, newWidth, newHeight);
        VisitPieces(counts, height, ref resizer);
        return resizer.Finish();
    }

    // The definition.
    internal static int[] ResizeScalar(ReadOnlySpan<int> counts, int width, int height, int newWidth, int newHeight)
    {
        byte[] columns = new byte[width * height], resized = new byte[newWidth * newHeight];
        FillRunsScalar(counts, 1, columns);
        for (int x = 0; x < newWidth; x++)
        {
            for (int y = 0; y < newHeight; y++)
            {
                long fromX = ((2L * x) + 1) * width / (2L * newWidth), fromY = ((2L * y) + 1) * height / (2L * newHeight);
                resized[(x * newHeight) + y] = columns[(int)((fromX * height) + fromY)];
            }
        }

        return FindRunsScalar(resized);
    }

    // The first new pixel whose centre does not lie before an edge: the least x with (2 x + 1) length >= 2 newLength edge.
    private static int FirstFrom(int edge, int length, int newLength) => (int)(((2L * newLength * edge) + length - 1) / (2L * length));

    private ref struct Resizer(int capacity, int width, int height, int newWidth, int newHeight) : IPieceVisitor
    {
        private readonly int _newWidth = newWidth;
        private RunBuilder _runs = new(capacity + 2);

        // The pieces of the column at hand: pairs of first row and one past the last.
        private RunBuilder _pieces = new(64);
        private int _column = -1;
        private int _position;

        public void Visit(int column, int top, int bottom)
        {
            if (column != _column)
            {
                WriteColumn();
                _column = column;
            }

            int first = FirstFrom(top, height, newHeight), last = FirstFrom(bottom, height, newHeight);
            if (first == last) return;
            // Pieces touch where the gap between them has no centre.
            if (_pieces.Length > 0 && _pieces.Runs[^1] == first)
            {
                _pieces.Runs[^1] = last;
                return;
            }

            _pieces.Add(first);
            _pieces.Add(last);
        }

        public int[] Finish()
        {
            WriteColumn();
            _runs.AddStretch((_newWidth * newHeight) - _position, foreground: false);
            _pieces.Free();
            return _runs.ToArrayAndFree();
        }

        private void WriteColumn()
        {
            ReadOnlySpan<int> pieces = _pieces.Runs;
            if (pieces.IsEmpty) return;
            int last = FirstFrom(_column + 1, width, _newWidth);
            for (int x = FirstFrom(_column, width, _newWidth); x < last; x++)
            {
                for (int i = 0; i < pieces.Length; i += 2)
                {
                    int start = (x * newHeight) + pieces[i];
                    _runs.AddStretch(start - _position, foreground: false);
                    _runs.AddStretch(pieces[i + 1] - pieces[i], foreground: true);
                    _position = start + pieces[i + 1] - pieces[i];
                }
            }

            _pieces.Clear();
        }
    }
}
