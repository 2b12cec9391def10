namespace SegmentAnything;

/// <summary>
/// A folder that is being filled, beside the place where it will be: moving it costs nothing, and what is left of it
/// disappears when this is disposed.
/// </summary>
/// <param name="target">The folder that it will be, or whose files its own will become.</param>
internal sealed class UnfinishedFolder(string target) : IDisposable
{
    private const string Suffix = ".tmp";

    /// <summary>Where to write.</summary>
    public string Path { get; } = $"{target.TrimEnd(System.IO.Path.DirectorySeparatorChar)}.{Guid.NewGuid():n}{Suffix}";

    /// <summary>Gives the folder its name. If there is one already, made by somebody else meanwhile, that stays.</summary>
    /// <param name="isComplete">A file that the folder has when it is complete.</param>
    public void Install(string isComplete)
    {
        try
        {
            Directory.Move(Path, target);
        }
        catch (IOException) when (File.Exists(System.IO.Path.Combine(target, isComplete)))
        {
            // Another process was faster, with the same contents.
        }
    }

    /// <summary>Moves the files into the folder, instead of those of the same names. Gives their names, in order.</summary>
    public string[] InstallFiles()
    {
        Directory.CreateDirectory(target);
        string[] files = [.. Directory.GetFiles(Path).Select(file => System.IO.Path.GetFileName(file)!).Order(StringComparer.Ordinal)];
        foreach (string file in files) File.Move(System.IO.Path.Combine(Path, file), System.IO.Path.Combine(target, file), overwrite: true);
        return files;
    }

    /// <summary>Deletes what processes that were killed have left in a folder, a day ago and more.</summary>
    public static void RemoveAbandoned(string parent)
    {
        if (!Directory.Exists(parent)) return;
        foreach (string folder in Directory.EnumerateDirectories(parent, $"*{Suffix}"))
        {
            try
            {
                if (Directory.GetLastWriteTimeUtc(folder) < DateTime.UtcNow.AddDays(-1)) Directory.Delete(folder, recursive: true);
            }
            catch (IOException)
            {
                // Somebody else removes it, or uses it after all.
            }
        }
    }

    public void Dispose()
    {
        if (Directory.Exists(Path)) Directory.Delete(Path, recursive: true);
    }
}
