namespace SegmentAnything.Imaging;

/// <summary>A decoded picture: red-green-blue bytes in rows from the top, upright, without padding.</summary>
public sealed class LoadedImage
{
    /// <summary>Wraps pixels; nothing is copied.</summary>
    /// <param name="pixels">Width * height * 3 bytes: red, green, blue of each pixel, rows from the top.</param>
    /// <param name="width">Columns, at least 1.</param>
    /// <param name="height">Rows, at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">A side is less than 1.</exception>
    /// <exception cref="ArgumentException">The number of bytes is not width * height * 3.</exception>
    public LoadedImage(byte[] pixels, int width, int height)
    {
        ArgumentNullException.ThrowIfNull(pixels);
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        if (pixels.Length != (long)width * height * 3)
        {
            throw new ArgumentException(
                $"A picture of {width}x{height} RGB pixels takes {(long)width * height * 3} bytes; {pixels.Length} were given.",
                nameof(pixels));
        }

        Pixels = pixels;
        Width = width;
        Height = height;
    }

    /// <summary>Width * height * 3 bytes: red, green, blue of each pixel, rows from the top.</summary>
    public byte[] Pixels { get; }

    /// <summary>Columns.</summary>
    public int Width { get; }

    /// <summary>Rows.</summary>
    public int Height { get; }

    /// <summary>
    /// What should be known of how the file was read, as the end of a sentence that begins with its name, such as "has damaged
    /// parts"; null where there is nothing to say.
    /// </summary>
    public string? Hint { get; init; }

    /// <summary>The same memory as the library's view of an image.</summary>
    public PixelBuffer ToPixelBuffer() => PixelBuffer.FromRgb24(Pixels, Width, Height);

    /// <summary>Writes a PNG file: whole or not at all, through a temporary file beside it that is then renamed.</summary>
    /// <param name="path">Where to write; a file of that name is replaced. The folder is created when it is missing.</param>
    /// <exception cref="ImageFileException">The file cannot be written, or libvips is not installed.</exception>
    public void SavePng(string path) => ImageFile.SavePng(path, Pixels, Width, Height);

    /// <summary>The bytes of a PNG file, to be sent or stored.</summary>
    /// <exception cref="ImageFileException">libvips is not installed.</exception>
    public byte[] ToPng() => ImageFile.ToPng(Pixels, Width, Height);

    /// <summary>The bytes of a JPEG file, to be sent or stored. What is drawn changes a little: JPEG is not exact.</summary>
    /// <param name="quality">1 to 100.</param>
    /// <exception cref="ArgumentOutOfRangeException">The quality is out of range, or a side is more than 65,535 pixels.</exception>
    /// <exception cref="ImageFileException">libvips is not installed.</exception>
    public byte[] ToJpeg(int quality = 90) => ImageFile.ToJpeg(Pixels, Width, Height, quality);
}
