using SegmentAnything.Rle.Kernels;

namespace SegmentAnything.Rle;

/// <content>Boxes, polygons and contours.</content>
public sealed partial class RleMask
{
    /// <summary>Makes a mask of one polygon.</summary>
    /// <param name="coordinates">
    /// x0, y0, x1, y1, ... in pixels, at least three points; the last is joined to the first. 0, 0 is the top left corner
    /// of the top left pixel. What lies outside the mask is cut off; where the polygon crosses itself, what is inside an
    /// even number of times is background.
    /// </param>
    /// <param name="width">Pixels in a row.</param>
    /// <param name="height">Rows.</param>
    /// <param name="cancellationToken">Stops the work soon.</param>
    /// <returns>The mask.</returns>
    /// <exception cref="RleFormatException">
    /// Width or height is not positive or their product is above 2^31 - 1; there are fewer than three points, an odd
    /// number of coordinates, or one that is NaN or beyond 1e8 either way (the position is its index); the outline crosses the
    /// columns of the mask more than 2^25 times.
    /// </exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <remarks>Source: COCO API, maskApi.c (rleFrPoly), with its rounding on a grid of five steps a pixel.</remarks>
    public static RleMask FromPolygon(ReadOnlySpan<double> coordinates, int width, int height, CancellationToken cancellationToken = default)
    {
        ThrowHelper.CheckSize(width, height);
        return FromPolygon(coordinates, width, height, new DrawingLimit(cancellationToken));
    }

    /// <summary>Makes a mask of several polygons: the union of them, as COCO's "segmentation" lists mean it.</summary>
    /// <param name="polygons">At least one polygon, each as for <see cref="FromPolygon(ReadOnlySpan{double}, int, int, CancellationToken)"/>.</param>
    /// <param name="width">Pixels in a row.</param>
    /// <param name="height">Rows.</param>
    /// <param name="cancellationToken">Stops the work soon.</param>
    /// <returns>The mask.</returns>
    /// <exception cref="ArgumentNullException">The list or a polygon is null.</exception>
    /// <exception cref="RleFormatException">
    /// As for <see cref="FromPolygon(ReadOnlySpan{double}, int, int, CancellationToken)"/>, the number of crossings being that of all
    /// polygons together, or there is no polygon.
    /// </exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <remarks>Source: COCO API, pycocotools/coco.py (annToRLE).</remarks>
    public static RleMask FromPolygons(IReadOnlyList<double[]> polygons, int width, int height, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(polygons);
        ThrowHelper.CheckSize(width, height);
        var limit = new DrawingLimit(cancellationToken);
        var masks = new RleMask[polygons.Count];
        for (int i = 0; i < masks.Length; i++)
        {
            ArgumentNullException.ThrowIfNull(polygons[i], nameof(polygons));
            cancellationToken.ThrowIfCancellationRequested();
            masks[i] = FromPolygon(polygons[i], width, height, limit);
        }

        return Union(masks);
    }

    /// <summary>Makes a mask of contours and holes: what is inside an odd number of them is foreground.</summary>
    /// <param name="contours">Any number of contours, none for an empty mask.</param>
    /// <param name="width">Pixels in a row.</param>
    /// <param name="height">Rows.</param>
    /// <param name="cancellationToken">Stops the work soon.</param>
    /// <returns>The mask. Of the contours of <see cref="ToPolygons"/> it is the mask that they came from.</returns>
    /// <exception cref="ArgumentNullException">The list or a contour is null.</exception>
    /// <exception cref="RleFormatException">
    /// Width or height is not positive or their product is above 2^31 - 1; the contours cross the columns of the mask more than 2^25
    /// times.
    /// </exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <remarks>Each contour is drawn by the rule of <see cref="FromPolygon(ReadOnlySpan{double}, int, int, CancellationToken)"/>.</remarks>
    public static RleMask FromContours(IReadOnlyList<MaskPolygon> contours, int width, int height, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(contours);
        ThrowHelper.CheckSize(width, height);
        var polygons = new double[contours.Count][];
        for (int i = 0; i < polygons.Length; i++)
        {
            ArgumentNullException.ThrowIfNull(contours[i], nameof(contours));
            polygons[i] = contours[i].OwnedCoordinates;
        }

        return new RleMask(RleKernels.FillPolygons(polygons, width, height, new DrawingLimit(cancellationToken)), width, height);
    }

    /// <summary>Makes a mask of a box with fractional coordinates.</summary>
    /// <param name="x">Left edge, in pixels; 0 is the left edge of the first column.</param>
    /// <param name="y">Top edge.</param>
    /// <param name="boxWidth">Width of the box.</param>
    /// <param name="boxHeight">Height of the box.</param>
    /// <param name="width">Pixels in a row of the mask.</param>
    /// <param name="height">Rows of the mask.</param>
    /// <returns>The mask; what lies outside it is cut off.</returns>
    /// <exception cref="RleFormatException">
    /// Width or height is not positive or their product is above 2^31 - 1; an edge is NaN or beyond 1e8 either way.
    /// </exception>
    /// <remarks>Drawn as a polygon of its corners. Source: COCO API, maskApi.c (rleFrBbox).</remarks>
    public static RleMask FromBox(double x, double y, double boxWidth, double boxHeight, int width, int height)
    {
        double right = x + boxWidth, bottom = y + boxHeight;
        return FromPolygon([x, y, x, bottom, right, bottom, right, y], width, height);
    }

    /// <summary>Makes a mask of a box of whole pixels.</summary>
    /// <param name="box">The box; what lies outside the mask is cut off.</param>
    /// <param name="width">Pixels in a row of the mask.</param>
    /// <param name="height">Rows of the mask.</param>
    /// <returns>The mask.</returns>
    /// <exception cref="RleFormatException">Width or height is not positive or their product is above 2^31 - 1.</exception>
    public static RleMask FromBox(MaskBox box, int width, int height)
    {
        int pixels = ThrowHelper.CheckSize(width, height);
        long left = Math.Max(0, box.X), right = Math.Min(width, (long)box.X + box.Width);
        long top = Math.Max(0, box.Y), bottom = Math.Min(height, (long)box.Y + box.Height);
        if (left >= right || top >= bottom) return new RleMask([pixels], width, height);
        var runs = new RunBuilder();
        int position = 0;
        for (long column = left; column < right; column++)
        {
            runs.AddStretch((int)((column * height) + top) - position, foreground: false);
            runs.AddStretch((int)(bottom - top), foreground: true);
            position = (int)((column * height) + bottom);
        }

        runs.AddStretch(pixels - position, foreground: false);
        return new RleMask(runs.ToArrayAndFree(), width, height);
    }

    /// <summary>The borders of the mask's regions and holes, along the edges of pixels.</summary>
    /// <param name="connectivity">
    /// Whether pixels that share only a corner belong to one region, and so have one outer contour. Holes are connected
    /// the other way.
    /// </param>
    /// <returns>
    /// Closed polygons with whole coordinates, outer contours clockwise on the screen and holes counter-clockwise, in the
    /// order of their first column; corners only. <see cref="FromContours"/> makes the same mask of them. The outer
    /// contours alone are a COCO "segmentation" when there are no holes. None for an empty mask.
    /// </returns>
    /// <exception cref="RleFormatException">
    /// The foreground, cut at the ends of columns, has more than 2^24 pieces, which a file of
    /// a few bytes may claim.
    /// </exception>
    public IReadOnlyList<MaskPolygon> ToPolygons(PixelConnectivity connectivity = PixelConnectivity.Eight) =>
        ContourTracer.Trace(_counts, Height, connectivity);

    private static RleMask FromPolygon(ReadOnlySpan<double> coordinates, int width, int height, DrawingLimit limit)
    {
        RleKernels.CheckPolygon(coordinates);
        return new RleMask(RleKernels.FillPolygon(coordinates, width, height, limit), width, height);
    }
}
