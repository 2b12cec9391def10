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
    public static void FillRuns(ReadOnlySpan<int> counts, byte foreground, Span<byte> columnMajor)
    {
        if (Vector512.IsHardwareAccelerated) FillRunsVector512(counts, foreground, columnMajor);
        else if (Vector256.IsHardwareAccelerated) FillRunsVector256(counts, foreground, columnMajor);
        else if (Vector128.IsHardwareAccelerated) FillRunsVector128(counts, foreground, columnMajor);
        else FillRunsScalar(counts, foreground, columnMajor);
    }

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

    internal static void FillRunsVector512(ReadOnlySpan<int> counts, byte foreground, Span<byte> columnMajor) =>
        FillRunsOverlapping<Store64>(counts, foreground, columnMajor);

    internal static void FillRunsVector256(ReadOnlySpan<int> counts, byte foreground, Span<byte> columnMajor) =>
        FillRunsOverlapping<Store32>(counts, foreground, columnMajor);

    internal static void FillRunsVector128(ReadOnlySpan<int> counts, byte foreground, Span<byte> columnMajor) =>
        FillRunsOverlapping<Store16>(counts, foreground, columnMajor);

    // Each run is written in whole stores of 64 bytes, over its end: the next run writes its own bytes there. So a short
    // run costs one store. Runs that end in the last 64 bytes are written byte by byte.
    private static void FillRunsOverlapping<TStore>(ReadOnlySpan<int> counts, byte foreground, Span<byte> columnMajor)
        where TStore : IStore
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
                    TStore.Fill64(ref Unsafe.Add(ref destination, position), value);
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

    // Fills 64 bytes.
    private interface IStore
    {
        static abstract void Fill64(ref byte destination, byte value);
    }

    private readonly struct Store64 : IStore
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Fill64(ref byte destination, byte value) => Vector512.Create(value).StoreUnsafe(ref destination);
    }

    private readonly struct Store32 : IStore
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Fill64(ref byte destination, byte value)
        {
            Vector256<byte> vector = Vector256.Create(value);
            vector.StoreUnsafe(ref destination);
            vector.StoreUnsafe(ref destination, 32);
        }
    }

    private readonly struct Store16 : IStore
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Fill64(ref byte destination, byte value)
        {
            Vector128<byte> vector = Vector128.Create(value);
            vector.StoreUnsafe(ref destination);
            vector.StoreUnsafe(ref destination, 16);
            vector.StoreUnsafe(ref destination, 32);
            vector.StoreUnsafe(ref destination, 48);
        }
    }
}
