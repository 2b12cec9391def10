namespace SegmentAnything.Imaging;

/// <summary>An object on a transparent ground, as <see cref="MaskDrawing.CutOut"/> makes it.</summary>
public sealed class CutOutImage
{
    internal CutOutImage(byte[] pixels, int x, int y, int width, int height)
    {
        Pixels = pixels;
        X = x;
        Y = y;
        Width = width;
        Height = height;
    }

    /// <summary>
    /// Width * height * 4 bytes: red, green, blue, alpha (not premultiplied) of each pixel, rows from the top. Alpha is 255 in
    /// the mask; outside it all four are 0.
    /// </summary>
    public byte[] Pixels { get; }

    /// <summary>The column of the source picture that the first column came from.</summary>
    public int X { get; }

    /// <summary>The row of the source picture that the first row came from.</summary>
    public int Y { get; }

    /// <summary>Columns.</summary>
    public int Width { get; }

    /// <summary>Rows.</summary>
    public int Height { get; }

    /// <summary>The same memory as the library's view of an image; the library ignores alpha.</summary>
    public PixelBuffer ToPixelBuffer() => PixelBuffer.FromRgba32(Pixels, Width, Height);

    /// <summary>Writes a PNG file with transparency: whole or not at all.</summary>
    /// <param name="path">Where to write; a file of that name is replaced.</param>
    /// <exception cref="ImageFileException">The file cannot be written, or libvips is not installed.</exception>
    public void SavePng(string path) => ImageFile.SavePng(path, Pixels, Width, Height);

    /// <summary>The bytes of a PNG file with transparency.</summary>
    /// <exception cref="ImageFileException">libvips is not installed.</exception>
    public byte[] ToPng() => ImageFile.ToPng(Pixels, Width, Height);
}
