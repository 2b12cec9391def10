namespace SegmentAnything.Rle;

/// <summary>The neighbourhood of a pixel that morphology looks at; its radius is given beside it.</summary>
public enum StructuringElement
{
    /// <summary>All pixels at most the radius away in columns and in rows: 2 radius + 1 pixels a side.</summary>
    Square,

    /// <summary>
    /// All pixels whose centres are at most the radius away: dx^2 + dy^2 &lt;= radius^2. Source: scikit-image, footprints.py (disk).
    /// OpenCV's MORPH_ELLIPSE differs from it by some pixels.
    /// </summary>
    Disk,
}
