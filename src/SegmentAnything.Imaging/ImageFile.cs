using System.Buffers;
using System.Globalization;
using SegmentAnything.Imaging.Vips;

namespace SegmentAnything.Imaging;

/// <summary>Reads and writes image files through libvips.</summary>
/// <remarks>
/// Whatever the file holds, it comes out as upright 8-bit sRGB: orientation tags (EXIF, TIFF) are applied; transparent
/// parts are laid on white; 16 bits become the upper 8, or are stretched (<see cref="ImageReadOptions.Stretch"/>); palettes, grey
/// and CMYK become RGB. The embedded profile of a CMYK file is used; that of an RGB file is not, as in the reference's own image
/// reading. Of a TIFF file's samples beyond the colours, those that it calls alpha are alpha, and others, such as near infrared,
/// are left out. Of several pages or frames the first is read. Work and memory are bounded for any input: by
/// <see cref="ImageReadOptions.MaxPixels"/>, and texts in PNG files are not unpacked. JPEG, PNG, WebP, TIFF, GIF and AVIF can be read everywhere; HEIC, JPEG 2000, JPEG XL and BMP where the
/// libvips that is loaded was built for them, which the one that comes along was not. Safe to call from several threads.
/// </remarks>
public static class ImageFile
{
    private const string Readable = "JPEG, PNG, WebP, TIFF, GIF and AVIF can be read, and HEIC, JPEG 2000, JPEG XL and BMP by libraries built for them";

    /// <summary>Reads an image file.</summary>
    /// <param name="path">A file of one of these formats; the content decides which, not the name.</param>
    /// <param name="options">How to read it; null for the defaults.</param>
    /// <param name="cancellationToken">Stops between parts of the work, and within the decoding.</param>
    /// <returns>The picture, upright, red-green-blue bytes.</returns>
    /// <exception cref="ImageFileException">
    /// There is no such file, or it is a device or a pipe, in another format, which the message names, larger than
    /// <see cref="ImageReadOptions.MaxPixels"/>, truncated or damaged, or there is no libvips.
    /// </exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static LoadedImage Load(string path, ImageReadOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        try
        {
            // A pipe with a name would be waited for, and a device need not end. What is open already, such as /dev/stdin, is read.
            if (AtomicFile.DescriptorOf(path) is null && FileStatus.Of(path) is { Kind: FileKind.Device or FileKind.Pipe } special)
                throw new ImageFileException($"{path}: is a {(special.Kind == FileKind.Pipe ? "pipe" : "device")}; name an image file.");
            using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
            return Decode(ReadAll(stream, path, cancellationToken), path, options, cancellationToken);
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
    }

    /// <summary>Reads an image file from a stream, from its position to its end. The stream stays open.</summary>
    /// <param name="stream">The bytes of an image file. A stream that begins as no image does is not read further.</param>
    /// <param name="options">How to read it; null for the defaults.</param>
    /// <param name="cancellationToken">Stops between parts of the work, and within the decoding.</param>
    /// <returns>The picture, upright, red-green-blue bytes.</returns>
    /// <exception cref="ImageFileException">As for <see cref="Load(string, ImageReadOptions, CancellationToken)"/>.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static LoadedImage Load(Stream stream, ImageReadOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(stream);
        return Decode(ReadAll(stream, "the stream", cancellationToken), "the stream", options, cancellationToken);
    }

    /// <summary>Reads an image file that is in memory.</summary>
    /// <param name="file">The bytes of an image file; unchanged until the call returns.</param>
    /// <param name="options">How to read it; null for the defaults.</param>
    /// <param name="cancellationToken">Stops between parts of the work, and within the decoding.</param>
    /// <returns>The picture, upright, red-green-blue bytes.</returns>
    /// <exception cref="ImageFileException">As for <see cref="Load(string, ImageReadOptions, CancellationToken)"/>.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static LoadedImage Load(ReadOnlyMemory<byte> file, ImageReadOptions? options = null, CancellationToken cancellationToken = default) =>
        Decode(file, "the image", options, cancellationToken);

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

    /// <summary>The bytes of a JPEG file, to be sent or stored.</summary>
    /// <param name="pixels">Rows from the top, without padding: 1 byte per pixel (grey) or 3 (red, green, blue).</param>
    /// <param name="width">Columns, at most 65,535.</param>
    /// <param name="height">Rows, at most 65,535.</param>
    /// <param name="quality">1 to 100.</param>
    /// <exception cref="ArgumentOutOfRangeException">A side is less than 1 or more than 65,535, or the quality is out of range.</exception>
    /// <exception cref="ArgumentException">The number of bytes is not 1 or 3 times width * height.</exception>
    /// <exception cref="ImageFileException">libvips is not installed.</exception>
    public static byte[] ToJpeg(ReadOnlySpan<byte> pixels, int width, int height, int quality = 90)
    {
        const int most = 65535; // a side in JPEG's header
        ArgumentOutOfRangeException.ThrowIfGreaterThan(width, most);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(height, most);
        ArgumentOutOfRangeException.ThrowIfLessThan(quality, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(quality, 100);
        if (width > 0 && height > 0 && pixels.Length == 4L * width * height)
            throw new ArgumentException("JPEG has no alpha; give grey or RGB.", nameof(pixels));
        return Encode("the picture", pixels, width, height, quality);
    }

    // JPEG where a quality is given, else PNG.
    private static byte[] Encode(string name, ReadOnlySpan<byte> pixels, int width, int height, int? quality = null)
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
            using VipsOperation save = new VipsOperation(quality is null ? "pngsave_buffer" : "jpegsave_buffer").Set("in", tagged);
            if (quality is { } q) save.Set("Q", q.ToString(CultureInfo.InvariantCulture));
            return save.RunForBytes();
        }
        catch (VipsException e)
        {
            throw new ImageFileException($"{name}: cannot be encoded as {(quality is null ? "PNG" : "JPEG")}: {e.Message}", e);
        }
    }

    private static VipsImage Tag(VipsImage image)
    {
        using VipsOperation copy = new VipsOperation("copy").Set("in", image)
            .Set("interpretation", image.Bands == 1 ? "b-w" : "srgb");
        return copy.RunForImage();
    }

    // Only what begins as an image is read to its end: a device or a connection need not have one.
    private static ReadOnlyMemory<byte> ReadAll(Stream stream, string name, CancellationToken cancellationToken)
    {
        const int beginning = 1024; // as far as formats are recognised by
        const int piece = 1 << 20;
        long length = stream.CanSeek ? Math.Clamp(stream.Length - stream.Position, 0, Array.MaxLength) : 0;
        byte[] bytes = new byte[Math.Max(beginning, length)];
        int count = stream.ReadAtLeast(bytes.AsSpan(0, beginning), beginning, throwOnEndOfStream: false);
        _ = FormatOf(bytes.AsSpan(0, count), name);
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (count == bytes.Length)
            {
                // At the end there is one more byte to ask for, which a buffer of the file's own length has no place for.
                int next = stream.ReadByte();
                if (next < 0) break;
                if (bytes.Length == Array.MaxLength) throw new ImageFileException($"{name}: has more than {Array.MaxLength} bytes; scale it down first.");
                Array.Resize(ref bytes, (int)Math.Min(Array.MaxLength, 2L * bytes.Length));
                bytes[count++] = (byte)next;
            }

            int read = stream.Read(bytes.AsSpan(count, Math.Min(piece, bytes.Length - count)));
            if (read == 0) break;
            count += read;
        }

        return bytes.AsMemory(0, count);
    }

    private static ImageFormat FormatOf(ReadOnlySpan<byte> file, string name) => ImageFormat.Of(file) ?? throw new ImageFileException(file.IsEmpty
        ? $"{name}: is empty; {Readable}."
        : $"{name}: is not an image that is known here: it begins with {System.Convert.ToHexString(file[..Math.Min(8, file.Length)])}; {Readable}.");

    private static LoadedImage Decode(ReadOnlyMemory<byte> file, string name, ImageReadOptions? options, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        ImageFormat format = FormatOf(file.Span, name);
        if (format.Loader is null || !VipsOperation.Exists(format.Loader))
        {
            throw new ImageFileException(
                $"{name}: is {format.Name}, which {(format.Loader is null ? "is not read" : $"this libvips ({VipsLibrary.Version}) cannot read")}; {Readable}. Convert it first.");
        }

        if (format.Name == "PNG") file = PngChunks.WithoutTexts(file);
        options ??= ImageReadOptions.Default;
        try
        {
            // A damaged JPEG is decoded to its end, with grey or smeared parts, and nothing but a warning tells.
            return Decode(file, format, format.Name == "JPEG" ? "warning" : "error", name, options, cancellationToken);
        }
        catch (VipsException e) when (format.Name == "JPEG" && IsHarmless(e.Message))
        {
            LoadedImage image = Try("truncated");
            return new LoadedImage(image.Pixels, image.Width, image.Height) { Hint = image.Hint ?? $"has something that JPEG does not know, which was passed over ({e.Message})" };
        }
        catch (VipsException e)
        {
            throw Damaged(e);
        }

        LoadedImage Try(string failOn)
        {
            try
            {
                return Decode(file, format, failOn, name, options, cancellationToken);
            }
            catch (VipsException e)
            {
                throw Damaged(e);
            }
        }

        ImageFileException Damaged(VipsException e) => new(
            $"{name}: is {format.Name}, truncated or damaged, or of a kind this libvips ({VipsLibrary.Version}) cannot read: {e.Message}.", e);
    }

    // What cameras and programs leave in files whose pixels are all there: bytes between the parts, or after them.
    private static bool IsHarmless(string message) =>
        !message.Contains("premature end", StringComparison.OrdinalIgnoreCase) && !message.Contains("bad Huffman", StringComparison.Ordinal)
        && !message.Contains("found marker", StringComparison.Ordinal) && !message.Contains("progression", StringComparison.Ordinal)
        && !message.Contains("arithmetic", StringComparison.Ordinal);

    private static LoadedImage Decode(
        ReadOnlyMemory<byte> file, ImageFormat format, string failOn, string name, ImageReadOptions options, CancellationToken cancellationToken)
    {
        using MemoryHandle pinned = file.Pin();
        using VipsOperation load = new VipsOperation(format.Loader!).Set("buffer", pinned, file.Length).Set("fail_on", failOn);
        using VipsImage image = load.RunForImage();
        CheckSize(image, name, options);
        CheckDepth(image, name);
        cancellationToken.ThrowIfCancellationRequested();
        if (format.Name == "TIFF" && TiffBands.Of(file.Span) is { } bands)
        {
            using VipsImage known = Take(image, bands);
            return Convert(known, bands.HasAlpha, name, options, cancellationToken);
        }

        return Convert(image, image.HasAlpha, name, options, cancellationToken);
    }

    // Before a pixel is decoded: a file of a few bytes can announce any size.
    private static void CheckSize(VipsImage image, string name, ImageReadOptions options)
    {
        long pixels = (long)image.Width * image.Height;
        if (image.Width > PixelBuffer.MaxSide || image.Height > PixelBuffer.MaxSide || pixels * 3 > Array.MaxLength)
        {
            throw new ImageFileException(
                $"{name}: has {image.Width}x{image.Height} pixels; at most {PixelBuffer.MaxSide} a side and " +
                $"{Array.MaxLength / 3} in all can be read. Scale it down first.");
        }

        if (pixels > options.MaxPixels)
        {
            throw new ImageFileException(string.Create(CultureInfo.InvariantCulture,
                $"{name}: has {image.Width}x{image.Height} pixels, {pixels} in all; at most {options.MaxPixels} are read. Scale it down first, or allow more ({nameof(ImageReadOptions)}.{nameof(ImageReadOptions.MaxPixels)})."));
        }
    }

    // Floating point and the like: which value is white differs from file to file.
    private static void CheckDepth(VipsImage image, string name)
    {
        if (image.Format is not (VipsImage.FormatUChar or VipsImage.FormatUShort))
            throw new ImageFileException($"{name}: its samples are neither 8 nor 16 bits; convert it to 8-bit RGB first.");
    }

    // The colours, and alpha if it is some.
    private static VipsImage Take(VipsImage image, TiffBands bands)
    {
        int count = Math.Min(image.Bands, bands.Colours + (bands.HasAlpha ? 1 : 0));
        using VipsOperation extract = new VipsOperation("extract_band").Set("in", image).Set("band", "0").Set("n", count.ToString(CultureInfo.InvariantCulture));
        using VipsImage taken = extract.RunForImage();
        bool deep = image.Format == VipsImage.FormatUShort;
        using VipsOperation copy = new VipsOperation("copy").Set("in", taken).Set("interpretation", bands.Colours switch
        {
            1 => deep ? "grey16" : "b-w",
            3 => deep ? "rgb16" : "srgb",
            _ => "cmyk",
        });
        return copy.RunForImage();
    }

    private static LoadedImage Convert(VipsImage image, bool hasAlpha, string name, ImageReadOptions options, CancellationToken cancellationToken)
    {
        using VipsOperation autorot = new VipsOperation("autorot").Set("in", image);
        using VipsImage upright = autorot.RunForImage();
        using VipsImage opaque = Flatten(upright, hasAlpha);
        bool deep = opaque.Format == VipsImage.FormatUShort;
        using VipsOperation colourspace = new VipsOperation("colourspace").Set("in", opaque).Set("space", deep ? "rgb16" : "srgb");
        using VipsImage rgb = colourspace.RunForImage();
        if (rgb.Bands != 3 || rgb.Format != (deep ? VipsImage.FormatUShort : VipsImage.FormatUChar))
        {
            throw new ImageFileException(
                $"{name}: its {image.Bands} channels are not grey, RGB, or CMYK, with or without alpha; convert it to 8-bit RGB first.");
        }

        byte[] pixels = rgb.ToBytes(cancellationToken);
        if (!deep) return new LoadedImage(pixels, rgb.Width, rgb.Height);

        ReadOnlySpan<ushort> samples = SampleRange.Samples(pixels);
        SampleRange range = new(samples);
        if (options.Stretch != SampleStretch.None) return new LoadedImage(range.ToBytes(samples, options.Stretch), rgb.Width, rgb.Height);
        byte[] upper = new byte[samples.Length];
        for (int i = 0; i < upper.Length; i++) upper[i] = (byte)(samples[i] >> 8);
        return new LoadedImage(upper, rgb.Width, rgb.Height) { Hint = range.Hint };
    }

    // On white, in the file's own depth.
    private static VipsImage Flatten(VipsImage image, bool hasAlpha)
    {
        if (!hasAlpha)
        {
            using VipsOperation copy = new VipsOperation("copy").Set("in", image);
            return copy.RunForImage();
        }

        using VipsOperation flatten = new VipsOperation("flatten").Set("in", image)
            .Set("background", image.Format == VipsImage.FormatUShort ? "65535" : "255");
        return flatten.RunForImage();
    }
}
