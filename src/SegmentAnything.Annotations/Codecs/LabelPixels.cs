using SegmentAnything.Rle;

namespace SegmentAnything.Annotations.Codecs;

/// <summary>Between masks and pixels that are labels.</summary>
internal static class LabelPixels
{
    /// <summary>The mask of each label but 0, by label, in one pass over the pixels.</summary>
    /// <param name="values">Row-major.</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    public static SortedDictionary<int, RleMask> ToMasks(ReadOnlySpan<ushort> values, int width, int height)
    {
        // Run lengths go down columns: a band of columns at a time is turned, so that rows are read in pieces that lie together.
        const int Band = 64;
        var runs = new SortedDictionary<int, (List<int> Counts, int End)>();
        var columns = new ushort[Math.Min(Band, width) * (long)height];
        int current = 0, start = 0;
        for (int left = 0; left < width; left += Band)
        {
            int count = Math.Min(Band, width - left);
            for (int y = 0; y < height; y++)
            {
                ReadOnlySpan<ushort> row = values.Slice((y * width) + left, count);
                for (int x = 0; x < count; x++) columns[((long)x * height) + y] = row[x];
            }

            int first = left * height;
            for (int i = 0; i < count * height; i++)
            {
                int label = columns[i];
                if (label == current) continue;
                Close(first + i);
                (current, start) = (label, first + i);
            }
        }

        int pixels = width * height;
        Close(pixels);
        var masks = new SortedDictionary<int, RleMask>();
        foreach ((int label, (List<int> counts, int end)) in runs)
        {
            if (end < pixels) counts.Add(pixels - end);
            masks.Add(label, RleMask.FromCounts([.. counts], width, height));
        }

        return masks;

        void Close(int end)
        {
            if (current == 0) return;
            if (!runs.TryGetValue(current, out (List<int> Counts, int End) run)) run = ([], 0);
            run.Counts.Add(start - run.End);
            run.Counts.Add(end - start);
            runs[current] = (run.Counts, end);
        }
    }

    /// <summary>Writes a label wherever a mask is.</summary>
    /// <returns>Pixels that had another label.</returns>
    public static long Paint(RleMask mask, ushort label, Span<ushort> values)
    {
        int width = mask.Width, height = mask.Height, position = 0;
        long covered = 0;
        ReadOnlySpan<int> counts = mask.Counts;
        for (int i = 0; i < counts.Length; i++)
        {
            for (int end = position + counts[i]; position < end; position++)
            {
                if (i % 2 == 0)
                {
                    position = end;
                    break;
                }

                ref ushort value = ref values[(position % height * width) + (position / height)];
                if (value != 0) covered++;
                value = label;
            }
        }

        return covered;
    }

    /// <summary>A mask as an 8-bit PNG.</summary>
    /// <param name="mask">The mask.</param>
    /// <param name="foreground">The value of its pixels.</param>
    /// <param name="stream">Where to.</param>
    public static void WriteMask(RleMask mask, byte foreground, Stream stream)
    {
        GrayPng.CheckPixels(mask.Width, mask.Height);
        byte[] pixels = new byte[mask.Width * mask.Height];
        mask.ToBitmap(pixels, foreground: foreground);
        GrayPng.Write(stream, mask.Width, mask.Height, wide: false, (y, row) => pixels.AsSpan(y * mask.Width, mask.Width).CopyTo(row));
    }

    /// <summary>The pixels of a PNG that are not 0.</summary>
    public static RleMask ReadMask(ReadOnlySpan<byte> png, string name)
    {
        (ushort[] values, int width, int height) = GrayPng.Read(png, name);
        byte[] bitmap = new byte[values.Length];
        for (int i = 0; i < values.Length; i++) bitmap[i] = values[i] != 0 ? (byte)1 : (byte)0;
        return RleMask.FromBitmap(bitmap, width, height);
    }
}
