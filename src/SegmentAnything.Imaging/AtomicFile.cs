using System.Security.Cryptography;

namespace SegmentAnything.Imaging;

/// <summary>Writes files that appear whole or not at all.</summary>
internal static class AtomicFile
{
    /// <summary>Writes a temporary file beside the target and renames it. A missing folder is created, a file replaced.</summary>
    /// <param name="path">The target.</param>
    /// <param name="bytes">Its contents.</param>
    /// <exception cref="IOException">The file cannot be written; the message names it. Nothing is left behind.</exception>
    public static void Write(string path, ReadOnlySpan<byte> bytes)
    {
        string target = Path.GetFullPath(path);
        string temporary = $"{target}.{RandomNumberGenerator.GetHexString(8, lowercase: true)}.part";
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(target) ?? target);
            File.WriteAllBytes(temporary, bytes);
            File.Move(temporary, target, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            TryDelete(temporary);
            throw new IOException($"{path}: cannot be written: {e.Message}", e);
        }
    }

    private static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // What went wrong first is what is reported.
        }
    }
}
