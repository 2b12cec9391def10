using System.Runtime.Intrinsics;
using SegmentAnything.Rle.Kernels;
using SegmentAnything.TestSupport;
using static SegmentAnything.Rle.Tests.Kernels.KernelData;

namespace SegmentAnything.Rle.Tests.Kernels;

public class RleKernelsMeasureTests
{
    private delegate long Measurer(ReadOnlySpan<int> counts);

    [Fact]
    public void Area_EveryLength_MatchesScalar()
    {
        Measurer[] paths = [RleKernels.Area, RleKernels.Area<Simd512, Vector512<float>>, RleKernels.Area<Simd256, Vector256<float>>, RleKernels.Area<Simd128, Vector128<float>>];
        foreach (int length in Lengths)
        {
            var random = new Random(length);
            // Large runs: sums beyond 32 bits must not wrap.
            int[] counts = [.. Enumerable.Range(0, length).Select(_ => random.Next(3) == 0 ? int.MaxValue : random.Next(1000))];
            using BoundedMemory<int> guarded = BoundedMemory.CopyOf<int>(counts);
            foreach (Measurer path in paths)
                Assert.True(RleKernels.AreaScalar(counts) == path(guarded.Span), $"{$"{path.Method}"}, {length} runs");
        }
    }

    [Fact]
    public void BoundingBox_OfAnyRuns_MatchesScalar()
    {
        foreach ((string name, _, RleMask mask) in MaskData.All())
            Assert.True(RleKernels.BoundingBoxScalar(mask.Counts, mask.Height) == RleKernels.BoundingBox(mask.Counts, mask.Height), name);
        var random = new Random(9);
        for (int i = 0; i < 3000; i++)
        {
            int width = random.Next(1, 40), height = random.Next(1, 40);
            RleMask mask = RleMask.FromColumnMajor(Pixels(width * height, i, random.NextDouble() * random.NextDouble() * 0.3), width, height);
            Assert.Equal(RleKernels.BoundingBoxScalar(mask.Counts, height), mask.BoundingBox);
        }
    }
}
