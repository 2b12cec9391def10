using SegmentAnything.Rle;

namespace SegmentAnything.Benchmarks.Rle;

/// <summary>The masks that the benchmarks use, by name; fixed by their seeds.</summary>
internal static class RleShapes
{
    /// <summary>Blobs of a part of the area, and noise: a blob of 5 % with one pixel in twenty flipped.</summary>
    public static readonly string[] Names = ["blob 0.5 %", "blob 5 %", "blob 30 %", "noise"];

    /// <summary>A bitmap, row-major.</summary>
    public static byte[] Bitmap(string name, int width, int height, int seed = 1)
    {
        byte[] bitmap = name switch
        {
            "blob 0.5 %" => Blob(width, height, 0.005, seed),
            "blob 5 %" => Blob(width, height, 0.05, seed),
            "blob 30 %" => Blob(width, height, 0.30, seed),
            "noise" => Blob(width, height, 0.05, seed),
            _ => throw new ArgumentException($"There is no shape '{name}'.", nameof(name)),
        };
        if (name != "noise") return bitmap;
        var random = new Random(seed);
        for (int i = 0; i < bitmap.Length; i++)
            if (random.Next(20) == 0) bitmap[i] ^= 1;
        return bitmap;
    }

    /// <summary>A mask.</summary>
    public static RleMask Mask(string name, int width, int height, int seed = 1) =>
        RleMask.FromBitmap(Bitmap(name, width, height, seed), width, height);

    /// <summary>An outline of so many points, as an annotator would draw it around a blob of 5 %.</summary>
    public static double[] Polygon(int points, int width, int height, int seed = 1)
    {
        var random = new Random(seed);
        double radius = Math.Sqrt(0.05 * width * height / Math.PI);
        var polygon = new double[2 * points];
        for (int i = 0; i < points; i++)
        {
            double angle = 2 * Math.PI * i / points, reach = radius * (0.9 + (0.2 * random.NextDouble()));
            polygon[2 * i] = (width / 2) + (reach * Math.Cos(angle));
            polygon[(2 * i) + 1] = (height / 2) + (reach * Math.Sin(angle));
        }

        return polygon;
    }

    /// <summary>Boxes (left, top, right, bottom) of objects of all sizes, and scores.</summary>
    public static (float[] Boxes, float[] Scores) Boxes(int count, int width, int height, int seed = 1)
    {
        var random = new Random(seed);
        var boxes = new float[4 * count];
        var scores = new float[count];
        for (int i = 0; i < count; i++)
        {
            double w = 8 + (random.NextDouble() * random.NextDouble() * width / 3), h = 8 + (random.NextDouble() * random.NextDouble() * height / 3);
            double x = random.NextDouble() * (width - w), y = random.NextDouble() * (height - h);
            (boxes[4 * i], boxes[(4 * i) + 1], boxes[(4 * i) + 2], boxes[(4 * i) + 3]) =
                ((float)x, (float)y, (float)(x + w), (float)(y + h));
            scores[i] = (float)random.NextDouble();
        }

        return (boxes, scores);
    }

    // A closed curve around a random centre: a circle with a few waves, cut off at the frame.
    private static byte[] Blob(int width, int height, double part, int seed)
    {
        var random = new Random(seed);
        double radius = Math.Sqrt(part * width * height / Math.PI);
        double marginX = Math.Min(radius, width / 2.2), marginY = Math.Min(radius, height / 2.2);
        double centreX = marginX + (random.NextDouble() * (width - (2 * marginX)));
        double centreY = marginY + (random.NextDouble() * (height - (2 * marginY)));
        double[] size = [.. Enumerable.Range(0, 5).Select(_ => random.NextDouble() * 0.12)];
        double[] phase = [.. Enumerable.Range(0, 5).Select(_ => random.NextDouble() * 2 * Math.PI)];
        var bitmap = new byte[width * height];
        // The waves together take or add no more than this, so most pixels need no angle.
        double most = size.Sum() + 0.01;
        for (int y = 0; y < height; y++)
        {
            for (int x = 0; x < width; x++)
            {
                double dx = x - centreX, dy = y - centreY, distance = Math.Sqrt((dx * dx) + (dy * dy)), reach = 1;
                if (distance > radius * (1 + most)) continue;
                if (distance > radius * (1 - most))
                {
                    double angle = Math.Atan2(dy, dx);
                    for (int k = 0; k < size.Length; k++) reach += size[k] * Math.Sin(((k + 2) * angle) + phase[k]);
                }

                if (distance <= radius * reach) bitmap[(y * width) + x] = 1;
            }
        }

        return bitmap;
    }
}
