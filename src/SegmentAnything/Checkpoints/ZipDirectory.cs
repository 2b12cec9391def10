using System.Buffers.Binary;
using System.Text;

namespace SegmentAnything.Checkpoints;

/// <summary>An uncompressed entry of a zip file.</summary>
/// <param name="Name">Its path in the archive.</param>
/// <param name="Offset">Where its bytes start in the file.</param>
/// <param name="Length">Its length in bytes.</param>
/// <param name="Crc32">Its check sum.</param>
internal sealed record ZipEntry(string Name, long Offset, long Length, uint Crc32);

/// <summary>
/// The directory of a zip file as PyTorch writes them: entries stored without compression (so that they can be mapped),
/// sizes beyond 4 GB allowed. A compressed entry is refused, and with it every zip bomb; so are entries that overlap.
/// </summary>
/// <remarks>Source: PKWARE, APPNOTE.TXT 6.3.9, sections 4.3.7, 4.3.12 to 4.3.16 and 4.5.3.</remarks>
internal static class ZipDirectory
{
    private const int MaxEntries = 200_000;

    public static Dictionary<string, ZipEntry> Read(ByteSource source)
    {
        (long offset, long length, long count) = FindDirectory(source);
        if (count > MaxEntries || length > 64 << 20 || offset < 0 || length < 0 || offset > source.Length || length > source.Length - offset)
            throw Damaged(source, $"its directory of {count} entries ({length} bytes at offset {offset}) is impossible");

        ReadOnlySpan<byte> directory = source.Read(offset, (int)length);
        Dictionary<string, ZipEntry> entries = [];
        for (long i = 0; i < count; i++)
        {
            if (directory.Length < 46 || BinaryPrimitives.ReadUInt32LittleEndian(directory) != 0x02014B50) throw Damaged(source, $"entry {i} of its directory is missing");
            ushort flags = BinaryPrimitives.ReadUInt16LittleEndian(directory[8..]);
            ushort method = BinaryPrimitives.ReadUInt16LittleEndian(directory[10..]);
            uint crc = BinaryPrimitives.ReadUInt32LittleEndian(directory[16..]);
            ulong stored = BinaryPrimitives.ReadUInt32LittleEndian(directory[20..]);
            ulong size = BinaryPrimitives.ReadUInt32LittleEndian(directory[24..]);
            int nameLength = BinaryPrimitives.ReadUInt16LittleEndian(directory[28..]);
            int extraLength = BinaryPrimitives.ReadUInt16LittleEndian(directory[30..]);
            int commentLength = BinaryPrimitives.ReadUInt16LittleEndian(directory[32..]);
            ulong header = BinaryPrimitives.ReadUInt32LittleEndian(directory[42..]);
            int entryLength = 46 + nameLength + extraLength + commentLength;
            if (directory.Length < entryLength) throw Damaged(source, $"entry {i} of its directory is cut off");

            string name = Encoding.UTF8.GetString(directory.Slice(46, nameLength));
            ReadZip64(source, name, directory.Slice(46 + nameLength, extraLength), ref size, ref stored, ref header);
            directory = directory[entryLength..];

            if ((flags & 1) != 0) throw Damaged(source, $"entry '{name}' is encrypted");
            if (method != 0 || size != stored)
                throw Damaged(source, $"entry '{name}' is compressed (method {method}, {stored} of {size} bytes); PyTorch stores tensors uncompressed. Unpack it and save it again with torch.save");
            if (size > (ulong)source.Length || header > (ulong)source.Length) throw Damaged(source, $"entry '{name}' lies outside the file");
            if (!entries.TryAdd(name, Locate(source, name, (long)header, (long)size, crc))) throw Damaged(source, $"it has two entries '{name}'");
        }

        long end = 0;
        ZipEntry? previous = null;
        foreach (ZipEntry entry in entries.Values.Where(e => e.Length > 0).OrderBy(e => e.Offset))
        {
            if (entry.Offset < end) throw Damaged(source, $"entries '{previous!.Name}' and '{entry.Name}' overlap");
            end = entry.Offset + entry.Length;
            previous = entry;
        }

        if (end > offset) throw Damaged(source, $"entry '{previous!.Name}' overlaps the directory");
        return entries;
    }

    // The bytes of an entry follow its local header, whose name and extra field have lengths of their own.
    private static ZipEntry Locate(ByteSource source, string name, long header, long size, uint crc)
    {
        Span<byte> local = stackalloc byte[30];
        if (header > source.Length - 30) throw Damaged(source, $"entry '{name}' lies outside the file");
        source.Read(header, local);
        if (BinaryPrimitives.ReadUInt32LittleEndian(local) != 0x04034B50) throw Damaged(source, $"the header of entry '{name}' is missing");
        long start = header + 30 + BinaryPrimitives.ReadUInt16LittleEndian(local[26..]) + BinaryPrimitives.ReadUInt16LittleEndian(local[28..]);
        if (start > source.Length || size > source.Length - start) throw Damaged(source, $"entry '{name}' of {size} bytes reaches beyond the end of the file");
        return new ZipEntry(name, start, size, crc);
    }

    // The end record is last, before a comment of up to 65535 bytes.
    private static (long Offset, long Length, long Count) FindDirectory(ByteSource source)
    {
        int tailLength = (int)Math.Min(source.Length, 22 + ushort.MaxValue);
        ReadOnlySpan<byte> tail = source.Read(source.Length - tailLength, tailLength);
        int at = tail.LastIndexOf("PK\x05\x06"u8);
        if (at < 0 || tail.Length - at < 22) throw Damaged(source, "its directory is missing at the end: the file is truncated");
        ReadOnlySpan<byte> end = tail[at..];
        long count = BinaryPrimitives.ReadUInt16LittleEndian(end[10..]);
        long length = BinaryPrimitives.ReadUInt32LittleEndian(end[12..]);
        long offset = BinaryPrimitives.ReadUInt32LittleEndian(end[16..]);

        // A larger archive has a second end record; its place is told just before the first.
        if (at >= 20 && tail.Slice(at - 20, 4).SequenceEqual("PK\x06\x07"u8))
        {
            ulong at64 = BinaryPrimitives.ReadUInt64LittleEndian(tail[(at - 20 + 8)..]);
            if (at64 > (ulong)source.Length - 56) throw Damaged(source, "its 64-bit directory lies outside the file");
            Span<byte> end64 = stackalloc byte[56];
            source.Read((long)at64, end64);
            if (!end64.StartsWith("PK\x06\x06"u8)) throw Damaged(source, "its 64-bit directory is missing");
            count = BinaryPrimitives.ReadInt64LittleEndian(end64[32..]);
            length = BinaryPrimitives.ReadInt64LittleEndian(end64[40..]);
            offset = BinaryPrimitives.ReadInt64LittleEndian(end64[48..]);
            if (count < 0) throw Damaged(source, "its 64-bit directory is damaged");
        }

        return (offset, length, count);
    }

    // Extra field 1 holds, in this order, the 64-bit forms of those values that are all ones.
    private static void ReadZip64(ByteSource source, string name, ReadOnlySpan<byte> extra, ref ulong size, ref ulong stored, ref ulong header)
    {
        if (size != uint.MaxValue && stored != uint.MaxValue && header != uint.MaxValue) return;
        while (extra.Length >= 4)
        {
            int id = BinaryPrimitives.ReadUInt16LittleEndian(extra);
            int length = BinaryPrimitives.ReadUInt16LittleEndian(extra[2..]);
            extra = extra[4..];
            if (length > extra.Length) break;
            if (id == 1)
            {
                ReadOnlySpan<byte> values = extra[..length];
                Take(ref values, ref size);
                Take(ref values, ref stored);
                Take(ref values, ref header);
                return;
            }

            extra = extra[length..];
        }

        throw Damaged(source, $"the 64-bit sizes of entry '{name}' are missing");

        static void Take(ref ReadOnlySpan<byte> values, ref ulong value)
        {
            if (value != uint.MaxValue || values.Length < 8) return;
            value = BinaryPrimitives.ReadUInt64LittleEndian(values);
            values = values[8..];
        }
    }

    private static CheckpointException Damaged(ByteSource source, string what) => new($"{source.Name}: as a zip file it cannot be read: {what}.");
}
