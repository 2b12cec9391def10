namespace SegmentAnything.Imaging;

/// <summary>A kind of image file, recognised by how it begins.</summary>
/// <param name="Name">As people call it.</param>
/// <param name="Loader">
/// libvips's operation that reads it from memory, which this build of it may lack; null where none is used. The operation is
/// chosen here and not by libvips, which would also try scalable and document formats through other libraries.
/// </param>
internal sealed record ImageFormat(string Name, string? Loader)
{
    /// <summary>Recognises a file; null where it is of no kind that is known.</summary>
    public static ImageFormat? Of(ReadOnlySpan<byte> file) => file switch
    {
        [0xFF, 0xD8, 0xFF, ..] => new("JPEG", "jpegload_buffer"),
        [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A, ..] => new("PNG", "pngload_buffer"),
        [(byte)'R', (byte)'I', (byte)'F', (byte)'F', _, _, _, _, (byte)'W', (byte)'E', (byte)'B', (byte)'P', ..] => new("WebP", "webpload_buffer"),
        [(byte)'I', (byte)'I', 42 or 43, 0, ..] or [(byte)'M', (byte)'M', 0, 42 or 43, ..] => new("TIFF", "tiffload_buffer"),
        [(byte)'G', (byte)'I', (byte)'F', (byte)'8', ..] => new("GIF", "gifload_buffer"),
        [_, _, _, _, (byte)'f', (byte)'t', (byte)'y', (byte)'p', .. var brand] => OfBrand(brand),
        [0, 0, 0, 12, (byte)'j', (byte)'P', (byte)' ', (byte)' ', ..] or [0xFF, 0x4F, 0xFF, 0x51, ..] => new("JPEG 2000", "jp2kload_buffer"),
        [0, 0, 0, 12, (byte)'J', (byte)'X', (byte)'L', (byte)' ', ..] or [0xFF, 0x0A, ..] => new("JPEG XL", "jxlload_buffer"),
        // Headers of 12 to 124 bytes: two letters alone would be any text. libvips reads these through ImageMagick.
        [(byte)'B', (byte)'M', _, _, _, _, _, _, _, _, _, _, _, _, >= 12 and <= 124, 0, 0, 0, ..] => new("BMP", "magickload_buffer"),
        [(byte)'8', (byte)'B', (byte)'P', (byte)'S', ..] => new("Photoshop", null),
        [(byte)'%', (byte)'P', (byte)'D', (byte)'F', ..] => new("PDF", null),
        [0x76, 0x2F, 0x31, 0x01, ..] => new("OpenEXR", null),
        [0, 0, 1, 0, ..] => new("ICO", null),
        _ => IsSvg(file) ? new("SVG", null) : null,
    };

    // ISO media files: what follows their first box's name.
    private static ImageFormat? OfBrand(ReadOnlySpan<byte> brand)
    {
        if (brand.StartsWith("avif"u8) || brand.StartsWith("avis"u8)) return new("AVIF", "heifload_buffer");
        if (brand.StartsWith("he"u8) || brand.StartsWith("mif1"u8) || brand.StartsWith("msf1"u8)) return new("HEIC", "heifload_buffer");
        return brand.StartsWith("crx "u8) ? new("Canon raw", null) : null;
    }

    // Within the first lines: a declaration or a comment may come before.
    private static bool IsSvg(ReadOnlySpan<byte> file) =>
        file.TrimStart(" \t\r\n"u8) is [(byte)'<', ..] && file[..Math.Min(1024, file.Length)].IndexOf("<svg"u8) >= 0;
}
