using System.Text;

namespace SegmentAnything.Cli;

/// <summary>Where a command's text result goes.</summary>
internal static class ResultFile
{
    /// <summary>Writes text to standard output (<c>-</c>) or to a file, which then appears whole or not at all.</summary>
    /// <param name="path">A file's path, or <c>-</c>.</param>
    /// <param name="text">What to write.</param>
    /// <param name="output">Standard output.</param>
    /// <exception cref="IOException">The file cannot be written; the message names it.</exception>
    public static void Write(string path, string text, TextWriter output)
    {
        if (path == "-") output.Write(text);
        else AtomicFile.Write(path, Encoding.UTF8.GetBytes(text));
    }
}
