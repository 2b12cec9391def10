namespace SegmentAnything.Annotations;

/// <summary>What a conversion reads: none of it is written over, by whatever name.</summary>
/// <param name="input">A file, or a folder with all that lies in it.</param>
internal sealed class ProtectedFiles(string input)
{
    // A format's files lie one folder below its own at most; a circle of links has no end.
    private const int Depth = 4;

    // Most outputs are new, and ask for nothing.
    private readonly Lazy<HashSet<(ulong, ulong, string)>> _files = new(() =>
        [.. (Directory.Exists(input) ? Directory.EnumerateFiles(input, "*", Below) : [input]).Select(KeyOf).OfType<(ulong, ulong, string)>()]);

    private static EnumerationOptions Below => new() { RecurseSubdirectories = true, MaxRecursionDepth = Depth, AttributesToSkip = FileAttributes.None };

    /// <summary>Throws where a file is one that is read, or a folder is it or holds such files.</summary>
    /// <param name="path">What is about to be written.</param>
    /// <param name="contents">Whether all files of a folder are written over, too.</param>
    /// <exception cref="ArgumentException">It is.</exception>
    public void Check(string path, bool contents = false)
    {
        if (KeyOf(path) is not { } key) return;
        if (key == KeyOf(input)) throw new ArgumentException($"{path} is what is read; give the output another name.", nameof(path));
        if (_files.Value.Contains(key)) throw new ArgumentException($"{path} would be written over, and belongs to what is read, {input}; give another folder.", nameof(path));
        if (!contents || !Directory.Exists(path)) return;
        foreach (string file in Directory.EnumerateFiles(path)) Check(file);
    }

    // What the file system knows it by, so that links are seen through; its path where the system has no such numbers. Null where
    // nothing is there, and for devices and pipes, which lose nothing.
    private static (ulong, ulong, string)? KeyOf(string path) => FileStatus.Of(path) switch
    {
        null or { Kind: FileKind.Device or FileKind.Pipe } => null,
        { Inode: not 0 } status => (status.Device, status.Inode, ""),
        _ => (0, 0, Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)).ToUpperInvariant()),
    };
}
