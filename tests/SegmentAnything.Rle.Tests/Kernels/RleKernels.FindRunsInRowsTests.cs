using System.Runtime.Intrinsics;
using SegmentAnything.Rle.Kernels;
using SegmentAnything.TestSupport;
using static SegmentAnything.Rle.Tests.Kernels.KernelData;

namespace SegmentAnything.Rle.Tests.Kernels;

public class RleKernelsFindRunsInRowsTests
{
    private delegate int[] RowFinder(ReadOnlySpan<byte> bitmap, int width, int height, int stride);

    private delegate int[] LogitFinder(ReadOnlySpan<float> logits, int width, int height, int stride, float cutoff);

    [Fact]
    public void FindRunsRowMajor_OddSizesAndStrides_MatchesScalar()
    {
        RowFinder[] paths =
        [
            RleKernels.FindRunsRowMajor, RleKernels.FindRunsRowMajor<Simd512, Vector512<float>>, RleKernels.FindRunsRowMajor<Simd256, Vector256<float>>,
            RleKernels.FindRunsRowMajor<Simd128, Vector128<float>>,
        ];
        LogitFinder[] logitPaths =
        [
            RleKernels.FindRunsOfLogits, RleKernels.FindRunsOfLogits<Simd512, Vector512<float>>, RleKernels.FindRunsOfLogits<Simd256, Vector256<float>>,
            RleKernels.FindRunsOfLogits<Simd128, Vector128<float>>,
        ];
        foreach ((int width, int height, int stride) in OddSizes())
        {
            foreach (double change in new[] { 0, 0.02, 0.5 })
            {
                string about = $"{width} x {height}, stride {stride}, change {change}";
                byte[] pixels = Pixels(((height - 1) * stride) + width, width + height, change);
                int[] expected = RleKernels.FindRunsRowMajorScalar(pixels, width, height, stride);
                using BoundedMemory<byte> guarded = BoundedMemory.CopyOf<byte>(pixels);
                foreach (RowFinder path in paths)
                    AssertEqual(expected, path(guarded.Span, width, height, stride), $"{path.Method}", about);

                // NaN, infinities and both zeros among them; the cut-off is one of the values.
                float[] values = [float.NaN, float.NegativeInfinity, -1, -0f, 0f, 0.25f, 0.5f, float.PositiveInfinity];
                float[] logits = [.. pixels.Select((pixel, i) => pixel == 0 ? values[i % 5] : values[5 + (pixel % 3)])];
                foreach (float cutoff in new[] { 0f, 0.25f, float.NegativeInfinity })
                {
                    expected = RleKernels.FindRunsOfLogitsScalar(logits, width, height, stride, cutoff);
                    using BoundedMemory<float> guardedLogits = BoundedMemory.CopyOf<float>(logits);
                    foreach (LogitFinder path in logitPaths)
                        AssertEqual(expected, path(guardedLogits.Span, width, height, stride, cutoff), $"{path.Method}", $"{about}, above {cutoff}");
                }
            }
        }
    }
}
