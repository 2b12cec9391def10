namespace SegmentAnything;

/// <summary>How the bytes of one pixel are laid out.</summary>
public enum PixelFormat
{
    /// <summary>Three bytes: red, green, blue.</summary>
    Rgb24,

    /// <summary>Three bytes: blue, green, red.</summary>
    Bgr24,

    /// <summary>Four bytes: red, green, blue, alpha. Alpha is ignored.</summary>
    Rgba32,

    /// <summary>Four bytes: blue, green, red, alpha. Alpha is ignored.</summary>
    Bgra32,

    /// <summary>One byte: brightness, used for red, green and blue.</summary>
    Gray8,
}

/// <summary>Facts about pixel formats.</summary>
public static class PixelFormatExtensions
{
    /// <summary>The number of bytes one pixel takes: 1, 3 or 4.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is none of the named formats.</exception>
    public static int BytesPerPixel(this PixelFormat format) => format switch
    {
        PixelFormat.Rgb24 or PixelFormat.Bgr24 => 3,
        PixelFormat.Rgba32 or PixelFormat.Bgra32 => 4,
        PixelFormat.Gray8 => 1,
        _ => throw new ArgumentOutOfRangeException(nameof(format), format, "Not a known pixel format."),
    };
}
