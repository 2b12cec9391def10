namespace SegmentAnything.Networks;

/// <summary>
/// A part of a network whose items do not need each other: what one thread does at a time. Threads meet behind it. An item does
/// as many steps as it can with what it has in the cache.
/// </summary>
/// <remarks>Immutable: what an item writes is in the run's pictures and in its thread's scratch.</remarks>
internal abstract unsafe class NetworkPhase
{
    /// <summary>How many items there are.</summary>
    public abstract int Items { get; }

    /// <summary>Floats of zeros that it reads where there is no picture.</summary>
    public virtual int Zeros => 0;

    /// <summary>Multiply-adds that its formulas need; what is computed twice at the edges of items does not count.</summary>
    public abstract long MultiplyAdds { get; }

    /// <summary>Does an item.</summary>
    /// <param name="run">The run.</param>
    /// <param name="item">Which.</param>
    /// <param name="scratch">Memory of this thread alone, <see cref="ScratchLength"/> floats, on a line of 64 bytes; whatever is in it.</param>
    public abstract void Execute(NetworkRun run, int item, float* scratch);

    /// <summary>Floats of scratch that an item needs.</summary>
    public abstract long ScratchLength { get; }

    /// <summary>Room for addresses, in an arena of floats.</summary>
    protected static float** TakeAddresses(ref FloatArena arena, int count) => (float**)arena.Take(2L * count);

    /// <summary>Addresses of rows that lie one after the other.</summary>
    protected static void Fill(float** rows, int count, float* first, nint stride)
    {
        for (int row = 0; row < count; row++, first += stride) rows[row] = first;
    }

    /// <summary>The first of the values of a part, where so many are divided into so many parts as evenly as can be.</summary>
    protected static int FirstOf(int part, int parts, int values) => (int)((long)values * part / parts);
}
