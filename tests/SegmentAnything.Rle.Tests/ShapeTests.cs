namespace SegmentAnything.Rle.Tests;

/// <summary>Components, contours, hull, inscribed point and border, against plain loops over pixels.</summary>
public class ShapeTests
{
    // A mask of some runs whose pixels nobody can go through one by one.
    [Theory]
    [InlineData(int.MaxValue, 1)]
    [InlineData(1, int.MaxValue)]
    [InlineData(46340, 46340)]
    public void Measures_OfBillionsOfPixels_AreExactAndQuick(int width, int height)
    {
        RleMask full = RleMask.Full(width, height);
        Assert.Equal(new MaskPoint((width - 1) / 2.0, (height - 1) / 2.0), full.Centroid);
        Assert.Equal((double)width * height, full.ConvexHullArea);
        Assert.Equal(0, full.Concavity);
        if (width == 1 || height == 1) Assert.Equal(RleMask.Full(height, width), full.Transpose());
        if (width == int.MaxValue)
        {
            Assert.Throws<RleFormatException>(() => full.ToPolygons());
            Assert.Throws<RleFormatException>(() => full.ConnectedComponents());
            return;
        }

        Assert.Equal([width, 0.0, width, height, 0, height, 0, 0], Assert.Single(full.ToPolygons()).ToArray());
        Assert.Equal(full, Assert.Single(full.ConnectedComponents()));
    }

    [Theory]
    [InlineData(PixelConnectivity.Four)]
    [InlineData(PixelConnectivity.Eight)]
    public void ConnectedComponents_OfEveryMask_AreThoseOfFloodFilling(PixelConnectivity connectivity)
    {
        foreach ((string name, byte[] bitmap, RleMask mask) in MaskData.All(largest: 9000))
        {
            (int[] labels, int count) = MaskData.FloodFill(
                bitmap, mask.Width, mask.Height, foreground: true, connectivity == PixelConnectivity.Eight);
            RleMask[] components = mask.ConnectedComponents(connectivity);
            Assert.True(count == components.Length, $"{name}: {count} expected, {components.Length} found");
            if (count > 300) continue;

            int previousFirst = -1;
            foreach (RleMask component in components)
            {
                byte[] pixels = component.ToBitmap();
                int label = labels[Array.IndexOf(pixels, (byte)1)];
                Assert.True(pixels.Zip(labels).All(pair => (pair.First != 0) == (pair.Second == label)), name);
                Assert.True(component.Counts[0] > previousFirst, $"{name}: the order is not that of the first pixels");
                previousFirst = component.Counts[0];
            }
        }
    }

    [Fact]
    public void SmallRegions_OfEveryMask_AreThoseOfFloodFilling()
    {
        foreach ((string name, byte[] bitmap, RleMask mask) in MaskData.All(largest: 9000))
        {
            foreach (long minArea in new long[] { 0, 1, 2, 5, 40, 1_000_000 })
            {
                (byte[] expected, bool changed) = Reference(bitmap, mask.Width, mask.Height, minArea, holes: true);
                (RleMask filled, bool filledChanged) = mask.FillSmallHoles(minArea);
                Assert.True(changed == filledChanged, $"holes of {name} below {minArea}");
                Assert.True(expected.AsSpan().SequenceEqual(filled.ToBitmap()), $"holes of {name} below {minArea}");

                (expected, changed) = Reference(bitmap, mask.Width, mask.Height, minArea, holes: false);
                (RleMask removed, bool removedChanged) = mask.RemoveSmallRegions(minArea);
                Assert.True(changed == removedChanged, $"islands of {name} below {minArea}");
                Assert.True(expected.AsSpan().SequenceEqual(removed.ToBitmap()), $"islands of {name} below {minArea}");
            }
        }

        // Segment Anything's remove_small_regions, step by step.
        static (byte[] Mask, bool Changed) Reference(byte[] bitmap, int width, int height, long minArea, bool holes)
        {
            (int[] labels, int count) = MaskData.FloodFill(bitmap, width, height, foreground: !holes, corners: true);
            var areas = new int[count];
            var firstBlock = new int[count];
            Array.Fill(firstBlock, int.MaxValue);
            for (int i = 0; i < labels.Length; i++)
            {
                if (labels[i] < 0) continue;
                areas[labels[i]]++;
                firstBlock[labels[i]] = Math.Min(firstBlock[labels[i]], (i / width / 2 * width) + (i % width / 2));
            }

            if (areas.All(area => area >= minArea)) return (bitmap, false);
            if (holes) return ([.. labels.Select(label => (byte)(label < 0 || areas[label] < minArea ? 1 : 0))], true);
            bool[] keep = [.. areas.Select(area => area >= minArea)];
            if (!keep.Contains(true))
                keep[Enumerable.Range(0, count).OrderByDescending(label => areas[label]).ThenBy(label => firstBlock[label]).First()] = true;
            return ([.. labels.Select(label => (byte)(label >= 0 && keep[label] ? 1 : 0))], true);
        }
    }

    [Theory]
    [InlineData(PixelConnectivity.Four)]
    [InlineData(PixelConnectivity.Eight)]
    public void ToPolygons_OfEveryMask_GivesItBackWithOneOuterContourARegion(PixelConnectivity connectivity)
    {
        foreach ((string name, byte[] bitmap, RleMask mask) in MaskData.All())
        {
            IReadOnlyList<MaskPolygon> polygons = mask.ToPolygons(connectivity);
            Assert.True(mask == RleMask.FromContours(polygons, mask.Width, mask.Height), name);
            Assert.True(mask.ConnectedComponents(connectivity).Length == polygons.Count(polygon => !polygon.IsHole), name);
            double area = 0;
            foreach (MaskPolygon polygon in polygons)
            {
                double own = SignedArea(polygon.Coordinates);
                Assert.True(own > 0 != polygon.IsHole, name);
                area += own;
            }

            Assert.True(mask.Area == area, name);

            // Holes: background regions, connected the other way, that do not reach the frame.
            (_, int background) = MaskData.FloodFill(
                Padded(mask), mask.Width + 2, mask.Height + 2, foreground: false, connectivity == PixelConnectivity.Four);
            Assert.True(background - 1 == polygons.Count(polygon => polygon.IsHole), name);
        }

        static byte[] Padded(RleMask mask) => mask.Pad(1, 1, 1, 1).ToBitmap();
    }

    [Fact]
    public void ToPolygons_OfARing_AreItsTwoContours()
    {
        RleMask ring = MaskData.Mask(6, 5, (x, y) => x is >= 1 and <= 3 && y is >= 1 and <= 3 && (x, y) != (2, 2));
        IReadOnlyList<MaskPolygon> polygons = ring.ToPolygons();
        Assert.Equal(2, polygons.Count);
        Assert.Equal([4, 1, 4, 4, 1, 4, 1, 1], polygons[0].ToArray());
        Assert.False(polygons[0].IsHole);
        Assert.True(polygons[1].IsHole);
        Assert.Equal(4, polygons[1].Coordinates.Length / 2);
        Assert.Empty(RleMask.Empty(3, 3).ToPolygons());
    }

    [Fact]
    public void ConvexHull_OfEveryMask_HasTheAreaOfTheHullOfItsCorners()
    {
        foreach ((string name, byte[] bitmap, RleMask mask) in MaskData.All(largest: 9000))
        {
            double expected = HullArea(bitmap, mask.Width);
            Assert.True(expected == mask.ConvexHullArea, $"{name}: {expected} expected, {mask.ConvexHullArea} found");
            if (mask.IsEmpty) Assert.True(double.IsNaN(mask.Concavity));
            else Assert.True(Math.Abs(1 - (mask.Area / expected) - mask.Concavity) < 1e-12, name);
        }
    }

    [Fact]
    public void LargestInscribedPoint_OfEveryMask_IsTheMaximumOfTheDistanceTransform()
    {
        foreach ((string name, byte[] bitmap, RleMask mask) in MaskData.All(largest: 2500))
        {
            int width = mask.Width, height = mask.Height;
            var background = new List<(int X, int Y)>();
            for (int y = -1; y <= height; y++)
                for (int x = -1; x <= width; x++)
                    if (x < 0 || y < 0 || x == width || y == height || bitmap[(y * width) + x] == 0) background.Add((x, y));
            (int X, int Y, int Squared) best = (-1, -1, 0);
            for (int y = 0; y < height; y++)
            {
                for (int x = 0; x < width; x++)
                {
                    if (bitmap[(y * width) + x] == 0) continue;
                    int squared = background.Min(pixel => ((pixel.X - x) * (pixel.X - x)) + ((pixel.Y - y) * (pixel.Y - y)));
                    if (squared > best.Squared) best = (x, y, squared);
                }
            }

            (int foundX, int foundY) = mask.LargestInscribedPoint(out double distance);
            Assert.True((best.X, best.Y) == (foundX, foundY), $"{name}: {best} expected, {(foundX, foundY)} found");
            Assert.Equal(Math.Sqrt(best.Squared), distance);
        }
    }

    [Fact]
    public void Erode_OfEveryMask_KeepsPixelsWhoseSquareIsForeground()
    {
        foreach ((string name, byte[] bitmap, RleMask mask) in MaskData.All(largest: 9000))
        {
            foreach (int radius in new[] { 0, 1, 2, 3, 5, 8 })
            {
                // Separable: first down the columns, then along the rows.
                int width = mask.Width, height = mask.Height;
                bool At(byte[] pixels, int x, int y) => x >= 0 && y >= 0 && x < width && y < height && pixels[(y * width) + x] != 0;
                byte[] columns = MaskData.Make(width, height, (x, y) => Enumerable.Range(-radius, (2 * radius) + 1).All(d => At(bitmap, x, y + d)));
                byte[] expected = MaskData.Make(width, height, (x, y) => Enumerable.Range(-radius, (2 * radius) + 1).All(d => At(columns, x + d, y)));
                Assert.True(expected.AsSpan().SequenceEqual(mask.Erode(radius).ToBitmap()), $"{name}, radius {radius}");
            }
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => RleMask.Full(3, 3).Erode(-1));
    }

    [Fact]
    public void Boundary_OfASquare_IsABandOfTheRoundedWidth()
    {
        // 2 % of the diagonal of 300 x 400 is 10 pixels.
        RleMask square = RleMask.FromBox(new MaskBox(50, 60, 100, 200), 300, 400);
        RleMask band = square.Boundary();
        Assert.Equal((100 * 200) - (80 * 180), band.Area);
        Assert.Equal(1, square.BoundaryIntersectionOverUnion(square));
        RleMask moved = square.Translate(10, 0);
        double expected = band.IntersectionOverUnion(moved.Boundary());
        Assert.Equal(expected, square.BoundaryIntersectionOverUnion(moved));
        Assert.Equal(expected, IouMatrix.Boundaries([square], [moved])[0, 0]);
        Assert.True(expected < square.IntersectionOverUnion(moved));
        // At least one pixel, halves to even: 0.001 of the diagonal 500 is 0.5.
        Assert.Equal(square.Area - (98 * 198), square.Boundary(0.001).Area);
        Assert.Throws<ArgumentOutOfRangeException>(() => square.Boundary(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => square.Boundary(double.NaN));
    }

    // Positive for a contour that runs clockwise on the screen, where y grows downwards.
    private static double SignedArea(ReadOnlySpan<double> polygon)
    {
        double area = 0;
        for (int i = 0; i < polygon.Length; i += 2)
        {
            int j = (i + 2) % polygon.Length;
            area += (polygon[i] * polygon[j + 1]) - (polygon[j] * polygon[i + 1]);
        }

        return area / 2;
    }

    // Gift wrapping over all corners of all pixels.
    private static double HullArea(byte[] bitmap, int width)
    {
        var corners = new HashSet<(long X, long Y)>();
        for (int i = 0; i < bitmap.Length; i++)
        {
            if (bitmap[i] == 0) continue;
            long x = i % width, y = i / width;
            corners.UnionWith([(x, y), (x + 1, y), (x, y + 1), (x + 1, y + 1)]);
        }

        if (corners.Count == 0) return 0;
        (long X, long Y) start = corners.Min(), at = start;
        double twice = 0;
        do
        {
            (long X, long Y) next = at;
            foreach ((long X, long Y) candidate in corners)
            {
                long cross = ((next.X - at.X) * (candidate.Y - at.Y)) - ((next.Y - at.Y) * (candidate.X - at.X));
                long reach = Squared(candidate) - Squared(next);
                if (next == at || cross < 0 || (cross == 0 && reach > 0)) next = candidate;
            }

            twice += (at.X * next.Y) - (at.Y * next.X);
            at = next;

            long Squared((long X, long Y) point) => ((point.X - at.X) * (point.X - at.X)) + ((point.Y - at.Y) * (point.Y - at.Y));
        }
        while (at != start);
        return Math.Abs(twice) / 2;
    }
}
