using System.Runtime.Intrinsics;
using SegmentAnything.Rle.Kernels;
using SegmentAnything.TestSupport;
using static SegmentAnything.Rle.Tests.Kernels.KernelData;

namespace SegmentAnything.Rle.Tests.Kernels;

public class RleKernelsFindRunsTests
{
    private delegate int[] Finder(ReadOnlySpan<byte> pixels);

    [Fact]
    public void FindRuns_EveryLength_MatchesScalar()
    {
        Finder[] paths = [RleKernels.FindRuns, RleKernels.FindRuns<Simd512, Vector512<float>>, RleKernels.FindRuns<Simd256, Vector256<float>>, RleKernels.FindRuns<Simd128, Vector128<float>>];
        foreach (int length in Lengths.Where(length => length > 0))
        {
            foreach (double change in new[] { 0, 0.01, 0.1, 0.5, 1 })
            {
                byte[] pixels = Pixels(length, length, change);
                int[] expected = RleKernels.FindRunsScalar(pixels);
                foreach (BoundedSide side in Enum.GetValues<BoundedSide>())
                {
                    using BoundedMemory<byte> guarded = BoundedMemory.CopyOf<byte>(pixels, side);
                    foreach (Finder path in paths)
                        AssertEqual(expected, path(guarded.Span), $"{path.Method}", $"length {length}, change {change}");
                }
            }
        }
    }
}
