using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace SegmentAnything.Rle.Kernels;

/// <content>Turns run lengths into a row-major bitmap.</content>
internal static partial class RleKernels
{
    /// <summary>Writes the runs as a row-major bitmap; bytes between the rows are left alone.</summary>
    /// <param name="counts">Canonical runs.</param>
    /// <param name="width">Pixels in a row.</param>
    /// <param name="height">Rows.</param>
    /// <param name="foreground">The value of a foreground pixel; background is 0.</param>
    /// <param name="bitmap">Rows from the top, <paramref name="stride"/> bytes apart.</param>
    /// <param name="stride">At least width.</param>
    /// <remarks>
    /// Exactness: every path equals <see cref="FillRunsRowMajorScalar"/>. Source: COCO API, maskApi.c (rleDecode), in rows.
    /// Measured by: DecodeBenchmarks.
    /// </remarks>
    public static void FillRunsRowMajor(
        ReadOnlySpan<int> counts, int width, int height, byte foreground, Span<byte> bitmap, int stride)
    {
        if (width < MinWordWidth) FillRunsRowMajorScalar(counts, width, height, foreground, bitmap, stride);
        else SimdDispatch.Run<FillRunsRowMajorKernel, int>(new(counts, width, height, foreground, bitmap, stride));
    }

    // The definition.
    internal static void FillRunsRowMajorScalar(
        ReadOnlySpan<int> counts, int width, int height, byte foreground, Span<byte> bitmap, int stride)
    {
        int x = 0, y = 0;
        for (int i = 0; i < counts.Length; i++)
        {
            byte value = (i & 1) == 0 ? (byte)0 : foreground;
            for (int j = 0; j < counts[i]; j++)
            {
                bitmap[(y * stride) + x] = value;
                if (++y < height) continue;
                y = 0;
                x++;
            }
        }
    }

    // The way of FindRunsInBitRows backwards: runs set bits in columns, blocks are transposed into bit rows, and rows are
    // written once, word by word.
    internal static void FillRunsRowMajor<TSimd, TVector>(
        ReadOnlySpan<int> counts, int width, int height, byte foreground, Span<byte> bitmap, int stride)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        int blocks = (height + 63) / 64;
        int stripWords = (blocks * 64) + StripGap;
        int strips = (width + 63) / 64;
        int panelStrips = Math.Clamp(PanelWords / stripWords, 1, strips);
        ulong[] panel = ArrayPool<ulong>.Shared.Rent(checked(panelStrips * stripWords));
        var runs = new RunReader(counts);
        for (int firstStrip = 0; firstStrip < strips; firstStrip += panelStrips)
        {
            int inPanel = Math.Min(panelStrips, strips - firstStrip);
            for (int s = 0; s < inPanel; s++)
            {
                int columns = Math.Min(64, width - ((firstStrip + s) * 64));
                Span<ulong> strip = panel.AsSpan(s * stripWords, blocks * 64);
                strip.Clear();
                if (!SetColumnBits(ref runs, columns, height, strip)) continue;
                for (int b = 0; b < blocks; b++)
                {
                    Span<ulong> block = strip.Slice(b * 64, 64);
                    if (block.ContainsAnyExcept(block[0]) || block[0] is not (0 or ulong.MaxValue))
                        BitWords<TSimd, TVector>.Transpose(ref MemoryMarshal.GetReference(block));
                }
            }

            WriteBitRows<TSimd, TVector>(panel, stripWords, firstStrip, inPanel, width, height, foreground, bitmap, stride);
        }

        ArrayPool<ulong>.Shared.Return(panel);
    }

    // Sets the bits of the next columns' foreground, row r of column c in bit r % 64 of word 64 (r / 64) + c. Says whether
    // there was any.
    private static bool SetColumnBits(ref RunReader runs, int columns, int height, Span<ulong> strip)
    {
        int rest = columns * height;
        int column = 0, row = 0;
        bool any = false;
        while (rest > 0)
        {
            int run = runs.Take(rest, out bool isForeground);
            rest -= run;
            if (!isForeground)
            {
                row += run;
                if (row >= height)
                {
                    column += row / height;
                    row %= height;
                }

                continue;
            }

            any = true;
            while (run > 0)
            {
                int piece = Math.Min(run, height - row);
                SetBits(strip, column, row, row + piece);
                run -= piece;
                row += piece;
                if (row < height) continue;
                row = 0;
                column++;
            }
        }

        return any;
    }

    private static void SetBits(Span<ulong> strip, int column, int top, int bottom)
    {
        int first = top / 64, last = (bottom - 1) / 64;
        ulong firstBits = ulong.MaxValue << (top % 64), lastBits = ulong.MaxValue >> (63 - ((bottom - 1) % 64));
        if (first == last)
        {
            strip[(first * 64) + column] |= firstBits & lastBits;
            return;
        }

        strip[(first * 64) + column] |= firstBits;
        for (int b = first + 1; b < last; b++) strip[(b * 64) + column] = ulong.MaxValue;
        strip[(last * 64) + column] |= lastBits;
    }

    private static void WriteBitRows<TSimd, TVector>(
        ulong[] panel, int stripWords, int firstStrip, int strips, int width, int height, byte foreground,
        Span<byte> bitmap, int stride)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        int firstColumn = firstStrip * 64;
        int columns = Math.Min(strips * 64, width - firstColumn);
        int whole = columns / 64, rest = columns % 64;
        Span<byte> tail = stackalloc byte[64];
        for (int y = 0; y < height; y++)
        {
            int start = (y * stride) + firstColumn;
            ref byte row = ref Unsafe.Add(ref MemoryMarshal.GetReference(bitmap), start);
            ref ulong word = ref panel[y];
            for (int s = 0; s < whole; s++)
            {
                BitWords<TSimd, TVector>.Spread(word, foreground, ref row);
                row = ref Unsafe.Add(ref row, 64);
                word = ref Unsafe.Add(ref word, stripWords);
            }

            if (rest == 0) continue;
            BitWords<TSimd, TVector>.Spread(word, foreground, ref MemoryMarshal.GetReference(tail));
            tail[..rest].CopyTo(bitmap.Slice(start + (whole * 64), rest));
        }
    }

    // Takes runs in parts.
    private ref struct RunReader(ReadOnlySpan<int> counts)
    {
        private readonly ReadOnlySpan<int> _counts = counts;
        private int _index;
        private int _left = counts[0];

        /// <summary>At most so many pixels of the present run, and their colour.</summary>
        public int Take(int most, out bool isForeground)
        {
            while (_left == 0) _left = _counts[++_index];
            isForeground = (_index & 1) != 0;
            int taken = Math.Min(most, _left);
            _left -= taken;
            return taken;
        }
    }

    private readonly ref struct FillRunsRowMajorKernel(
        ReadOnlySpan<int> counts, int width, int height, byte foreground, Span<byte> bitmap, int stride) : ISimdKernel<int>
    {
        private readonly ReadOnlySpan<int> _counts = counts;
        private readonly Span<byte> _bitmap = bitmap;

        public int Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct
        {
            FillRunsRowMajor<TSimd, TVector>(_counts, width, height, foreground, _bitmap, stride);
            return _counts.Length;
        }

        public int RunScalar()
        {
            FillRunsRowMajorScalar(_counts, width, height, foreground, _bitmap, stride);
            return _counts.Length;
        }
    }
}
