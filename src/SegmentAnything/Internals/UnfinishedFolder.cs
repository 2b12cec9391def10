namespace SegmentAnything;

/// <summary>
/// A folder that is being filled, beside the place where it will be: moving it costs nothing, and what is left of it
/// disappears when this is disposed, or, where the process was killed, when the next one begins.
/// </summary>
internal sealed class UnfinishedFolder : IDisposable
{
    // Short and of one length: the names of targets may be as long as the file system takes.
    private const string Prefix = ".segment-anything-";
    private const string Suffix = ".tmp";
    private const string LockName = ".lock";

    private readonly string _target;
    private readonly FileStream _lock;

    /// <summary>Begins to fill a folder.</summary>
    /// <param name="target">The folder that it will be, or whose files its own will become.</param>
    /// <exception cref="IOException">The folder cannot be made.</exception>
    public UnfinishedFolder(string target)
    {
        _target = System.IO.Path.GetFullPath(target).TrimEnd(System.IO.Path.DirectorySeparatorChar);
        string parent = System.IO.Path.GetDirectoryName(_target) ?? _target;
        RemoveAbandoned(parent);
        Path = System.IO.Path.Combine(parent, $"{Prefix}{Guid.NewGuid():N}{Suffix}");
        Directory.CreateDirectory(Path);
        // Held open, and thereby locked, as long as somebody fills the folder.
        _lock = new FileStream(System.IO.Path.Combine(Path, LockName), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);
    }

    /// <summary>Where to write.</summary>
    public string Path { get; }

    /// <summary>Gives the folder its name. If there is one already, made by somebody else meanwhile, that stays.</summary>
    /// <param name="isComplete">A file that the folder has when it is complete.</param>
    public void Install(string isComplete)
    {
        Finish();
        try
        {
            Directory.Move(Path, _target);
        }
        catch (IOException) when (File.Exists(System.IO.Path.Combine(_target, isComplete)))
        {
            // Another process was faster, with the same contents.
        }
    }

    /// <summary>Moves the files into the folder, instead of those of the same names. Gives their names, in order.</summary>
    public string[] InstallFiles()
    {
        Finish();
        Directory.CreateDirectory(_target);
        string[] files = [.. Directory.GetFiles(Path).Select(file => System.IO.Path.GetFileName(file)!).Order(StringComparer.Ordinal)];
        foreach (string file in files) File.Move(System.IO.Path.Combine(Path, file), System.IO.Path.Combine(_target, file), overwrite: true);
        return files;
    }

    public void Dispose()
    {
        _lock.Dispose();
        if (Directory.Exists(Path)) Directory.Delete(Path, recursive: true);
    }

    // Names must not reach the disk before the bytes do.
    private void Finish()
    {
        File.Delete(_lock.Name);
        _lock.Dispose();
        foreach (string path in Directory.EnumerateFiles(Path))
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.ReadWrite);
            file.Flush(flushToDisk: true);
        }
    }

    // What killed processes have left: their locks are free. Without one, somebody begins or ends at this moment, or did so a day ago.
    private static void RemoveAbandoned(string parent)
    {
        if (!Directory.Exists(parent)) return;
        foreach (string folder in Directory.EnumerateDirectories(parent, $"{Prefix}*{Suffix}"))
        {
            try
            {
                string path = System.IO.Path.Combine(folder, LockName);
                if (File.Exists(path)) new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None).Dispose();
                else if (Directory.GetLastWriteTimeUtc(folder) > DateTime.UtcNow.AddDays(-1)) continue;
                Directory.Delete(folder, recursive: true);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Somebody fills it, or it is somebody else's.
            }
        }
    }
}
