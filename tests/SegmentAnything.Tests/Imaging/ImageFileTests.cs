using System.Buffers.Binary;
using System.IO.Compression;
using SegmentAnything.Imaging;
using SegmentAnything.Imaging.Vips;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.Imaging;

public sealed class ImageFileTests
{
    private const int Width = 61, Height = 43;

    [Theory]
    [InlineData("truck")]
    [InlineData("groceries")]
    [InlineData("picture1")]
    public void Load_Jpeg_EqualsPillowsDecode(string name)
    {
        LoadedImage jpeg = ImageFile.Load(TestPaths.RequireGolden("predictor", name, "input.jpg"));
        LoadedImage expected = ImageFile.Load(TestPaths.RequireGolden("predictor", name, "input_decoded.png"));

        Assert.Equal((expected.Width, expected.Height), (jpeg.Width, jpeg.Height));
        Assert.Equal(0, jpeg.Pixels.Zip(expected.Pixels).Count(p => p.First != p.Second));
    }

    [Theory]
    [InlineData("pngsave_buffer", "compression", "6")]
    [InlineData("pngsave_buffer", "interlace", "true")]
    [InlineData("webpsave_buffer", "lossless", "true")]
    [InlineData("tiffsave_buffer", "compression", "none")]
    [InlineData("tiffsave_buffer", "compression", "deflate")]
    [InlineData("tiffsave_buffer", "tile", "true")]
    public void Load_LosslessFile_GivesTheSamePixels(string saver, string option, string value)
    {
        byte[] pixels = Picture();
        LoadedImage image = ImageFile.Load(Encode(pixels, 3, saver, (option, value)));

        Assert.Equal((Width, Height), (image.Width, image.Height));
        Assert.Equal(pixels, image.Pixels);
    }

    [Theory]
    [InlineData("jpegsave_buffer")]
    [InlineData("webpsave_buffer")]
    public void Load_LossyFile_GivesNearlyTheSamePixels(string saver)
    {
        byte[] pixels = Picture();
        LoadedImage image = ImageFile.Load(Encode(pixels, 3, saver, ("Q", "95")));

        Assert.InRange(MeanDifference(pixels, image.Pixels), 0.01, 4.0);
    }

    [Theory]
    [InlineData("pngsave_buffer")]
    [InlineData("jpegsave_buffer")]
    [InlineData("tiffsave_buffer")]
    public void Load_GreyFile_RepeatsTheBrightness(string saver)
    {
        byte[] grey = [.. Enumerable.Range(0, Width * Height).Select(i => (byte)(i * 255 / (Width * Height)))];
        LoadedImage image = ImageFile.Load(Encode(grey, 1, saver));

        byte[] expected = [.. grey.SelectMany(v => new[] { v, v, v })];
        if (saver == "jpegsave_buffer") Assert.InRange(MeanDifference(expected, image.Pixels), 0, 4.0);
        else Assert.Equal(expected, image.Pixels);
        Assert.All(image.Pixels.Chunk(3), p => Assert.True(p[0] == p[1] && p[1] == p[2]));
    }

    [Theory]
    [InlineData(1, "pngsave_buffer", "grey16")]
    [InlineData(3, "pngsave_buffer", "rgb16")]
    [InlineData(1, "tiffsave_buffer", "grey16")]
    [InlineData(3, "tiffsave_buffer", "rgb16")]
    public void Load_SixteenBitFile_KeepsTheUpperEight(int bands, string saver, string interpretation)
    {
        ushort[] samples = [.. Enumerable.Range(0, Width * Height * bands).Select(i => (ushort)(i * 7919))];
        using VipsImage image = VipsImage.FromMemory<ushort>(samples, Width, Height, bands, VipsImage.FormatUShort);
        using VipsOperation copy = new VipsOperation("copy").Set("in", image).Set("interpretation", interpretation);
        using VipsImage tagged = copy.RunForImage();
        using VipsOperation save = new VipsOperation(saver).Set("in", tagged);

        LoadedImage loaded = ImageFile.Load(save.RunForBytes());

        Assert.Equal(samples.SelectMany(v => Enumerable.Repeat((byte)(v >> 8), bands == 1 ? 3 : 1)), loaded.Pixels);
    }

    [Fact]
    public void Load_CmykJpeg_IsNearTheSameColours()
    {
        using VipsImage rgb = Image(Picture(), 3);
        using VipsOperation convert = new VipsOperation("colourspace").Set("in", rgb).Set("space", "cmyk");
        using VipsImage cmyk = convert.RunForImage();
        Assert.Equal(4, cmyk.Bands);
        using VipsOperation save = new VipsOperation("jpegsave_buffer").Set("in", cmyk).Set("Q", "98");

        LoadedImage image = ImageFile.Load(save.RunForBytes());

        // Printing inks do not reach every screen colour, so not equal; inverted or swapped inks would differ by 80 and more.
        Assert.InRange(MeanDifference(Picture(), image.Pixels), 0, 20);
    }

    [Fact]
    public void Load_PalettePng_LooksColoursUp()
    {
        // 4 x 1 pixels of 2 bits: entries 0, 1, 2, 1.
        byte[] file = Png(4, 1, 2, 3, [0, 0b00_01_10_01], ("PLTE", [10, 20, 30, 200, 100, 50, 0, 255, 0]));

        Assert.Equal([10, 20, 30, 200, 100, 50, 0, 255, 0, 200, 100, 50], ImageFile.Load(file).Pixels);
    }

    [Fact]
    public void Load_PalettePngWithTransparentEntry_LaysItOnWhite()
    {
        byte[] file = Png(4, 1, 2, 3, [0, 0b00_01_10_01], ("PLTE", [10, 20, 30, 200, 100, 50, 0, 255, 0]), ("tRNS", [255, 0, 255]));

        Assert.Equal([10, 20, 30, 255, 255, 255, 0, 255, 0, 255, 255, 255], ImageFile.Load(file).Pixels);
    }

    [Fact]
    public void Load_OneBitPng_IsBlackAndWhite() =>
        Assert.Equal([255, 255, 255, 0, 0, 0, 255, 255, 255], ImageFile.Load(Png(3, 1, 1, 0, [0, 0b1010_0000])).Pixels);

    [Theory]
    [InlineData(8)]
    [InlineData(16)]
    public void Load_PngWithAlpha_LaysItOnWhite(int depth)
    {
        // Opaque red, transparent blue, half transparent black.
        byte[] samples = [255, 0, 0, 255, 0, 0, 255, 0, 0, 0, 0, 128];
        byte[] row = [0, .. depth == 8 ? samples : samples.SelectMany(v => new[] { v, v })];

        byte[] pixels = ImageFile.Load(Png(3, 1, depth, 6, row)).Pixels;

        Assert.Equal([255, 0, 0, 255, 255, 255], pixels[..6]);
        Assert.All(pixels[6..], v => Assert.InRange(v, 126, 128));
    }

    [Fact]
    public void Load_GreyPngWithAlpha_LaysItOnWhite() =>
        Assert.Equal([7, 7, 7, 255, 255, 255], ImageFile.Load(Png(2, 1, 8, 4, [0, 7, 255, 9, 0])).Pixels);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    public void Load_JpegWithOrientation_IsUpright(int orientation)
    {
        byte[] plain = Encode(Picture(), 3, "jpegsave_buffer", ("Q", "90"));
        LoadedImage stored = ImageFile.Load(plain);
        LoadedImage upright = ImageFile.Load(WithOrientation(plain, orientation));

        bool swapped = orientation >= 5;
        Assert.Equal(swapped ? (Height, Width) : (Width, Height), (upright.Width, upright.Height));
        for (int y = 0; y < upright.Height; y++)
        {
            for (int x = 0; x < upright.Width; x++)
            {
                // Where the upright picture's pixel is stored, by the EXIF standard's description of the eight values.
                (int sx, int sy) = orientation switch
                {
                    1 => (x, y),
                    2 => (Width - 1 - x, y),
                    3 => (Width - 1 - x, Height - 1 - y),
                    4 => (x, Height - 1 - y),
                    5 => (y, x),
                    6 => (y, Height - 1 - x),
                    7 => (Width - 1 - y, Height - 1 - x),
                    _ => (Width - 1 - y, x),
                };
                Assert.Equal(stored.Pixels.AsSpan(((sy * Width) + sx) * 3, 3), upright.Pixels.AsSpan(((y * upright.Width) + x) * 3, 3));
            }
        }
    }

    [Fact]
    public void Load_TiffWithOrientation_IsUpright()
    {
        using VipsImage image = Image(Picture(), 3);
        image.SetMetadata("orientation", 6);
        using VipsOperation save = new VipsOperation("tiffsave_buffer").Set("in", image);

        LoadedImage upright = ImageFile.Load(save.RunForBytes());

        Assert.Equal((Height, Width), (upright.Width, upright.Height));
        Assert.Equal(Picture().AsSpan((Height - 1) * Width * 3, 3), upright.Pixels.AsSpan(0, 3));
    }

    [Theory]
    [InlineData("jpegsave_buffer")]
    [InlineData("pngsave_buffer")]
    [InlineData("webpsave_buffer")]
    [InlineData("tiffsave_buffer")]
    public void Load_FileCutAnywhere_IsAnErrorThatSaysSo(string saver)
    {
        byte[] file = Encode(Picture(), 3, saver);
        foreach (int percent in new[] { 1, 5, 20, 50, 80, 95 })
        {
            ReadOnlyMemory<byte> cut = file.AsMemory(0, Math.Max(12, file.Length * percent / 100));
            var e = Assert.Throws<ImageFileException>(() => ImageFile.Load(cut));
            Assert.Contains("truncated or damaged", e.Message, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', e.Message);
        }
    }

    [Theory]
    [InlineData("jpegsave_buffer")]
    [InlineData("pngsave_buffer")]
    [InlineData("webpsave_buffer")]
    [InlineData("tiffsave_buffer")]
    public void Load_DamagedFile_IsAPictureOrAnErrorOfOurOwn(string saver)
    {
        byte[] file = Encode(Picture(), 3, saver);
        var random = new Random(20_240_117);
        for (int round = 0; round < 200; round++)
        {
            byte[] damaged = [.. file];
            for (int i = 0; i < 4; i++) damaged[random.Next(12, file.Length)] = (byte)random.Next(256);
            try
            {
                LoadedImage image = ImageFile.Load(damaged);
                Assert.Equal(image.Width * image.Height * 3, image.Pixels.Length);
            }
            catch (ImageFileException)
            {
                // The other allowed end.
            }
        }
    }

    [Fact]
    public void Load_EmptyFile_SaysSo() =>
        Assert.Contains("is empty", Assert.Throws<ImageFileException>(() => ImageFile.Load(ReadOnlyMemory<byte>.Empty)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("SVG", "<?xml version='1.0'?> <svg xmlns='http://www.w3.org/2000/svg'/>")]
    [InlineData("PDF", "%PDF-1.7")]
    [InlineData("Photoshop", "8BPS\0\u0001")]
    [InlineData("OpenEXR", "v/1\u0001\u0002\0\0\0")]
    [InlineData("ICO", "\0\0\u0001\0\u0001\0")]
    [InlineData("known", "hello")]
    public void Load_OtherFormat_NamesItAndThoseThatCanBeRead(string format, string content)
    {
        var e = Assert.Throws<ImageFileException>(() => ImageFile.Load(System.Text.Encoding.Latin1.GetBytes(content)));
        Assert.Contains(format, e.Message, StringComparison.Ordinal);
        Assert.Contains("JPEG, PNG, WebP, TIFF", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("JPEG 2000", "\0\0\0\u000CjP  \r\n\u0087\n")]
    [InlineData("JPEG XL", "\0\0\0\u000CJXL \r\n\u0087\n")]
    [InlineData("HEIC", "\0\0\0\u0018ftypheic\0\0\0\0mif1heic")]
    [InlineData("AVIF", "\0\0\0\u0018ftypavif\0\0\0\0mif1avif")]
    [InlineData("GIF", "GIF89a\u0001\0\u0001\0")]
    [InlineData("BMP", "BM\u003A\0\0\0\0\0\0\0\u0036\0\0\0\u0028\0\0\0\u0001\0\0\0")]
    public void Load_FormatThatNotEveryLibraryReads_IsNamed(string format, string beginning)
    {
        // A beginning and nothing behind it: whether the library lacks the format or not, this cannot be read.
        var e = Assert.Throws<ImageFileException>(() => ImageFile.Load(System.Text.Encoding.Latin1.GetBytes(beginning)));
        Assert.Contains($"is {format},", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_Gif_LaysItsFirstFrameOnWhite()
    {
        // Two pixels of a palette of four: the first red, the second transparent.
        byte[] file = [
            .. "GIF89a"u8, 2, 0, 1, 0, 0x91, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0,
            0x21, 0xF9, 4, 1, 0, 0, 1, 0, 0x2C, 0, 0, 0, 0, 2, 0, 1, 0, 0, 2, 2, 0x44, 0x0A, 0, 0x3B];

        Assert.Equal([255, 0, 0, 255, 255, 255], ImageFile.Load(file).Pixels);
    }

    [Fact]
    public void Load_LosslessAvif_GivesTheSamePixels()
    {
        byte[] pixels = Picture();
        byte[] file = Encode(pixels, 3, "heifsave_buffer", ("compression", "av1"), ("lossless", "true"));

        Assert.InRange(MeanDifference(pixels, ImageFile.Load(file).Pixels), 0, 1.0);
    }

    [Fact]
    public void Library_IsTheOneThatComesAlong()
    {
        Assert.SkipUnless(File.Exists("/proc/self/maps"), "Loaded libraries are listed by Linux's proc file system.");
        Assert.SkipUnless(Environment.GetEnvironmentVariable(VipsLibrary.PathVariable) is null or "", $"{VipsLibrary.PathVariable} names another.");
        _ = ImageFile.Load(Encode(Picture(), 3, "pngsave_buffer"));

        string loaded = File.ReadLines("/proc/self/maps").First(line => line.Contains("libvips", StringComparison.Ordinal));
        Assert.Contains(AppContext.BaseDirectory, loaded, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_MissingFile_NamesIt()
    {
        string path = Path.Combine(Path.GetTempPath(), Guid.NewGuid().ToString("N"), "no.jpg");
        Assert.Equal($"{path}: there is no such file.", Assert.Throws<ImageFileException>(() => ImageFile.Load(path)).Message);
    }

    [Fact]
    public void Load_Folder_SaysSo() =>
        Assert.Contains("is a folder", Assert.Throws<ImageFileException>(() => ImageFile.Load(Path.GetTempPath())).Message, StringComparison.Ordinal);

    [Fact]
    public void Load_FileThatAnnouncesAHugePicture_IsRefusedBeforeDecoding()
    {
        byte[] file = Png(1, 1, 8, 2, [0, 1, 2, 3]);
        BinaryPrimitives.WriteInt32BigEndian(file.AsSpan(16), 100_000);
        BinaryPrimitives.WriteInt32BigEndian(file.AsSpan(20), 100_000);
        BinaryPrimitives.WriteUInt32BigEndian(file.AsSpan(29), Crc(file.AsSpan(12, 17)));

        Assert.Contains("100000x100000", Assert.Throws<ImageFileException>(() => ImageFile.Load(file)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_FloatingPointTiff_IsRefused()
    {
        float[] samples = [.. Enumerable.Range(0, Width * Height * 3).Select(i => i / 1000f)];
        using VipsImage image = VipsImage.FromMemory<float>(samples, Width, Height, 3, format: 6);
        using VipsOperation copy = new VipsOperation("copy").Set("in", image).Set("interpretation", "srgb");
        using VipsImage tagged = copy.RunForImage();
        using VipsOperation save = new VipsOperation("tiffsave_buffer").Set("in", tagged);
        byte[] file = save.RunForBytes();

        Assert.Contains("8-bit RGB", Assert.Throws<ImageFileException>(() => ImageFile.Load(file)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_TiffOfManyChannels_IsRefused()
    {
        using VipsImage image = VipsImage.FromMemory<byte>(new byte[Width * Height * 7], Width, Height, 7, VipsImage.FormatUChar);
        using VipsOperation copy = new VipsOperation("copy").Set("in", image).Set("interpretation", "multiband");
        using VipsImage tagged = copy.RunForImage();
        using VipsOperation save = new VipsOperation("tiffsave_buffer").Set("in", tagged);
        byte[] file = save.RunForBytes();

        Assert.Contains("8-bit RGB", Assert.Throws<ImageFileException>(() => ImageFile.Load(file)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_Stream_ReadsFromItsPositionOn()
    {
        byte[] file = Encode(Picture(), 3, "pngsave_buffer");
        using var stream = new MemoryStream([1, 2, 3, .. file]) { Position = 3 };

        Assert.Equal(Picture(), ImageFile.Load(stream).Pixels);
        Assert.True(stream.CanRead);
    }

    [Fact]
    public void Load_ManyThreads_GiveTheSamePixels()
    {
        byte[] file = Encode(Picture(), 3, "jpegsave_buffer");
        byte[] expected = ImageFile.Load(file).Pixels;

        Parallel.For(0, 64, new ParallelOptions { MaxDegreeOfParallelism = 8 }, _ => Assert.Equal(expected, ImageFile.Load(file).Pixels));
    }

    [Fact]
    public void MissingLibrary_NamesThePackageForEachSystem()
    {
        var e = Assert.Throws<ImageFileException>(() => VipsLibrary.Load(["libvips-that-is-not-there.so.42"]));

        foreach (string part in new[] { "libvips-that-is-not-there.so.42", "apt-get install libvips42", "brew install vips", "Windows", VipsLibrary.PathVariable })
            Assert.Contains(part, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
    }

    [Fact]
    public void LibraryPathVariable_WhenSet_IsTheOnlyCandidate()
    {
        Assert.Equal(["here/libvips.so"], VipsLibrary.Candidates("here/libvips.so"));
        Assert.Contains(VipsLibrary.Candidates(null), name => name.Contains("vips", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(4)]
    public void SavePng_ThenLoad_GivesTheSamePixels(int channels)
    {
        byte[] rgb = Picture();
        byte[] pixels = channels switch
        {
            1 => [.. rgb.Chunk(3).Select(p => p[0])],
            3 => rgb,
            _ => [.. rgb.Chunk(3).SelectMany(p => new byte[] { p[0], p[1], p[2], 255 })],
        };
        byte[] expected = channels == 1 ? [.. pixels.SelectMany(v => new[] { v, v, v })] : rgb;
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "new", "picture.png");

        ImageFile.SavePng(path, pixels, Width, Height);
        ImageFile.SavePng(path, pixels, Width, Height); // a file that is there is replaced

        Assert.Equal(expected, ImageFile.Load(path).Pixels);
        Assert.Equal([path], Directory.GetFileSystemEntries(Path.GetDirectoryName(path)!));
    }

    [Fact]
    public void SavePng_WrongLength_SaysHowMuchIsNeeded() => Assert.Contains(
        "6 bytes (grey), 18 (RGB) or 24 (RGBA); 7 were given",
        Assert.Throws<ArgumentException>(() => ImageFile.SavePng("unused.png", new byte[7], 3, 2)).Message, StringComparison.Ordinal);

    [Fact]
    public void SavePng_WhereAFolderIs_FailsAndLeavesNothingBehind()
    {
        using var folder = new TemporaryFolder();
        string taken = Path.Combine(folder.Path, "taken.png");
        Directory.CreateDirectory(taken);

        Assert.Throws<ImageFileException>(() => ImageFile.SavePng(taken, Picture(), Width, Height));
        Assert.Equal([taken], Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public void LoadedImage_WrongNumberOfBytes_IsRefused() =>
        Assert.Throws<ArgumentException>(() => new LoadedImage(new byte[10], 2, 2));

    // Smooth, so that lossy formats come near; every channel different, so that swapped ones show.
    private static byte[] Picture()
    {
        byte[] pixels = new byte[Width * Height * 3];
        for (int y = 0; y < Height; y++)
        {
            for (int x = 0; x < Width; x++)
            {
                int i = ((y * Width) + x) * 3;
                pixels[i] = (byte)(60 + (x * 2));
                pixels[i + 1] = (byte)(200 - (y * 3));
                pixels[i + 2] = (byte)(80 + x - y);
            }
        }

        return pixels;
    }

    private static VipsImage Image(byte[] pixels, int bands)
    {
        using VipsImage image = VipsImage.FromMemory<byte>(pixels, Width, Height, bands, VipsImage.FormatUChar);
        using VipsOperation copy = new VipsOperation("copy").Set("in", image).Set("interpretation", bands == 1 ? "b-w" : "srgb");
        return copy.RunForImage();
    }

    private static byte[] Encode(byte[] pixels, int bands, string saver, params (string Name, string Value)[] options)
    {
        using VipsImage image = Image(pixels, bands);
        using VipsOperation save = new VipsOperation(saver).Set("in", image);
        foreach ((string name, string value) in options) save.Set(name, value);
        return save.RunForBytes();
    }

    private static double MeanDifference(byte[] a, byte[] b)
    {
        Assert.Equal(a.Length, b.Length);
        return a.Zip(b).Average(p => Math.Abs(p.First - p.Second));
    }

    // An APP1 segment with the smallest EXIF block there is: one directory with one entry, the orientation.
    private static byte[] WithOrientation(byte[] jpeg, int orientation)
    {
        byte[] exif =
        [
            .. "Exif\0\0"u8, .. "MM\0*"u8, 0, 0, 0, 8,
            0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, (byte)orientation, 0, 0, 0, 0, 0, 0,
        ];
        int length = exif.Length + 2;
        return [.. jpeg[..2], 0xFF, 0xE1, (byte)(length >> 8), (byte)length, .. exif, .. jpeg[2..]];
    }

    // Writes a PNG file by the letter of the standard: signature, IHDR, given chunks, IDAT, IEND.
    private static byte[] Png(int width, int height, int depth, int colourType, byte[] rows, params (string Type, byte[] Data)[] chunks)
    {
        using var compressed = new MemoryStream();
        using (var zlib = new ZLibStream(compressed, CompressionLevel.Optimal)) zlib.Write(rows);
        byte[] header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        (header[8], header[9]) = ((byte)depth, (byte)colourType);
        return
        [
            0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A,
            .. Chunk("IHDR", header), .. chunks.SelectMany(c => Chunk(c.Type, c.Data)), .. Chunk("IDAT", compressed.ToArray()), .. Chunk("IEND", []),
        ];
    }

    private static byte[] Chunk(string type, byte[] data)
    {
        byte[] chunk = new byte[data.Length + 12];
        BinaryPrimitives.WriteInt32BigEndian(chunk, data.Length);
        System.Text.Encoding.ASCII.GetBytes(type, chunk.AsSpan(4));
        data.CopyTo(chunk, 8);
        BinaryPrimitives.WriteUInt32BigEndian(chunk.AsSpan(chunk.Length - 4), Crc(chunk.AsSpan(4, data.Length + 4)));
        return chunk;
    }

    private static uint Crc(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte b in bytes)
        {
            crc ^= b;
            for (int bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0xEDB88320 : crc >> 1;
        }

        return ~crc;
    }
}
