using System.Runtime.Intrinsics;
using SegmentAnything.Kernels;
using static SegmentAnything.Tests.Kernels.MaskKernelData;

namespace SegmentAnything.Tests.Kernels;

public class MaskKernelsBlendTests
{
    [Fact]
    public void Blend_EveryLengthAndPath_MatchesScalar()
    {
        float[] a = Values(257), b = Values(257);
        a[3] = float.NaN;
        b[17] = float.PositiveInfinity;
        a[40] = -0f;
        for (int length = 0; length <= 257; length++)
        {
            float[] expected = new float[length];
            MaskKernels.BlendScalar(a.AsSpan(0, length), 0.3f, b.AsSpan(0, length), 0.7f, expected);
            float[] found = new float[length];
            MaskKernels.Blend(a.AsSpan(0, length), 0.3f, b.AsSpan(0, length), 0.7f, found);
            EqualBits(expected, found);
            int done = MaskKernels.Blend<Simd128, Vector128<float>>(a.AsSpan(0, length), 0.3f, b.AsSpan(0, length), 0.7f, found = new float[length]);
            EqualBits(expected.AsSpan(0, done), found.AsSpan(0, done));
            Assert.Equal(length - (length % 4), done);
            done = MaskKernels.Blend<Simd256, Vector256<float>>(a.AsSpan(0, length), 0.3f, b.AsSpan(0, length), 0.7f, found = new float[length]);
            EqualBits(expected.AsSpan(0, done), found.AsSpan(0, done));
            Assert.Equal(length - (length % 8), done);
            done = MaskKernels.Blend<Simd512, Vector512<float>>(a.AsSpan(0, length), 0.3f, b.AsSpan(0, length), 0.7f, found = new float[length]);
            EqualBits(expected.AsSpan(0, done), found.AsSpan(0, done));
            Assert.Equal(length - (length % 16), done);
        }
    }
}
