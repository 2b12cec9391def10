namespace SegmentAnything.Text;

/// <summary>Resizes with the antialiased bicubic filter, to the byte as Pillow does.</summary>
/// <remarks>Columns first, then rows, in fixed point. Source: Pillow, libImaging/Resample.c.</remarks>
internal static class BicubicResize
{
    private const int Precision = 32 - 8 - 2;
    private const double Support = 2;

    /// <summary>Resizes red-green-blue bytes.</summary>
    public static byte[] Resize(ReadOnlySpan<byte> rgb, int width, int height, int stride, int newWidth, int newHeight)
    {
        (int First, int[] Weights)[] columns = Weights(width, newWidth), rows = Weights(height, newHeight);
        byte[] narrow = new byte[3 * newWidth * height];
        for (int y = 0; y < height; y++)
        {
            ReadOnlySpan<byte> row = rgb.Slice(y * stride, 3 * width);
            for (int x = 0; x < newWidth; x++)
            {
                (int first, int[] weights) = columns[x];
                for (int c = 0; c < 3; c++)
                {
                    int sum = 1 << (Precision - 1);
                    for (int k = 0; k < weights.Length; k++) sum += row[(3 * (first + k)) + c] * weights[k];
                    narrow[(((y * newWidth) + x) * 3) + c] = Clip(sum);
                }
            }
        }

        byte[] result = new byte[3 * newWidth * newHeight];
        for (int y = 0; y < newHeight; y++)
        {
            (int first, int[] weights) = rows[y];
            for (int i = 0; i < 3 * newWidth; i++)
            {
                int sum = 1 << (Precision - 1);
                for (int k = 0; k < weights.Length; k++) sum += narrow[((first + k) * 3 * newWidth) + i] * weights[k];
                result[(y * 3 * newWidth) + i] = Clip(sum);
            }
        }

        return result;
    }

    private static byte Clip(int sum) => (byte)Math.Clamp(sum >> Precision, 0, 255);

    private static (int First, int[] Weights)[] Weights(int from, int to)
    {
        double scale = (double)from / to, filterScale = Math.Max(scale, 1), support = Support * filterScale;
        var all = new (int First, int[] Weights)[to];
        for (int i = 0; i < to; i++)
        {
            double centre = (i + 0.5) * scale;
            int first = Math.Max(0, (int)(centre - support + 0.5)), end = Math.Min(from, (int)(centre + support + 0.5));
            double[] weights = new double[end - first];
            double sum = 0;
            for (int k = 0; k < weights.Length; k++) sum += weights[k] = Filter((k + first - centre + 0.5) / filterScale);
            int[] whole = new int[weights.Length];
            for (int k = 0; k < weights.Length; k++)
            {
                double weight = weights[k] / sum * (1 << Precision);
                whole[k] = (int)(weight < 0 ? weight - 0.5 : weight + 0.5);
            }

            all[i] = (first, whole);
        }

        return all;
    }

    private static double Filter(double x)
    {
        const double a = -0.5;
        x = Math.Abs(x);
        if (x < 1) return ((((a + 2) * x) - (a + 3)) * x * x) + 1;
        return x < 2 ? (((((x - 5) * x) + 8) * x) - 4) * a : 0;
    }
}
