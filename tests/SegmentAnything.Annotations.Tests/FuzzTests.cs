using System.Text;
using SegmentAnything.Rle;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Annotations.Tests;

/// <summary>What a fuzzer drives: bytes in, and the documented exceptions at most out.</summary>
public static class FuzzEntries
{
    /// <summary>A file of annotations of any format, recognised as the tool does it, and read whole.</summary>
    /// <returns>Whether it was read.</returns>
    public static bool Annotations(string path, ReadOnlySpan<byte> bytes)
    {
        File.WriteAllBytes(path, bytes);
        try
        {
            using AnnotationReader reader = AnnotationFormat.Detect(path).OpenRead(path, new AnnotationReadOptions { Size = (16, 12) });
            foreach (ImageAnnotations image in reader.ReadImages())
            {
                foreach (Annotation annotation in image.Annotations) _ = annotation.Mask?.Area;
            }

            return true;
        }
        catch (AnnotationFormatException)
        {
            return false;
        }
    }

    /// <summary>The run lengths of other tools.</summary>
    /// <returns>Whether they were read.</returns>
    public static bool RunLengths(int kind, ReadOnlySpan<byte> bytes)
    {
        try
        {
            RleMask mask = kind switch
            {
                0 => RunLengthText.FromKaggle(Encoding.UTF8.GetString(bytes), 9, 7),
                1 => RunLengthText.FromCvat(Encoding.UTF8.GetString(bytes), 9, 7),
                _ => RunLengthText.FromLabelStudio(bytes, 9, 7),
            };
            return mask.Width == 9;
        }
        catch (RleFormatException)
        {
            return false;
        }
    }
}

/// <summary>Mutated files and texts: each is read, or gives the one exception.</summary>
public class FuzzTests
{
    /// <summary>How many inputs are tried: some seconds of them, or as many as the variable SEGMENTANYTHING_FUZZ says.</summary>
    private static int Iterations { get; } = int.TryParse(Environment.GetEnvironmentVariable("SEGMENTANYTHING_FUZZ"), out int wanted) ? wanted : 10_000;

    [Fact]
    public void Files_Mutated_AreReadOrTheOneException()
    {
        const int Seed = 20261128;
        var random = new Random(Seed);
        using var folder = new TemporaryFolder();
        (string Extension, byte[] Bytes)[] seeds = [.. Seeds(folder.Path)];
        int read = 0;
        for (int i = 0; i < Iterations; i++)
        {
            (string extension, byte[] bytes) = seeds[random.Next(seeds.Length)];
            byte[] mutated = Mutate(random, bytes, seeds[random.Next(seeds.Length)].Bytes);
            try
            {
                if (FuzzEntries.Annotations(Path.Combine(folder.Path, "fuzz" + extension), mutated)) read++;
            }
            catch (Exception e)
            {
                Assert.Fail($"input {i} of seed {Seed} ({extension}): {e}\n{Encoding.Latin1.GetString(mutated)}");
            }
        }

        // Both outcomes must be common, or the mutations are too weak or too strong.
        Assert.InRange(read, Iterations / 50, Iterations - (Iterations / 50));
    }

    [Fact]
    public void RunLengths_Mutated_AreReadOrTheOneException()
    {
        const int Seed = 4;
        var random = new Random(Seed);
        RleMask mask = Make.Random(random, 9, 7);
        byte[][] seeds = [Encoding.UTF8.GetBytes(RunLengthText.ToKaggle(mask)), Encoding.UTF8.GetBytes(RunLengthText.ToCvat(mask)), RunLengthText.ToLabelStudio(mask)];
        int read = 0, rounds = Iterations * 5;
        for (int i = 0; i < rounds; i++)
        {
            int kind = random.Next(seeds.Length);
            if (FuzzEntries.RunLengths(kind, Mutate(random, seeds[kind], seeds[kind]))) read++;
        }

        Assert.InRange(read, rounds / 100, rounds - (rounds / 50));
    }

    // A small file of every format that is one file.
    private static IEnumerable<(string Extension, byte[] Bytes)> Seeds(string folder)
    {
        var categories = new Dictionary<long, AnnotationCategory> { [1] = new() { Id = 1, Name = "cup" } };
        var image = new ImageAnnotations(new AnnotationImage { Id = 1, FileName = "a.jpg", Width = 12, Height = 9 },
        [
            Annotation.From(Make.Holed, 1, 1, 1) with { PredictedIou = 0.5, Points = [new MaskPoint(1, 2)], Score = 0.5 },
            new Annotation { Id = 2, ImageId = 1, CategoryId = 1, Mask = Make.Square.Pad(0, 0, 4, 1), Polygons = [[1, 1, 4, 1, 4, 4, 1, 4]] },
            new Annotation { Id = 3, ImageId = 1, CategoryId = 1, Box = new PixelRectangle(1, 2, 3, 4) },
        ]);
        foreach (AnnotationFormat format in AnnotationFormat.All.Where(f => f.CanWrite && f.CanRead && f.Name is not ("amg-folder" or "yolo")))
        {
            string extension = format.Name switch { "kaggle" => ".csv", "cvat" => ".xml", "label-map" => ".png", "geojson" => ".geojson", _ => ".json" };
            string path = Path.Combine(folder, "seed" + extension);
            using (AnnotationWriter writer = format.CreateWriter(path))
            {
                writer.Add(image, categories);
                writer.Complete();
            }

            yield return (extension, File.ReadAllBytes(path));
        }

        yield return (".txt", "0 0.1 0.1 0.9 0.1 0.5 0.9\n1 0.5 0.5 0.25 0.25\n"u8.ToArray());
    }

    private static byte[] Mutate(Random random, byte[] seed, byte[] other)
    {
        List<byte> bytes = [.. seed];
        string[] words = ["null", "-1", "1e9", "NaN", "4294967296", "\"", "{", "}", "[", "]", ",", ":", "0", "[]", "{}", "1e400", "\\u0000", "true", "<", "&"];
        for (int i = random.Next(1, 4); i > 0 && bytes.Count > 0; i--)
        {
            int at = random.Next(bytes.Count), count = Math.Min(random.Next(1, 20), bytes.Count - at);
            switch (random.Next(7))
            {
                case 0:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 1:
                    bytes.RemoveRange(at, count);
                    break;
                case 2:
                    bytes.InsertRange(at, bytes.GetRange(random.Next(bytes.Count - count + 1), count));
                    break;
                case 3:
                    bytes.InsertRange(at, Encoding.UTF8.GetBytes(words[random.Next(words.Length)]));
                    break;
                case 4 when random.Next(4) == 0:
                    bytes.RemoveRange(at, bytes.Count - at);
                    break;
                case 5:
                    // A number becomes another word.
                    int digit = bytes.FindIndex(at, b => b is >= (byte)'0' and <= (byte)'9');
                    if (digit < 0) break;
                    bytes.RemoveAt(digit);
                    bytes.InsertRange(digit, Encoding.UTF8.GetBytes(words[random.Next(words.Length)]));
                    break;
                default:
                    int from = random.Next(other.Length);
                    bytes.InsertRange(at, other[from..Math.Min(other.Length, from + random.Next(30))]);
                    break;
            }
        }

        return [.. bytes];
    }
}
