namespace SegmentAnything.Cli;

/// <summary>
/// The files that one command reads and writes: none that it writes may be one that it reads, or another that it writes.
/// They are compared by what they resolve to, links and folders included.
/// </summary>
internal sealed class OutputFiles
{
    private const string StandardOutput = "standard output";

    private readonly Dictionary<string, string> _inputs = new(Names);
    private readonly Dictionary<string, string> _outputs = new(Names);

    private static StringComparer Names => OperatingSystem.IsLinux() ? StringComparer.Ordinal : StringComparer.OrdinalIgnoreCase;

    /// <summary>Notes a file that is read.</summary>
    /// <param name="path">Its path; of a folder, every file in it.</param>
    /// <param name="what">What it is called in messages, such as <c>the picture a.png</c>.</param>
    public OutputFiles Reads(string path, string what)
    {
        if (Directory.Exists(path))
        {
            foreach (string file in Directory.EnumerateFiles(path)) Reads(file, $"{file} of {what}");
        }
        else if (KeyOf(path) is { } key)
        {
            _inputs.TryAdd(key, what);
        }

        return this;
    }

    /// <summary>Notes a file that is written.</summary>
    /// <param name="path">Its path, or <c>-</c> for standard output; null is none.</param>
    /// <param name="what">What it is called in messages, such as <c>--json x</c>.</param>
    /// <exception cref="UsageException">It is a folder, a file that is read, or one that is written already.</exception>
    public OutputFiles Writes(string? path, string what)
    {
        if (path is null) return this;
        if (path.Length == 0) throw new UsageException($"{what}: the name is empty; give a file.");
        if (path != "-" && Directory.Exists(path)) throw new UsageException($"{what}: is a folder; give a file.");
        if (KeyOf(path) is not { } key) return this;
        if (_inputs.TryGetValue(key, out string? input)) throw new UsageException($"{what} would overwrite {input}; give another file.");
        if (!_outputs.TryAdd(key, what)) throw new UsageException($"{what} and {_outputs[key]} are the same {(key == StandardOutput ? "place" : "file")}; give each its own.");
        return this;
    }

    // Null for devices and pipes, which lose nothing.
    private static string? KeyOf(string path)
    {
        if (path == "-" || AtomicFile.DescriptorOf(path) == 1) return StandardOutput;
        string full = Path.GetFullPath(path);
        if (FileStatus.Of(full) is { } there)
        {
            if (there.Kind is FileKind.Device or FileKind.Pipe) return null;
            return there.Inode != 0 ? $"{there.Device}:{there.Inode}" : Target(full);
        }

        // Not there yet: what its folder is, and its name. A link that leads nowhere yet stands for its end.
        full = Target(full);
        string missing = "";
        for (string? folder = full; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (FileStatus.Of(folder) is { } found) return (found.Inode != 0 ? $"{found.Device}:{found.Inode}" : folder) + missing;
            missing = $"/{Path.GetFileName(folder)}{missing}";
        }

        return full;
    }

    private static string Target(string path)
    {
        try
        {
            return File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;
        }
        catch (IOException)
        {
            return path; // of which the writing will tell more
        }
    }
}
