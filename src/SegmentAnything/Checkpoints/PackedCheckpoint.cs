using System.IO.Compression;

namespace SegmentAnything.Checkpoints;

/// <summary>
/// A checkpoint that was packed once more: a zip file with one file of weights in it, as EfficientSAM-S is published.
/// </summary>
internal static class PackedCheckpoint
{
    /// <summary>Largest file that is unpacked: it goes into memory.</summary>
    private const long MaxBytes = 1L << 30;

    /// <summary>Weights are nearly random numbers. What shrinks more than this is no checkpoint, and may be meant to fill the memory.</summary>
    private const int MaxRatio = 100;

    private static readonly string[] Extensions = [".pt", ".pth", ".bin", ".safetensors"];

    /// <summary>Unpacks the file of weights.</summary>
    /// <returns>Its bytes, or null if the zip file is not of this kind. The source is disposed of with them, if there are any.</returns>
    /// <exception cref="CheckpointException">The file is damaged, or too large.</exception>
    public static ByteSource? Unpack(ByteSource source)
    {
        try
        {
            using ZipArchive archive = new(new SourceStream(source), ZipArchiveMode.Read);
            ZipArchiveEntry[] files = [.. archive.Entries.Where(e => e.Name.Length > 0 && !e.FullName.StartsWith("__MACOSX/", StringComparison.Ordinal))];
            if (files is not [var file] || !Extensions.Contains(Path.GetExtension(file.Name), StringComparer.OrdinalIgnoreCase)) return null;
            if (file.Length > MaxBytes || file.Length / MaxRatio > file.CompressedLength)
            {
                throw new CheckpointException(
                    $"{source.Name}: '{file.FullName}' has {file.CompressedLength} bytes, and {file.Length} unpacked; at most {MaxBytes} bytes and {MaxRatio} times as many are unpacked here. Unpack it and load that file.");
            }

            byte[] bytes = new byte[file.Length];
            using (Stream stream = file.Open()) stream.ReadExactly(bytes);
            if (Crc32.Append(0, bytes) != file.Crc32)
                throw new CheckpointException($"{source.Name}: the check sum of '{file.FullName}' does not agree. The file is damaged: download it again.");
            ByteSource unpacked = ByteSource.FromMemory(source.Name, bytes);
            source.Dispose();
            return unpacked;
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or ArgumentException or NotSupportedException)
        {
            // Not a zip file that .NET reads, or one that was cut off. PyTorch's own are looked at more closely elsewhere, with a better message.
            return null;
        }
    }

    private sealed class SourceStream(ByteSource source) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => true;

        public override bool CanWrite => false;

        public override long Length => source.Length;

        public override long Position { get; set; }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            int count = (int)Math.Clamp(Length - Position, 0, buffer.Length);
            source.Read(Math.Min(Position, Length), buffer[..count]);
            Position += count;
            return count;
        }

        public override long Seek(long offset, SeekOrigin origin) => Position = origin switch
        {
            SeekOrigin.Begin => offset,
            SeekOrigin.Current => Position + offset,
            _ => Length + offset,
        };

        public override void Flush()
        {
        }

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
