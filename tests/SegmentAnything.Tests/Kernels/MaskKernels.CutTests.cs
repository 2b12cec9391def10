using System.Runtime.Intrinsics;
using SegmentAnything.Kernels;
using static SegmentAnything.Tests.Kernels.MaskKernelData;

namespace SegmentAnything.Tests.Kernels;

public class MaskKernelsCutTests
{
    private delegate void CutPath(
        ReadOnlySpan<float> source, InterpolationAxis axis, int firstWord, in Cutoffs cutoffs, Span<ulong> lower, Span<ulong> middle, Span<ulong> upper);

    [Theory]
    [MemberData(nameof(Axes), MemberType = typeof(MaskKernelData))]
    public void Cut_EveryPath_MatchesScalar(int sourceLength, int targetLength, int length)
    {
        var axis = new InterpolationAxis(sourceLength, targetLength, length);
        float[] source = Values(sourceLength + MaskKernels.ReadAhead);
        if (source.Length > 100) source[50] = float.NaN;
        int words = axis.First.Length / 64;
        Cutoffs cutoffs = Cutoffs.Around(0.5f, 2);
        ulong[] expected = Run(MaskKernels.CutScalar, 0, words);
        Assert.Equal(expected, Run(MaskKernels.Cut, 0, words));
        Assert.Equal(expected, Run(MaskKernels.Cut<Simd128, Vector128<float>>, 0, words));
        Assert.Equal(expected, Run(MaskKernels.Cut<Simd256, Vector256<float>>, 0, words));
        if (axis.Reach16 <= MaskKernels.ReadAhead) Assert.Equal(expected, Run(MaskKernels.Cut<Simd512, Vector512<float>>, 0, words));
        if (words > 1) Assert.Equal(expected[1], Run(MaskKernels.Cut, 1, 1)[0]);

        ulong[] Run(CutPath path, int firstWord, int count)
        {
            ulong[] result = new ulong[3 * count];
            path(source, axis, firstWord, cutoffs, result.AsSpan(count, count), result.AsSpan(0, count), result.AsSpan(2 * count, count));
            return result;
        }
    }
}
