using System.Runtime.InteropServices;

namespace SegmentAnything;

/// <summary>Floats outside of the managed heap, on lines of 64 bytes. The finalizer frees what was not disposed.</summary>
internal sealed unsafe partial class NativeFloats : IDisposable
{
    private const int Line = 64;

    // What Linux calls a huge page, on x64 and in most systems on Arm64, and how it is asked for them.
    private const int HugePage = 2 << 20, AdviseHugePages = 14;

    public NativeFloats(long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        Length = length;
        nuint bytes = checked((nuint)Math.Max(length, 1) * sizeof(float));
        bool isLarge = OperatingSystem.IsLinux() && bytes >= 2 * HugePage;
        Pointer = (float*)NativeMemory.AlignedAlloc(bytes, isLarge ? HugePage : (nuint)Line);
        if (isLarge) AskForHugePages(Pointer, bytes);
        GC.AddMemoryPressure(Math.Max(length, 1) * sizeof(float));
    }

    ~NativeFloats() => Free();

    /// <summary>The first value; not initialised at first.</summary>
    public float* Pointer { get; private set; }

    public long Length { get; }

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    // Thousands of small pages of new memory cost milliseconds when they are first touched, and address translation afterwards.
    private static void AskForHugePages(void* address, nuint bytes)
    {
        try
        {
            // It is advice: what the system says to it does not matter.
            _ = Advise(address, bytes / HugePage * HugePage, AdviseHugePages);
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            // A system without it does without it.
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* address, nuint length, int advice);

    private void Free()
    {
        if (Pointer == null) return;
        NativeMemory.AlignedFree(Pointer);
        Pointer = null;
        GC.RemoveMemoryPressure(Math.Max(Length, 1) * sizeof(float));
    }
}

/// <summary>Deals out parts of one block of floats, each on a line of its own.</summary>
/// <remarks>Without a block it only counts, so that the same code can first measure and then deal.</remarks>
internal unsafe ref struct FloatArena(float* block)
{
    private const long Line = 16;

    /// <summary>Floats dealt out so far.</summary>
    public long Used { get; private set; }

    public float* Take(long count)
    {
        float* part = block == null ? null : block + Used;
        Used += (count + Line - 1) / Line * Line;
        return part;
    }
}
