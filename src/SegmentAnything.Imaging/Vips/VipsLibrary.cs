using System.Reflection;
using System.Runtime.InteropServices;

namespace SegmentAnything.Imaging.Vips;

/// <summary>Finds and loads libvips, once per process.</summary>
internal static class VipsLibrary
{
    /// <summary>Names the library file to load instead of the usual ones.</summary>
    public const string PathVariable = "SEGMENTANYTHING_LIBVIPS";

    /// <summary>The names that <see cref="VipsNative"/> imports under; <see cref="Resolve"/> turns them into handles.</summary>
    public const string Vips = "libvips", GObject = "libgobject";

    private static readonly Lazy<nint> Handle = new(() =>
        Load(Candidates(Environment.GetEnvironmentVariable(PathVariable))), LazyThreadSafetyMode.ExecutionAndPublication);

    private static readonly Lazy<bool> Started = new(Start, LazyThreadSafetyMode.ExecutionAndPublication);

    /// <summary>Loads and initialises libvips unless that was done.</summary>
    /// <exception cref="ImageFileException">libvips is not installed, too old, or cannot start.</exception>
    public static void EnsureStarted() => _ = Started.Value;

    /// <summary>The file names to try, in order.</summary>
    /// <param name="path">The value of <see cref="PathVariable"/>: when set, the only candidate.</param>
    internal static string[] Candidates(string? path)
    {
        if (!string.IsNullOrEmpty(path)) return [path];
        if (OperatingSystem.IsWindows()) return ["libvips-42.dll"];

        // Homebrew's two prefixes are not on the loader's search path.
        return OperatingSystem.IsMacOS()
            ? ["libvips.42.dylib", "/opt/homebrew/lib/libvips.42.dylib", "/usr/local/lib/libvips.42.dylib"]
            : ["libvips.so.42"];
    }

    /// <summary>
    /// Loads the first candidate that can be loaded: for each name first the library out of a NuGet package of the application,
    /// wherever that was put, then the system's.
    /// </summary>
    /// <exception cref="ImageFileException">None can; the message names the package for each system.</exception>
    internal static nint Load(string[] candidates)
    {
        foreach (string candidate in candidates)
            if (NativeLibrary.TryLoad(candidate, typeof(VipsLibrary).Assembly, null, out nint handle)) return handle;
        throw new ImageFileException(
            $"Images are read with libvips, which was not found (tried {string.Join(", ", candidates)}). SegmentAnything.Imaging brings it " +
            $"for x64 and Arm64 of Linux and Windows, and for macOS on Arm64; this is {RuntimeInformation.RuntimeIdentifier}. Elsewhere install it: " +
            "Debian and Ubuntu: apt-get install libvips42 (libvips42t64 on newer releases); Fedora: dnf install vips; " +
            "macOS: brew install vips; Windows: put the bin folder of the libvips release on the PATH. " +
            $"Or name the library file in {PathVariable}.");
    }

    /// <summary>The version of the library that was loaded.</summary>
    public static Version Version => new(VipsNative.Version(0), VipsNative.Version(1), VipsNative.Version(2));

    private static bool Start()
    {
        NativeLibrary.SetDllImportResolver(typeof(VipsLibrary).Assembly, Resolve);
        _ = Handle.Value;
        if (VipsNative.Init("segment-anything") != 0)
            throw new ImageFileException($"libvips could not start: {VipsNative.TakeError()}");

        // 8.12 brought `fail_on`, without which a truncated file is half a picture and no error.
        if (Version < new Version(8, 12))
            throw new ImageFileException($"libvips 8.12 or later is needed; found {Version}. Install a newer one.");

        // Its cache of results would keep pictures in memory that we have copied out, and knows them by address alone.
        VipsNative.CacheSetMax(0);

        // What goes wrong is thrown; the same as a warning on standard error would disturb the tool's output.
        const int warning = 1 << 4;
        unsafe
        {
            VipsNative.LogSetHandler("VIPS", warning, &VipsNative.IgnoreLog, 0);
        }

        return true;
    }

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? searchPath)
    {
        if (name == Vips) return Handle.Value;
        if (name != GObject) return 0;

        // On Linux and macOS a library's handle also answers for those it depends on; a Windows build in one file
        // exports everything itself; other Windows builds have GObject's own file beside it.
        if (NativeLibrary.TryGetExport(Handle.Value, "g_object_unref", out _)) return Handle.Value;
        return NativeLibrary.Load("libgobject-2.0-0.dll");
    }
}
