using System.Buffers;
using SegmentAnything.Imaging.Vips;

namespace SegmentAnything.Imaging;

/// <summary>Reads and writes image files through libvips.</summary>
/// <remarks>
/// Whatever the file holds, it comes out as upright 8-bit sRGB: orientation tags (EXIF, TIFF) are applied; transparent
/// parts are laid on white; 16 bits become the upper 8; palettes, grey and CMYK become RGB. The embedded profile of a
/// CMYK file is used; that of an RGB file is not, as in the reference's own image reading. Of several pages or frames the
/// first is read. JPEG, PNG, WebP, TIFF, GIF and AVIF can be read everywhere; HEIC, JPEG 2000, JPEG XL and BMP where the
/// libvips that is loaded was built for them, which the one that comes along was not. Safe to call from several threads.
/// </remarks>
public static class ImageFile
{
    private const string Readable = "JPEG, PNG, WebP, TIFF, GIF and AVIF can be read, and HEIC, JPEG 2000, JPEG XL and BMP by libraries built for them";

    /// <summary>Reads an image file.</summary>
    /// <param name="path">A file of one of these formats; the content decides which, not the name.</param>
    /// <returns>The picture, upright, red-green-blue bytes.</returns>
    /// <exception cref="ImageFileException">
    /// There is no such file, it is in another format, which the message names, truncated or damaged, or there is no libvips.
    /// </exception>
    public static LoadedImage Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        byte[] file;
        try
        {
            file = File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new ImageFileException(e switch
            {
                _ when Directory.Exists(path) => $"{path}: is a folder; name an image file.",
                FileNotFoundException or DirectoryNotFoundException => $"{path}: there is no such file.",
                _ => $"{path}: cannot be read: {e.Message}",
            }, e);
        }

        return Decode(file, path);
    }

    /// <summary>Reads an image file from a stream, from its position to its end. The stream stays open.</summary>
    /// <param name="stream">The bytes of an image file.</param>
    /// <returns>The picture, upright, red-green-blue bytes.</returns>
    /// <exception cref="ImageFileException">As for <see cref="Load(string)"/>.</exception>
    public static LoadedImage Load(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        using var file = new MemoryStream();
        stream.CopyTo(file);
        return Decode(file.GetBuffer().AsMemory(0, (int)file.Length), "the stream");
    }

    /// <summary>Reads an image file that is in memory.</summary>
    /// <param name="file">The bytes of an image file; unchanged until the call returns.</param>
    /// <returns>The picture, upright, red-green-blue bytes.</returns>
    /// <exception cref="ImageFileException">As for <see cref="Load(string)"/>.</exception>
    public static LoadedImage Load(ReadOnlyMemory<byte> file) => Decode(file, "the image");

    /// <summary>Writes a PNG file: whole or not at all, through a temporary file beside it that is then renamed.</summary>
    /// <param name="path">Where to write; a file of that name is replaced. The folder is created when it is missing.</param>
    /// <param name="pixels">
    /// Rows from the top, without padding: 1 byte per pixel (grey), 3 (red, green, blue) or 4 (with alpha); which of them
    /// follows from the length.
    /// </param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <exception cref="ArgumentOutOfRangeException">A side is less than 1.</exception>
    /// <exception cref="ArgumentException">The number of bytes is not 1, 3 or 4 times width * height.</exception>
    /// <exception cref="ImageFileException">The file cannot be written, or there is no libvips.</exception>
    public static void SavePng(string path, ReadOnlySpan<byte> pixels, int width, int height)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        byte[] file = Encode(path, pixels, width, height);
        try
        {
            AtomicFile.Write(path, file);
        }
        catch (IOException e)
        {
            throw new ImageFileException(e.Message, e);
        }
    }

    /// <summary>The bytes of a PNG file, to be sent or stored.</summary>
    /// <param name="pixels">
    /// Rows from the top, without padding: 1 byte per pixel (grey), 3 (red, green, blue) or 4 (with alpha); which of them
    /// follows from the length.
    /// </param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <exception cref="ArgumentOutOfRangeException">A side is less than 1.</exception>
    /// <exception cref="ArgumentException">The number of bytes is not 1, 3 or 4 times width * height.</exception>
    /// <exception cref="ImageFileException">libvips is not installed.</exception>
    public static byte[] ToPng(ReadOnlySpan<byte> pixels, int width, int height) => Encode("the picture", pixels, width, height);

    private static byte[] Encode(string name, ReadOnlySpan<byte> pixels, int width, int height)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        long count = (long)width * height;
        if (pixels.Length != count && pixels.Length != 3 * count && pixels.Length != 4 * count)
        {
            throw new ArgumentException(
                $"A picture of {width}x{height} pixels takes {count} bytes (grey), {3 * count} (RGB) or {4 * count} (RGBA); " +
                $"{pixels.Length} were given.", nameof(pixels));
        }

        try
        {
            using VipsImage image = VipsImage.FromMemory(pixels, width, height, (int)(pixels.Length / count), VipsImage.FormatUChar);
            using VipsImage tagged = Tag(image);
            using VipsOperation save = new VipsOperation("pngsave_buffer").Set("in", tagged);
            return save.RunForBytes();
        }
        catch (VipsException e)
        {
            throw new ImageFileException($"{name}: cannot be encoded as PNG: {e.Message}", e);
        }
    }

    private static VipsImage Tag(VipsImage image)
    {
        using VipsOperation copy = new VipsOperation("copy").Set("in", image)
            .Set("interpretation", image.Bands == 1 ? "b-w" : "srgb");
        return copy.RunForImage();
    }

    private static LoadedImage Decode(ReadOnlyMemory<byte> file, string name)
    {
        ImageFormat format = ImageFormat.Of(file.Span) ?? throw new ImageFileException(file.IsEmpty
            ? $"{name}: is empty; {Readable}."
            : $"{name}: is not an image that is known here: it begins with {System.Convert.ToHexString(file.Span[..Math.Min(8, file.Length)])}; {Readable}.");
        if (format.Loader is null || !VipsOperation.Exists(format.Loader))
        {
            throw new ImageFileException(
                $"{name}: is {format.Name}, which {(format.Loader is null ? "is not read" : $"this libvips ({VipsLibrary.Version}) cannot read")}; {Readable}. Convert it first.");
        }

        try
        {
            using MemoryHandle pinned = file.Pin();
            using VipsOperation load = new VipsOperation(format.Loader).Set("buffer", pinned, file.Length).Set("fail_on", "truncated");
            using VipsImage image = load.RunForImage();
            CheckSize(image, name);
            CheckDepth(image, name);
            return Convert(image, name);
        }
        catch (VipsException e)
        {
            throw new ImageFileException(
                $"{name}: is {format.Name}, truncated or damaged, or of a kind this libvips ({VipsLibrary.Version}) cannot read: {e.Message}.", e);
        }
    }

    // Before a pixel is decoded: a file of a few bytes can announce any size.
    private static void CheckSize(VipsImage image, string name)
    {
        if (image.Width > PixelBuffer.MaxSide || image.Height > PixelBuffer.MaxSide || (long)image.Width * image.Height * 3 > Array.MaxLength)
        {
            throw new ImageFileException(
                $"{name}: has {image.Width}x{image.Height} pixels; at most {PixelBuffer.MaxSide} a side and " +
                $"{Array.MaxLength / 3} in all can be read. Scale it down first.");
        }
    }

    // Floating point and the like: which value is white differs from file to file.
    private static void CheckDepth(VipsImage image, string name)
    {
        if (image.Format is not (VipsImage.FormatUChar or VipsImage.FormatUShort))
            throw new ImageFileException($"{name}: its samples are neither 8 nor 16 bits; convert it to 8-bit RGB first.");
    }

    private static LoadedImage Convert(VipsImage image, string name)
    {
        using VipsOperation autorot = new VipsOperation("autorot").Set("in", image);
        using VipsImage upright = autorot.RunForImage();
        using VipsImage opaque = Flatten(upright);
        using VipsOperation colourspace = new VipsOperation("colourspace").Set("in", opaque).Set("space", "srgb");
        using VipsImage rgb = colourspace.RunForImage();
        if (rgb.Bands != 3 || rgb.Format != VipsImage.FormatUChar)
        {
            throw new ImageFileException(
                $"{name}: its {image.Bands} channels are not grey, RGB, or CMYK, with or without alpha; convert it to 8-bit RGB first.");
        }

        return new LoadedImage(rgb.ToBytes(), rgb.Width, rgb.Height);
    }

    // On white, in the file's own depth.
    private static VipsImage Flatten(VipsImage image)
    {
        if (!image.HasAlpha)
        {
            using VipsOperation copy = new VipsOperation("copy").Set("in", image);
            return copy.RunForImage();
        }

        using VipsOperation flatten = new VipsOperation("flatten").Set("in", image)
            .Set("background", image.Format == VipsImage.FormatUShort ? "65535" : "255");
        return flatten.RunForImage();
    }
}
