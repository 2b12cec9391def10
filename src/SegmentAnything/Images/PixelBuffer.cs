namespace SegmentAnything;

/// <summary>A view of an image in the caller's memory: rows from the top, 8 bits per channel. Nothing is copied.</summary>
/// <remarks>
/// <code>
///            |&lt;----- Width pixels -----&gt;|         row y starts at byte y * Stride
///   row 0    [p0 p1 p2 ...              ][padding]
///   row 1    [p0 p1 p2 ...              ][padding]
///            |&lt;------------ Stride bytes -------&gt;|
/// </code>
/// The memory must stay unchanged while the view is in use.
/// </remarks>
public readonly struct PixelBuffer
{
    /// <summary>The largest width and height that is accepted, in pixels.</summary>
    public const int MaxSide = 65_536;

    /// <summary>Describes an image in memory.</summary>
    /// <param name="pixels">The bytes; the last row needs no padding.</param>
    /// <param name="width">Columns, from 1 to <see cref="MaxSide"/>.</param>
    /// <param name="height">Rows, from 1 to <see cref="MaxSide"/>.</param>
    /// <param name="format">The order of the channels.</param>
    /// <param name="stride">Bytes from the start of one row to the start of the next; 0 where rows touch.</param>
    /// <exception cref="ArgumentOutOfRangeException">A side or the stride is out of range, or the format is unknown.</exception>
    /// <exception cref="ArgumentException">The memory is shorter than the image it should hold.</exception>
    public PixelBuffer(ReadOnlyMemory<byte> pixels, int width, int height, PixelFormat format, int stride = 0)
    {
        Validate(pixels, width, height, format, ref stride);
        Memory = pixels;
        Width = width;
        Height = height;
        Format = format;
        Stride = stride;
    }

    /// <summary>The bytes of the image, from its first pixel on.</summary>
    public ReadOnlyMemory<byte> Memory { get; }

    /// <summary>Columns.</summary>
    public int Width { get; }

    /// <summary>Rows.</summary>
    public int Height { get; }

    /// <summary>Bytes from the start of one row to the start of the next.</summary>
    public int Stride { get; }

    /// <summary>The order of the channels.</summary>
    public PixelFormat Format { get; }

    /// <summary>Width and height together.</summary>
    public ImageSize Size => new(Width, Height);

    /// <summary>Describes red-green-blue bytes. See the constructor for parameters and exceptions.</summary>
    public static PixelBuffer FromRgb24(ReadOnlyMemory<byte> pixels, int width, int height, int stride = 0) =>
        new(pixels, width, height, PixelFormat.Rgb24, stride);

    /// <summary>Describes blue-green-red bytes, as OpenCV keeps them. See the constructor for parameters and exceptions.</summary>
    public static PixelBuffer FromBgr24(ReadOnlyMemory<byte> pixels, int width, int height, int stride = 0) =>
        new(pixels, width, height, PixelFormat.Bgr24, stride);

    /// <summary>Describes red-green-blue-alpha bytes. See the constructor for parameters and exceptions.</summary>
    public static PixelBuffer FromRgba32(ReadOnlyMemory<byte> pixels, int width, int height, int stride = 0) =>
        new(pixels, width, height, PixelFormat.Rgba32, stride);

    /// <summary>Describes blue-green-red-alpha bytes. See the constructor for parameters and exceptions.</summary>
    public static PixelBuffer FromBgra32(ReadOnlyMemory<byte> pixels, int width, int height, int stride = 0) =>
        new(pixels, width, height, PixelFormat.Bgra32, stride);

    /// <summary>Describes brightness bytes. See the constructor for parameters and exceptions.</summary>
    public static PixelBuffer FromGray8(ReadOnlyMemory<byte> pixels, int width, int height, int stride = 0) =>
        new(pixels, width, height, PixelFormat.Gray8, stride);

    /// <summary>A part of the image, in the same memory.</summary>
    /// <param name="x">First column.</param>
    /// <param name="y">First row.</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <exception cref="ArgumentOutOfRangeException">The part does not lie within the image, or is empty.</exception>
    public PixelBuffer Crop(int x, int y, int width, int height)
    {
        if (x < 0 || y < 0 || width < 1 || height < 1 || x > Width - width || y > Height - height)
        {
            throw new ArgumentOutOfRangeException(nameof(x),
                $"The part at ({x}, {y}) of {width}x{height} pixels does not lie within the image of {Size} pixels.");
        }

        int start = checked((y * Stride) + (x * Format.BytesPerPixel()));
        return new PixelBuffer(Memory[start..], width, height, Format, Stride);
    }

    private static void Validate(ReadOnlyMemory<byte> pixels, int width, int height, PixelFormat format, ref int stride)
    {
        if (width is < 1 or > MaxSide)
            throw new ArgumentOutOfRangeException(nameof(width), width, $"An image is 1 to {MaxSide} pixels wide.");
        if (height is < 1 or > MaxSide)
            throw new ArgumentOutOfRangeException(nameof(height), height, $"An image is 1 to {MaxSide} pixels high.");
        int rowBytes = width * format.BytesPerPixel();
        if (stride == 0) stride = rowBytes;
        if (stride < rowBytes)
        {
            throw new ArgumentOutOfRangeException(nameof(stride), stride,
                $"A row of {width} {format} pixels takes {rowBytes} bytes; the stride must be at least that, or 0 where rows touch.");
        }

        long needed = ((long)stride * (height - 1)) + rowBytes;
        if (pixels.Length < needed)
        {
            throw new ArgumentException(
                $"An image of {width}x{height} {format} pixels with a stride of {stride} bytes takes {needed} bytes; {pixels.Length} were given.",
                nameof(pixels));
        }
    }
}
