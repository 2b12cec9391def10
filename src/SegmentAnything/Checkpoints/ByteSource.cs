using System.IO.MemoryMappedFiles;

namespace SegmentAnything.Checkpoints;

/// <summary>The bytes of a checkpoint, read at any position, from several threads.</summary>
internal abstract class ByteSource : IDisposable
{
    /// <summary>What the bytes are called in error messages: a path.</summary>
    public required string Name { get; init; }

    public abstract long Length { get; }

    /// <summary>Offsets are those of the file that <see cref="Name"/> is the path of.</summary>
    public virtual bool IsFile => false;

    /// <summary>Copies the bytes from <paramref name="offset"/> on; the range was checked.</summary>
    protected abstract void ReadCore(long offset, Span<byte> destination);

    /// <exception cref="CheckpointException">The range does not lie within the file.</exception>
    public void Read(long offset, Span<byte> destination)
    {
        Check(offset, destination.Length);
        ReadCore(offset, destination);
    }

    public byte[] Read(long offset, int count)
    {
        // Checked before the array is made, so that a false length costs nothing.
        Check(offset, count);
        byte[] bytes = new byte[count];
        Read(offset, bytes);
        return bytes;
    }

    public abstract void Dispose();

    private void Check(long offset, int count)
    {
        if (offset < 0 || count < 0 || offset > Length || count > Length - offset)
        {
            throw new CheckpointException(
                $"{Name}: {count} bytes are expected at offset {offset}, but the file has {Length} bytes. Is it truncated?");
        }
    }

    /// <summary>Maps a file into memory: nothing is read before it is asked for.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">It is a device, or a pipe, which would be waited for.</exception>
    public static ByteSource OpenFile(string path)
    {
        if (FileStatus.Of(path) is { Kind: FileKind.Device or FileKind.Pipe } special)
            throw new IOException($"'{path}' is a {(special.Kind == FileKind.Pipe ? "pipe" : "device")}; a file is expected.");
        var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        try
        {
            // An empty file cannot be mapped.
            if (stream.Length == 0)
            {
                stream.Dispose();
                return FromMemory(path, Array.Empty<byte>());
            }

            return new MappedSource(stream) { Name = path };
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    public static ByteSource FromMemory(string name, ReadOnlyMemory<byte> bytes) => new MemorySource(bytes) { Name = name };

    private sealed class MemorySource(ReadOnlyMemory<byte> bytes) : ByteSource
    {
        public override long Length => bytes.Length;

        protected override void ReadCore(long offset, Span<byte> destination) =>
            bytes.Span.Slice((int)offset, destination.Length).CopyTo(destination);

        public override void Dispose()
        {
        }
    }

    private sealed class MappedSource : ByteSource
    {
        private readonly MemoryMappedFile _file;

        public MappedSource(FileStream stream)
        {
            Length = stream.Length;
            _file = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
        }

        public override long Length { get; }

        public override bool IsFile => true;

        // A view for each read: one of the whole file would count every page that was ever read as this process's memory.
        protected override void ReadCore(long offset, Span<byte> destination)
        {
            if (destination.IsEmpty) return;
            using MemoryMappedViewAccessor view = _file.CreateViewAccessor(offset, destination.Length, MemoryMappedFileAccess.Read);
            view.SafeMemoryMappedViewHandle.ReadSpan((ulong)view.PointerOffset, destination);
        }

        public override void Dispose() => _file.Dispose();
    }
}
