using System.Runtime.Intrinsics;
using SegmentAnything.Kernels;
using static SegmentAnything.Tests.Kernels.MaskKernelData;

namespace SegmentAnything.Tests.Kernels;

public class MaskKernelsInterpolateTests
{
    [Theory]
    [MemberData(nameof(Axes), MemberType = typeof(MaskKernelData))]
    public void Interpolate_EveryPath_MatchesScalar(int sourceLength, int targetLength, int length)
    {
        var axis = new InterpolationAxis(sourceLength, targetLength, length);
        float[] source = Values(sourceLength + MaskKernels.ReadAhead);
        int padded = axis.First.Length;
        float[] expected = new float[padded], found = new float[padded];
        MaskKernels.InterpolateScalar(source, axis, 0, padded, expected);
        MaskKernels.Interpolate(source, axis, 0, padded, found);
        EqualBits(expected, found);
        MaskKernels.Interpolate<Simd128, Vector128<float>>(source, axis, 0, padded, found = new float[padded]);
        EqualBits(expected, found);
        MaskKernels.Interpolate<Simd256, Vector256<float>>(source, axis, 0, padded, found = new float[padded]);
        EqualBits(expected, found);
        if (axis.Reach16 <= MaskKernels.ReadAhead)
        {
            MaskKernels.Interpolate<Simd512, Vector512<float>>(source, axis, 0, padded, found = new float[padded]);
            EqualBits(expected, found);
        }

        // A part alone, and nothing around it.
        found = new float[padded];
        MaskKernels.Interpolate(source, axis, 16, 32, found);
        EqualBits(expected.AsSpan(16, 32), found.AsSpan(16, 32));
        Assert.All(found[..16], v => Assert.Equal(0, v));
        Assert.All(found[48..], v => Assert.Equal(0, v));
    }
}
