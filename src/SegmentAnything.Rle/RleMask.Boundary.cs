using SegmentAnything.Rle.Kernels;

namespace SegmentAnything.Rle;

/// <content>The border of a mask.</content>
public sealed partial class RleMask
{
    /// <summary>Width of the border as a part of the image's diagonal: the 2 % of the boundary IoU's authors.</summary>
    public const double DefaultDilationRatio = 0.02;

    /// <summary>The mask without the pixels that are near its border.</summary>
    /// <param name="radius">
    /// How far, in pixels, at least 0: a pixel stays when the square of 2 radius + 1 pixels around it is foreground.
    /// Outside the mask all is background.
    /// </param>
    /// <returns>A mask of the same size.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The radius is negative.</exception>
    public RleMask Erode(int radius)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(radius);
        if (radius == 0 || IsEmpty) return this;
        // No square of that size fits: spares the arithmetic below.
        if (radius > (Math.Min(Width, Height) - 1) / 2) return Empty(Width, Height);

        // Along the columns each piece loses radius pixels at both ends.
        var shrinker = new Shrinker(_counts.Length, Height, radius);
        RleKernels.VisitPieces(_counts, Height, ref shrinker);
        shrinker.Runs.AddStretch((Width * Height) - shrinker.Position, foreground: false);
        var eroded = new RleMask(shrinker.Runs.ToArrayAndFree(), Width, Height);

        // Along the rows a pixel stays when 2 radius + 1 columns from it on are foreground; the number of columns that
        // are covered doubles with each step. Then the result moves to the middle.
        int window = 1, wanted = (2 * radius) + 1;
        while (window < wanted)
        {
            int step = Math.Min(window, wanted - window);
            eroded = eroded.Intersection(eroded.Translate(-step, 0));
            window += step;
        }

        return eroded.Translate(radius, 0);
    }

    /// <summary>The pixels of the mask that are near its border: the mask without its eroded self.</summary>
    /// <param name="dilationRatio">
    /// How near, as a part of the image's diagonal; rounded to whole pixels (halves to even), at least one.
    /// </param>
    /// <returns>A mask of the same size.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The ratio is not a positive number.</exception>
    /// <remarks>Source: Boundary IoU (Cheng et al. 2021), mask_to_boundary.</remarks>
    public RleMask Boundary(double dilationRatio = DefaultDilationRatio)
    {
        if (!(dilationRatio > 0) || double.IsInfinity(dilationRatio))
            throw new ArgumentOutOfRangeException(nameof(dilationRatio), dilationRatio, "The ratio must be a positive number.");
        double distance = Math.Round(dilationRatio * Math.Sqrt(((double)Width * Width) + ((double)Height * Height)));
        return Difference(Erode((int)Math.Clamp(distance, 1, int.MaxValue)));
    }

    /// <summary>Intersection over union of the borders of two masks.</summary>
    /// <param name="other">A mask of the same size.</param>
    /// <param name="otherIsCrowd">Whether to divide by the area of this mask's border alone.</param>
    /// <param name="dilationRatio">Width of the border; see <see cref="Boundary"/>.</param>
    /// <returns>The ratio, 0 to 1; 0 when the borders have nothing in common.</returns>
    /// <exception cref="ArgumentNullException">The other mask is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The ratio is not a positive number.</exception>
    /// <exception cref="RleFormatException">The sizes differ.</exception>
    /// <remarks>More sensitive to the outline of large objects than the masks' own. Source: Boundary IoU (Cheng et al. 2021).</remarks>
    public double BoundaryIntersectionOverUnion(
        RleMask other, bool otherIsCrowd = false, double dilationRatio = DefaultDilationRatio)
    {
        ArgumentNullException.ThrowIfNull(other);
        ThrowHelper.CheckSameSize(this, other);
        return Boundary(dilationRatio).IntersectionOverUnion(other.Boundary(dilationRatio), otherIsCrowd);
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
