using System.Globalization;
using SegmentAnything.Imaging;
using SegmentAnything.Masks;
using SegmentAnything.Rle;

namespace SegmentAnything.Benchmarks.Comparison;

/// <summary>
/// Which logits make the best prompt of a binary mask: the masks that the automatic generator finds are given back as prompts, and
/// the answers compared with them.
/// </summary>
internal static class MaskPrompts
{
    // Logits are made of how much of each low-resolution pixel is foreground.
    private static readonly (string Name, Func<float[], float[]> Logits)[] Ways =
    [
        ("no mask", coverage => new float[coverage.Length]),
        ("±10, cut at a half", coverage => Cut(coverage, 10)),
        ("±100, cut at a half", coverage => Cut(coverage, 100)),
        ("±10, in proportion", coverage => InProportion(coverage, 10)),
        ("±25, in proportion", coverage => InProportion(coverage, 25)),
        ("±60, in proportion", coverage => InProportion(coverage, 60)),
        ("±100, in proportion", coverage => InProportion(coverage, 100)),
        ("±300, in proportion", coverage => InProportion(coverage, 300)),
        ("-10 to 30, in proportion", coverage => [.. coverage.Select(c => c > 0.5f ? 30 * ((2 * c) - 1) : 10 * ((2 * c) - 1))]),
        ("log(c / (1 - c)), ±20", coverage => [.. coverage.Select(c => Math.Clamp(MathF.Log(c / (1 - c)), -20, 20))]),
    ];

    /// <summary>Writes a Markdown table to the console.</summary>
    /// <param name="arguments">[--model NAME|PATH] [--every N] pictures; without any, the still life of the demo.</param>
    public static int Run(string[] arguments)
    {
        string model = SamModels.MobileSam.Name;
        int every = 1;
        var files = new List<string>();
        for (int i = 0; i < arguments.Length; i++)
        {
            if (arguments[i] == "--model") model = arguments[++i];
            else if (arguments[i] == "--every") every = int.Parse(arguments[++i], CultureInfo.InvariantCulture);
            else files.Add(arguments[i]);
        }

        using SamModel sam = SamModel.Load(model);
        var answers = new List<double[]>[Ways.Length + 1];
        for (int i = 0; i < answers.Length; i++) answers[i] = [];
        var nearest = new List<double>();
        foreach (string file in files.Count > 0 ? files : [""])
        {
            PixelBuffer image = file.Length > 0 ? ImageFile.Load(file).ToPixelBuffer() : StillLife.Image.ToPixelBuffer();
            using ImageEmbedding embedding = sam.Encode(image);
            foreach (RleMask mask in sam.GenerateMasks(embedding).Where((_, i) => i % every == 0).Select(found => found.Mask))
            {
                float[] coverage = MaskPromptLogits.Coverage(mask, embedding.Frame, sam.PromptEncoder.MaskSize);
                for (int i = 0; i < Ways.Length; i++) answers[i].Add(Measure(sam, embedding, mask, Ways[i].Logits(coverage)));
                using MaskPrediction own = sam.Predict(embedding, Prompt.Mask(mask));
                nearest.Add(own.Best.Mask.IntersectionOverUnion(mask));
                answers[^1].Add(Measure(sam, embedding, mask, MaskPromptLogits.Of(mask, embedding.Frame, sam.PromptEncoder.MaskSize, sam.Decoder.UpscalerOf(embedding))));
            }
        }

        Console.WriteLine($"{answers[0].Count} masks, {model}; mean IoU of the answer (one mask) with the mask that was given");
        Console.WriteLine();
        Console.WriteLine("| logits | the logits themselves | mask alone | mask, point | mask, box | mask, box, point | least, with box |");
        Console.WriteLine("|---|---:|---:|---:|---:|---:|---:|");
        for (int i = 0; i < answers.Length; i++)
        {
            string name = i < Ways.Length ? Ways[i].Name : "the library's";
            string means = string.Join(" | ", Enumerable.Range(0, answers[i][0].Length).Select(k => Number(answers[i].Average(a => a[k]))));
            Console.WriteLine($"| {name} | {means} | {Number(answers[i].Min(a => a[3]))} |");
        }

        Console.WriteLine();
        Console.WriteLine($"Prompt.Mask, which takes the nearest of the four masks: {Number(nearest.Average())}, least {Number(nearest.Min())}");
        return 0;
    }

    private static double[] Measure(SamModel sam, ImageEmbedding embedding, RleMask mask, float[] logits)
    {
        (int x, int y) = mask.LargestInscribedPoint(out _);
        MaskBox box = mask.BoundingBox;
        Prompt alone = Prompt.Mask(logits), boxed = Prompt.Box(box.X, box.Y, box.Right, box.Bottom).AndMask(logits);
        return
        [
            sam.CutLogits(embedding, logits, 0).IntersectionOverUnion(mask),
            Iou(alone), Iou(alone.AndPoint(x + 0.5f, y + 0.5f)), Iou(boxed), Iou(boxed.AndPoint(x + 0.5f, y + 0.5f)),
        ];

        double Iou(Prompt prompt)
        {
            using MaskPrediction prediction = sam.Predict(embedding, prompt, MaskSelection.Single);
            return prediction.Best.Mask.IntersectionOverUnion(mask);
        }
    }

    private static float[] Cut(float[] coverage, float logit) => [.. coverage.Select(c => c > 0.5f ? logit : -logit)];

    private static float[] InProportion(float[] coverage, float logit) => [.. coverage.Select(c => logit * ((2 * c) - 1))];

    private static string Number(double value) => value.ToString("F4", CultureInfo.InvariantCulture);
}
