namespace SegmentAnything.Rle;

/// <content>The border of a mask.</content>
public sealed partial class RleMask
{
    /// <summary>Width of the border as a part of the image's diagonal: the 2 % of the boundary IoU's authors.</summary>
    public const double DefaultDilationRatio = 0.02;

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
}
