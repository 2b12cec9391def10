using System.Runtime.InteropServices;

namespace SegmentAnything;

/// <summary>Floats outside of the managed heap, on lines of 64 bytes. The finalizer frees what was not disposed.</summary>
internal sealed unsafe class NativeFloats : IDisposable
{
    private const int Alignment = 64;

    public NativeFloats(long length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        Length = length;
        Pointer = (float*)NativeMemory.AlignedAlloc(checked((nuint)Math.Max(length, 1) * sizeof(float)), Alignment);
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
