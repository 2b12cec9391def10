using System.Buffers.Binary;
using System.IO.Compression;

namespace SegmentAnything.Annotations.Codecs;

/// <summary>
/// PNG files of one channel: masks of 8 bits and label maps of 8 or 16. The framework has the compression; what is left is
/// small enough that no image library comes along.
/// </summary>
/// <remarks>
/// Read: gray of 1 to 16 bits and palettes, whose indices are the values; not interlaced. Written: gray of 8 or 16 bits.
/// Source: PNG specification, third edition.
/// </remarks>
internal static class GrayPng
{
    /// <summary>The most pixels that are read or written: they are in memory, two bytes each.</summary>
    public const int MaxPixels = 1 << 28;

    // Deflate cannot make more of a byte than this.
    private const long MostExpansion = 1032;

    private static readonly uint[] CrcTable = MakeCrcTable();

    private static ReadOnlySpan<byte> Signature => [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A];

    /// <summary>Whether a file starts as PNG files do.</summary>
    public static bool HasSignature(string path)
    {
        Span<byte> start = stackalloc byte[8];
        using FileStream file = InputFile.Open(path);
        return file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false) == start.Length && start.SequenceEqual(Signature);
    }

    /// <summary>Reads a file; the values are row-major.</summary>
    /// <param name="bytes">The whole file.</param>
    /// <param name="name">Its name in messages.</param>
    /// <exception cref="AnnotationFormatException">It is damaged, or not of one channel.</exception>
    public static (ushort[] Values, int Width, int Height) Read(ReadOnlySpan<byte> bytes, string name)
    {
        if (!bytes.StartsWith(Signature)) throw Fail("not a PNG file", 0);
        int width = 0, height = 0, bits = 0, colour = 0, at = Signature.Length;
        using var compressed = new MemoryStream();
        bool ended = false;
        while (!ended)
        {
            if (bytes.Length - at < 12) throw Fail("the PNG file ends in the middle: it was cut short", at);
            uint length = BinaryPrimitives.ReadUInt32BigEndian(bytes[at..]);
            if (length > bytes.Length - at - 12) throw Fail("the PNG file ends in the middle: it was cut short", at);
            ReadOnlySpan<byte> typed = bytes.Slice(at + 4, (int)length + 4), data = typed[4..];
            if (Crc(typed) != BinaryPrimitives.ReadUInt32BigEndian(bytes[(at + 8 + (int)length)..]))
                throw Fail("a part of the PNG file is damaged: its checksum is another", at);
            if (typed.StartsWith("IHDR"u8))
            {
                if (data.Length != 13) throw Fail("the PNG file's header has another length", at);
                uint columns = BinaryPrimitives.ReadUInt32BigEndian(data), rows = BinaryPrimitives.ReadUInt32BigEndian(data[4..]);
                (bits, colour) = (data[8], data[9]);
                if (columns is 0 or > int.MaxValue || rows is 0 or > int.MaxValue || (long)columns * rows > MaxPixels)
                    throw Fail($"the PNG file has {columns}x{rows} pixels; 1 to {MaxPixels} in all were expected", at);
                if (colour is not (0 or 3))
                    throw Fail("the PNG file is in colour or has transparency; one channel (gray, or a palette whose indices are labels) was expected", at);
                if (bits is not (1 or 2 or 4 or 8 or 16) || (colour == 3 && bits == 16)) throw Fail($"the PNG file has {bits} bits a pixel; 1, 2, 4, 8 or 16 were expected", at);
                if (data[12] != 0) throw Fail("the PNG file is interlaced; save it without", at);
                (width, height) = ((int)columns, (int)rows);
                if (((((long)width * bits) + 7) / 8 + 1) * height > MostExpansion * bytes.Length)
                    throw Fail($"the PNG file says that it has {width}x{height} pixels, more than its {bytes.Length} bytes can hold", at);
            }
            else if (typed.StartsWith("IDAT"u8))
            {
                compressed.Write(data);
            }

            ended = typed.StartsWith("IEND"u8);
            at += (int)length + 12;
        }

        if (width == 0) throw Fail("the PNG file has no header", 0);
        compressed.Position = 0;
        return (Unpack(compressed, width, height, bits, name), width, height);

        AnnotationFormatException Fail(string message, long position) => new($"{name}: {message}", position);
    }

    /// <summary>Writes values below 256 as 8-bit gray and others as 16-bit gray.</summary>
    /// <param name="stream">Where to.</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <param name="wide">Whether 16 bits are written.</param>
    /// <param name="fillRow">Fills a row, given its number, in big-endian order where it is wide.</param>
    public static void Write(Stream stream, int width, int height, bool wide, Action<int, Span<byte>> fillRow)
    {
        CheckPixels(width, height);
        stream.Write(Signature);
        Span<byte> header = stackalloc byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header[4..], height);
        header[8] = (byte)(wide ? 16 : 8);
        header[9..].Clear();
        WriteChunk(stream, "IHDR"u8, header);
        using var chunks = new ChunkStream(stream);
        using (var zlib = new ZLibStream(chunks, CompressionLevel.Optimal, leaveOpen: true))
        {
            // Masks repeat from row to row: the difference to the row above is nearly all zero.
            int length = width * (wide ? 2 : 1);
            byte[] above = new byte[length], row = new byte[length], filtered = new byte[length + 1];
            for (int y = 0; y < height; y++)
            {
                row.AsSpan().Clear();
                fillRow(y, row);
                filtered[0] = 2;
                for (int i = 0; i < length; i++) filtered[i + 1] = (byte)(row[i] - above[i]);
                zlib.Write(filtered);
                (above, row) = (row, above);
            }
        }

        chunks.Flush();
        WriteChunk(stream, "IEND"u8, []);
    }

    /// <summary>Throws where there are more pixels than are held in memory.</summary>
    /// <exception cref="ArgumentException">There are.</exception>
    public static void CheckPixels(int width, int height)
    {
        if ((long)width * height > MaxPixels) throw new ArgumentException($"There are {width}x{height} pixels; formats that hold each of them take at most {MaxPixels}.", nameof(width));
    }

    private static ushort[] Unpack(Stream compressed, int width, int height, int bits, string name)
    {
        int length = (int)((((long)width * bits) + 7) / 8), step = Math.Max(bits / 8, 1);
        byte[] row = new byte[length], above = new byte[length];
        var values = new ushort[(long)width * height];
        using var zlib = new ZLibStream(compressed, CompressionMode.Decompress);
        try
        {
            for (int y = 0; y < height; y++)
            {
                int filter = zlib.ReadByte();
                if (filter < 0) throw new AnnotationFormatException($"{name}: the PNG file's pixels end in row {y} of {height}: it was cut short");
                zlib.ReadExactly(row);
                Unfilter(filter, row, above, step, name);
                Widen(row, bits, values.AsSpan(y * width, width));
                (row, above) = (above, row);
            }
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            throw new AnnotationFormatException($"{name}: the PNG file's pixels are damaged or cut short", innerException: e);
        }

        return values;
    }

    private static void Unfilter(int filter, Span<byte> row, ReadOnlySpan<byte> above, int step, string name)
    {
        for (int i = 0; i < row.Length; i++)
        {
            int left = i >= step ? row[i - step] : 0, up = above[i], corner = i >= step ? above[i - step] : 0;
            row[i] += (byte)(filter switch
            {
                0 => 0,
                1 => left,
                2 => up,
                3 => (left + up) / 2,
                4 => Paeth(left, up, corner),
                _ => throw new AnnotationFormatException($"{name}: the PNG file has a row of filter {filter}; 0 to 4 were expected"),
            });
        }
    }

    private static int Paeth(int left, int up, int corner)
    {
        int toLeft = Math.Abs(up - corner), toUp = Math.Abs(left - corner), toCorner = Math.Abs(left + up - (2 * corner));
        return toLeft <= toUp && toLeft <= toCorner ? left : toUp <= toCorner ? up : corner;
    }

    private static void Widen(ReadOnlySpan<byte> row, int bits, Span<ushort> values)
    {
        for (int x = 0; x < values.Length; x++)
        {
            values[x] = bits switch
            {
                16 => BinaryPrimitives.ReadUInt16BigEndian(row[(2 * x)..]),
                8 => row[x],
                _ => (ushort)((row[x * bits / 8] >> (8 - bits - (x * bits % 8))) & ((1 << bits) - 1)),
            };
        }
    }

    private static void WriteChunk(Stream stream, ReadOnlySpan<byte> type, ReadOnlySpan<byte> data)
    {
        byte[] typed = [.. type, .. data];
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, data.Length);
        stream.Write(number);
        stream.Write(typed);
        BinaryPrimitives.WriteUInt32BigEndian(number, Crc(typed));
        stream.Write(number);
    }

    private static uint Crc(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte b in bytes) crc = CrcTable[(byte)(crc ^ b)] ^ (crc >> 8);
        return ~crc;
    }

    private static uint[] MakeCrcTable()
    {
        var table = new uint[256];
        for (uint i = 0; i < 256; i++)
        {
            uint c = i;
            for (int bit = 0; bit < 8; bit++) c = (c & 1) != 0 ? 0xEDB88320 ^ (c >> 1) : c >> 1;
            table[i] = c;
        }

        return table;
    }

    /// <summary>Cuts what is compressed into chunks.</summary>
    private sealed class ChunkStream(Stream target) : Stream
    {
        private readonly byte[] _buffer = new byte[64 * 1024];
        private int _filled;

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            while (!buffer.IsEmpty)
            {
                int taken = Math.Min(buffer.Length, _buffer.Length - _filled);
                buffer[..taken].CopyTo(_buffer.AsSpan(_filled));
                _filled += taken;
                buffer = buffer[taken..];
                if (_filled == _buffer.Length) Flush();
            }
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Flush()
        {
            if (_filled > 0) WriteChunk(target, "IDAT"u8, _buffer.AsSpan(0, _filled));
            _filled = 0;
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
