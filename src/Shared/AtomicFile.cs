namespace SegmentAnything;

/// <summary>
/// A file that appears under its name only when it is complete: written beside its target under another name, and renamed.
/// The one way in which this library writes files, but for downloads, which go on where an earlier attempt ended.
/// </summary>
internal sealed class AtomicFile : IDisposable
{
    private readonly string _target;
    private readonly string _temporary;
    private bool _completed;

    /// <summary>Begins to write. A missing folder is created.</summary>
    /// <param name="path">The target.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">The file cannot be written.</exception>
    public AtomicFile(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        _target = Path.GetFullPath(path);
        _temporary = $"{_target}.{Guid.NewGuid():N}.part";
        Directory.CreateDirectory(Path.GetDirectoryName(_target) ?? _target);
        Stream = new FileStream(_temporary, FileMode.CreateNew, FileAccess.Write);
    }

    /// <summary>Where the contents go.</summary>
    public FileStream Stream { get; }

    /// <summary>Writes a whole file. A missing folder is created, a file replaced.</summary>
    /// <param name="path">The target.</param>
    /// <param name="bytes">Its contents.</param>
    /// <exception cref="IOException">The file cannot be written; the message names it. Nothing is left behind.</exception>
    public static void Write(string path, ReadOnlySpan<byte> bytes)
    {
        try
        {
            using AtomicFile file = new(path);
            file.Stream.Write(bytes);
            file.Complete();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new IOException($"{path}: cannot be written: {e.Message}", e);
        }
    }

    /// <summary>Gives the file its name, instead of what has it. Nothing can be written afterwards.</summary>
    public void Complete()
    {
        Stream.Flush(flushToDisk: true);
        Stream.Dispose();
        File.Move(_temporary, _target, overwrite: true);
        _completed = true;
    }

    /// <summary>Deletes what was written, unless it is complete.</summary>
    public void Dispose()
    {
        if (_completed) return;
        _completed = true;
        Stream.Dispose();
        try
        {
            File.Delete(_temporary);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // What went wrong first is what is reported.
        }
    }
}
