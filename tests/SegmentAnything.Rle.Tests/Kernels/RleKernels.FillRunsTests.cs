using System.Runtime.Intrinsics;
using SegmentAnything.Rle.Kernels;
using SegmentAnything.TestSupport;
using static SegmentAnything.Rle.Tests.Kernels.KernelData;

namespace SegmentAnything.Rle.Tests.Kernels;

public class RleKernelsFillRunsTests
{
    private delegate void Filler(ReadOnlySpan<int> counts, byte foreground, Span<byte> pixels);

    [Fact]
    public void FillRuns_EveryLength_MatchesScalar()
    {
        Filler[] paths = [RleKernels.FillRuns, RleKernels.FillRuns<Simd512, Vector512<float>>, RleKernels.FillRuns<Simd256, Vector256<float>>, RleKernels.FillRuns<Simd128, Vector128<float>>];
        foreach (int length in Lengths.Where(length => length > 0))
        {
            foreach (double change in new[] { 0, 0.002, 0.01, 0.1, 0.5, 1 })
            {
                int[] counts = RleKernels.FindRunsScalar(Pixels(length, length, change));
                var expected = new byte[length];
                RleKernels.FillRunsScalar(counts, 255, expected);
                foreach (Filler path in paths)
                {
                    using var guarded = new BoundedMemory<byte>(length);
                    guarded.Span.Fill(7);
                    path(counts, 255, guarded.Span);
                    Assert.True(expected.AsSpan().SequenceEqual(guarded.Span), $"{$"{path.Method}"}, length {length}, change {change}");
                }
            }
        }
    }
}
