using System.Diagnostics;
using System.Globalization;
using SegmentAnything.Imaging;

namespace SegmentAnything.Benchmarks.Comparison;

/// <summary>How many of the whole grid's masks are found again with a part of its prompts, and in how much time.</summary>
internal static class PromptFractions
{
    private const double FoundAgain = 0.9;

    /// <summary>Writes a Markdown table to the console.</summary>
    /// <param name="files">Pictures; without any, the still life of the demo.</param>
    public static int Run(string[] files)
    {
        (string Name, double Value)[] fractions = [("1/2", 1 / 2.0), ("3/8", 3 / 8.0), ("1/3", 1 / 3.0), ("1/4", 1 / 4.0), ("1/6", 1 / 6.0)];
        using SamModel sam = SamModel.Load(SamModels.MobileSam);
        Console.WriteLine($"| picture | masks | whole grid | {string.Join(" | ", fractions.Select(f => f.Name))} |");
        Console.WriteLine($"|---|---:|---:|{string.Concat(fractions.Select(_ => "---:|"))}");
        int[] totals = new int[fractions.Length + 1];
        foreach (string file in files.Length > 0 ? files : [""])
        {
            PixelBuffer image = file.Length > 0 ? ImageFile.Load(file).ToPixelBuffer() : StillLife.Image.ToPixelBuffer();
            (GeneratedMasks all, double whole) = Generate(1);
            totals[^1] += all.Count;
            List<string> cells = [];
            for (int i = 0; i < fractions.Length; i++)
            {
                (GeneratedMasks some, double seconds) = Generate(fractions[i].Value);
                int again = all.Count(a => some.Any(s => s.Mask.IntersectionOverUnion(a.Mask) >= FoundAgain));
                totals[i] += again;
                cells.Add(string.Create(CultureInfo.InvariantCulture, $"{again} ({whole / seconds:F1}x)"));
            }

            string name = file.Length > 0 ? Path.GetFileNameWithoutExtension(file) : "the still life";
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name}, {image.Size} | {all.Count} | {whole:F1} s | {string.Join(" | ", cells)} |"));

            // The better of two: the first has to be compiled.
            (GeneratedMasks, double) Generate(double fraction)
            {
                double best = double.MaxValue;
                GeneratedMasks masks = null!;
                for (int round = 0; round < 2; round++)
                {
                    long start = Stopwatch.GetTimestamp();
                    masks = sam.GenerateMasks(image, new AutomaticMaskOptions { PromptFraction = fraction });
                    best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
                }

                return (masks, best);
            }
        }

        string recalls = string.Join(" | ", totals[..^1].Select(t => string.Create(CultureInfo.InvariantCulture, $"{(double)t / totals[^1]:F3}")));
        Console.WriteLine($"| together | {totals[^1]} | | {recalls} |");
        return 0;
    }
}
