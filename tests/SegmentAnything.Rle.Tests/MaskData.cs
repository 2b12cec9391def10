namespace SegmentAnything.Rle.Tests;

/// <summary>Seeded bitmaps of every kind that matters to run-length code, and plain definitions to compare with.</summary>
internal static class MaskData
{
    /// <summary>Widths and heights around the vector and block sizes.</summary>
    public static readonly (int Width, int Height)[] Sizes =
    [
        (1, 1), (1, 2), (2, 1), (1, 257), (257, 1), (3, 5), (7, 64), (8, 63), (9, 65), (31, 33), (63, 8), (64, 64), (65, 127),
        (128, 17), (16, 128), (33, 129), (130, 66), (71, 200), (200, 71), (256, 255),
    ];

    /// <summary>Bitmaps (0 and 1, row-major) of one size: empty, full, noise of several densities, blobs, stripes, dots.</summary>
    public static IEnumerable<(string Name, byte[] Bitmap)> Bitmaps(int width, int height, int seed)
    {
        yield return ("empty", new byte[width * height]);
        yield return ("full", Make(width, height, (_, _) => true));
        foreach (double density in new[] { 0.01, 0.1, 0.5, 0.9, 0.99 })
        {
            var random = new Random(seed);
            yield return ($"noise {density}", Make(width, height, (_, _) => random.NextDouble() < density));
        }

        for (int i = 0; i < 3; i++) yield return ($"blobs {i}", Blobs(width, height, seed + i, 1 + (2 * i)));
        yield return ("columns", Make(width, height, (x, _) => (x & 1) == 1));
        yield return ("rows", Make(width, height, (_, y) => (y & 1) == 0));
        yield return ("checkerboard", Make(width, height, (x, y) => ((x + y) & 1) == 0));
        yield return ("first pixel", Make(width, height, (x, y) => x == 0 && y == 0));
        yield return ("last pixel", Make(width, height, (x, y) => x == width - 1 && y == height - 1));
        yield return ("left half", Make(width, height, (x, _) => 2 * x < width));
        yield return ("frame", Make(width, height, (x, y) => x == 0 || y == 0 || x == width - 1 || y == height - 1));
        yield return ("inside", Make(width, height, (x, y) => x > 0 && y > 0 && x < width - 1 && y < height - 1));
    }

    /// <summary>All bitmaps of all sizes, as masks.</summary>
    public static IEnumerable<(string Name, byte[] Bitmap, RleMask Mask)> All(int largest = int.MaxValue)
    {
        foreach ((int width, int height) in Sizes.Where(size => size.Width * size.Height <= largest))
        {
            int seed = (width * 1000) + height;
            foreach ((string name, byte[] bitmap) in Bitmaps(width, height, seed))
                yield return ($"{name}, {width} x {height}, seed {seed}", bitmap, RleMask.FromBitmap(bitmap, width, height));
        }
    }

    /// <summary>Overlapping ellipses.</summary>
    public static byte[] Blobs(int width, int height, int seed, int count)
    {
        var random = new Random(seed);
        var bitmap = new byte[width * height];
        for (int i = 0; i < count; i++)
        {
            double cx = random.NextDouble() * width, cy = random.NextDouble() * height;
            double rx = 0.5 + (random.NextDouble() * width / 3), ry = 0.5 + (random.NextDouble() * height / 3);
            for (int y = 0; y < height; y++)
                for (int x = 0; x < width; x++)
                    if (Math.Pow((x - cx) / rx, 2) + Math.Pow((y - cy) / ry, 2) <= 1) bitmap[(y * width) + x] = 1;
        }

        return bitmap;
    }

    /// <summary>A bitmap of a predicate.</summary>
    public static byte[] Make(int width, int height, Func<int, int, bool> isForeground)
    {
        var bitmap = new byte[width * height];
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
                bitmap[(y * width) + x] = isForeground(x, y) ? (byte)1 : (byte)0;
        return bitmap;
    }

    /// <summary>A mask of a predicate.</summary>
    public static RleMask Mask(int width, int height, Func<int, int, bool> isForeground) =>
        RleMask.FromBitmap(Make(width, height, isForeground), width, height);

    /// <summary>The regions of a bitmap by flood filling: for each pixel its region's number in reading order, or -1.</summary>
    public static (int[] Labels, int Count) FloodFill(byte[] bitmap, int width, int height, bool foreground, bool corners)
    {
        var labels = new int[bitmap.Length];
        Array.Fill(labels, -1);
        int count = 0;
        var stack = new Stack<int>();
        for (int start = 0; start < bitmap.Length; start++)
        {
            if (labels[start] >= 0 || bitmap[start] != 0 != foreground) continue;
            labels[start] = count;
            stack.Push(start);
            while (stack.TryPop(out int pixel))
            {
                int x = pixel % width, y = pixel / width;
                for (int dy = -1; dy <= 1; dy++)
                {
                    for (int dx = -1; dx <= 1; dx++)
                    {
                        int nx = x + dx, ny = y + dy;
                        if (!corners && dx != 0 && dy != 0) continue;
                        if (nx < 0 || ny < 0 || nx >= width || ny >= height) continue;
                        int next = (ny * width) + nx;
                        if (labels[next] >= 0 || bitmap[next] != 0 != foreground) continue;
                        labels[next] = count;
                        stack.Push(next);
                    }
                }
            }

            count++;
        }

        return (labels, count);
    }
}
