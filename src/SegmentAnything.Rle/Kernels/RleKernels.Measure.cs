using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace SegmentAnything.Rle.Kernels;

/// <content>Area and bounding box from the runs alone.</content>
internal static partial class RleKernels
{
    /// <summary>Sum of the foreground runs.</summary>
    /// <remarks>
    /// Exactness: every path equals <see cref="AreaScalar"/>. Source: COCO API, maskApi.c (rleArea). Measured by:
    /// MeasureBenchmarks.
    /// </remarks>
    public static long Area(ReadOnlySpan<int> counts)
    {
        if (Vector512.IsHardwareAccelerated && counts.Length >= 16) return AreaVector512(counts);
        if (Vector256.IsHardwareAccelerated && counts.Length >= 16) return AreaVector256(counts);
        if (Vector128.IsHardwareAccelerated && counts.Length >= 16) return AreaVector128(counts);
        return AreaScalar(counts);
    }

    // The definition.
    internal static long AreaScalar(ReadOnlySpan<int> counts)
    {
        long area = 0;
        for (int i = 1; i < counts.Length; i += 2) area += counts[i];
        return area;
    }

    // A pair of runs is one number of 64 bits, background below and foreground above (runs are never negative). Four sums,
    // so that additions do not wait for each other.
    internal static long AreaVector512(ReadOnlySpan<int> counts)
    {
        ReadOnlySpan<ulong> pairs = AsPairs(counts);
        if (pairs.Length < 8) return AreaScalar(counts);
        ref ulong first = ref MemoryMarshal.GetReference(pairs);
        Vector512<ulong> s0 = default, s1 = default, s2 = default, s3 = default;
        int i = 0;
        for (; i <= pairs.Length - 32; i += 32)
        {
            s0 += Vector512.LoadUnsafe(ref first, (nuint)i) >>> 32;
            s1 += Vector512.LoadUnsafe(ref first, (nuint)i + 8) >>> 32;
            s2 += Vector512.LoadUnsafe(ref first, (nuint)i + 16) >>> 32;
            s3 += Vector512.LoadUnsafe(ref first, (nuint)i + 24) >>> 32;
        }

        for (; i <= pairs.Length - 8; i += 8) s0 += Vector512.LoadUnsafe(ref first, (nuint)i) >>> 32;
        // The rest as the end of the last eight; the others of them are in the sum already.
        Vector512<ulong> last = Vector512.LoadUnsafe(ref first, (nuint)pairs.Length - 8) >>> 32;
        last &= Vector512.GreaterThan(Vector512<long>.Indices + Vector512.Create((long)(pairs.Length - i)), Vector512.Create(7L)).AsUInt64();
        return (long)Vector512.Sum(s0 + s1 + (s2 + s3) + last);
    }

    internal static long AreaVector256(ReadOnlySpan<int> counts)
    {
        ReadOnlySpan<ulong> pairs = AsPairs(counts);
        if (pairs.Length < 4) return AreaScalar(counts);
        ref ulong first = ref MemoryMarshal.GetReference(pairs);
        Vector256<ulong> s0 = default, s1 = default, s2 = default, s3 = default;
        int i = 0;
        for (; i <= pairs.Length - 16; i += 16)
        {
            s0 += Vector256.LoadUnsafe(ref first, (nuint)i) >>> 32;
            s1 += Vector256.LoadUnsafe(ref first, (nuint)i + 4) >>> 32;
            s2 += Vector256.LoadUnsafe(ref first, (nuint)i + 8) >>> 32;
            s3 += Vector256.LoadUnsafe(ref first, (nuint)i + 12) >>> 32;
        }

        for (; i <= pairs.Length - 4; i += 4) s0 += Vector256.LoadUnsafe(ref first, (nuint)i) >>> 32;
        Vector256<ulong> last = Vector256.LoadUnsafe(ref first, (nuint)pairs.Length - 4) >>> 32;
        last &= Vector256.GreaterThan(Vector256<long>.Indices + Vector256.Create((long)(pairs.Length - i)), Vector256.Create(3L)).AsUInt64();
        return (long)Vector256.Sum(s0 + s1 + (s2 + s3) + last);
    }

    internal static long AreaVector128(ReadOnlySpan<int> counts)
    {
        ReadOnlySpan<ulong> pairs = AsPairs(counts);
        ref ulong first = ref MemoryMarshal.GetReference(pairs);
        Vector128<ulong> s0 = default, s1 = default, s2 = default, s3 = default;
        int i = 0;
        for (; i <= pairs.Length - 8; i += 8)
        {
            s0 += Vector128.LoadUnsafe(ref first, (nuint)i) >>> 32;
            s1 += Vector128.LoadUnsafe(ref first, (nuint)i + 2) >>> 32;
            s2 += Vector128.LoadUnsafe(ref first, (nuint)i + 4) >>> 32;
            s3 += Vector128.LoadUnsafe(ref first, (nuint)i + 6) >>> 32;
        }

        for (; i <= pairs.Length - 2; i += 2) s0 += Vector128.LoadUnsafe(ref first, (nuint)i) >>> 32;
        return (long)Vector128.Sum(s0 + s1 + (s2 + s3)) + AreaScalar(counts[(2 * i)..]);
    }

    // A last run without a partner is background and counts for nothing.
    private static ReadOnlySpan<ulong> AsPairs(ReadOnlySpan<int> counts) => MemoryMarshal.Cast<int, ulong>(counts);

    /// <summary>The smallest box around the foreground; 0, 0, 0, 0 when there is none.</summary>
    /// <remarks>
    /// A run that goes on in the next column covers the last row of the one and the first of the other. Exactness: equals
    /// <see cref="BoundingBoxScalar"/>. Source: COCO API, maskApi.c (rleToBbox). Measured by: MeasureBenchmarks.
    /// </remarks>
    public static MaskBox BoundingBox(ReadOnlySpan<int> counts, int height)
    {
        // Column and row are carried along: a division only where a run leaves its column by more than one.
        int left = -1, right = -1, top = int.MaxValue, bottom = 0, column = 0, row = 0;
        for (int i = 0; i + 1 < counts.Length; i += 2)
        {
            row += counts[i];
            if (row >= height) NextColumn(ref column, ref row, height);
            if (left < 0) left = column;
            top = Math.Min(top, row);
            row += counts[i + 1];
            bottom = Math.Max(bottom, row);
            right = column;
            if (row >= height)
            {
                if (row > height) top = 0;
                NextColumn(ref column, ref row, height);
                right = row == 0 ? column - 1 : column;
            }
        }

        return left < 0 ? default : new MaskBox(left, top, right - left + 1, Math.Min(bottom, height) - top);
    }

    // To the next column, or further.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void NextColumn(ref int column, ref int row, int height)
    {
        column++;
        row -= height;
        if (row < height) return;
        int columns = (int)((uint)row / (uint)height);
        column += columns;
        row -= columns * height;
    }

    // The definition.
    internal static MaskBox BoundingBoxScalar(ReadOnlySpan<int> counts, int height)
    {
        int left = int.MaxValue, right = -1, top = int.MaxValue, bottom = -1, position = 0;
        for (int i = 0; i + 1 < counts.Length; i += 2)
        {
            int first = position + counts[i];
            int last = first + counts[i + 1] - 1;
            position = last + 1;
            if (last < first) continue;
            int x0 = first / height, y0 = first - (x0 * height);
            int x1 = last / height, y1 = last - (x1 * height);
            left = Math.Min(left, x0);
            right = x1;
            if (x0 < x1)
            {
                top = 0;
                bottom = height - 1;
            }
            else
            {
                top = Math.Min(top, y0);
                bottom = Math.Max(bottom, y1);
            }
        }

        return right < 0 ? default : new MaskBox(left, top, right - left + 1, bottom - top + 1);
    }
}
