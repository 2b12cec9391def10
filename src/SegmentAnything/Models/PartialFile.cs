namespace SegmentAnything.Models;

/// <summary>
/// A file that is being received: bytes under a unique temporary name beside their target, owned by one process until
/// they are installed under the target's name or left for a later attempt.
/// </summary>
/// <remarks>
/// <code>
/// encoder.onnx.6f9a….part        the bytes
/// encoder.onnx.6f9a….part.lock   held open, and thereby locked, by the process that owns the bytes
/// </code>
/// The lock is on a file of its own so that nobody who opens the target finds it locked. The system drops it when the
/// process ends in whatever way, and an owner deletes it only once the bytes are gone: who holds the lock of bytes that
/// exist is their only owner.
/// </remarks>
internal sealed class PartialFile : IDisposable
{
    private const string PartSuffix = ".part";
    private const string LockSuffix = ".lock";

    private readonly string _path;
    private readonly FileStream _lock;

    private PartialFile(string path, FileStream @lock, FileMode mode)
    {
        _path = path;
        _lock = @lock;
        // Whoever may write into the folder could have what is downloaded written over any file of ours.
        if (new FileInfo(path).LinkTarget is { } link)
        {
            @lock.Dispose();
            throw new IOException($"'{path}' is a link to '{link}', and what is downloaded is not written through links. Remove it.");
        }

        Stream = new FileStream(path, new FileStreamOptions
        {
            Mode = mode,
            Access = FileAccess.ReadWrite,
            Share = FileShare.Read,
            Options = FileOptions.Asynchronous,
            BufferSize = 0,
        });
    }

    /// <summary>The bytes.</summary>
    public FileStream Stream { get; }

    /// <summary>Takes the longest that is left of attempts at a target and that nobody owns, else begins a new one.</summary>
    public static PartialFile Open(string target)
    {
        foreach (string path in Leftovers(target).OrderByDescending(p => new FileInfo(p) is { Exists: true } f ? f.Length : 0))
        {
            if (TryLock(path) is not { } taken) continue;
            if (File.Exists(path)) return new PartialFile(path, taken, FileMode.Open);
            DeleteLock(taken);
        }

        string unique = $"{target}.{Guid.NewGuid():N}{PartSuffix}";
        return new PartialFile(unique, TryLock(unique) ?? throw new IOException($"'{unique}{LockSuffix}' cannot be locked."), FileMode.CreateNew);
    }

    /// <summary>Deletes what is left of attempts at a target and that nobody owns.</summary>
    public static void DeleteLeftovers(string target)
    {
        foreach (string path in Leftovers(target))
        {
            if (TryLock(path) is not { } taken) continue;
            File.Delete(path);
            DeleteLock(taken);
        }
    }

    /// <summary>Gives the bytes their target's name, at once and instead of what has it; this is then disposed.</summary>
    public void Install(string target)
    {
        long length = Stream.Length;
        Stream.Flush(flushToDisk: true);
        Stream.Dispose();
        try
        {
            File.Move(_path, target, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException
            && new FileInfo(target) is { Exists: true } other && other.Length == length)
        {
            // Windows: another process was first, and somebody uses its file already.
            File.Delete(_path);
        }

        DeleteLock(_lock);
    }

    /// <summary>Leaves the bytes for a later attempt, if there are any.</summary>
    public void Dispose()
    {
        if (_lock.SafeFileHandle.IsClosed) return; // installed
        bool isEmpty = Stream.Length == 0;
        Stream.Dispose();
        if (isEmpty)
        {
            File.Delete(_path);
            DeleteLock(_lock);
        }

        _lock.Dispose();
    }

    // The paths of bytes, also of those of which only the lock is left.
    private static string[] Leftovers(string target)
    {
        string pattern = $"{Path.GetFileName(target)}.*{PartSuffix}";
        string folder = Path.GetDirectoryName(target)!;
        return
        [
            .. Directory.GetFiles(folder, pattern)
                .Union(Directory.GetFiles(folder, pattern + LockSuffix).Select(path => path[..^LockSuffix.Length])),
        ];
    }

    private static FileStream? TryLock(string path)
    {
        if (new FileInfo(path + LockSuffix).LinkTarget is not null) throw new IOException($"'{path}{LockSuffix}' is a link, where a file is expected. Remove it.");
        // Windows must be told that an open file may be deleted, which Unix never minds; there, None is what locks.
        FileShare share = OperatingSystem.IsWindows() ? FileShare.Delete : FileShare.None;
        try
        {
            return new FileStream(path + LockSuffix, FileMode.OpenOrCreate, FileAccess.ReadWrite, share, bufferSize: 1);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static void DeleteLock(FileStream @lock)
    {
        File.Delete(@lock.Name);
        @lock.Dispose();
    }
}
