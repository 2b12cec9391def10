using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace SegmentAnything.Rle;

/// <summary>Collects run lengths in a pooled buffer; use <see cref="ToArrayAndFree"/> once at the end.</summary>
internal ref struct RunBuilder
{
    private int[] _buffer;
    private int _length;

    /// <summary>Creates a builder with room for a typical mask.</summary>
    public RunBuilder() : this(2048)
    {
    }

    /// <summary>Creates a builder with room for a number of runs; it grows on demand.</summary>
    public RunBuilder(int capacity) => _buffer = ArrayPool<int>.Shared.Rent(capacity);

    /// <summary>Runs so far.</summary>
    public readonly int Length => _length;

    /// <summary>Appends a run.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(int run)
    {
        if (_length == _buffer.Length) Grow(1);
        _buffer[_length++] = run;
    }

    /// <summary>
    /// Appends a stretch of a colour, given in any order and possibly empty: it is joined to the last run of its colour.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AddStretch(int length, bool foreground)
    {
        if (length == 0) return;
        // The colour of the last run is foreground when their number is even (and not zero).
        if (_length > 0 && (_length & 1) == 0 == foreground)
        {
            _buffer[_length - 1] += length;
            return;
        }

        if (_length == 0 && foreground) Add(0);
        Add(length);
    }

    /// <summary>Room for <paramref name="count"/> more runs after the present ones; report them with <see cref="Advance"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Span<int> GetSpan(int count)
    {
        if (_buffer.Length - _length < count) Grow(count);
        return _buffer.AsSpan(_length);
    }

    /// <summary>As <see cref="GetSpan"/>, for writing without bounds checks.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref int GetReference(int count)
    {
        if (_buffer.Length - _length < count) Grow(count);
        return ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_buffer), _length);
    }

    /// <summary>Takes over runs written to <see cref="GetSpan"/>.</summary>
    public void Advance(int count) => _length += count;

    /// <summary>Forgets the runs so far.</summary>
    public void Clear() => _length = 0;

    /// <summary>The runs so far.</summary>
    public readonly Span<int> Runs => _buffer.AsSpan(0, _length);

    /// <summary>Copies the runs into an array of their own and gives the buffer back.</summary>
    public int[] ToArrayAndFree()
    {
        int[] runs = _buffer.AsSpan(0, _length).ToArray();
        Free();
        return runs;
    }

    /// <summary>Gives the buffer back; the builder must not be used afterwards.</summary>
    public void Free()
    {
        ArrayPool<int>.Shared.Return(_buffer);
        _buffer = [];
        _length = 0;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Grow(int count)
    {
        int[] larger = ArrayPool<int>.Shared.Rent(checked((int)Math.Max((long)_length + count, Math.Min(2L * _length, Array.MaxLength))));
        _buffer.AsSpan(0, _length).CopyTo(larger);
        ArrayPool<int>.Shared.Return(_buffer);
        _buffer = larger;
    }
}
