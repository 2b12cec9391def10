using System.Globalization;
using System.Text;

namespace SegmentAnything.Rle;

/// <content>The mask as an SVG path.</content>
public sealed partial class RleMask
{
    /// <summary>The mask's borders as the data of an SVG path, for the attribute <c>d</c>.</summary>
    /// <param name="connectivity">As for <see cref="ToPolygons"/>; the filled pixels are the same either way.</param>
    /// <returns>
    /// One closed subpath a region and a hole, such as <c>M9 1V5H2V1Z</c>, in pixels: 0, 0 is the top left corner of the top
    /// left pixel, so that a <c>viewBox</c> of <c>0 0 width height</c> fits the picture. Empty for an empty mask.
    /// </returns>
    /// <remarks>
    /// The path goes along the edges of pixels and is exact. Holes turn the other way than regions, so that both of SVG's fill
    /// rules, <c>nonzero</c> (the default) and <c>evenodd</c>, fill the mask's pixels and no others. Source: SVG 2, section 9.3.
    /// </remarks>
    public string ToSvgPath(PixelConnectivity connectivity = PixelConnectivity.Eight)
    {
        var path = new StringBuilder();
        foreach (MaskPolygon polygon in ToPolygons(connectivity))
        {
            ReadOnlySpan<double> points = polygon.Coordinates;
            path.Append(CultureInfo.InvariantCulture, $"M{points[0]} {points[1]}");
            // Each side is horizontal or vertical, and the closing one is drawn by Z.
            for (int i = 2; i < points.Length; i += 2)
            {
                if (points[i] == points[i - 2]) path.Append(CultureInfo.InvariantCulture, $"V{points[i + 1]}");
                else path.Append(CultureInfo.InvariantCulture, $"H{points[i]}");
            }

            path.Append('Z');
        }

        return path.ToString();
    }
}
