using SegmentAnything.Kernels;

namespace SegmentAnything.Decoding;

/// <summary>Owns weights in the layouts that the kernels read. Immutable once built, so shared by all threads.</summary>
internal abstract unsafe class PackedWeights : IDisposable
{
    private readonly List<NativeFloats> _blocks = [];

    public virtual void Dispose()
    {
        foreach (NativeFloats block in _blocks) block.Dispose();
    }

    /// <summary>A copy on lines of 64 bytes.</summary>
    protected float* Pack(ReadOnlySpan<float> values)
    {
        float* result = Allocate(values.Length);
        values.CopyTo(new Span<float>(result, values.Length));
        return result;
    }

    /// <summary>count x steps, row-major, as panels [block of 8 rows][step][8 rows].</summary>
    protected float* PackPanels(ReadOnlySpan<float> rows, int count, int steps)
    {
        float* panels = Allocate((long)DecoderMath.RoundUp(count, DecoderKernels.BlockRows) * steps);
        fixed (float* source = rows) DecoderKernels.PackPanels(source, steps, count, steps, panels);
        return panels;
    }

    /// <summary>Memory of its own, not initialised.</summary>
    protected float* Allocate(long count)
    {
        NativeFloats block = new(count);
        _blocks.Add(block);
        return block.Pointer;
    }
}
