using System.Security.Cryptography;

namespace SegmentAnything.Cli;

/// <summary>Where a command's text result goes.</summary>
internal static class ResultFile
{
    /// <summary>Writes text to standard output (<c>-</c>) or to a file, which then appears whole or not at all.</summary>
    /// <param name="path">A file's path, or <c>-</c>.</param>
    /// <param name="text">What to write.</param>
    /// <param name="output">Standard output.</param>
    public static void Write(string path, string text, TextWriter output)
    {
        if (path == "-")
        {
            output.Write(text);
            return;
        }

        string target = Path.GetFullPath(path);
        string temporary = $"{target}.{RandomNumberGenerator.GetHexString(8, lowercase: true)}.part";
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        try
        {
            File.WriteAllText(temporary, text);
            File.Move(temporary, target, overwrite: true);
        }
        finally
        {
            File.Delete(temporary); // gone already where all went well
        }
    }
}
