using CommunityToolkit.HighPerformance;

namespace SegmentAnything.Rle.Tests;

/// <summary>Masks and pixels, set operations, geometry: against plain loops over pixels.</summary>
public class RleMaskTests
{
    [Fact]
    public void Mask_OfAnyBitmap_HasItsPixelsAreaBoxAndCentroid()
    {
        foreach ((string name, byte[] bitmap, RleMask mask) in MaskData.All())
        {
            int width = mask.Width, height = mask.Height;
            Assert.True(bitmap.AsSpan().SequenceEqual(mask.ToBitmap()), name);
            Assert.True(bitmap.Count(pixel => pixel != 0) == mask.Area, name);
            Assert.True(mask.IsEmpty == (mask.Area == 0), name);

            int left = width, right = -1, top = height, bottom = -1;
            double sumX = 0, sumY = 0;
            for (int y = 0; y < height; y++)
            {
                for (int x = 0; x < width; x++)
                {
                    if (bitmap[(y * width) + x] == 0) continue;
                    (left, right, top, bottom) = (Math.Min(left, x), Math.Max(right, x), Math.Min(top, y), Math.Max(bottom, y));
                    sumX += x;
                    sumY += y;
                }
            }

            MaskBox box = right < 0 ? default : new MaskBox(left, top, right - left + 1, bottom - top + 1);
            Assert.True(box == mask.BoundingBox, $"{name}: expected {box}, found {mask.BoundingBox}");
            MaskPoint centroid = mask.Centroid;
            if (right < 0) Assert.True(double.IsNaN(centroid.X) && double.IsNaN(centroid.Y));
            else Assert.True(new MaskPoint(sumX / mask.Area, sumY / mask.Area) == centroid, name);
        }
    }

    [Fact]
    public void Runs_OfAnyMask_AreCanonicalAndFillTheMask()
    {
        foreach ((string name, _, RleMask mask) in MaskData.All())
        {
            Assert.True(mask.Counts[1..].IndexOf(0) < 0, name);
            Assert.True(mask.Counts.ToArray().Sum(run => (long)run) == mask.Width * (long)mask.Height, name);
        }
    }

    [Fact]
    public void Runs_OfLengthZero_AreAcceptedAndLeftOut()
    {
        // 0 0 0 5 0 3 2 2: nothing; 5 of background's opposite ... read by parity: 5 foreground, 3 more, 2 background, 2.
        Assert.Equal([0, 8, 2, 2], RleMask.FromCounts([0, 0, 0, 5, 0, 3, 2, 2], 12, 1).Counts.ToArray());
        Assert.Equal([12], RleMask.FromCounts([0, 0, 12, 0], 4, 3).Counts.ToArray());
        Assert.Equal([0, 12], RleMask.FromCounts([0, 12, 0, 0], 4, 3).Counts.ToArray());
        Assert.Equal([5, 7], RleMask.FromCounts([2, 0, 3, 7, 0], 4, 3).Counts.ToArray());
        Assert.Equal(RleMask.FromCounts([5, 7], 4, 3), RleMask.FromCocoString("2037", 4, 3));
    }

    [Fact]
    public void Indexer_OfEveryPixel_IsTheBitmaps()
    {
        foreach ((string name, byte[] bitmap, RleMask mask) in MaskData.All(largest: 600))
            for (int y = 0; y < mask.Height; y++)
                for (int x = 0; x < mask.Width; x++)
                    Assert.True(mask[x, y] == (bitmap[(y * mask.Width) + x] != 0), $"{name} at {x}, {y}");
        RleMask full = RleMask.Full(4, 3);
        Assert.Throws<ArgumentOutOfRangeException>(() => full[4, 0]);
        Assert.Throws<ArgumentOutOfRangeException>(() => full[0, 3]);
        Assert.Throws<ArgumentOutOfRangeException>(() => full[-1, 0]);
        Assert.Throws<ArgumentOutOfRangeException>(() => full[0, -1]);
    }

    [Fact]
    public void Bitmap_WithAnyStride_IsReadAndWrittenWithoutTheBytesBetween()
    {
        foreach (int extra in new[] { 0, 1, 3, 64, 129 })
        {
            foreach ((string name, byte[] bitmap, RleMask mask) in MaskData.All(largest: 9000))
            {
                int stride = mask.Width + extra;
                var padded = new byte[((mask.Height - 1) * stride) + mask.Width];
                Array.Fill(padded, (byte)7);
                for (int y = 0; y < mask.Height; y++)
                    for (int x = 0; x < mask.Width; x++)
                        padded[(y * stride) + x] = (byte)(bitmap[(y * mask.Width) + x] * 200);
                Assert.True(mask == RleMask.FromBitmap(padded, mask.Width, mask.Height, stride), $"{name}, stride {stride}");

                byte[] written = [.. padded.Select(_ => (byte)7)];
                mask.ToBitmap(written, stride, foreground: 200);
                Assert.True(padded.AsSpan().SequenceEqual(written), $"{name}, stride {stride}");

                float[] logits = [.. padded.Select(pixel => pixel == 7 ? float.NaN : pixel - 100f)];
                Assert.True(mask == RleMask.FromLogits(logits, mask.Width, mask.Height, stride: stride), $"{name}, stride {stride}");
            }
        }
    }

    [Fact]
    public void Plane_OfAnyPitch_IsReadAndWritten()
    {
        RleMask mask = MaskData.Mask(50, 40, (x, y) => (x * y) % 7 == 1);
        var bytes = new byte[60, 90];
        bytes.AsSpan().Fill(9);
        Span2D<byte> part = new Span2D<byte>(bytes).Slice(3, 20, 40, 50);
        mask.ToBitmap(part);
        Assert.Equal(mask, RleMask.FromBitmap(part));
        for (int y = 0; y < 60; y++)
            for (int x = 0; x < 90; x++)
                Assert.Equal(y is >= 3 and < 43 && x is >= 20 and < 70 ? mask[x - 20, y - 3] ? 1 : 0 : 9, bytes[y, x]);
        RleMask row = RleMask.FromBitmap(new ReadOnlySpan2D<byte>(bytes).Slice(5, 20, 1, 50));
        Assert.Equal(mask.Crop(new MaskBox(0, 2, 50, 1)), row);
        Assert.Throws<RleFormatException>(() => RleMask.FromBitmap(ReadOnlySpan2D<byte>.Empty));
        Assert.Throws<ArgumentException>(() => mask.ToBitmap(new Span2D<byte>(bytes)));
    }

    [Fact]
    public void Logits_AtAndAroundTheCutoff_AreForegroundOnlyAbove()
    {
        float[] logits = [0f, -0f, float.Epsilon, -float.Epsilon, float.NaN, float.PositiveInfinity, float.NegativeInfinity, 1f];
        Assert.Equal([0, 0, 1, 0, 0, 1, 0, 1], RleMask.FromLogits(logits, 8, 1).ToBitmap());
        Assert.Equal([0, 0, 0, 0, 0, 1, 0, 0], RleMask.FromLogits(logits, 8, 1, cutoff: 1f).ToBitmap());
        Assert.Equal([1, 1, 1, 1, 0, 1, 0, 1], RleMask.FromLogits(logits, 8, 1, cutoff: float.NegativeInfinity).ToBitmap());
    }

    [Fact]
    public void SetOperations_OfEveryPair_EqualThePixelwiseOnes()
    {
        foreach ((int width, int height) in MaskData.Sizes.Where(size => size.Width * size.Height < 6000))
        {
            var masks = MaskData.Bitmaps(width, height, 5).Concat(MaskData.Bitmaps(width, height, 17)).ToArray();
            foreach ((string nameA, byte[] a) in masks)
            {
                RleMask maskA = RleMask.FromBitmap(a, width, height);
                Assert.Equal([.. a.Select(pixel => (byte)(1 - pixel))], maskA.Complement().ToBitmap());
                foreach ((string nameB, byte[] b) in masks)
                {
                    RleMask maskB = RleMask.FromBitmap(b, width, height);
                    string name = $"{nameA} and {nameB}, {width} x {height}";
                    Check(maskA.Union(maskB), (p, q) => p | q);
                    Check(maskA.Intersection(maskB), (p, q) => p & q);
                    Check(maskA.Difference(maskB), (p, q) => p & (1 - q));
                    Check(maskA.SymmetricDifference(maskB), (p, q) => p ^ q);
                    Assert.True(maskA.IntersectionArea(maskB) == a.Zip(b, (p, q) => p & q).Sum(), name);

                    void Check(RleMask result, Func<int, int, int> operation)
                    {
                        RleMask expected = RleMask.FromBitmap([.. a.Zip(b, (p, q) => (byte)operation(p, q))], width, height);
                        Assert.True(expected == result, name);
                    }
                }
            }
        }
    }

    [Fact]
    public void Geometry_OfEveryMask_EqualsThePixelwiseOne()
    {
        foreach ((string name, byte[] bitmap, RleMask mask) in MaskData.All(largest: 9000))
        {
            int width = mask.Width, height = mask.Height;
            bool At(int x, int y) => x >= 0 && y >= 0 && x < width && y < height && bitmap[(y * width) + x] != 0;

            Assert.True(MaskData.Mask(width, height, (x, y) => At(width - 1 - x, y)) == mask.FlipHorizontal(), name);
            Assert.True(MaskData.Mask(width, height, (x, y) => At(x, height - 1 - y)) == mask.FlipVertical(), name);
            foreach ((int dx, int dy) in new[] { (0, 0), (1, 0), (0, 1), (-1, -2), (3, -1), (-70, 5), (int.MaxValue, int.MinValue) })
            {
                RleMask expected = MaskData.Mask(width, height, (x, y) => (long)x - dx is >= 0 and < 1000 && (long)y - dy is >= 0 and < 1000 && At(x - dx, y - dy));
                Assert.True(expected == mask.Translate(dx, dy), $"{name} by {dx}, {dy}");
            }

            var box = new MaskBox(width / 3, height / 4, (width / 2) + 1 - (width == 1 ? 0 : width % 2), Math.Max(1, height / 2));
            Assert.True(MaskData.Mask(box.Width, box.Height, (x, y) => At(x + box.X, y + box.Y)) == mask.Crop(box), name);
            Assert.True(mask == mask.Crop(new MaskBox(0, 0, width, height)), name);
            RleMask padded = mask.Pad(2, 3, 1, 5);
            Assert.True(MaskData.Mask(width + 3, height + 8, (x, y) => At(x - 2, y - 3)) == padded, name);
            Assert.True(mask == padded.Crop(new MaskBox(2, 3, width, height)), name);
        }

        RleMask small = RleMask.Full(4, 3);
        foreach (MaskBox wrong in new MaskBox[] { new(0, 0, 0, 1), new(0, 0, 5, 1), new(-1, 0, 2, 2), new(2, 2, 2, 2), new(1, 1, int.MaxValue, 1) })
            Assert.Throws<ArgumentOutOfRangeException>(() => small.Crop(wrong));
        Assert.Throws<ArgumentOutOfRangeException>(() => small.Pad(-1, 0, 0, 0));
        Assert.Throws<RleFormatException>(() => small.Pad(int.MaxValue, 0, 0, 0));
    }

    [Fact]
    public void Merge_OfManyMasks_IsTheUnionAndTheIntersection()
    {
        RleMask[] masks = [.. MaskData.Bitmaps(40, 30, 3).Select(entry => RleMask.FromBitmap(entry.Bitmap, 40, 30))];
        for (int count = 1; count <= masks.Length; count++)
        {
            RleMask[] some = masks[^count..];
            Assert.Equal(some.Aggregate((a, b) => a.Union(b)), RleMask.Union(some));
            Assert.Equal(some.Aggregate((a, b) => a.Intersection(b)), RleMask.Intersection(some));
        }

        Assert.Throws<RleFormatException>(() => RleMask.Union([]));
        Assert.Equal(1, Assert.Throws<RleFormatException>(() => RleMask.Union([masks[0], RleMask.Empty(4, 4)])).Position);
        Assert.Throws<ArgumentNullException>(() => RleMask.Intersection([masks[0], null!]));
    }

    [Fact]
    public void Equality_IsOfSizeAndPixels()
    {
        RleMask a = RleMask.FromCounts([2, 3, 7], 3, 4), same = RleMask.FromCounts([2, 3, 7], 3, 4);
        RleMask turned = RleMask.FromCounts([2, 3, 7], 4, 3), other = RleMask.FromCounts([3, 2, 7], 3, 4);
        Assert.True(a == same && a.Equals((object)same) && a.GetHashCode() == same.GetHashCode() && !(a != same));
        Assert.True(a != turned && a != other && !a.Equals(null) && a != null && null != a);
        RleMask? none = null;
        Assert.True(none == null);
        Assert.Equal("3 x 4 mask, 3 runs, area 3", a.ToString());
    }

    [Fact]
    public void LargeMasks_TakeMemoryByTheirRuns()
    {
        const int Side = 30_000;
        long before = GC.GetAllocatedBytesForCurrentThread();
        RleMask square = RleMask.FromBox(new MaskBox(10_000, 5_000, 12_000, 20_001), Side, Side);
        Assert.Equal(12_000L * 20_001, square.Area);
        Assert.Equal(new MaskBox(10_000, 5_000, 12_000, 20_001), square.BoundingBox);
        Assert.Equal(square, RleMask.FromCocoString(square.ToCocoString(), Side, Side));
        Assert.Equal(square, square.FlipHorizontal().FlipHorizontal());
        Assert.Equal(square, square.FlipVertical().FlipVertical());
        Assert.Equal(square, RleMask.FromContours(square.ToPolygons(), Side, Side));
        Assert.Equal(((long)Side * Side) - square.Area, square.Complement().Area);
        Assert.Single(square.ConnectedComponents());
        Assert.Equal(square, square.FillSmallHoles(1000).Mask);
        Assert.Equal(1, square.IntersectionOverUnion(square));
        Assert.Equal(12_000.0 * 20_001, square.ConvexHullArea);
        Assert.Equal((15_999, 10_999), square.LargestInscribedPoint(out double distance));
        Assert.Equal(6_000, distance);
        Assert.True(RleMask.Full(Side, Side).Erode(100).Area == 29_800L * 29_800);
        Assert.True(square.Boundary().Area > 0);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(allocated < 64 << 20, $"{allocated} bytes; the bitmap would take 900,000,000");
    }
}
