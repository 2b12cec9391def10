using System.Runtime.Intrinsics;
using SegmentAnything.Kernels;

namespace SegmentAnything.Tests.Kernels;

public class ImageKernelsBlendRowsTests
{
    [Fact]
    public void BlendRows_EveryPath_MatchesScalar()
    {
        const int Seed = 7;
        var table = new ResampleTable(23, 9);
        const int Stride = 256;
        byte[] ring = new byte[Stride * table.Taps];
        new Random(Seed).NextBytes(ring);
        for (int y = 0; y < table.Length; y++)
        {
            byte[] expected = new byte[Stride], found128 = new byte[Stride], found256 = new byte[Stride], found512 = new byte[Stride];
            ImageKernels.BlendRowsScalar(ring, Stride, table, y, expected);
            ImageKernels.BlendRows<Simd128, Vector128<float>>(ring, Stride, table, y, found128);
            ImageKernels.BlendRows<Simd256, Vector256<float>>(ring, Stride, table, y, found256);
            ImageKernels.BlendRows<Simd512, Vector512<float>>(ring, Stride, table, y, found512);
            Assert.Equal(expected, found128);
            Assert.Equal(expected, found256);
            Assert.Equal(expected, found512);
        }
    }
}
