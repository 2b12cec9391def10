using System.Runtime.InteropServices;

namespace SegmentAnything.Imaging;

/// <summary>The samples of a picture of 16 bits: how many there are of each value, and how they become bytes.</summary>
internal sealed class SampleRange
{
    // Below this, the upper 8 bits have 16 steps and fewer.
    private const int Small = 4096;
    private const double Percentile = 0.02;

    private readonly long[] _counts = new long[65536];
    private readonly long _total;

    /// <param name="samples">All samples of all channels.</param>
    public SampleRange(ReadOnlySpan<ushort> samples)
    {
        foreach (ushort sample in samples) _counts[sample]++;
        _total = samples.Length;
        Least = Array.FindIndex(_counts, count => count > 0);
        Greatest = Array.FindLastIndex(_counts, count => count > 0);
    }

    public int Least { get; }

    public int Greatest { get; }

    /// <summary>What is to be said of samples that were not stretched; null where they fill their range.</summary>
    public string? Hint => Greatest < Small
        ? $"its samples of 16 bits are {Least} to {Greatest} of 65535, so it is nearly black: stretch them"
        : null;

    /// <summary>Makes bytes of samples.</summary>
    public byte[] ToBytes(ReadOnlySpan<ushort> samples, SampleStretch stretch)
    {
        (int low, int high) = stretch == SampleStretch.Range ? (Least, Greatest) : (ValueAt(Percentile), ValueAt(1 - Percentile));
        byte[] table = new byte[_counts.Length];
        for (int value = 0; value < table.Length; value++)
            table[value] = (byte)Math.Round(255.0 * (Math.Clamp(value, low, high) - low) / Math.Max(1, high - low));
        byte[] bytes = new byte[samples.Length];
        for (int i = 0; i < bytes.Length; i++) bytes[i] = table[samples[i]];
        return bytes;
    }

    /// <summary>The samples in the memory that libvips gives.</summary>
    public static ReadOnlySpan<ushort> Samples(byte[] pixels) => MemoryMarshal.Cast<byte, ushort>(pixels);

    // The least value that so many of the samples do not exceed.
    private int ValueAt(double part)
    {
        long below = 0;
        for (int value = 0; value < _counts.Length; value++)
        {
            below += _counts[value];
            if (below >= part * _total && below > 0) return value;
        }

        return Greatest;
    }
}
