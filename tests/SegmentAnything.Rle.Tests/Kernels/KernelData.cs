namespace SegmentAnything.Rle.Tests.Kernels;

/// <summary>
/// Inputs for every path of every kernel, by name and on every machine, against its scalar definition; they and the outputs lie
/// against forbidden pages, so that reading or writing beyond them ends the tests.
/// </summary>
internal static class KernelData
{
    /// <summary>All lengths from 0 to 257, then some beyond several vectors.</summary>
    internal static IEnumerable<int> Lengths => [.. Enumerable.Range(0, 258), 511, 512, 513, 1000, 1023, 2049];

    // Values that are not only 0 and 1: every value but 0 is foreground.
    internal static byte[] Pixels(int length, int seed, double change)
    {
        var random = new Random(seed);
        var pixels = new byte[length];
        byte value = random.Next(2) == 0 ? (byte)0 : (byte)1;
        for (int i = 0; i < length; i++)
        {
            if (random.NextDouble() < change) value = value == 0 ? (byte)random.Next(1, 256) : (byte)0;
            pixels[i] = value;
        }

        return pixels;
    }

    internal static IEnumerable<(int Width, int Height, int Stride)> OddSizes()
    {
        foreach ((int width, int height) in MaskData.Sizes)
            foreach (int extra in new[] { 0, 1, 7, 64 })
                yield return (width, height, width + extra);
        for (int width = 15; width <= 130; width += 5) yield return (width, 66, width + 3);
        for (int height = 1; height <= 130; height += 7) yield return (67, height, 67);
    }

    internal static int[] Runs(int count, int largest, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(largest))];
    }

    internal static byte[] Transposed(byte[] bitmap, int width, int height)
    {
        var columns = new byte[bitmap.Length];
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
                columns[(x * height) + y] = bitmap[(y * width) + x];
        return columns;
    }

    internal static void AssertEqual(int[] expected, int[] actual, string path, string about)
    {
        if (!expected.AsSpan().SequenceEqual(actual))
            Assert.Fail($"{path}, {about}: expected {string.Join(' ', expected.Take(20))} ..., found {string.Join(' ', actual.Take(20))} ...");
    }
}
