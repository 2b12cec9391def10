using System.Runtime.Intrinsics;
using SegmentAnything.Rle.Kernels;
using SegmentAnything.TestSupport;
using static SegmentAnything.Rle.Tests.Kernels.KernelData;

namespace SegmentAnything.Rle.Tests.Kernels;

public class BoxKernelsSuppressTests
{
    [Fact]
    public void Suppress_OfRandomBoxes_MatchesScalar()
    {
        foreach (int count in Lengths.Where(length => length <= 513))
        {
            var random = new Random(count);
            // Whole numbers: ties and ratios at the threshold; some boxes without area, turned round or not numbers.
            float[] boxes = new float[4 * count];
            for (int i = 0; i < count; i++)
            {
                float x = random.Next(60), y = random.Next(60);
                (boxes[4 * i], boxes[(4 * i) + 1], boxes[(4 * i) + 2], boxes[(4 * i) + 3]) =
                    (x, y, x + random.Next(-1, 30), y + random.Next(-1, 30));
                if (random.Next(50) == 0) boxes[(4 * i) + random.Next(4)] = float.NaN;
                if (random.Next(50) == 0) boxes[(4 * i) + random.Next(4)] *= 1e-22f;
                if (random.Next(80) == 0) boxes[(4 * i) + 2] = float.PositiveInfinity;
            }

            int[] order = [.. Enumerable.Range(0, count)];
            random.Shuffle(order);
            using BoundedMemory<float> guarded = BoundedMemory.CopyOf<float>(boxes);
            foreach (float threshold in new[] { 0f, 0.1f, 1 / 3f, 0.5f, 0.7f, 1f, -0.5f, float.NaN })
            {
                int[] expected = BoxKernels.SuppressScalar(boxes, order, threshold);
                string about = $"{count} boxes, threshold {threshold}";
                AssertEqual(expected, BoxKernels.Suppress(guarded.Span, order, threshold), nameof(BoxKernels.Suppress), about);
                if (!(threshold >= 0)) continue;
                AssertEqual(expected, BoxKernels.Suppress<Simd512, Vector512<float>>(guarded.Span, order, threshold), "512 bits", about);
                AssertEqual(expected, BoxKernels.Suppress<Simd256, Vector256<float>>(guarded.Span, order, threshold), "256 bits", about);
                AssertEqual(expected, BoxKernels.Suppress<Simd128, Vector128<float>>(guarded.Span, order, threshold), "128 bits", about);
            }
        }
    }

    [Theory]
    [InlineData(1000, 80)]
    [InlineData(80, 1000)]
    [InlineData(1, 500)]
    public void Suppress_OfBoxesSpreadOneWay_MatchesScalar(int width, int height)
    {
        const int Count = 1500;
        var random = new Random(width);
        float scale = MathF.Pow(10, random.Next(-12, 12));
        var boxes = new float[4 * Count];
        for (int i = 0; i < Count; i++)
        {
            float x = random.Next(width), y = random.Next(height), w = 1 + random.Next(40), h = 1 + random.Next(40);
            // Boxes in and beside others, that share an edge with them: as far apart as the threshold lets them be.
            if (i % 3 == 2) (x, y) = (boxes[(4 * i) - 4] / scale, boxes[(4 * i) - 3] / scale);
            (boxes[4 * i], boxes[(4 * i) + 1], boxes[(4 * i) + 2], boxes[(4 * i) + 3]) = (x * scale, y * scale, (x + w) * scale, (y + h) * scale);
        }

        int[] order = [.. Enumerable.Range(0, Count)];
        random.Shuffle(order);
        foreach (float threshold in new[] { 0f, 1e-7f, 0.05f, 0.3f, 0.5f, 0.7f, 0.95f, 1f, 2f })
        {
            int[] expected = BoxKernels.SuppressScalar(boxes, order, threshold);
            string about = $"{width} x {height}, threshold {threshold}";
            AssertEqual(expected, BoxKernels.Suppress<Simd512, Vector512<float>>(boxes, order, threshold), "512 bits", about);
            AssertEqual(expected, BoxKernels.Suppress<Simd256, Vector256<float>>(boxes, order, threshold), "256 bits", about);
            AssertEqual(expected, BoxKernels.Suppress<Simd128, Vector128<float>>(boxes, order, threshold), "128 bits", about);
        }
    }
}
