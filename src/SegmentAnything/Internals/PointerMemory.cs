using System.Buffers;

namespace SegmentAnything;

/// <summary>Lets pinned memory pass as <see cref="Memory{T}"/> for the length of one call.</summary>
internal sealed unsafe class PointerMemory(byte* start, int length) : MemoryManager<byte>
{
    public override Span<byte> GetSpan() => new(start, length);

    public override MemoryHandle Pin(int elementIndex = 0) => new(start + elementIndex);

    public override void Unpin()
    {
        // The caller's fixed statement holds it.
    }

    protected override void Dispose(bool disposing)
    {
        // The memory is the caller's.
    }
}
