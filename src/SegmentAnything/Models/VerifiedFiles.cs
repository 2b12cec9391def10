using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using SegmentAnything.Checkpoints;

namespace SegmentAnything.Models;

/// <summary>
/// The SHA-256 of large files, which is computed once: later it holds as long as the file is the same by all that the file
/// system knows of it, and by a sample of its bytes.
/// </summary>
/// <param name="folder">Where what is known is kept, one small file for each. One that cannot be written is done without.</param>
/// <remarks>
/// Compared are length, time of the last change of the content, time of the last change of anything (ctime, which no program can
/// set), the file's number (inode), and a sample: the beginning and end of the file, and of each stretch that is named. Whoever
/// writes to the file, or puts another in its place, changes one of the first four. The sample is for what the file system is
/// not told: a copy of a whole disk, a damaged one. It cannot see a change between its own bytes. Where a system has neither
/// ctime nor inode, a program that sets the old time back is seen by the sample alone.
/// </remarks>
internal sealed class VerifiedFiles(string folder)
{
    private const string Version = "1";
    private const int BlockBytes = 64;
    private const int EdgeBytes = 4096;

    // Where no stretches are named, a block in so many bytes, and at most so many blocks.
    private const long Spacing = 64 << 10;
    private const long MostBlocks = 4096;

    /// <summary>The SHA-256 of a file, in hexadecimal: as it is known, or else by reading all of it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="stretches">Where its tensors are, offset and length; null for stretches of one length.</param>
    /// <param name="cancellationToken">Looked at between pieces.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public string HashOf(string path, IReadOnlyList<(long Offset, long Length)>? stretches, CancellationToken cancellationToken)
    {
        if (FileStatus.Of(path) is { } now && Known(path) is { } known && known.Status == Describe(now) && known.Sample == Sample(path, now.Length, stretches))
            return known.Hash;
        return Read(path, stretches, cancellationToken);
    }

    /// <summary>Reads all of a file, whatever is known of it, and keeps its SHA-256.</summary>
    /// <inheritdoc cref="HashOf"/>
    public string Read(string path, IReadOnlyList<(long Offset, long Length)>? stretches, CancellationToken cancellationToken)
    {
        FileStatus? before = FileStatus.Of(path);
        string hash = FileHash.Of(path, cancellationToken);
        if (before is { } status && FileStatus.Of(path) == before) Keep(path, stretches, status, hash);
        return hash;
    }

    /// <summary>Keeps the SHA-256 of a file whose bytes were all read before it got its name.</summary>
    public void Keep(string path, IReadOnlyList<(long Offset, long Length)>? stretches, string hash)
    {
        if (FileStatus.Of(path) is { } status) Keep(path, stretches, status, hash);
    }

    private void Keep(string path, IReadOnlyList<(long Offset, long Length)>? stretches, FileStatus status, string hash)
    {
        try
        {
            AtomicFile.Write(NoteOf(path), Encoding.UTF8.GetBytes($"{Version}\n{Describe(status)}\n{Sample(path, status.Length, stretches)}\n{hash}\n"));
        }
        catch (IOException)
        {
            // A folder that is only read: the file is read wholly each time.
        }
    }

    private (string Status, string Sample, string Hash)? Known(string path)
    {
        try
        {
            string note = NoteOf(path);
            return File.Exists(note) && File.ReadAllLines(note) is [Version, var status, var sample, { Length: 64 } hash] ? (status, sample, hash) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private string NoteOf(string path) =>
        Path.Combine(folder, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Path.GetFullPath(path))))[..32]);

    private static string Describe(FileStatus status) => string.Create(
        CultureInfo.InvariantCulture, $"{status.Device} {status.Inode} {status.Length} {status.Modified} {status.Changed}");

    private static string Sample(string path, long length, IReadOnlyList<(long Offset, long Length)>? stretches)
    {
        using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[EdgeBytes];
        Add(0, EdgeBytes);
        if (stretches is null)
        {
            long step = Math.Max(Spacing, length / MostBlocks);
            for (long at = step; at < length; at += step) Add(at, BlockBytes);
        }
        else
        {
            foreach ((long offset, long bytes) in stretches)
            {
                Add(offset, (int)Math.Min(bytes, BlockBytes));
                if (bytes <= BlockBytes) continue;
                Add(offset + (bytes / 2), BlockBytes);
                Add(offset + bytes - BlockBytes, BlockBytes);
            }
        }

        Add(length - EdgeBytes, EdgeBytes);
        return Convert.ToHexStringLower(hash.GetHashAndReset());

        void Add(long offset, int count)
        {
            offset = Math.Max(0, offset);
            int read = RandomAccess.Read(file.SafeFileHandle, buffer.AsSpan(0, (int)Math.Clamp(length - offset, 0, count)), offset);
            hash.AppendData(buffer.AsSpan(0, read));
        }
    }
}
