using System.Collections.Concurrent;
using System.Globalization;

namespace SegmentAnything;

/// <summary>
/// A file that appears under its name only when it is complete: written beside its target under another name, brought to the
/// disk, and renamed. The one way in which this library writes files, but for downloads, which go on where an earlier attempt
/// ended.
/// </summary>
/// <remarks>
/// Links are followed, and what they lead to is replaced. The mode of a file that is replaced is kept. What is no file, such as
/// a device, a pipe or <c>/dev/stdout</c>, is written to as it is. What a killed process has left is removed by the next that
/// writes into the folder: a file that is being written is locked by who writes it.
/// </remarks>
internal sealed class AtomicFile : IDisposable
{
    // Short and of one length: the names of targets may be as long as the file system takes.
    private const string Prefix = ".segment-anything-";
    private const string Suffix = ".part";

    // Between a file's creation and its lock.
    private static readonly TimeSpan YoungestLeftover = TimeSpan.FromSeconds(1);

    private static readonly ConcurrentDictionary<string, bool> CleanedFolders = new();

    private readonly string _target;
    private readonly string? _temporary;
    private bool _completed;

    /// <summary>Begins to write. A missing folder is created.</summary>
    /// <param name="path">The target.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">The file cannot be written.</exception>
    public AtomicFile(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        _target = FollowLinks(Path.GetFullPath(path));
        if (OpenDescriptor(_target) is { } open)
        {
            Stream = open;
            return;
        }

        FileStatus? there = FileStatus.Of(_target);
        if (there is { Kind: FileKind.Folder }) throw new IOException($"'{_target}' is a folder; a file is expected.");
        if (there is { Kind: FileKind.Device or FileKind.Pipe })
        {
            Stream = new FileStream(_target, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
            return;
        }

        string folder = Path.GetDirectoryName(_target) ?? _target;
        Directory.CreateDirectory(folder);
        RemoveLeftovers(folder);
        UnixFileMode? mode = null;
        if (there is not null)
        {
            // Whoever may not write to a file may not replace it either, whatever the folder allows.
            using (new FileStream(_target, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete))
            {
            }

            if (!OperatingSystem.IsWindows()) mode = File.GetUnixFileMode(_target);
        }

        _temporary = Path.Combine(folder, $"{Prefix}{Guid.NewGuid():N}{Suffix}");
        // Not shared: that is the lock.
        var file = new FileStream(_temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None);
        Stream = file;
        if (mode is { } kept && !OperatingSystem.IsWindows()) File.SetUnixFileMode(file.SafeFileHandle, kept);
    }

    /// <summary>Where the contents go.</summary>
    public Stream Stream { get; }

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
        if (_temporary is null)
        {
            Stream.Flush();
            Stream.Dispose();
            _completed = true;
            return;
        }

        ((FileStream)Stream).Flush(flushToDisk: true);
        // Windows does not rename what is open; elsewhere the lock holds until the name is there.
        if (OperatingSystem.IsWindows()) Stream.Dispose();
        File.Move(_temporary, _target, overwrite: true);
        _completed = true;
        Stream.Dispose();
    }

    /// <summary>Deletes what was written, unless it is complete.</summary>
    public void Dispose()
    {
        if (_completed) return;
        _completed = true;
        try
        {
            if (_temporary is not null && !OperatingSystem.IsWindows()) File.Delete(_temporary);
            Stream.Dispose();
            if (_temporary is not null) File.Delete(_temporary);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // What went wrong first is what is reported.
        }
    }

    /// <summary>The number of an open file of this process that a path names, such as 1 for <c>/dev/stdout</c>; null for other paths.</summary>
    internal static int? DescriptorOf(string path)
    {
        if (OperatingSystem.IsWindows()) return null;
        string own = Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
        return path.Split('/', StringSplitOptions.RemoveEmptyEntries) switch
        {
            ["dev", "stdin"] => 0,
            ["dev", "stdout"] => 1,
            ["dev", "stderr"] => 2,
            ["dev", "fd", var number] => Number(number),
            ["proc", "self" or "thread-self", "fd", var number] => Number(number),
            ["proc", var process, "fd", var number] when process == own => Number(number),
            _ => null,
        };

        static int? Number(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : null;
    }

    // An open file is written to where it stands: to replace it would leave who reads it with the old one.
    private static Stream? OpenDescriptor(string path) => DescriptorOf(path) switch
    {
        null => null,
        1 => Console.OpenStandardOutput(),
        2 => Console.OpenStandardError(),
        int number => new FileStream(new Microsoft.Win32.SafeHandles.SafeFileHandle(number, ownsHandle: false), FileAccess.Write),
    };

    // Link by link, so that one to an open file of this process is seen as such.
    private static string FollowLinks(string path)
    {
        const int Most = 40; // as many as Linux follows
        for (int i = 0; i < Most; i++)
        {
            if (DescriptorOf(path) is not null || new FileInfo(path).LinkTarget is not { } link) return path;
            path = Path.GetFullPath(link, Path.GetDirectoryName(path)!);
        }

        throw new IOException($"'{path}' is a link that leads to itself.");
    }

    // Once a folder and process: a folder may have very many files.
    private static void RemoveLeftovers(string folder)
    {
        if (!CleanedFolders.TryAdd(folder, true)) return;
        foreach (string path in Directory.EnumerateFiles(folder, $"{Prefix}*{Suffix}"))
        {
            try
            {
                if (DateTime.UtcNow - File.GetLastWriteTimeUtc(path) < YoungestLeftover) continue;
                // Fails where its writer lives.
                using (new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None)) File.Delete(path);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // It is being written, or is somebody else's.
            }
        }
    }
}
