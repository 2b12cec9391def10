using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace SegmentAnything.Rle.Kernels;

/// <content>Turns run lengths into bytes in column-major order.</content>
internal static partial class RleKernels
{
    /// <summary>Runs from this length on are left to the library's fill, which aligns its stores.</summary>
    private const int LongRun = 512;

    /// <summary>Writes the runs as bytes in column-major order, every byte once.</summary>
    /// <param name="counts">Canonical runs.</param>
    /// <param name="foreground">The value of a foreground pixel; background is 0.</param>
    /// <param name="columnMajor">As many bytes as the runs add up to.</param>
    /// <remarks>
    /// Exactness: every path equals <see cref="FillRunsScalar"/>. Source: COCO API, maskApi.c (rleDecode). Measured by:
    /// DecodeBenchmarks.
    /// </remarks>
    public static void FillRuns(ReadOnlySpan<int> counts, byte foreground, Span<byte> columnMajor) =>
        SimdDispatch.Run<FillRunsKernel, int>(new(counts, foreground, columnMajor));

    // The definition.
    internal static void FillRunsScalar(ReadOnlySpan<int> counts, byte foreground, Span<byte> columnMajor)
    {
        int position = 0;
        for (int i = 0; i < counts.Length; i++)
        {
            byte value = (i & 1) == 0 ? (byte)0 : foreground;
            for (int j = 0; j < counts[i]; j++) columnMajor[position++] = value;
        }
    }

    // Each run is written in whole stores of 64 bytes, over its end: the next run writes its own bytes there. So a short
    // run costs one store. Runs that end in the last 64 bytes are written byte by byte.
    internal static void FillRuns<TSimd, TVector>(ReadOnlySpan<int> counts, byte foreground, Span<byte> columnMajor)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        ref byte destination = ref MemoryMarshal.GetReference(columnMajor);
        int lastStore = columnMajor.Length - 64;
        int position = 0;
        byte value = 0;
        int i = 0;
        for (; i < counts.Length; i++)
        {
            int run = counts[i], end = position + run;
            if (end > lastStore) break;
            if (run >= LongRun)
            {
                MemoryMarshal.CreateSpan(ref Unsafe.Add(ref destination, position), run).Fill(value);
                position = end;
            }
            else
            {
                do
                {
                    BitWords<TSimd, TVector>.Fill(value, ref Unsafe.Add(ref destination, position));
                    position += 64;
                }
                while (position < end);
                position = end;
            }

            value ^= foreground;
        }

        for (; i < counts.Length; i++)
        {
            columnMajor.Slice(position, counts[i]).Fill(value);
            position += counts[i];
            value ^= foreground;
        }
    }

    private readonly ref struct FillRunsKernel(ReadOnlySpan<int> counts, byte foreground, Span<byte> columnMajor) : ISimdKernel<int>
    {
        private readonly ReadOnlySpan<int> _counts = counts;
        private readonly Span<byte> _columnMajor = columnMajor;

        public int Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct
        {
            FillRuns<TSimd, TVector>(_counts, foreground, _columnMajor);
            return _counts.Length;
        }

        public int RunScalar()
        {
            FillRunsScalar(_counts, foreground, _columnMajor);
            return _counts.Length;
        }
    }
}
