using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace SegmentAnything.Rle.Kernels;

/// <content>Turns run lengths into the positions where the runs end.</content>
internal static partial class RleKernels
{
    // Where the runs end; then positions that never come.
    private static void WritePositions(ReadOnlySpan<int> counts, int start, Span<int> positions)
    {
        int done = 0, sum = start;
        if (Vector512.IsHardwareAccelerated) WritePositions<Simd512, Vector512<float>>(counts, positions, ref done, ref sum);
        else if (Vector256.IsHardwareAccelerated) WritePositions<Simd256, Vector256<float>>(counts, positions, ref done, ref sum);
        for (; done < counts.Length; done++) positions[done] = sum += counts[done];
        positions[counts.Length..].Fill(int.MaxValue);
    }

    // Whole vectors. Only the sum of a whole vector is waited for by the next one.
    private static void WritePositions<TSimd, TVector>(ReadOnlySpan<int> counts, Span<int> positions, ref int done, ref int sum)
        where TSimd : ISimd<TVector>
        where TVector : struct
    {
        ref int source = ref MemoryMarshal.GetReference(counts);
        ref int destination = ref MemoryMarshal.GetReference(positions[..counts.Length]);
        TVector before = TSimd.Broadcast(sum);
        int i = done;
        for (; i <= counts.Length - TSimd.Width; i += TSimd.Width)
        {
            TVector sums = TSimd.RunningSum(TSimd.Load(in source, (nuint)i));
            TSimd.Store(TSimd.Add<int>(sums, before), ref destination, (nuint)i);
            before = TSimd.Add<int>(before, TSimd.RepeatLast(sums));
        }

        if (i > done) sum = positions[i - 1];
        done = i;
    }
}
