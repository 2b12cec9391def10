using System.Buffers.Binary;
using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;
using SegmentAnything.Imaging;
using SegmentAnything.Imaging.Vips;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.Imaging;

/// <summary>What image files may ask for, and what becomes of those that are damaged or unusual.</summary>
public sealed class ImageFileLimitTests : IDisposable
{
    private const int Width = 61, Height = 43;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(20_000, 10_000)]
    [InlineData(65_535, 65_535)]
    public void Load_HeaderOfTooManyPixels_IsRefusedBeforeAnyMemory(int width, int height)
    {
        byte[] file = Png(width, height, [0]);
        long before = GC.GetAllocatedBytesForCurrentThread();
        string message = Assert.Throws<ImageFileException>(() => ImageFile.Load(file)).Message;
        Assert.Contains($"{width}x{height}", message, StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Fact]
    public void Load_MaxPixels_IsAppliedToTheHeader_AndCanBeMore()
    {
        byte[] file = Encode("pngsave_buffer");
        Assert.Contains("MaxPixels", Assert.Throws<ImageFileException>(() => ImageFile.Load(file, new ImageReadOptions { MaxPixels = Width * Height - 1 })).Message, StringComparison.Ordinal);
        Assert.Equal(Width, ImageFile.Load(file, new ImageReadOptions { MaxPixels = Width * Height }).Width);
        Assert.Equal(178_956_970, ImageReadOptions.Default.MaxPixels);
        Assert.Throws<ArgumentOutOfRangeException>(() => new ImageReadOptions { MaxPixels = 0 });
    }

    [Theory]
    [InlineData("pngsave_buffer")]
    [InlineData("jpegsave_buffer")]
    [InlineData("tiffsave_buffer")]
    [InlineData("webpsave_buffer")]
    public void Load_CutAnywhere_IsRefused_OrWhole(string saver)
    {
        byte[] file = Encode(saver);
        byte[] whole = ImageFile.Load(file).Pixels;
        int refused = 0;
        for (int length = 0; length < file.Length; length += length < file.Length - 40 ? 37 : 1)
        {
            try
            {
                Assert.Equal(whole, ImageFile.Load(file.AsMemory(0, length)).Pixels);
            }
            catch (ImageFileException)
            {
                refused++;
            }
        }

        Assert.True(refused > 10, $"{refused}");
    }

    [Fact]
    public void Load_JpegWithMissingData_IsRefused()
    {
        byte[] file = Encode("jpegsave_buffer", ("Q", "95"));
        byte[] hole = [.. file[..(file.Length / 2)], .. file[((file.Length / 2) + (file.Length / 5))..]];
        Assert.Contains("truncated or damaged", Assert.Throws<ImageFileException>(() => ImageFile.Load(hole)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_JpegWithBytesBetweenItsParts_IsRead_AndToldOf()
    {
        byte[] file = Encode("jpegsave_buffer");
        // Before the first quantisation table, where a decoder looks for a marker.
        int at = file.AsSpan().IndexOf<byte>([0xFF, 0xDB]);
        byte[] odd = [.. file[..at], 1, 2, 3, .. file[at..]];
        LoadedImage image = ImageFile.Load(odd);
        Assert.Equal(ImageFile.Load(file).Pixels, image.Pixels);
        Assert.NotNull(image.Hint);
        Assert.Null(ImageFile.Load(file).Hint);
    }

    [Fact]
    public void Load_PngWithTextsThatUnpackToMuch_CostsNothing()
    {
        byte[] file = Encode("pngsave_buffer");
        using MemoryStream packed = new();
        using (ZLibStream zip = new(packed, CompressionLevel.SmallestSize, leaveOpen: true)) zip.Write(new byte[40_000_000]);
        byte[] text = Chunk("zTXt", [.. "Comment\0\0"u8, .. packed.ToArray()]);
        byte[] odd = [.. file[..33], .. Enumerable.Repeat(text, 100).SelectMany(t => t), .. file[33..]];
        Assert.Equal(ImageFile.Load(file).Pixels, ImageFile.Load(odd).Pixels);
    }

    [Theory]
    [InlineData(null, false)]
    [InlineData(0, false)]
    [InlineData(1, true)]
    [InlineData(2, true)]
    public void Load_TiffWithAFourthSample_IsAlphaOnlyWhereTheFileSaysSo(int? kind, bool isAlpha)
    {
        // Red everywhere; the fourth sample is 0, which as alpha would be white.
        byte[] file = Tiff(8, photometric: 2, samples: 4, extra: kind is { } k ? [k] : [], pixel: [200, 10, 20, 0]);
        byte[] expected = isAlpha ? [255, 255, 255] : [200, 10, 20];
        Assert.Equal(expected, ImageFile.Load(file).Pixels[..3]);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(1)]
    public void Load_AerialPictureOf16BitsWithNearInfrared_KeepsItsColours(int photometric)
    {
        byte[] file = Tiff(16, photometric, samples: 4, extra: photometric == 2 ? [0] : [0, 0, 0], pixel: [40_000, 20_000, 10_000, 300]);
        LoadedImage image = ImageFile.Load(file);
        Assert.Equal([(byte)(40_000 >> 8), (byte)(20_000 >> 8), (byte)(10_000 >> 8)], image.Pixels[..3]);
        Assert.Null(image.Hint);
    }

    [Fact]
    public void Load_SmallRangeOf16Bits_IsDarkAndToldOf_OrStretched()
    {
        byte[] file = Tiff(16, photometric: 2, samples: 3, extra: [], pixel: [3000, 2000, 1000], first: [0, 0, 65535 >> 4]);
        LoadedImage dark = ImageFile.Load(file);
        Assert.All(dark.Pixels, v => Assert.InRange(v, 0, 15));
        Assert.Contains("0 to 4095 of 65535", dark.Hint, StringComparison.Ordinal);

        LoadedImage range = ImageFile.Load(file, new ImageReadOptions { Stretch = SampleStretch.Range });
        Assert.Equal([187, 125, 62], range.Pixels[^3..]);
        Assert.Null(range.Hint);
        // One pixel of 16 is neither the 2nd nor the 98th percentile of its channel's samples, but the range is of all.
        LoadedImage percentiles = ImageFile.Load(file, new ImageReadOptions { Stretch = SampleStretch.Percentiles });
        Assert.Equal(ImageFile.Load(file, new ImageReadOptions { Stretch = SampleStretch.Percentiles }).Pixels, percentiles.Pixels);
        Assert.True(percentiles.Pixels[^3] > percentiles.Pixels[^2] && percentiles.Pixels[^2] > percentiles.Pixels[^1]);
    }

    [Fact]
    public async Task Load_Cancelled_EndsSoon()
    {
        Assert.Throws<OperationCanceledException>(() => ImageFile.Load(Encode("pngsave_buffer"), cancellationToken: new CancellationToken(canceled: true)));

        byte[] pixels = new byte[9000 * 9000];
        for (int i = 0; i < pixels.Length; i++) pixels[i] = (byte)(i * 7919 >> 5);
        byte[] large = ImageFile.ToPng(pixels, 9000, 9000);
        using CancellationTokenSource source = new(TimeSpan.FromMilliseconds(60));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Task.Run(() => ImageFile.Load(large, cancellationToken: source.Token)));
    }

    [Fact]
    public void Load_StreamThatIsNoImage_IsNotReadOn()
    {
        Endless stream = new();
        Assert.Contains("is not an image", Assert.Throws<ImageFileException>(() => ImageFile.Load(stream)).Message, StringComparison.Ordinal);
        Assert.InRange(stream.Given, 1, 1 << 16);
    }

    [Fact]
    public void ToJpeg_IsNearlyThePicture_AndRefusesAlpha()
    {
        LoadedImage picture = new(Picture(), Width, Height);
        LoadedImage read = ImageFile.Load(picture.ToJpeg(95));
        Assert.InRange(picture.Pixels.Zip(read.Pixels).Average(p => Math.Abs(p.First - p.Second)), 0.01, 4);
        Assert.Throws<ArgumentException>(() => ImageFile.ToJpeg(new byte[4 * 6], 2, 3));
        Assert.Throws<ArgumentOutOfRangeException>(() => picture.ToJpeg(0));
    }

    private static byte[] Picture()
    {
        byte[] pixels = new byte[Width * Height * 3];
        for (int y = 0; y < Height; y++)
        {
            for (int x = 0; x < Width; x++)
            {
                int at = 3 * ((y * Width) + x);
                (pixels[at], pixels[at + 1], pixels[at + 2]) = ((byte)(4 * x), (byte)(5 * y), (byte)(128 + (40 * Math.Sin(x * y / 30.0))));
            }
        }

        return pixels;
    }

    private static byte[] Encode(string saver, params (string Name, string Value)[] options)
    {
        using VipsImage image = VipsImage.FromMemory<byte>(Picture(), Width, Height, 3, VipsImage.FormatUChar);
        using VipsOperation copy = new VipsOperation("copy").Set("in", image).Set("interpretation", "srgb");
        using VipsImage tagged = copy.RunForImage();
        using VipsOperation save = new VipsOperation(saver).Set("in", tagged);
        foreach ((string name, string value) in options) save.Set(name, value);
        return save.RunForBytes();
    }

    private static byte[] Png(int width, int height, byte[] rows)
    {
        byte[] header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        (header[8], header[9]) = (8, 2);
        using MemoryStream packed = new();
        using (ZLibStream zip = new(packed, CompressionLevel.Fastest, leaveOpen: true)) zip.Write(rows);
        return [0x89, .. "PNG\r\n\x1a\n"u8, .. Chunk("IHDR", header), .. Chunk("IDAT", packed.ToArray()), .. Chunk("IEND", [])];
    }

    private static byte[] Chunk(string type, byte[] data)
    {
        byte[] body = [.. Encoding.ASCII.GetBytes(type), .. data], chunk = new byte[body.Length + 8];
        BinaryPrimitives.WriteInt32BigEndian(chunk, data.Length);
        body.CopyTo(chunk, 4);
        BinaryPrimitives.WriteUInt32BigEndian(chunk.AsSpan(body.Length + 4), SegmentAnything.Checkpoints.Crc32.Append(0, body));
        return chunk;
    }

    // 4 x 4 pixels, one strip, not compressed. The first pixel may be another than the rest.
    private static byte[] Tiff(int bits, int photometric, int samples, int[] extra, int[] pixel, int[]? first = null)
    {
        const int side = 4;
        List<byte> data = [];
        for (int i = 0; i < side * side; i++)
        {
            foreach (int sample in i == 0 && first is not null ? first : pixel)
            {
                data.Add((byte)sample);
                if (bits == 16) data.Add((byte)(sample >> 8));
            }
        }

        List<(int Tag, int Type, int Count, int Value)> tags = [];
        int after = 8 + data.Count, extraAt = after + (2 * samples);
        tags.Add((256, 3, 1, side));
        tags.Add((257, 3, 1, side));
        tags.Add((258, 3, samples, after));
        tags.Add((259, 3, 1, 1));
        tags.Add((262, 3, 1, photometric));
        tags.Add((273, 4, 1, 8));
        tags.Add((277, 3, 1, samples));
        tags.Add((278, 3, 1, side));
        tags.Add((279, 4, 1, data.Count));
        tags.Add((284, 3, 1, 1));
        if (extra.Length > 0) tags.Add((338, 3, extra.Length, extra.Length <= 2 ? extra[0] | (extra.ElementAtOrDefault(1) << 16) : extraAt));
        int directory = extraAt + (2 * extra.Length);
        using MemoryStream file = new();
        using BinaryWriter writer = new(file);
        writer.Write("II"u8);
        writer.Write((short)42);
        writer.Write(directory);
        writer.Write(CollectionsMarshal.AsSpan(data));
        for (int i = 0; i < samples; i++) writer.Write((short)bits);
        foreach (int kind in extra) writer.Write((short)kind);
        writer.Write((short)tags.Count);
        foreach ((int tag, int type, int count, int value) in tags)
        {
            writer.Write((short)tag);
            writer.Write((short)type);
            writer.Write(count);
            writer.Write(value);
        }

        writer.Write(0);
        return file.ToArray();
    }

    private sealed class Endless : Stream
    {
        public long Given { get; private set; }

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count)
        {
            Given += count;
            Array.Clear(buffer, offset, count);
            return count;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
