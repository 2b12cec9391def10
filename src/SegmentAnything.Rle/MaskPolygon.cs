namespace SegmentAnything.Rle;

/// <summary>A closed outline of a mask: the border of a region, or of a hole in one.</summary>
public sealed class MaskPolygon
{
    private readonly double[] _coordinates;

    /// <summary>Makes an outline.</summary>
    /// <param name="coordinates">
    /// x0, y0, x1, y1, ... in pixels, at least three points; the last is joined to the first. 0, 0 is the top left corner
    /// of the top left pixel.
    /// </param>
    /// <param name="isHole">Whether it encloses background.</param>
    /// <exception cref="RleFormatException">
    /// There are fewer than three points, an odd number of coordinates, or one that is NaN or beyond 1e8 either way.
    /// </exception>
    public MaskPolygon(ReadOnlySpan<double> coordinates, bool isHole)
    {
        Kernels.RleKernels.CheckPolygon(coordinates);
        _coordinates = coordinates.ToArray();
        IsHole = isHole;
    }

    private MaskPolygon(bool isHole, double[] coordinates)
    {
        _coordinates = coordinates;
        IsHole = isHole;
    }

    /// <summary>x0, y0, x1, y1, ... in pixels; 0, 0 is the top left corner of the top left pixel.</summary>
    public ReadOnlySpan<double> Coordinates => _coordinates;

    /// <summary>Whether it encloses background: false for the outer contour of a region.</summary>
    public bool IsHole { get; }

    /// <summary>The coordinates as COCO's "segmentation" holds them.</summary>
    /// <returns>A new array.</returns>
    public double[] ToArray() => [.. _coordinates];

    internal double[] OwnedCoordinates => _coordinates;

    /// <summary>Takes over coordinates that are known to be right.</summary>
    internal static MaskPolygon FromOwnedCoordinates(double[] coordinates, bool isHole) => new(isHole, coordinates);
}
