using System.Runtime.InteropServices;

namespace SegmentAnything;

/// <summary>What stands under a path.</summary>
internal enum FileKind
{
    /// <summary>Bytes of a known length, which stay.</summary>
    Regular,

    /// <summary>A folder.</summary>
    Folder,

    /// <summary>A pipe with a name of its own: to open it waits for its other end.</summary>
    Pipe,

    /// <summary>A device or a socket.</summary>
    Device,
}

/// <summary>What the file system knows of a file: enough to tell that it is another file by now, or was written since.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Device">The number of its file system; 0 where the system does not tell.</param>
/// <param name="Inode">Its number there; 0 where the system does not tell.</param>
/// <param name="Length">Its length in bytes.</param>
/// <param name="Modified">When its bytes were changed last, in nanoseconds; anybody can set it.</param>
/// <param name="Changed">
/// When anything of it was changed last (ctime), in nanoseconds: set by the system alone. 0 where the system has no such time.
/// </param>
internal readonly partial record struct FileStatus(FileKind Kind, ulong Device, ulong Inode, long Length, long Modified, long Changed)
{
    // The bits of a mode that say what a file is, and their values. Source: POSIX, sys/stat.h; the numbers are those of Linux and macOS.
    private const uint TypeMask = 0xF000, TypePipe = 0x1000, TypeFolder = 0x4000, TypeRegular = 0x8000;

    // AT_FDCWD, and STATX_BASIC_STATS.
    private const int CurrentFolder = -100;
    private const uint BasicStats = 0x7FF;

    /// <summary>Asks the file system. Links are followed.</summary>
    /// <returns>Null where there is nothing, or nothing that may be looked at.</returns>
    public static FileStatus? Of(string path)
    {
        string full = Path.GetFullPath(path);
        try
        {
            if (OperatingSystem.IsLinux()) return OfLinux(full);
            if (OperatingSystem.IsMacOS()) return OfMac(full);
        }
        catch (EntryPointNotFoundException)
        {
            // An old C library: what .NET itself tells is left.
        }

        return OfDotNet(full);
    }

    /// <summary>The same file by all that the file system knows: nobody has written to it, nor put another in its place.</summary>
    public bool IsUnchanged(FileStatus earlier) => this == earlier;

    private static unsafe FileStatus? OfLinux(string path)
    {
        // struct statx is the same on every processor, unlike struct stat.
        byte* status = stackalloc byte[256];
        if (Statx(CurrentFolder, path, 0, BasicStats, status) != 0) return null;
        return new FileStatus(
            KindOf(*(ushort*)(status + 28)), ((ulong)*(uint*)(status + 136) << 32) | *(uint*)(status + 140), *(ulong*)(status + 32), *(long*)(status + 40),
            Time(status + 112), Time(status + 96));
    }

    private static unsafe FileStatus? OfMac(string path)
    {
        byte* status = stackalloc byte[256];
        int result = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? StatMacX64(path, status) : StatMac(path, status);
        if (result != 0) return null;
        return new FileStatus(KindOf(*(ushort*)(status + 4)), *(uint*)status, *(ulong*)(status + 8), *(long*)(status + 96), Time(status + 48), Time(status + 64));
    }

    private static FileStatus? OfDotNet(string path)
    {
        if (path.StartsWith(@"\\.\", StringComparison.Ordinal)) return new FileStatus(FileKind.Device, 0, 0, 0, 0, 0);
        if (Directory.Exists(path)) return new FileStatus(FileKind.Folder, 0, 0, 0, 0, 0);
        if (!File.Exists(path)) return null;
        var file = new FileInfo(File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path);
        return new FileStatus(FileKind.Regular, 0, 0, file.Length, file.LastWriteTimeUtc.Ticks * 100, 0);
    }

    private static FileKind KindOf(uint mode) => (mode & TypeMask) switch
    {
        TypeRegular => FileKind.Regular,
        TypeFolder => FileKind.Folder,
        TypePipe => FileKind.Pipe,
        _ => FileKind.Device,
    };

    private static unsafe long Time(byte* time) => unchecked((*(long*)time * 1_000_000_000) + *(uint*)(time + 8));

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int Statx(int folder, string path, int flags, uint mask, byte* status);

    [LibraryImport("libc", EntryPoint = "stat", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int StatMac(string path, byte* status);

    [LibraryImport("libc", EntryPoint = "stat$INODE64", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int StatMacX64(string path, byte* status);
}
