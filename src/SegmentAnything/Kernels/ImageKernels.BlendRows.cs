using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace SegmentAnything.Kernels;

/// <content>Changes the height of a picture, row by row.</content>
internal static partial class ImageKernels
{
    /// <summary>One output row as the weighted sum of rows in a ring; row r lies at (r % taps) * rowStride.</summary>
    internal static void BlendRows(ReadOnlySpan<byte> ring, int rowStride, ResampleTable table, int y, Span<byte> destination)
    {
        if (Vector512.IsHardwareAccelerated) BlendRowsVector512(ring, rowStride, table, y, destination);
        else if (Vector256.IsHardwareAccelerated) BlendRowsVector256(ring, rowStride, table, y, destination);
        else if (Vector128.IsHardwareAccelerated) BlendRowsVector128(ring, rowStride, table, y, destination);
        else BlendRowsScalar(ring, rowStride, table, y, destination);
    }

    internal static void BlendRowsScalar(ReadOnlySpan<byte> ring, int rowStride, ResampleTable table, int y, Span<byte> destination)
    {
        ReadOnlySpan<int> weights = table.WeightsOf(y);
        int first = table.First[y];
        for (int i = 0; i < rowStride; i++)
        {
            int sum = Half;
            for (int k = 0; k < weights.Length; k++) sum += ring[((first + k) % table.Taps * rowStride) + i] * weights[k];
            destination[i] = (byte)(sum >> ResampleTable.Precision);
        }
    }

    // 16 bytes a step, widened to four vectors of four sums; rows are padded to whole vectors, so there is no tail.
    internal static void BlendRowsVector128(ReadOnlySpan<byte> ring, int rowStride, ResampleTable table, int y, Span<byte> destination)
    {
        ReadOnlySpan<int> weights = table.WeightsOf(y);
        int first = table.First[y];
        ref byte rows = ref MemoryMarshal.GetReference(ring);
        ref byte output = ref MemoryMarshal.GetReference(destination[..rowStride]);
        for (int i = 0; i < rowStride; i += Vector128<byte>.Count)
        {
            Vector128<int> half = Vector128.Create(Half);
            (Vector128<int> s0, Vector128<int> s1, Vector128<int> s2, Vector128<int> s3) = (half, half, half, half);
            for (int k = 0; k < weights.Length; k++)
            {
                Vector128<byte> bytes = Vector128.LoadUnsafe(ref rows, (nuint)(((first + k) % table.Taps * rowStride) + i));
                (Vector128<ushort> lower, Vector128<ushort> upper) = Vector128.Widen(bytes);
                int weight = weights[k];
                s0 += Vector128.WidenLower(lower).AsInt32() * weight;
                s1 += Vector128.WidenUpper(lower).AsInt32() * weight;
                s2 += Vector128.WidenLower(upper).AsInt32() * weight;
                s3 += Vector128.WidenUpper(upper).AsInt32() * weight;
            }

            Vector128.Narrow(
                Vector128.Narrow((s0 >>> ResampleTable.Precision).AsUInt32(), (s1 >>> ResampleTable.Precision).AsUInt32()),
                Vector128.Narrow((s2 >>> ResampleTable.Precision).AsUInt32(), (s3 >>> ResampleTable.Precision).AsUInt32()))
                .StoreUnsafe(ref output, (nuint)i);
        }
    }

    // As above with 32 bytes a step.
    internal static void BlendRowsVector256(ReadOnlySpan<byte> ring, int rowStride, ResampleTable table, int y, Span<byte> destination)
    {
        ReadOnlySpan<int> weights = table.WeightsOf(y);
        int first = table.First[y];
        ref byte rows = ref MemoryMarshal.GetReference(ring);
        ref byte output = ref MemoryMarshal.GetReference(destination[..rowStride]);
        for (int i = 0; i < rowStride; i += Vector256<byte>.Count)
        {
            Vector256<int> half = Vector256.Create(Half);
            (Vector256<int> s0, Vector256<int> s1, Vector256<int> s2, Vector256<int> s3) = (half, half, half, half);
            for (int k = 0; k < weights.Length; k++)
            {
                Vector256<byte> bytes = Vector256.LoadUnsafe(ref rows, (nuint)(((first + k) % table.Taps * rowStride) + i));
                (Vector256<ushort> lower, Vector256<ushort> upper) = Vector256.Widen(bytes);
                int weight = weights[k];
                s0 += Vector256.WidenLower(lower).AsInt32() * weight;
                s1 += Vector256.WidenUpper(lower).AsInt32() * weight;
                s2 += Vector256.WidenLower(upper).AsInt32() * weight;
                s3 += Vector256.WidenUpper(upper).AsInt32() * weight;
            }

            Vector256.Narrow(
                Vector256.Narrow((s0 >>> ResampleTable.Precision).AsUInt32(), (s1 >>> ResampleTable.Precision).AsUInt32()),
                Vector256.Narrow((s2 >>> ResampleTable.Precision).AsUInt32(), (s3 >>> ResampleTable.Precision).AsUInt32()))
                .StoreUnsafe(ref output, (nuint)i);
        }
    }

    // As above with 64 bytes a step.
    internal static void BlendRowsVector512(ReadOnlySpan<byte> ring, int rowStride, ResampleTable table, int y, Span<byte> destination)
    {
        ReadOnlySpan<int> weights = table.WeightsOf(y);
        int first = table.First[y];
        ref byte rows = ref MemoryMarshal.GetReference(ring);
        ref byte output = ref MemoryMarshal.GetReference(destination[..rowStride]);
        for (int i = 0; i < rowStride; i += Vector512<byte>.Count)
        {
            Vector512<int> half = Vector512.Create(Half);
            (Vector512<int> s0, Vector512<int> s1, Vector512<int> s2, Vector512<int> s3) = (half, half, half, half);
            for (int k = 0; k < weights.Length; k++)
            {
                Vector512<byte> bytes = Vector512.LoadUnsafe(ref rows, (nuint)(((first + k) % table.Taps * rowStride) + i));
                (Vector512<ushort> lower, Vector512<ushort> upper) = Vector512.Widen(bytes);
                int weight = weights[k];
                s0 += Vector512.WidenLower(lower).AsInt32() * weight;
                s1 += Vector512.WidenUpper(lower).AsInt32() * weight;
                s2 += Vector512.WidenLower(upper).AsInt32() * weight;
                s3 += Vector512.WidenUpper(upper).AsInt32() * weight;
            }

            Vector512.Narrow(
                Vector512.Narrow((s0 >>> ResampleTable.Precision).AsUInt32(), (s1 >>> ResampleTable.Precision).AsUInt32()),
                Vector512.Narrow((s2 >>> ResampleTable.Precision).AsUInt32(), (s3 >>> ResampleTable.Precision).AsUInt32()))
                .StoreUnsafe(ref output, (nuint)i);
        }
    }
}
