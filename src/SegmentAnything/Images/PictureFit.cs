namespace SegmentAnything;

/// <summary>How an image that is not square becomes the square that a model takes.</summary>
public enum PictureFit
{
    /// <summary>The file does not say, or takes no image.</summary>
    Unknown,

    /// <summary>The longer side is scaled, the rest is padded on the right and bottom.</summary>
    Pad,

    /// <summary>Both sides are scaled, each for itself.</summary>
    Squash,
}
