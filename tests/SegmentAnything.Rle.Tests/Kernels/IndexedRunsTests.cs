using System.Runtime.Intrinsics;
using SegmentAnything.Rle.Kernels;
using SegmentAnything.TestSupport;
using static SegmentAnything.Rle.Tests.Kernels.KernelData;

namespace SegmentAnything.Rle.Tests.Kernels;

public class IndexedRunsTests
{
    [Fact]
    public void DenseOverlap_EveryLength_MatchesScalar()
    {
        foreach (int columns in Lengths)
        {
            var random = new Random(columns);
            // The columns that count, then more of one mask and nothing of the other.
            short[][] rows = [.. Enumerable.Range(0, 4).Select(_ => new short[columns + 32])];
            for (int i = 0; i < columns + 32; i++)
            {
                for (int mask = 0; mask < 2; mask++)
                {
                    if (i >= columns && mask == columns % 2) continue;
                    int top = random.Next(short.MaxValue), bottom = random.Next(3) == 0 ? short.MaxValue : random.Next(top, short.MaxValue) + 1;
                    if (random.Next(4) > 0) (rows[2 * mask][i], rows[(2 * mask) + 1][i]) = ((short)top, (short)bottom);
                }
            }

            using BoundedMemory<short> a = BoundedMemory.CopyOf<short>(rows[0]), b = BoundedMemory.CopyOf<short>(rows[1]);
            using BoundedMemory<short> c = BoundedMemory.CopyOf<short>(rows[2]), d = BoundedMemory.CopyOf<short>(rows[3]);
            int expected = IndexedRuns.DenseOverlapScalar(a.Span, b.Span, c.Span, d.Span, columns);
            Assert.Equal(expected, IndexedRuns.DenseOverlap(a.Span, b.Span, c.Span, d.Span, columns));
            Assert.Equal(expected, IndexedRuns.DenseOverlap<Simd128, Vector128<float>>(a.Span, b.Span, c.Span, d.Span, columns));
            Assert.Equal(expected, IndexedRuns.DenseOverlap<Simd256, Vector256<float>>(a.Span, b.Span, c.Span, d.Span, columns));
            Assert.Equal(expected, IndexedRuns.DenseOverlap<Simd512, Vector512<float>>(a.Span, b.Span, c.Span, d.Span, columns));
        }
    }

    [Fact]
    public void IntersectionArea_OfMasksOfMoreRowsThan16BitsCount_MatchesScalar()
    {
        RleMask a = RleMask.FromBox(0, 10, 2, 39_000, 3, 40_000), b = RleMask.FromBox(1, 500, 2, 39_400, 3, 40_000);
        Assert.Equal(RleKernels.IntersectionAreaScalar(a.Counts, b.Counts), new IndexedRuns(a).IntersectionArea(new IndexedRuns(b)));
        Assert.Equal(38_510, new IndexedRuns(a).IntersectionArea(new IndexedRuns(b)));
    }

    [Fact]
    public void IndexedRuns_OfAnyMask_HaveItsBoxAndArea()
    {
        foreach ((string name, _, RleMask mask) in MaskData.All())
        {
            var indexed = new IndexedRuns(mask);
            Assert.True(mask.BoundingBox == indexed.Box && mask.Area == indexed.Area, name);
        }
    }
}
