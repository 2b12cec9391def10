using System.Runtime.Intrinsics;
using SegmentAnything.Rle.Kernels;
using SegmentAnything.TestSupport;
using static SegmentAnything.Rle.Tests.Kernels.KernelData;

namespace SegmentAnything.Rle.Tests.Kernels;

public class RleKernelsFillRunsInRowsTests
{
    private delegate void RowFiller(ReadOnlySpan<int> counts, int width, int height, byte foreground, Span<byte> bitmap, int stride);

    [Fact]
    public void FillRunsRowMajor_OddSizesAndStrides_MatchesScalar()
    {
        RowFiller[] paths =
        [
            RleKernels.FillRunsRowMajor, RleKernels.FillRunsRowMajor<Simd512, Vector512<float>>, RleKernels.FillRunsRowMajor<Simd256, Vector256<float>>,
            RleKernels.FillRunsRowMajor<Simd128, Vector128<float>>,
        ];
        foreach ((int width, int height, int stride) in OddSizes())
        {
            foreach (double change in new[] { 0, 0.02, 0.5 })
            {
                int[] counts = RleKernels.FindRunsScalar(Pixels(width * height, width + height, change));
                int length = ((height - 1) * stride) + width;
                var expected = new byte[length];
                expected.AsSpan().Fill(7);
                RleKernels.FillRunsRowMajorScalar(counts, width, height, 255, expected, stride);
                foreach (RowFiller path in paths)
                {
                    using var guarded = new BoundedMemory<byte>(length);
                    guarded.Span.Fill(7);
                    path(counts, width, height, 255, guarded.Span, stride);
                    Assert.True(expected.AsSpan().SequenceEqual(guarded.Span), $"{$"{path.Method}"}, {width} x {height}, stride {stride}, change {change}");
                }
            }
        }
    }

    [Fact]
    public void Panels_OfTallBitmaps_AreJoined()
    {
        // Taller than a panel holds in one: 2^19 words are 30 strips of 17,000 rows.
        const int Width = 2100, Height = 17_001;
        RleMask mask = RleMask.FromBox(new MaskBox(1900, 5, 150, 16_990), Width, Height)
            .Union(RleMask.FromBox(new MaskBox(3, 100, 1, 40), Width, Height));
        byte[] bitmap = mask.ToBitmap();
        Assert.Equal(mask.Area, bitmap.Length - (long)bitmap.AsSpan().Count((byte)0));
        Assert.Equal(mask, RleMask.FromBitmap(bitmap, Width, Height));
    }
}
