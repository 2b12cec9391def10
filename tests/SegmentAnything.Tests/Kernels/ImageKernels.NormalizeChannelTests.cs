using System.Runtime.Intrinsics;
using SegmentAnything.Kernels;

namespace SegmentAnything.Tests.Kernels;

public class ImageKernelsNormalizeChannelTests
{
    private static readonly float[] Mean = [123.675f, 116.28f, 103.53f];
    private static readonly float[] Std = [58.395f, 57.12f, 57.375f];

    [Fact]
    public void NormalizeChannel_EveryLengthAndPath_MatchesScalar()
    {
        byte[] bytes = new byte[257 * 4];
        new Random(3).NextBytes(bytes);
        Func<int, float[], int>[] paths =
        [
            (length, output) => ImageKernels.NormalizeChannel<Simd128, Vector128<float>>(bytes.AsSpan(0, length * 4), 1, Mean[1], Std[1], output),
            (length, output) => ImageKernels.NormalizeChannel<Simd256, Vector256<float>>(bytes.AsSpan(0, length * 4), 1, Mean[1], Std[1], output),
            (length, output) => ImageKernels.NormalizeChannel<Simd512, Vector512<float>>(bytes.AsSpan(0, length * 4), 1, Mean[1], Std[1], output),
            (length, output) =>
            {
                ImageKernels.NormalizeChannel(bytes.AsSpan(0, length * 4), 1, Mean[1], Std[1], output);
                return length;
            },
        ];
        for (int length = 0; length <= 257; length++)
        {
            float[] expected = new float[length];
            ImageKernels.NormalizeChannelScalar(bytes.AsSpan(0, length * 4), 1, Mean[1], Std[1], expected);
            foreach (Func<int, float[], int> path in paths)
            {
                float[] found = new float[length];
                int done = path(length, found);
                Assert.InRange(done, Math.Max(length - 15, 0), length);
                Assert.Equal(expected[..done], found[..done]);
            }
        }
    }
}
