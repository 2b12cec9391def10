using System.Text;
using SegmentAnything.Rle;
using SegmentAnything.TestSupport;
using SegmentAnything.TestSupport.Fuzzing;

namespace SegmentAnything.Annotations.Tests;

/// <summary>The readers of annotations and of other tools' run lengths, each behind one entry that any driver can call.</summary>
internal static class FuzzTargets
{
    /// <summary>A target a format, so that a new format has one by itself, and one for each text of run lengths.</summary>
    public static IReadOnlyList<FuzzTarget> All { get; } =
    [
        .. Seeds().Select(seed => new FuzzTarget(seed.Name, () => [seed.Bytes], file => Read(seed.Extension, file), e => e is AnnotationFormatException)
        {
            Mutate = Mutate,
            AllocationLimit = 512 << 20, // a line of text may claim a picture of 2^28 pixels, and draw in it
        }),
        RunLengths("kaggle-text", mask => Encoding.UTF8.GetBytes(RunLengthText.ToKaggle(mask)), (file, mask) => RunLengthText.FromKaggle(Encoding.UTF8.GetString(file), mask.Width, mask.Height)),
        RunLengths("cvat-text", mask => Encoding.UTF8.GetBytes(RunLengthText.ToCvat(mask)), (file, mask) => RunLengthText.FromCvat(Encoding.UTF8.GetString(file), mask.Width, mask.Height)),
        RunLengths("label-studio-bytes", RunLengthText.ToLabelStudio, (file, mask) => RunLengthText.FromLabelStudio(file, mask.Width, mask.Height)),
    ];

    private static FuzzTarget RunLengths(string name, Func<RleMask, byte[]> write, Func<byte[], RleMask, RleMask> read)
    {
        RleMask mask = Make.Random(new Random(4), 9, 7);
        return new FuzzTarget(name, () => [write(mask)], file => read(file, mask), e => e is RleFormatException) { Mutate = Mutate };
    }

    // As the tool does it: recognised, and read whole.
    private static void Read(string extension, byte[] file)
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "fuzz" + extension);
        File.WriteAllBytes(path, file);
        using AnnotationReader reader = AnnotationFormat.Detect(path).OpenRead(path, new AnnotationReadOptions { Size = (16, 12) });
        foreach (ImageAnnotations image in reader.ReadImages())
        {
            foreach (Annotation annotation in image.Annotations) _ = annotation.Mask?.Area;
        }
    }

    // A small file of every format that is one file.
    private static IEnumerable<(string Name, string Extension, byte[] Bytes)> Seeds()
    {
        using var folder = new TemporaryFolder();
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
            string path = Path.Combine(folder.Path, "seed" + extension);
            using (AnnotationWriter writer = format.CreateWriter(path))
            {
                writer.Add(image, categories);
                writer.Complete();
            }

            yield return (format.Name, extension, File.ReadAllBytes(path));
        }

        yield return ("yolo", ".txt", "0 0.1 0.1 0.9 0.1 0.5 0.9\n1 0.5 0.5 0.25 0.25\n"u8.ToArray());
    }

    private static byte[] Mutate(byte[] seed, Random random)
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
                    int from = random.Next(seed.Length);
                    bytes.InsertRange(at, seed[from..Math.Min(seed.Length, from + random.Next(30))]);
                    break;
            }
        }

        return [.. bytes];
    }
}

/// <summary>Damaged annotations, a second for each format; for hours as docs/trust.md says.</summary>
public class FuzzTests
{
    private const double Seconds = 1;

    public static TheoryData<string> Names => [.. FuzzTargets.All.Select(target => target.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void DamagedFile_IsReadOrRefused_InBoundedTimeAndMemory(string name)
    {
        (int read, int refused) = Fuzzer.Run(FuzzTargets.All.Single(target => target.Name == name), Seconds);
        // Both happen, so the changes are neither all harmless nor all fatal.
        Assert.True(read > 0 && refused > 0, $"{read} read, {refused} refused");
    }
}
