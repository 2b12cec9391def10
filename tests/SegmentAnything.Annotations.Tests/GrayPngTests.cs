using System.Buffers.Binary;
using System.IO.Compression;
using SegmentAnything.Annotations.Codecs;
using SegmentAnything.Rle;

namespace SegmentAnything.Annotations.Tests;

public class GrayPngTests
{
    [Theory]
    [InlineData(1, 0)]
    [InlineData(2, 0)]
    [InlineData(4, 3)]
    [InlineData(8, 0)]
    [InlineData(8, 3)]
    [InlineData(16, 0)]
    public void Read_EveryDepthAndFilter_GivesTheValues(int bits, int colour)
    {
        var random = new Random(bits);
        const int Width = 21, Height = 15;
        ushort[] values = [.. Enumerable.Range(0, Width * Height).Select(_ => (ushort)random.Next(1 << bits))];
        (ushort[] found, int width, int height) = GrayPng.Read(Encode(values, Width, Height, bits, colour), "x.png");
        Assert.Equal((Width, Height), (width, height));
        Assert.Equal(values, found);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void WrittenAndRead_IsTheSame(bool wide)
    {
        var random = new Random(3);
        ushort[] values = [.. Enumerable.Range(0, 300 * 200).Select(i => (ushort)(random.Next(3) == 0 ? random.Next(wide ? 65536 : 256) : i / 300 % 7))];
        using var stream = new MemoryStream();
        GrayPng.Write(stream, 300, 200, wide, (y, row) =>
        {
            for (int x = 0; x < 300; x++)
            {
                if (wide) BinaryPrimitives.WriteUInt16BigEndian(row[(2 * x)..], values[(y * 300) + x]);
                else row[x] = (byte)values[(y * 300) + x];
            }
        });
        (ushort[] found, int width, int height) = GrayPng.Read(stream.ToArray(), "x.png");
        Assert.Equal((300, 200), (width, height));
        Assert.Equal(values, found);
    }

    [Fact]
    public void Damaged_AnywhereOrCutShort_IsTheOneException()
    {
        byte[] png = Encode([.. Enumerable.Range(0, 64).Select(i => (ushort)i)], 8, 8, 8, 0);
        for (int i = 0; i < png.Length; i++)
        {
            byte[] damaged = [.. png];
            damaged[i] ^= 0x55;
            Assert.Throws<AnnotationFormatException>(() => GrayPng.Read(damaged, "x.png"));
            Assert.Throws<AnnotationFormatException>(() => GrayPng.Read(png.AsSpan(0, i), "x.png"));
        }
    }

    [Theory]
    [InlineData(8, 2, 0, "colour")]
    [InlineData(8, 6, 0, "colour")]
    [InlineData(5, 0, 0, "5 bits")]
    [InlineData(8, 0, 1, "interlaced")]
    public void OtherKinds_AreRefusedByName(int bits, int colour, int interlace, string part) =>
        Assert.Contains(part, Assert.Throws<AnnotationFormatException>(() => GrayPng.Read(File(8, 8, bits, colour, interlace, []), "x.png")).Message, StringComparison.Ordinal);

    // A header of 2 billion pixels in a file of 70 bytes: refused before anything is allocated.
    [Fact]
    public void HugeHeader_IsRefusedAtOnce()
    {
        string message = Assert.Throws<AnnotationFormatException>(() => GrayPng.Read(File(65535, 32767, 8, 0, 0, [1, 2]), "x.png")).Message;
        Assert.Contains("65535x32767", message, StringComparison.Ordinal);
        Assert.Throws<AnnotationFormatException>(() => GrayPng.Read(File(int.MaxValue, int.MaxValue, 8, 0, 0, []), "x.png"));
        Assert.Throws<AnnotationFormatException>(() => GrayPng.Read(File(0, 4, 8, 0, 0, []), "x.png"));
    }

    [Fact]
    public void LabelPixels_ToMasks_IsThatOfEachLabelForItself()
    {
        var random = new Random(8);
        foreach ((int width, int height) in new[] { (1, 1), (130, 7), (7, 130), (64, 64), (65, 3) })
        {
            ushort[] values = [.. Enumerable.Range(0, width * height).Select(_ => (ushort)(random.Next(3) == 0 ? random.Next(5) * 9000 : 0))];
            SortedDictionary<int, RleMask> masks = LabelPixels.ToMasks(values, width, height);
            Assert.Equal(values.Where(v => v != 0).Distinct().Order().Select(v => (int)v), masks.Keys);
            foreach ((int label, RleMask mask) in masks) Assert.Equal(RleMask.FromBitmap([.. values.Select(v => v == label ? (byte)1 : (byte)0)], width, height), mask);
        }
    }

    // The plain definition of PNG's filters, a different one for each row.
    private static byte[] Encode(ushort[] values, int width, int height, int bits, int colour)
    {
        int length = ((width * bits) + 7) / 8, step = Math.Max(bits / 8, 1);
        byte[][] rows = [.. Enumerable.Range(0, height).Select(y =>
        {
            byte[] row = new byte[length];
            for (int x = 0; x < width; x++)
            {
                int value = values[(y * width) + x];
                if (bits == 16) BinaryPrimitives.WriteUInt16BigEndian(row.AsSpan(2 * x), (ushort)value);
                else row[x * bits / 8] |= (byte)(value << (8 - bits - (x * bits % 8)));
            }

            return row;
        })];
        using var data = new MemoryStream();
        using (var zlib = new ZLibStream(data, CompressionLevel.Fastest, leaveOpen: true))
        {
            for (int y = 0; y < height; y++)
            {
                zlib.WriteByte((byte)(y % 5));
                for (int i = 0; i < length; i++)
                {
                    int left = i >= step ? rows[y][i - step] : 0, up = y > 0 ? rows[y - 1][i] : 0, corner = i >= step && y > 0 ? rows[y - 1][i - step] : 0;
                    int p = left + up - corner, pa = Math.Abs(p - left), pb = Math.Abs(p - up), pc = Math.Abs(p - corner);
                    int paeth = pa <= pb && pa <= pc ? left : pb <= pc ? up : corner;
                    zlib.WriteByte((byte)(rows[y][i] - (y % 5) switch { 0 => 0, 1 => left, 2 => up, 3 => (left + up) / 2, _ => paeth }));
                }
            }
        }

        return File(width, height, bits, colour, 0, data.ToArray());
    }

    private static byte[] File(int width, int height, int bits, int colour, int interlace, byte[] data)
    {
        byte[] header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        (header[8], header[9], header[12]) = ((byte)bits, (byte)colour, (byte)interlace);
        int half = data.Length / 2;
        return [0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10, .. Chunk("IHDR", header), .. Chunk("tEXt", [1, 2, 3]), .. Chunk("IDAT", data[..half]), .. Chunk("IDAT", data[half..]), .. Chunk("IEND", [])];
    }

    private static byte[] Chunk(string type, byte[] data)
    {
        byte[] typed = [.. System.Text.Encoding.ASCII.GetBytes(type), .. data];
        byte[] length = new byte[4], crc = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(length, data.Length);
        uint sum = uint.MaxValue;
        foreach (byte b in typed)
        {
            sum ^= b;
            for (int i = 0; i < 8; i++) sum = (sum & 1) != 0 ? (sum >> 1) ^ 0xEDB88320 : sum >> 1;
        }

        BinaryPrimitives.WriteUInt32BigEndian(crc, ~sum);
        return [.. length, .. typed, .. crc];
    }
}
