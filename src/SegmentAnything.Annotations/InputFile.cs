namespace SegmentAnything.Annotations;

/// <summary>How every reader opens its files.</summary>
internal static class InputFile
{
    /// <summary>Opens a file for one pass from its start to its end.</summary>
    /// <exception cref="IOException">It cannot be opened, or is a pipe or a device, which may never end and cannot be read twice.</exception>
    public static FileStream Open(string path)
    {
        Check(path);
        return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1, FileOptions.SequentialScan);
    }

    /// <inheritdoc cref="Open"/>
    public static byte[] ReadAllBytes(string path)
    {
        Check(path);
        return File.ReadAllBytes(path);
    }

    /// <inheritdoc cref="Open"/>
    public static IEnumerable<string> ReadLines(string path)
    {
        Check(path);
        return File.ReadLines(path);
    }

    // Before it is opened: to open a pipe waits for its other end.
    private static void Check(string path)
    {
        if (FileStatus.Of(path) is { Kind: FileKind.Pipe or FileKind.Device } status)
            throw new IOException($"{path}: is a {(status.Kind == FileKind.Pipe ? "pipe" : "device")}, and annotations are gone through more than once; write them to a file, and give that.");
    }
}
