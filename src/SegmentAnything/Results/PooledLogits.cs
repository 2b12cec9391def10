using System.Buffers;
using System.Runtime.InteropServices;

namespace SegmentAnything;

/// <summary>
/// Logits of one or more predictions in pooled memory, which goes back when the last of them is disposed. Whoever reads later
/// gets an exception, not what another prediction has written there.
/// </summary>
/// <param name="length">Values.</param>
/// <param name="users">Predictions that share the memory.</param>
/// <remarks>
/// New memory costs more than it seems: the system must map and clear every page of it, and a virtual machine's host may have
/// to find it first. Where nothing is disposed the collector takes the memory, as it does any array.
/// </remarks>
internal sealed class PooledLogits(int length, int users) : MemoryManager<float>
{
    private float[]? _values = ArrayPool<float>.Shared.Rent(length);
    private int _users = users;

    /// <inheritdoc/>
    public override Span<float> GetSpan() => Values.AsSpan(0, length);

    /// <inheritdoc/>
    public override unsafe MemoryHandle Pin(int elementIndex = 0)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)elementIndex, (uint)length, nameof(elementIndex));
        GCHandle handle = GCHandle.Alloc(Values, GCHandleType.Pinned);
        return new MemoryHandle((float*)handle.AddrOfPinnedObject() + elementIndex, handle);
    }

    /// <inheritdoc/>
    public override void Unpin()
    {
        // The handle that Pin gave frees itself.
    }

    /// <summary>One of the predictions needs them no longer.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref _users) == 0) ArrayPool<float>.Shared.Return(Interlocked.Exchange(ref _values, null)!);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
    }

    private float[] Values => _values ?? throw new ObjectDisposedException(
        nameof(MaskPrediction), "These logits belong to a prediction that was disposed: dispose it after their last use, which may be a prompt that was made with AndMask.");
}
