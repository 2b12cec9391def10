using SegmentAnything.Rle.Kernels;

namespace SegmentAnything.Rle;

/// <content>Mathematical morphology: growing and shrinking. Outside the mask all is background.</content>
public sealed partial class RleMask
{
    /// <summary>The mask and the pixels near it.</summary>
    /// <param name="radius">How far, in pixels, at least 0: a pixel is foreground when one of its neighbourhood is.</param>
    /// <param name="element">The neighbourhood's shape.</param>
    /// <returns>A mask of the same size; what would lie outside is cut off.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The radius is negative, or the element is none of the two.</exception>
    /// <remarks>Takes time in proportion to the runs, times log2(radius) for squares and the radius for disks.</remarks>
    public RleMask Dilate(int radius, StructuringElement element = StructuringElement.Square)
    {
        CheckNeighbourhood(radius, element);
        if (radius == 0 || IsEmpty) return this;
        // A neighbourhood that holds the whole mask, wherever it stands: spares the arithmetic below.
        double across = Width - 1, down = Height - 1;
        bool holdsAll = element == StructuringElement.Square
            ? radius >= Math.Max(across, down) : (double)radius * radius >= (across * across) + (down * down);
        if (holdsAll) return Full(Width, Height);
        return element == StructuringElement.Square
            ? Grow(radius).GrowInRows(radius)
            : CombineColumns(radius, (mask, rows) => mask.Grow(rows), (sum, column) => sum.Union(column));
    }

    /// <summary>The mask without the pixels that are near its border.</summary>
    /// <param name="radius">How far, in pixels, at least 0: a pixel stays when all of its neighbourhood is foreground.</param>
    /// <param name="element">The neighbourhood's shape.</param>
    /// <returns>A mask of the same size.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The radius is negative, or the element is none of the two.</exception>
    /// <remarks>
    /// Outside the mask all is background, so pixels at the frame go; OpenCV's erode, by default, keeps them. Takes time in
    /// proportion to the runs, times log2(radius) for squares and the radius for disks.
    /// </remarks>
    public RleMask Erode(int radius, StructuringElement element = StructuringElement.Square)
    {
        CheckNeighbourhood(radius, element);
        if (radius == 0 || IsEmpty) return this;
        // No neighbourhood of that size fits: spares the arithmetic below.
        if (radius > (Math.Min(Width, Height) - 1) / 2) return Empty(Width, Height);
        return element == StructuringElement.Square
            ? Shrink(radius).ShrinkInRows(radius)
            : CombineColumns(radius, (mask, rows) => mask.Shrink(rows), (common, column) => common.Intersection(column));
    }

    /// <summary>Opening: the part of the mask that the neighbourhood can cover without leaving it. Thin parts go.</summary>
    /// <param name="radius">In pixels, at least 0.</param>
    /// <param name="element">The neighbourhood's shape.</param>
    /// <returns>A mask of the same size: eroded, then dilated. Never more than the mask.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The radius is negative, or the element is none of the two.</exception>
    public RleMask Open(int radius, StructuringElement element = StructuringElement.Square) =>
        Erode(radius, element).Dilate(radius, element);

    /// <summary>Closing: the mask and the gaps that the neighbourhood cannot get into without touching it.</summary>
    /// <param name="radius">In pixels, at least 0.</param>
    /// <param name="element">The neighbourhood's shape.</param>
    /// <returns>
    /// A mask of the same size: dilated, then eroded, with room around it for what grows over the frame. Never less than the mask.
    /// </returns>
    /// <exception cref="ArgumentOutOfRangeException">The radius is negative, or the element is none of the two.</exception>
    /// <exception cref="RleFormatException">The mask's box with so much room around it has more than 2^31 - 1 pixels.</exception>
    public RleMask Close(int radius, StructuringElement element = StructuringElement.Square)
    {
        CheckNeighbourhood(radius, element);
        if (radius == 0 || IsEmpty) return this;
        // No gap outside the box is closed.
        MaskBox box = BoundingBox;
        return Crop(box).Pad(radius, radius, radius, radius).Dilate(radius, element).Erode(radius, element)
            .Crop(new MaskBox(radius, radius, box.Width, box.Height))
            .Pad(box.X, box.Y, Width - box.Right, Height - box.Bottom);
    }

    private static void CheckNeighbourhood(int radius, StructuringElement element)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(radius);
        if (element is not (StructuringElement.Square or StructuringElement.Disk))
            throw new ArgumentOutOfRangeException(nameof(element), element, "Give Square or Disk.");
    }

    // A disk is columns of different heights: each moves the mask, grown or shrunk by its height, to its place.
    private RleMask CombineColumns(int radius, Func<RleMask, int, RleMask> change, Func<RleMask, RleMask, RleMask> combine)
    {
        RleMask result = change(this, radius);
        RleMask column = result;
        int rows = radius;
        // Columns farther than the mask is wide move all of it out.
        for (int x = 1; x <= Math.Min(radius, Width); x++)
        {
            int height = (int)Math.Sqrt(((double)radius * radius) - ((double)x * x));
            if (height != rows) column = change(this, rows = height);
            result = combine(combine(result, column.Translate(-x, 0)), column.Translate(x, 0));
        }

        return result;
    }

    // Down and up the columns.
    private RleMask Grow(int radius)
    {
        var grower = new Grower(_counts.Length, Height, radius);
        RleKernels.VisitPieces(_counts, Height, ref grower);
        grower.Runs.AddStretch((Width * Height) - grower.Position, foreground: false);
        return new RleMask(grower.Runs.ToArrayAndFree(), Width, Height);
    }

    private RleMask Shrink(int radius)
    {
        var shrinker = new Shrinker(_counts.Length, Height, radius);
        RleKernels.VisitPieces(_counts, Height, ref shrinker);
        shrinker.Runs.AddStretch((Width * Height) - shrinker.Position, foreground: false);
        return new RleMask(shrinker.Runs.ToArrayAndFree(), Width, Height);
    }

    // Along the rows, to both sides, by steps that double. A step is at most what is reached so far: then nothing is missing that
    // an earlier step has cut off at the frame.
    private RleMask GrowInRows(int radius)
    {
        RleMask grown = this;
        for (int reached = 0; reached < Math.Min(radius, Width - 1);)
        {
            int step = Math.Min(Math.Max(reached, 1), radius - reached);
            grown = grown.Translate(-step, 0).Union(grown).Union(grown.Translate(step, 0));
            reached += step;
        }

        return grown;
    }

    // A pixel stays when 2 radius + 1 columns from it on are foreground; the number of columns that are covered doubles with each
    // step. Then the result moves to the middle.
    private RleMask ShrinkInRows(int radius)
    {
        RleMask shrunk = this;
        int window = 1, wanted = (2 * radius) + 1;
        while (window < wanted)
        {
            int step = Math.Min(window, wanted - window);
            shrunk = shrunk.Intersection(shrunk.Translate(-step, 0));
            window += step;
        }

        return shrunk.Translate(radius, 0);
    }

    private ref struct Grower(int capacity, int height, int radius) : IPieceVisitor
    {
        public RunBuilder Runs = new(capacity + 2);
        public int Position;

        public void Visit(int column, int top, int bottom)
        {
            int start = (column * height) + (int)Math.Max(0, top - (long)radius), end = (column * height) + (int)Math.Min(height, bottom + (long)radius);
            // It may overlap the piece before.
            if (start > Position) Runs.AddStretch(start - Position, foreground: false);
            Runs.AddStretch(end - Math.Max(start, Position), foreground: true);
            Position = end;
        }
    }

    private ref struct Shrinker(int capacity, int height, int radius) : IPieceVisitor
    {
        public RunBuilder Runs = new(capacity + 2);
        public int Position;

        public void Visit(int column, int top, int bottom)
        {
            long first = top + (long)radius, last = bottom - (long)radius;
            if (first >= last) return;
            int start = (column * height) + (int)first;
            Runs.AddStretch(start - Position, foreground: false);
            Runs.AddStretch((int)(last - first), foreground: true);
            Position = start + (int)(last - first);
        }
    }
}
