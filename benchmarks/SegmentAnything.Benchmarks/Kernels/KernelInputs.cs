namespace SegmentAnything.Benchmarks.Kernels;

/// <summary>Inputs that are the same in every run: pictures and logits made by a formula.</summary>
internal static class KernelInputs
{
    public const int LowResSize = 256;

    /// <summary>The names of the logits: an object with a smooth edge, an object with a ragged edge, and noise.</summary>
    public static IEnumerable<string> LogitNames => ["smooth", "ragged", "noise"];

    /// <summary>A size written as in "1800x1200".</summary>
    public static ImageSize Size(string text)
    {
        string[] sides = text.Split('x');
        return new ImageSize(int.Parse(sides[0]), int.Parse(sides[1]));
    }

    /// <summary>A picture of changing colours with some noise.</summary>
    public static PixelBuffer Picture(ImageSize size)
    {
        byte[] pixels = new byte[size.Width * size.Height * 3];
        Random random = new(5);
        for (int y = 0; y < size.Height; y++)
        {
            for (int x = 0; x < size.Width; x++)
            {
                int i = ((y * size.Width) + x) * 3;
                int noise = random.Next(16);
                pixels[i] = (byte)((x >> 3) + noise);
                pixels[i + 1] = (byte)((y >> 2) + noise);
                pixels[i + 2] = (byte)(((x ^ y) >> 4) + noise);
            }
        }

        return PixelBuffer.FromRgb24(pixels, size.Width, size.Height);
    }

    /// <summary>Low-resolution logits, positive inside the object.</summary>
    public static float[] Logits(string name)
    {
        Random random = new(7);
        float[] logits = new float[LowResSize * LowResSize];
        for (int y = 0; y < LowResSize; y++)
        {
            for (int x = 0; x < LowResSize; x++)
            {
                double dx = x - 120, dy = y - 80;
                double angle = Math.Atan2(dy, dx), radius = Math.Sqrt((dx * dx) + (dy * dy));
                logits[(y * LowResSize) + x] = name switch
                {
                    "smooth" => (float)(45 + (8 * Math.Sin(3 * angle)) - radius),
                    "ragged" => (float)((45 + (8 * Math.Sin(3 * angle)) - radius) / 4) + (random.NextSingle() * 6) - 3,
                    _ => (random.NextSingle() * 12) - 6,
                };
            }
        }

        return logits;
    }
}
