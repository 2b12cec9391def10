using System.Buffers.Binary;

namespace SegmentAnything.Imaging;

/// <summary>The chunks of a PNG file, as far as they matter before it is decoded.</summary>
internal static class PngChunks
{
    private const int SignatureBytes = 8;

    // Length, name, check sum.
    private const int FrameBytes = 12;

    /// <summary>
    /// The file without its texts, which are nothing to a picture, and of which a few kilobytes can unpack to any length. The file
    /// itself where it has none, or where its chunks do not fit: the decoder says what is wrong.
    /// </summary>
    public static ReadOnlyMemory<byte> WithoutTexts(ReadOnlyMemory<byte> file)
    {
        List<Range> kept = [];
        int start = 0, at = SignatureBytes, length = 0;
        ReadOnlySpan<byte> bytes = file.Span;
        while (at <= bytes.Length - FrameBytes)
        {
            uint data = BinaryPrimitives.ReadUInt32BigEndian(bytes[at..]);
            if (data > bytes.Length - at - FrameBytes) break;
            int end = at + FrameBytes + (int)data;
            ReadOnlySpan<byte> name = bytes.Slice(at + 4, 4);
            if (name.SequenceEqual("tEXt"u8) || name.SequenceEqual("zTXt"u8) || name.SequenceEqual("iTXt"u8))
            {
                if (at > start) Keep(start, at);
                start = end;
            }

            at = end;
            if (name.SequenceEqual("IEND"u8)) break;
        }

        if (start == 0) return file;
        Keep(start, bytes.Length);
        byte[] copy = new byte[length];
        int to = 0;
        foreach (Range range in kept)
        {
            bytes[range].CopyTo(copy.AsSpan(to));
            to += bytes[range].Length;
        }

        return copy;

        void Keep(int from, int end)
        {
            kept.Add(from..end);
            length += end - from;
        }
    }
}
