using SegmentAnything.Kernels;

namespace SegmentAnything.Masks;

/// <summary>What is known of 64 pixels of a source column before anything is interpolated.</summary>
internal enum WordState : byte
{
    /// <summary>All are below every cut-off.</summary>
    Below,

    /// <summary>All are above every cut-off.</summary>
    Above,

    /// <summary>They must be computed.</summary>
    Mixed,
}

/// <summary>Neighbouring words of a source column of the same state.</summary>
internal struct Stretch
{
    /// <summary>The first word.</summary>
    public int Start;

    /// <summary>One behind the last word.</summary>
    public int End;

    /// <summary>Their state.</summary>
    public WordState State;
}

/// <summary>
/// A source column's words divided into stretches of the same state. It holds for all source columns that lie over the same
/// low-resolution columns.
/// </summary>
internal sealed class ColumnDivision(ResizePlan plan, LogitColumns logits)
{
    private readonly Stretch[] _stretches = new Stretch[plan.WordRows.Length];
    private readonly ulong[] _below = new ulong[logits.Words];
    private readonly ulong[] _above = new ulong[logits.Words];
    private int _count;

    /// <summary>Counts the times that it changed.</summary>
    public int Version { get; private set; }

    /// <summary>From the top to the bottom.</summary>
    public ReadOnlySpan<Stretch> Stretches => _stretches.AsSpan(0, _count);

    /// <summary>Divides anew, for source columns over some low-resolution columns, both included.</summary>
    public void Divide(int lowFirst, int lowLast)
    {
        logits.FindBelow(lowFirst, lowLast, _below);
        logits.FindAbove(lowFirst, lowLast, _above);
        int count = 0;
        WordRows[] wordRows = plan.WordRows;
        for (int word = 0; word < wordRows.Length; word++)
        {
            ref readonly WordRows rows = ref wordRows[word];
            WordState state = MaskKernels.AllSet(_below, rows.FirstLowRow, rows.LastLowRow) ? WordState.Below
                : MaskKernels.AllSet(_above, rows.FirstLowRow, rows.LastLowRow) ? WordState.Above
                : WordState.Mixed;
            if (count > 0 && _stretches[count - 1].State == state) _stretches[count - 1].End = word + 1;
            else _stretches[count++] = new Stretch { Start = word, End = word + 1, State = state };
        }

        _count = count;
        Version++;
    }

    /// <summary>At most how many pixels of a source column over some low-resolution columns are above the lowest cut-off.</summary>
    public int MostAbove(int lowFirst, int lowLast)
    {
        logits.FindBelow(lowFirst, lowLast, _below);
        int pixels = 0;
        foreach (ref readonly WordRows rows in plan.WordRows.AsSpan())
        {
            if (!MaskKernels.AllSet(_below, rows.FirstLowRow, rows.LastLowRow)) pixels += 64;
        }

        return pixels;
    }
}
