namespace SegmentAnything.Imaging;

/// <summary>How image files are read.</summary>
public sealed record ImageReadOptions
{
    private readonly long _maxPixels = 178_956_970;

    /// <summary>Up to 178,956,970 pixels, samples as they are.</summary>
    public static ImageReadOptions Default { get; } = new();

    /// <summary>
    /// The most pixels that a picture may have, by what its header says and before a pixel is decoded: a file of a few bytes can
    /// announce any size. Default: 178,956,970, at which Pillow refuses as well: 537 MB of memory.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is less than 1.</exception>
    public long MaxPixels
    {
        get => _maxPixels;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
            _maxPixels = value;
        }
    }

    /// <summary>What becomes of samples of 16 bits. Default: <see cref="SampleStretch.None"/>.</summary>
    public SampleStretch Stretch { get; init; } = SampleStretch.None;
}

/// <summary>How samples of 16 bits become 8. The range is one for the whole picture and all its channels, so colours keep their ratios.</summary>
public enum SampleStretch
{
    /// <summary>The upper 8 bits: 0 to 65,535 become 0 to 255. A camera's or scanner's 12 bits in 16 come out nearly black.</summary>
    None,

    /// <summary>The least sample of the picture becomes 0, the greatest 255.</summary>
    Range,

    /// <summary>The same from the 2nd to the 98th percentile of the samples, which a few bright or dead pixels do not move.</summary>
    Percentiles,
}
