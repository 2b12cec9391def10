using System.Text;
using SegmentAnything.Rle.Kernels;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Rle.Tests;

/// <summary>Mutated texts: each gives the right mask or the one exception.</summary>
public class FuzzTests
{
    /// <summary>
    /// How many texts are tried: 2 million in the default leg, 100,000 in the others, or as many as the variable
    /// SEGMENTANYTHING_FUZZ says.
    /// </summary>
    private static int Iterations =>
        int.TryParse(Environment.GetEnvironmentVariable("SEGMENTANYTHING_FUZZ"), out int wanted) ? wanted
            : SimdLeg.IsDefault ? 2_000_000 : 100_000;

    [Fact]
    public void CocoString_Mutated_GivesTheMaskOfTheDefinitionOrTheException()
    {
        const int Seed = 20260704;
        var random = new Random(Seed);
        (byte[] Text, int Width, int Height)[] seeds =
        [
            .. MaskData.All(largest: 3000).Select(entry => (entry.Mask.ToCocoUtf8(), entry.Mask.Width, entry.Mask.Height))
                .Where(seed => seed.Item1.Length <= 200),
        ];
        var text = new byte[400];
        int valid = 0, refused = 0;
        for (int i = 0; i < Iterations; i++)
        {
            (byte[] seed, int width, int height) = seeds[random.Next(seeds.Length)];
            int length = Mutate(random, seed, text);
            ReadOnlySpan<byte> mutated = text.AsSpan(0, length);
            int[]? expected = Definition(mutated, width * height);
            try
            {
                RleMask mask = RleMask.FromCocoString(mutated, width, height);
                if (expected is null || !mask.Counts.SequenceEqual(expected))
                    Assert.Fail($"text {i} of seed {Seed}, '{Encoding.Latin1.GetString(mutated)}' for {width} x {height}: {mask}");
                valid++;
            }
            catch (RleFormatException exception)
            {
                if (expected is not null)
                    Assert.Fail($"text {i} of seed {Seed}, '{Encoding.Latin1.GetString(mutated)}' for {width} x {height}: {exception.Message}");
                refused++;
            }
        }

        // Both outcomes must be common, or the mutations are too weak or too strong.
        Assert.True(valid > Iterations / 50 && refused > Iterations / 50, $"{valid} valid, {refused} refused");
    }

    [Fact]
    public void Polygons_OfAnyNumbers_EqualTheDefinition()
    {
        const int Seed = 77;
        var random = new Random(Seed);
        int rounds = SimdLeg.IsDefault ? 20_000 : 2_000;
        for (int i = 0; i < rounds; i++)
        {
            int width = random.Next(1, 60), height = random.Next(1, 60);
            var polygon = new double[2 * random.Next(3, 12)];
            double spread = random.Next(4) switch { 0 => 1.5, 1 => 60, 2 => 300, _ => 20 };
            for (int j = 0; j < polygon.Length; j++)
            {
                double value = (random.NextDouble() * spread * 1.4) - (spread * 0.2);
                polygon[j] = random.Next(4) switch { 0 => Math.Round(value), 1 => Math.Round(value * 10) / 10, _ => value };
                if (j >= 2 && random.Next(6) == 0) polygon[j] = polygon[j - 2];
            }

            int[] expected = RleKernels.FillPolygonsScalar([polygon], width, height);
            int[] actual = RleMask.FromPolygon(polygon, width, height).Counts.ToArray();
            if (!expected.AsSpan().SequenceEqual(actual))
                Assert.Fail($"polygon {i} of seed {Seed} in {width} x {height}: {string.Join(", ", polygon)}");
        }
    }

    [Fact]
    public void Polygons_OfManyCornersAndRows_EqualTheDefinition()
    {
        const int Seed = 78;
        var random = new Random(Seed);
        int rounds = SimdLeg.IsDefault ? 400 : 60;
        for (int i = 0; i < rounds; i++)
        {
            // Taller than 4096 rows, or of more than a million words of 64 rows, crossings are sorted otherwise.
            (int width, int height) = (i % 8) switch
            {
                0 => (random.Next(1, 40), random.Next(4000, 9000)),
                1 when i % 64 == 1 => (20_000, 3_900),
                1 => (random.Next(2000, 9000), random.Next(1, 40)),
                _ => (random.Next(1, 400), random.Next(1, 400)),
            };
            var polygons = new double[random.Next(1, 5)][];
            foreach (ref double[] polygon in polygons.AsSpan())
            {
                polygon = new double[2 * random.Next(3, random.Next(4, 250))];
                double step = random.Next(3) switch { 0 => 3, 1 => 40, _ => 2.0 * Math.Max(width, height) };
                for (int j = 0; j < polygon.Length; j++)
                {
                    int side = (j & 1) == 0 ? width : height;
                    double last = j < 2 ? random.NextDouble() * side : polygon[j - 2];
                    polygon[j] = Math.Clamp(last + ((random.NextDouble() - .5) * step), -.3 * side, 1.3 * side);
                    if (random.Next(3) == 0) polygon[j] = Math.Round(polygon[j] * 5) / 5;
                }
            }

            if (!RleKernels.FillPolygonsScalar(polygons, width, height).AsSpan().SequenceEqual(RleKernels.FillPolygons(polygons, width, height, new DrawingLimit(default))))
                Assert.Fail($"polygons {i} of seed {Seed} in {width} x {height}");
            if (!RleKernels.FillPolygonsScalar([polygons[0]], width, height).AsSpan().SequenceEqual(RleKernels.FillPolygon(polygons[0], width, height, new DrawingLimit(default))))
                Assert.Fail($"first polygon {i} of seed {Seed} in {width} x {height}");
        }
    }

    [Fact]
    public void Polygon_OfTheLargestCoordinates_IsCutOff()
    {
        const double Far = RleKernels.MaxCoordinate;
        Assert.Equal(40 * 30, RleMask.FromPolygon([-Far, -Far, Far, -Far, 0, Far], 40, 30).Area);

        // An edge that takes a thousand million steps for one column, and passes its middle in sight.
        RleMask mask = RleMask.FromPolygon([10, -Far, 11, Far, Far, 0], 40, 30);
        Assert.Equal(29 * 30, mask.Crop(new MaskBox(11, 0, 29, 30)).Area);
        Assert.True(mask.Crop(new MaskBox(0, 0, 10, 30)).IsEmpty);
    }

    private static int Mutate(Random random, byte[] seed, byte[] text)
    {
        seed.CopyTo(text, 0);
        int length = seed.Length;
        for (int mutations = random.Next(4); mutations > 0; mutations--)
        {
            int at = random.Next(length + 1);
            switch (random.Next(7))
            {
                case 0 when at < length:
                    text[at] = (byte)random.Next(256);
                    break;
                case 1 when at < length:
                    text[at] = (byte)(48 + random.Next(64));
                    break;
                case 2 when at < length:
                    text.AsSpan(at + 1, length - at - 1).CopyTo(text.AsSpan(at));
                    length--;
                    break;
                case 3 when length < 300:
                    text.AsSpan(at, length - at).CopyTo(text.AsSpan(at + 1));
                    text[at] = (byte)(48 + random.Next(64));
                    length++;
                    break;
                case 4:
                    length = at;
                    break;
                case 5 when at + 1 < length:
                    (text[at], text[at + 1]) = (text[at + 1], text[at]);
                    break;
                case 6 when length < 300:
                    // A pair of runs that cancel: the text stays valid more often.
                    "00"u8.CopyTo(text.AsSpan(length));
                    length += 2;
                    break;
                default:
                    break;
            }
        }

        return length;
    }

    // COCO's reading, with the checks that make a text a mask: null where it is none.
    private static int[]? Definition(ReadOnlySpan<byte> text, int pixels)
    {
        var counts = new List<long>();
        int p = 0;
        while (p < text.Length)
        {
            long x = 0;
            int k = 0;
            bool more = true;
            while (more)
            {
                if (p == text.Length || k == 7) return null;
                int c = text[p++] - 48;
                if (c is < 0 or > 63) return null;
                x |= (long)(c & 0x1f) << (5 * k);
                more = (c & 0x20) != 0;
                k++;
                if (!more && (c & 0x10) != 0) x |= -1L << (5 * k);
            }

            if (counts.Count > 2) x += counts[^2];
            if (x is < 0 or > int.MaxValue) return null;
            counts.Add(x);
        }

        if (counts.Sum() != pixels) return null;
        var canonical = new List<int>();
        for (int i = 0; i < counts.Count; i++)
        {
            if (i > 0 && counts[i] == 0) continue;
            if (canonical.Count > 0 && ((canonical.Count - 1) & 1) == (i & 1)) canonical[^1] += (int)counts[i];
            else canonical.Add((int)counts[i]);
        }

        return [.. canonical];
    }
}
