using System.Numerics;
using SegmentAnything.Rle;

namespace SegmentAnything.Evaluation;

/// <summary>An image of bits: rows of words of 64 columns, the lowest bit on the left. Bits right of the image are 0.</summary>
internal sealed class BitImage
{
    public BitImage(int width, int height)
    {
        Width = width;
        Height = height;
        WordsPerRow = (width + 63) / 64;
        Words = new ulong[WordsPerRow * height];
    }

    public int Width { get; }

    public int Height { get; }

    public int WordsPerRow { get; }

    public ulong[] Words { get; }

    public long Count
    {
        get
        {
            long count = 0;
            foreach (ulong word in Words) count += BitOperations.PopCount(word);
            return count;
        }
    }

    public Span<ulong> Row(int y) => Words.AsSpan(y * WordsPerRow, WordsPerRow);

    public void Set(int x, int y) => Words[(y * WordsPerRow) + (x >> 6)] |= 1UL << x;

    public static BitImage Of(RleMask mask)
    {
        var image = new BitImage(mask.Width, mask.Height);
        byte[] pixels = mask.ToBitmap();
        for (int y = 0; y < mask.Height; y++)
        {
            for (int x = 0; x < mask.Width; x++)
            {
                if (pixels[(y * mask.Width) + x] != 0) image.Set(x, y);
            }
        }

        return image;
    }

    /// <summary>The pixels of an 8-bit image that are a level or more.</summary>
    public static BitImage AtLeast(ReadOnlySpan<byte> levels, int width, int height, int level)
    {
        var image = new BitImage(width, height);
        for (int y = 0; y < height; y++)
        {
            for (int x = 0; x < width; x++)
            {
                if (levels[(y * width) + x] >= level) image.Set(x, y);
            }
        }

        return image;
    }

    /// <summary>The columns and rows of the pixels that are set, in reading order.</summary>
    public (int X, int Y)[] Pixels()
    {
        var pixels = new (int X, int Y)[Count];
        int next = 0;
        for (int y = 0; y < Height; y++)
        {
            Span<ulong> row = Row(y);
            for (int w = 0; w < row.Length; w++)
            {
                for (ulong word = row[w]; word != 0; word &= word - 1)
                    pixels[next++] = ((w * 64) + BitOperations.TrailingZeroCount(word), y);
            }
        }

        return pixels;
    }

    public BitImage Copy()
    {
        var copy = new BitImage(Width, Height);
        Words.CopyTo(copy.Words, 0);
        return copy;
    }
}
