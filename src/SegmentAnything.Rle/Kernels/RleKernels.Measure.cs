using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace SegmentAnything.Rle.Kernels;

/// <content>Area and bounding box from the runs alone.</content>
internal static partial class RleKernels
{
    /// <summary>Sum of the foreground runs.</summary>
    /// <remarks>
    /// Exactness: every path equals <see cref="AreaScalar"/>. Source: COCO API, maskApi.c (rleArea). Measured by:
    /// MeasureBenchmarks.
    /// </remarks>
    public static long Area(ReadOnlySpan<int> counts) =>
        counts.Length >= 16 ? SimdDispatch.Run<AreaKernel, long>(new(counts)) : AreaScalar(counts);

    // The definition.
    internal static long AreaScalar(ReadOnlySpan<int> counts)
    {
        long area = 0;
        for (int i = 1; i < counts.Length; i += 2) area += counts[i];
        return area;
    }

    // A pair of runs is one number of 64 bits, background below and foreground above (runs are never negative). Four sums,
    // so that additions do not wait for each other.
    internal static long Area<TSimd, TVector>(ReadOnlySpan<int> counts)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        int lanes = TSimd.Width / 2;
        ReadOnlySpan<ulong> pairs = AsPairs(counts);
        if (pairs.Length < lanes) return AreaScalar(counts);
        ref ulong first = ref MemoryMarshal.GetReference(pairs);
        TVector s0 = TSimd.Broadcast(0UL), s1 = s0, s2 = s0, s3 = s0;
        int i = 0;
        for (; i <= pairs.Length - (4 * lanes); i += 4 * lanes)
        {
            s0 = TSimd.Add<ulong>(s0, TSimd.ShiftRight64(TSimd.Load(in first, (nuint)i), 32));
            s1 = TSimd.Add<ulong>(s1, TSimd.ShiftRight64(TSimd.Load(in first, (nuint)(i + lanes)), 32));
            s2 = TSimd.Add<ulong>(s2, TSimd.ShiftRight64(TSimd.Load(in first, (nuint)(i + (2 * lanes))), 32));
            s3 = TSimd.Add<ulong>(s3, TSimd.ShiftRight64(TSimd.Load(in first, (nuint)(i + (3 * lanes))), 32));
        }

        for (; i <= pairs.Length - lanes; i += lanes) s0 = TSimd.Add<ulong>(s0, TSimd.ShiftRight64(TSimd.Load(in first, (nuint)i), 32));
        // The rest as the end of the last vector; the others of it are in the sum already.
        TVector last = TSimd.ShiftRight64(TSimd.Load(in first, (nuint)(pairs.Length - lanes)), 32);
        TVector isNew = TSimd.GreaterThan<long>(
            TSimd.Add<long>(TSimd.Indices<long>(), TSimd.Broadcast((long)(pairs.Length - i))), TSimd.Broadcast((long)(lanes - 1)));
        s0 = TSimd.Add<ulong>(TSimd.Add<ulong>(s0, s1), TSimd.Add<ulong>(s2, s3));
        return (long)TSimd.Sum<ulong>(TSimd.Add<ulong>(s0, TSimd.And(last, isNew)));
    }

    private readonly ref struct AreaKernel(ReadOnlySpan<int> counts) : ISimdKernel<long>
    {
        private readonly ReadOnlySpan<int> _counts = counts;

        public long Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct => Area<TSimd, TVector>(_counts);

        public long RunScalar() => AreaScalar(_counts);
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
