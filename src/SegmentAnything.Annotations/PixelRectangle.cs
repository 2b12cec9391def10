using SegmentAnything.Rle;

namespace SegmentAnything.Annotations;

/// <summary>A rectangle in pixels, as COCO has it: the width counts columns, and 0, 0 is the corner of the top left pixel.</summary>
/// <param name="X">Left.</param>
/// <param name="Y">Top.</param>
/// <param name="Width">Columns.</param>
/// <param name="Height">Rows.</param>
public readonly record struct PixelRectangle(double X, double Y, double Width, double Height)
{
    /// <summary>The rectangle of a mask's box.</summary>
    /// <param name="box">The box, which counts columns as well.</param>
    public static PixelRectangle From(MaskBox box) => new(box.X, box.Y, box.Width, box.Height);
}
