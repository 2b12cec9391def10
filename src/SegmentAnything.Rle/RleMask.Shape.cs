using SegmentAnything.Rle.Kernels;

namespace SegmentAnything.Rle;

/// <content>Measures of shape.</content>
public sealed partial class RleMask
{
    /// <summary>The mean of the foreground pixels' columns and rows; NaN, NaN when the mask is empty.</summary>
    /// <remarks>In pixels; the centre of the top left pixel is 0, 0. The sums are exact.</remarks>
    public MaskPoint Centroid
    {
        get
        {
            var sums = new CentroidSums();
            RleKernels.VisitBlocks(_counts, Height, ref sums);
            return new MaskPoint(sums.X / (double)sums.Area, sums.TwiceY / (2.0 * sums.Area));
        }
    }

    /// <summary>Area of the convex hull of the foreground pixels, taken as unit squares; 0 when the mask is empty.</summary>
    /// <remarks>
    /// Never less than <see cref="Area"/>. OpenCV's contourArea of a convexHull joins pixel centres instead and is smaller
    /// by about half the perimeter.
    /// </remarks>
    public double ConvexHullArea => ConvexHull.Area(_counts, Height);

    /// <summary>
    /// How far the mask is from convex: 1 - area / convex hull area, 0 for a convex mask; NaN when the mask is empty.
    /// </summary>
    /// <remarks>Source: Segment Anything (Kirillov et al. 2023), section 5, figure 6.</remarks>
    public double Concavity => 1 - (Area / ConvexHullArea);

    /// <summary>The foreground pixel that is farthest from the background: where an evaluation clicks.</summary>
    /// <param name="distance">
    /// The Euclidean distance, in pixels, from its centre to the centre of the nearest background pixel; 0 when the mask
    /// is empty. Outside the mask all is background.
    /// </param>
    /// <returns>Column and row; of several such pixels the first in reading order. -1, -1 when the mask is empty.</returns>
    /// <remarks>
    /// The maximum of the exact distance transform, found without making it: memory is proportional to runs and columns.
    /// Source: Segment Anything (Kirillov et al. 2023), appendix D.1.
    /// </remarks>
    public (int X, int Y) LargestInscribedPoint(out double distance)
    {
        (int x, int y, long squared) = new InscribedPoint(_counts, Width, Height).Find(BoundingBox);
        distance = Math.Sqrt(squared);
        return (x, y);
    }

    private struct CentroidSums : IBlockVisitor
    {
        public long Area, X, TwiceY;

        public void Visit(int column, int columnEnd, int top, int bottom)
        {
            long columns = columnEnd - column, rows = bottom - top;
            Area += columns * rows;
            // The columns column .. columnEnd - 1 add up to columns * (column + columnEnd - 1) / 2, and rows likewise.
            X += columns * (column + columnEnd - 1L) / 2 * rows;
            TwiceY += rows * (top + bottom - 1L) * columns;
        }
    }
}
