namespace SegmentAnything.Rle.Kernels;

/// <content>Moves pixels: crop, pad, translate, flip.</content>
internal static partial class RleKernels
{
    /// <summary>The runs of a mask laid onto an empty canvas; what falls outside is cut off.</summary>
    /// <param name="counts">Canonical runs.</param>
    /// <param name="height">Pixels in a column of the mask.</param>
    /// <param name="canvasWidth">Columns of the canvas.</param>
    /// <param name="canvasHeight">Rows of the canvas.</param>
    /// <param name="left">Column of the canvas where the mask's first column goes; may be negative.</param>
    /// <param name="top">Row of the canvas where the mask's first row goes; may be negative.</param>
    public static int[] Place(ReadOnlySpan<int> counts, int height, int canvasWidth, int canvasHeight, long left, long top)
    {
        var placer = new Placer(counts.Length, canvasWidth, canvasHeight, left, top);
        VisitPieces(counts, height, ref placer);
        placer.Runs.AddStretch((canvasWidth * canvasHeight) - placer.Position, foreground: false);
        return placer.Runs.ToArrayAndFree();
    }

    /// <summary>The runs of a mask with its columns in opposite order.</summary>
    public static int[] FlipColumns(ReadOnlySpan<int> counts, int width, int height)
    {
        // Read from the end, the columns come in the right order and each is upside down. So the pieces of one column
        // are collected from its end and written from its start.
        var runs = new RunBuilder(counts.Length + 2);
        var column = new RunBuilder();
        int filled = 0;
        for (int i = counts.Length - 1; i >= 0; i--)
        {
            int run = counts[i];
            while (run > 0)
            {
                int step = Math.Min(run, height - filled);
                // Pairs of length and colour.
                column.Add(step);
                column.Add(i & 1);
                filled += step;
                run -= step;
                if (filled < height) continue;
                ReadOnlySpan<int> pieces = column.Runs;
                for (int j = pieces.Length - 2; j >= 0; j -= 2) runs.AddStretch(pieces[j], pieces[j + 1] != 0);
                column.Clear();
                filled = 0;
                // Whole columns of one colour stay whole.
                if (run < height) continue;
                int whole = run - (run % height);
                runs.AddStretch(whole, (i & 1) != 0);
                run -= whole;
            }
        }

        column.Free();
        return runs.ToArrayAndFree();
    }

    /// <summary>The runs of a mask with all its pixels in opposite order: turned by 180 degrees.</summary>
    public static int[] Reverse(ReadOnlySpan<int> counts)
    {
        // The last run comes first; if it is foreground, a background run of length 0 goes before it, and the first one
        // falls away when it has length 0.
        bool endsInForeground = (counts.Length & 1) == 0;
        ReadOnlySpan<int> kept = counts[0] == 0 ? counts[1..] : counts;
        var runs = new int[kept.Length + (endsInForeground ? 1 : 0)];
        kept.CopyTo(runs.AsSpan(endsInForeground ? 1 : 0));
        runs.AsSpan(endsInForeground ? 1 : 0).Reverse();
        return runs;
    }

    private ref struct Placer(int capacity, int canvasWidth, int canvasHeight, long left, long top) : IPieceVisitor
    {
        public RunBuilder Runs = new(capacity + 2);
        public int Position;

        public void Visit(int column, int pieceTop, int pieceBottom)
        {
            long x = column + left;
            if (x < 0 || x >= canvasWidth) return;
            int first = (int)Math.Max(0, pieceTop + top), last = (int)Math.Min(canvasHeight, pieceBottom + top);
            if (first >= last) return;
            int start = ((int)x * canvasHeight) + first;
            Runs.AddStretch(start - Position, foreground: false);
            Runs.AddStretch(last - first, foreground: true);
            Position = start + last - first;
        }
    }
}
