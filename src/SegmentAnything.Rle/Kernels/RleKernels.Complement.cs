namespace SegmentAnything.Rle.Kernels;

/// <content>Exchanges foreground and background.</content>
internal static partial class RleKernels
{
    /// <summary>The runs of the opposite of a mask.</summary>
    public static int[] Complement(ReadOnlySpan<int> counts)
    {
        // A first run of length 0 falls away; otherwise one is put in front.
        if (counts[0] == 0) return counts[1..].ToArray();
        var runs = new int[counts.Length + 1];
        counts.CopyTo(runs.AsSpan(1));
        return runs;
    }
}
