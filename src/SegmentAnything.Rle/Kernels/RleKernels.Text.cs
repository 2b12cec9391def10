namespace SegmentAnything.Rle.Kernels;

/// <content>COCO's compressed text.</content>
internal static partial class RleKernels
{
    /// <summary>Most characters a number takes: 7 groups of 5 bits hold any difference of two runs below 2^31.</summary>
    internal const int MaxGroups = 7;

    /// <summary>Writes runs as COCO's text.</summary>
    /// <param name="counts">Run lengths, none negative.</param>
    /// <param name="text">ASCII; 7 bytes a run always suffice.</param>
    /// <returns>The number of characters written.</returns>
    /// <remarks>
    /// A number is written in groups of five bits, lowest first; 0x20 says that more follow, 0x10 of the last group is
    /// the sign, and 48 is added. From the fourth run on the difference to the run two before is written.
    /// Source: COCO API, maskApi.c (rleToString).
    /// </remarks>
    public static int WriteText(ReadOnlySpan<int> counts, Span<byte> text) => WriteTextScalar(counts, text);

    // The definition.
    internal static int WriteTextScalar(ReadOnlySpan<int> counts, Span<byte> text)
    {
        int length = 0;
        for (int i = 0; i < counts.Length; i++)
        {
            int value = counts[i];
            if (i > 2) value -= counts[i - 2];
            bool more;
            do
            {
                int group = value & 0x1f;
                value >>= 5;
                more = (group & 0x10) != 0 ? value != -1 : value != 0;
                text[length++] = (byte)((more ? group | 0x20 : group) + 48);
            }
            while (more);
        }

        return length;
    }

    /// <summary>Reads COCO's text into runs, as they are written: runs of length 0 are kept.</summary>
    /// <param name="text">ASCII.</param>
    /// <param name="counts">At least as long as <paramref name="text"/>.</param>
    /// <returns>The number of runs.</returns>
    /// <exception cref="RleFormatException">
    /// A character outside '0' to 'o', a number of more than 7 characters or that does not end, a run that is negative
    /// or above 2^31 - 1.
    /// </exception>
    public static int ReadText(ReadOnlySpan<byte> text, Span<int> counts) => ReadTextScalar(text, counts);

    // The definition.
    internal static int ReadTextScalar(ReadOnlySpan<byte> text, Span<int> counts)
    {
        int runs = 0, position = 0;
        while (position < text.Length) counts[runs++] = ReadRun(text, counts, runs - 1, ref position);
        return runs;
    }

    // One run; counts[..index] are the runs before it.
    private static int ReadRun(ReadOnlySpan<byte> text, ReadOnlySpan<int> counts, int index, ref int position)
    {
        int start = position;
        long value = 0;
        for (int shift = 0; ; shift += 5)
        {
            if (position == text.Length)
                ThrowHelper.Format($"the text ends inside the number that starts at {start}; it was cut off", position);
            int group = text[position] - 48;
            if ((uint)group > 0x3f)
            {
                ThrowHelper.Format(
                    $"the character 0x{text[position]:X2} is not one of COCO's, which are '0' (0x30) to 'o' (0x6F)", position);
            }

            if (shift == 5 * MaxGroups)
                ThrowHelper.Format($"the number that starts at {start} has more than {MaxGroups} characters", position);
            position++;
            value |= (long)(group & 0x1f) << shift;
            if ((group & 0x20) != 0) continue;
            if ((group & 0x10) != 0) value |= -1L << (shift + 5);
            break;
        }

        if (index > 2) value += counts[index - 2];
        if ((ulong)value > int.MaxValue)
        {
            ThrowHelper.Format(
                value < 0 ? $"run {index} has length {value}; no run is negative"
                    : $"run {index} has length {value}; at most {int.MaxValue} can be counted", start);
        }

        return (int)value;
    }

    /// <summary>Checks that runs fill a mask and brings them into the canonical form, without runs of length 0.</summary>
    /// <param name="counts">Run lengths; none may be negative. Changed in place.</param>
    /// <param name="pixels">What they must add up to.</param>
    /// <returns>The number of runs that are left, at the start of <paramref name="counts"/>.</returns>
    /// <exception cref="RleFormatException">A negative run, or another sum.</exception>
    public static int Canonicalize(Span<int> counts, int pixels)
    {
        long sum = 0;
        int runs = 0;
        for (int i = 0; i < counts.Length; i++)
        {
            int run = counts[i];
            if (run < 0) ThrowHelper.Format($"run {i} has length {run}; no run is negative", i);
            sum += run;
            if (sum > pixels)
            {
                ThrowHelper.Format(
                    $"the runs add up to {sum} or more; the mask has {pixels} pixels: is this the text of another size?", i);
            }

            if (run == 0 && i > 0) continue;
            // Run i has the colour of i's parity; after left-out runs it may belong to the last one kept.
            if (runs > 0 && ((runs - 1) & 1) == (i & 1)) counts[runs - 1] += run;
            else counts[runs++] = run;
        }

        if (sum != pixels)
        {
            ThrowHelper.Format(
                $"the runs add up to {sum}; the mask has {pixels} pixels: is this the text of another size?", counts.Length);
        }

        return runs;
    }
}
