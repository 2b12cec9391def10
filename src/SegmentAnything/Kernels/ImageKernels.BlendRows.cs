using System.Runtime.InteropServices;

namespace SegmentAnything.Kernels;

/// <content>Changes the height of an image, row by row.</content>
internal static partial class ImageKernels
{
    /// <summary>One output row as the weighted sum of rows in a ring; row r lies at (r % taps) * rowStride.</summary>
    internal static void BlendRows(ReadOnlySpan<byte> ring, int rowStride, ResampleTable table, int y, Span<byte> destination) =>
        SimdDispatch.Run<BlendRowsKernel, int>(new(ring, rowStride, table, y, destination));

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

    // A vector of bytes a step, widened to four of sums; rows are padded to whole vectors, so there is no tail.
    internal static void BlendRows<TSimd, TVector>(ReadOnlySpan<byte> ring, int rowStride, ResampleTable table, int y, Span<byte> destination)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        ReadOnlySpan<int> weights = table.WeightsOf(y);
        int first = table.First[y];
        ref byte rows = ref MemoryMarshal.GetReference(ring);
        ref byte output = ref MemoryMarshal.GetReference(destination[..rowStride]);
        for (int i = 0; i < rowStride; i += 4 * TSimd.Width)
        {
            TVector s0 = TSimd.Broadcast(Half), s1 = s0, s2 = s0, s3 = s0;
            for (int k = 0; k < weights.Length; k++)
            {
                (TVector lower, TVector upper) = TSimd.WidenBytes(TSimd.Load(ref rows, (nuint)(((first + k) % table.Taps * rowStride) + i)));
                (TVector v0, TVector v1) = TSimd.WidenWords(lower);
                (TVector v2, TVector v3) = TSimd.WidenWords(upper);
                TVector weight = TSimd.Broadcast(weights[k]);
                s0 = TSimd.Add<int>(s0, TSimd.Multiply<int>(v0, weight));
                s1 = TSimd.Add<int>(s1, TSimd.Multiply<int>(v1, weight));
                s2 = TSimd.Add<int>(s2, TSimd.Multiply<int>(v2, weight));
                s3 = TSimd.Add<int>(s3, TSimd.Multiply<int>(v3, weight));
            }

            TVector words0 = TSimd.NarrowToWords(TSimd.ShiftRight(s0, ResampleTable.Precision), TSimd.ShiftRight(s1, ResampleTable.Precision));
            TVector words1 = TSimd.NarrowToWords(TSimd.ShiftRight(s2, ResampleTable.Precision), TSimd.ShiftRight(s3, ResampleTable.Precision));
            TSimd.Store(TSimd.NarrowToBytes(words0, words1), ref output, (nuint)i);
        }
    }

    private readonly ref struct BlendRowsKernel(ReadOnlySpan<byte> ring, int rowStride, ResampleTable table, int y, Span<byte> destination)
        : ISimdKernel<int>
    {
        private readonly ReadOnlySpan<byte> _ring = ring;
        private readonly Span<byte> _destination = destination;

        public int Run<TSimd, TVector>()
            where TSimd : ISimd<TVector>
            where TVector : struct
        {
            BlendRows<TSimd, TVector>(_ring, rowStride, table, y, _destination);
            return rowStride;
        }

        public int RunScalar()
        {
            BlendRowsScalar(_ring, rowStride, table, y, _destination);
            return rowStride;
        }
    }
}
