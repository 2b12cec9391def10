using System.Globalization;
using System.Text;
using SegmentAnything.Annotations.Codecs;
using SegmentAnything.Rle;

namespace SegmentAnything.Annotations;

/// <summary>The run lengths of other tools, which are not COCO's.</summary>
public static class RunLengthText
{
    // Label Studio's own encoder: values of 8 bits, lengths in one of four widths.
    private static readonly int[] LabelStudioWidths = [3, 4, 8, 16];

    /// <summary>A mask as Kaggle's competitions have it: pairs of start and length, from 1, down the columns.</summary>
    /// <param name="mask">The mask.</param>
    /// <returns>Such as <c>3 2 9 4</c>; empty for an empty mask.</returns>
    /// <remarks>Source: the evaluation pages of the competitions, such as the Data Science Bowl 2018.</remarks>
    public static string ToKaggle(RleMask mask)
    {
        ArgumentNullException.ThrowIfNull(mask);
        var text = new StringBuilder();
        long position = 1;
        ReadOnlySpan<int> counts = mask.Counts;
        for (int i = 0; i < counts.Length; i++)
        {
            if (i % 2 == 1) text.Append(text.Length == 0 ? "" : " ").Append(position).Append(' ').Append(counts[i]);
            position += counts[i];
        }

        return text.ToString();
    }

    /// <summary>Reads Kaggle's pairs.</summary>
    /// <param name="text">Pairs of start and length, from 1, down the columns, in ascending order; empty for an empty mask.</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <exception cref="RleFormatException">They are no such pairs, or lead out of the mask (the position is the number's place).</exception>
    public static RleMask FromKaggle(string text, int width, int height)
    {
        ArgumentNullException.ThrowIfNull(text);
        int pixels = RleMask.Empty(width, height).Counts[0];
        List<int> counts = [];
        long end = 0;
        int place = 0;
        long start = 0;
        foreach (Range range in text.AsSpan().SplitAny(' ', '\t', ',', '\r', '\n'))
        {
            ReadOnlySpan<char> word = text.AsSpan()[range];
            if (word.IsEmpty) continue;
            if (!int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out int number))
                throw new RleFormatException($"\"{Shorten(word)}\" is no whole number of at most {int.MaxValue}", place);
            if (place++ % 2 == 0)
            {
                start = (long)number - 1;
                if (start < end) throw new RleFormatException($"the run that starts at {number} begins before the last one ended, or before 1; ascending starts from 1 were expected", place - 1);
                continue;
            }

            if (number == 0) throw new RleFormatException("a run of length 0", place - 1);
            if (start + number > pixels) throw new RleFormatException($"the run of {number} pixels at {start + 1} leads out of the mask's {pixels} pixels: is it of another size?", place - 1);
            counts.Add((int)(start - end));
            counts.Add(number);
            end = start + number;
        }

        if (place % 2 != 0) throw new RleFormatException($"there are {place} numbers; pairs of start and length were expected", place);
        counts.Add((int)(pixels - end));
        return RleMask.FromCounts([.. counts], width, height);
    }

    /// <summary>A mask as CVAT has it: run lengths along the rows of its box, background first.</summary>
    /// <param name="mask">The mask, cropped to its box.</param>
    /// <returns>Such as <c>1, 3, 2</c>.</returns>
    /// <remarks>Source: CVAT, XML annotation format, the attribute rle of a mask.</remarks>
    public static string ToCvat(RleMask mask)
    {
        ArgumentNullException.ThrowIfNull(mask);
        // Rows exchanged with columns, the runs go along the rows.
        return string.Join(", ", mask.Transpose().Counts.ToArray());
    }

    /// <summary>Reads CVAT's run lengths.</summary>
    /// <param name="text">Run lengths along the rows, background first, separated by commas.</param>
    /// <param name="width">Columns of the box.</param>
    /// <param name="height">Rows of the box.</param>
    /// <exception cref="RleFormatException">They are no run lengths, or there are more than 2^28 pixels, or they do not add up to the size (the position is the run's place).</exception>
    public static RleMask FromCvat(string text, int width, int height)
    {
        ArgumentNullException.ThrowIfNull(text);
        int pixels = CountPixels(width, height);
        // Nothing is allocated before the runs are known to add up.
        List<int> runs = [];
        long sum = 0;
        foreach (Range range in text.AsSpan().SplitAny(' ', '\t', ',', '\r', '\n'))
        {
            ReadOnlySpan<char> word = text.AsSpan()[range];
            if (word.IsEmpty) continue;
            if (!int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out int run))
                throw new RleFormatException($"\"{Shorten(word)}\" is no whole number of at most {int.MaxValue}", runs.Count);
            sum += run;
            if (sum > pixels) throw new RleFormatException($"the runs add up to {sum} or more; the box has {pixels} pixels", runs.Count);
            runs.Add(run);
        }

        if (sum != pixels) throw new RleFormatException($"the runs add up to {sum}; the box has {pixels} pixels", runs.Count);
        return RleMask.FromCounts([.. runs], height, width).Transpose();
    }

    /// <summary>A mask as Label Studio's brush has it: the packed bytes of its picture in four equal channels.</summary>
    /// <param name="mask">The mask.</param>
    /// <returns>The bytes, of which a file has a list.</returns>
    /// <remarks>Source: label-studio-converter, brush.py (encode_rle).</remarks>
    public static byte[] ToLabelStudio(RleMask mask)
    {
        ArgumentNullException.ThrowIfNull(mask);
        var bits = new BitWriter();
        bits.Write((uint)(4L * mask.Width * mask.Height), 32);
        bits.Write(8 - 1, 5);
        foreach (int width in LabelStudioWidths) bits.Write((uint)width - 1, 4);
        uint value = 0;
        foreach (int run in mask.Transpose().Counts)
        {
            WriteRun(bits, 4L * run, value);
            value = 255 - value;
        }

        return bits.ToArray();
    }

    /// <summary>Reads Label Studio's packed bytes; a pixel is in the mask where its fourth channel is not 0.</summary>
    /// <param name="bytes">The bytes.</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <exception cref="RleFormatException">They are no such bytes, end early or are of another size, or there are more than 2^28 pixels (the position is a byte's).</exception>
    public static RleMask FromLabelStudio(ReadOnlySpan<byte> bytes, int width, int height)
    {
        int pixels = CountPixels(width, height);
        var bits = new BitReader(bytes);
        long values = bits.Read(32);
        // The number has 32 bits and wraps around in very large pictures.
        if (values != (uint)(4L * pixels)) throw new RleFormatException($"there are {values} values; the picture's {width}x{height} pixels have {4L * pixels}: is it of another size?", 0);
        int valueBits = (int)bits.Read(5) + 1;
        Span<int> widths = stackalloc int[4];
        for (int i = 0; i < 4; i++) widths[i] = (int)bits.Read(4) + 1;
        List<(long End, bool Inside)> runs = [];
        long position = 0, total = 4L * pixels;
        while (position < total)
        {
            bool repeated = bits.Read(1) != 0;
            long length = 1 + bits.Read(widths[(int)bits.Read(2)]);
            if (position + length > total) throw new RleFormatException("the runs lead out of the picture: is it of another size?", bits.Byte);
            if (repeated)
            {
                Add(bits.Read(valueBits) != 0, length);
                continue;
            }

            for (long i = 0; i < length; i++) Add(bits.Read(valueBits) != 0, 1);
        }

        // A run of values holds the fourth channel of each pixel whose last value lies in it.
        List<int> counts = runs is [(_, true), ..] ? [0] : [];
        long from = 0;
        foreach ((long end, _) in runs)
        {
            counts.Add((int)((end / 4) - (from / 4)));
            from = end;
        }

        return RleMask.FromCounts([.. counts], height, width).Transpose();

        void Add(bool inside, long length)
        {
            position += length;
            if (runs.Count > 0 && runs[^1].Inside == inside) runs[^1] = (position, inside);
            else runs.Add((position, inside));
        }
    }

    // A file of some bytes may claim as many rows or columns, and each takes memory until it is known to be wrong.
    private static int CountPixels(int width, int height)
    {
        int pixels = RleMask.Empty(width, height).Counts[0];
        return pixels <= GrayPng.MaxPixels ? pixels : throw new RleFormatException($"there are {width}x{height} pixels; at most {GrayPng.MaxPixels} are read");
    }

    private static void WriteRun(BitWriter bits, long length, uint value)
    {
        int width = 0;
        while (width < 3 && length > 1L << LabelStudioWidths[width]) width++;
        while (length > 0)
        {
            long part = Math.Min(length, 1L << LabelStudioWidths[width]);
            bits.Write(1, 1);
            bits.Write((uint)width, 2);
            bits.Write((uint)(part - 1), LabelStudioWidths[width]);
            bits.Write(value, 8);
            length -= part;
        }
    }

    private static string Shorten(ReadOnlySpan<char> word) => word.Length <= 20 ? word.ToString() : $"{word[..20]}...";

    private sealed class BitWriter
    {
        private readonly List<byte> _bytes = [];
        private ulong _pending;
        private int _count;

        public void Write(uint value, int bits)
        {
            _pending = (_pending << bits) | value;
            _count += bits;
            while (_count >= 8) _bytes.Add((byte)(_pending >> (_count -= 8)));
        }

        // The source fills up to the next byte, and adds a whole one where nothing is left to fill.
        public byte[] ToArray() => [.. _bytes, (byte)(_pending << (8 - _count))];
    }

    private ref struct BitReader(ReadOnlySpan<byte> bytes)
    {
        private readonly ReadOnlySpan<byte> _bytes = bytes;
        private long _position;

        public readonly long Byte => _position / 8;

        public uint Read(int bits)
        {
            if (_position + bits > 8L * _bytes.Length) throw new RleFormatException("the bytes end in the middle: they were cut short", _bytes.Length);
            uint value = 0;
            for (int i = 0; i < bits; i++, _position++) value = (value << 1) | ((uint)_bytes[(int)(_position / 8)] >> (7 - (int)(_position % 8)) & 1);
            return value;
        }
    }
}
