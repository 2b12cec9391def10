using SegmentAnything.Rle.Kernels;
using static SegmentAnything.Rle.Tests.Kernels.KernelData;

namespace SegmentAnything.Rle.Tests.Kernels;

public class RleKernelsCanonicalizeTests
{
    [Fact]
    public void Canonicalize_OfAnyRuns_MatchesScalar()
    {
        var random = new Random(3);
        for (int i = 0; i < 20_000; i++)
        {
            int[] counts = [.. Enumerable.Range(0, random.Next(1, 60)).Select(_ => random.Next(30) == 0 ? 0 : random.Next(1, 50))];
            int[] expected = [.. counts];
            int kept = RleKernels.CanonicalizeScalar(expected, counts.Sum());
            int found = RleKernels.Canonicalize(counts, counts.Sum());
            AssertEqual(expected[..kept], counts[..found], nameof(RleKernels.Canonicalize), $"list {i}");
        }
    }
}
