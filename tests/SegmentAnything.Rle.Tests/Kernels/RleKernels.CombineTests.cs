using SegmentAnything.Rle.Kernels;
using static SegmentAnything.Rle.Tests.Kernels.KernelData;

namespace SegmentAnything.Rle.Tests.Kernels;

public class RleKernelsCombineTests
{
    [Fact]
    public void Combine_OfEveryKindOfPair_MatchesScalar()
    {
        var random = new Random(11);
        foreach ((int width, int height) in new[] { (1, 300), (40, 30), (64, 64), (90, 70), (200, 150) })
        {
            for (int round = 0; round < 150; round++)
            {
                int[] a = Some(width, height), b = round % 5 == 4 ? a : Some(width, height);
                foreach (BooleanOperation operation in Enum.GetValues<BooleanOperation>())
                {
                    int[] expected = RleKernels.CombineScalar(a, b, operation);
                    string about = $"{operation} of pair {round} of {width} x {height}";
                    AssertEqual(expected, RleKernels.Combine(a, b, width * height, operation), nameof(RleKernels.Combine), about);
                    foreach (int bits in new[] { 0, 256, 512 }.Where(bits => bits <= RleKernels.WidestVectors))
                        AssertEqual(expected, RleKernels.Combine(a, b, width * height, operation, bits), $"Combine with {bits} bits", about);
                }

                Assert.Equal(RleKernels.IntersectionAreaScalar(a, b), RleKernels.IntersectionArea(a, b, width * height));
                RleMask maskA = RleMask.FromCounts(a, width, height), maskB = RleMask.FromCounts(b, width, height);
                Assert.Equal(RleKernels.IntersectionAreaScalar(a, b), new IndexedRuns(maskA).IntersectionArea(new IndexedRuns(maskB)));
            }
        }

        // Blobs side by side, one above the other and one in the other; noise; stripes that touch; masks that fill a part of
        // the columns, none or all of them, and so come before, behind or inside each other.
        int[] Some(int width, int height) => RleKernels.FindRunsScalar(random.Next(6) switch
        {
            4 => Part(Pixels(width * height, random.Next(), random.NextDouble() * 0.5)),
            5 => Part([.. Enumerable.Repeat((byte)1, width * height)]),
            0 => Transposed(MaskData.Blobs(width, height, random.Next(), 1), width, height),
            1 => Transposed(MaskData.Blobs(width, height, random.Next(), 3), width, height),
            2 => Pixels(width * height, random.Next(), random.NextDouble()),
            _ => Pixels(width * height, random.Next(), 0.03),
        });

        byte[] Part(byte[] pixels)
        {
            int start = random.Next(pixels.Length + 1) * random.Next(2), end = random.Next(2) == 0 ? pixels.Length : random.Next(start, pixels.Length + 1);
            pixels.AsSpan(0, start).Clear();
            pixels.AsSpan(end).Clear();
            return pixels;
        }
    }
}
