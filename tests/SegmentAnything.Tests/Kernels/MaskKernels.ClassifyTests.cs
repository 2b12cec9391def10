using System.Runtime.Intrinsics;
using SegmentAnything.Kernels;
using static SegmentAnything.Tests.Kernels.MaskKernelData;

namespace SegmentAnything.Tests.Kernels;

public class MaskKernelsClassifyTests
{
    private delegate int ClassifyPath(
        ReadOnlySpan<float> values, float belowLimit, float aboveLimit, Span<ulong> below, Span<ulong> above);

    [Fact]
    public void Classify_EveryLength_MatchesScalar()
    {
        float[] values = Values(257);
        values[9] = float.NaN;
        values[70] = float.NegativeInfinity;
        for (int length = 0; length <= 257; length++)
        {
            int words = (length + 63) / 64;
            ulong[] below = new ulong[words], above = new ulong[words], foundBelow = new ulong[5], foundAbove = new ulong[5];
            MaskKernels.ClassifyScalar(values.AsSpan(0, length), 0, -2, 1, below, above);
            MaskKernels.Classify(values.AsSpan(0, length), -2, 1, foundBelow, foundAbove);
            Assert.Equal(below, foundBelow[..words]);
            Assert.Equal(above, foundAbove[..words]);
            EqualTo(MaskKernels.Classify<Simd128, Vector128<float>>, 4);
            EqualTo(MaskKernels.Classify<Simd256, Vector256<float>>, 8);
            EqualTo(MaskKernels.Classify<Simd512, Vector512<float>>, 16);

            void EqualTo(ClassifyPath path, int lanes)
            {
                (foundBelow, foundAbove) = (new ulong[5], new ulong[5]);
                int done = path(values.AsSpan(0, length), -2, 1, foundBelow, foundAbove);
                Assert.Equal(length - (length % lanes), done);
                MaskKernels.ClassifyScalar(values.AsSpan(0, length), done, -2, 1, foundBelow, foundAbove);
                Assert.Equal(below, foundBelow[..words]);
                Assert.Equal(above, foundAbove[..words]);
            }
        }
    }

    [Fact]
    public void AllSet_EveryRange_LooksAtThatRangeOnly()
    {
        for (int first = 0; first < 200; first += 3)
        {
            for (int last = first; last < 200; last += 5)
            {
                ulong[] bits = new ulong[4];
                for (int i = first; i <= last; i++) bits[i / 64] |= 1UL << (i % 64);
                Assert.True(MaskKernels.AllSet(bits, first, last));
                foreach (int hole in new[] { first, (first + last) / 2, last })
                {
                    bits[hole / 64] ^= 1UL << (hole % 64);
                    Assert.False(MaskKernels.AllSet(bits, first, last));
                    bits[hole / 64] ^= 1UL << (hole % 64);
                }
            }
        }
    }
}
