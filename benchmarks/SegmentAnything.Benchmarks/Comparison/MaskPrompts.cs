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
        var ways = Ways();
        var totals = new List<double[]>[ways.Count];
        for (int i = 0; i < ways.Count; i++) totals[i] = [];
        foreach (string file in files.Count > 0 ? files : [""])
        {
            PixelBuffer image = file.Length > 0 ? ImageFile.Load(file).ToPixelBuffer() : StillLife.Image.ToPixelBuffer();
            using ImageEmbedding embedding = sam.Encode(image);
            RleMask[] masks = [.. sam.GenerateMasks(image).Where((_, i) => i % every == 0).Select(found => found.Mask)];
            foreach (RleMask mask in masks)
            {
                float[] coverage = MaskPromptLogits.Coverage(mask, embedding.Frame, sam.PromptEncoder.MaskSize);
                (int x, int y) = mask.LargestInscribedPoint(out _);
                MaskBox box = mask.BoundingBox;
                for (int i = 0; i < ways.Count; i++)
                {
                    float[] logits = ways[i].Logits(coverage, mask, embedding.Frame);
                    Prompt bare = Prompt.Mask(logits), point = Prompt.Point(x + 0.5f, y + 0.5f).AndMask(logits), boxed = Prompt.Box(box.X, box.Y, box.Right, box.Bottom).AndMask(logits);
                    totals[i].Add([sam.CutLogits(embedding, logits, 0).IntersectionOverUnion(mask), Iou(boxed, MaskSelection.Single), Iou(boxed.AndPoint(x + 0.5f, y + 0.5f), MaskSelection.Single), Iou(bare, MaskSelection.Single)]);

                    double Iou(Prompt prompt, MaskSelection selection)
                    {
                        using MaskPrediction prediction = sam.Predict(embedding, prompt, selection);
                        return prediction.Best.Mask.IntersectionOverUnion(mask);
                    }

                    double Best(Prompt prompt)
                    {
                        using MaskPrediction prediction = sam.Predict(embedding, prompt, MaskSelection.All);
                        return prediction.Max(p => p.Mask.IntersectionOverUnion(mask));
                    }
                }
            }
        }

        Console.WriteLine("| way | alone 1 | alone 3 | alone oracle | point 1 | point 3 | box 1 | box 3 | box+point 1| box oracle |");
        for (int i = 0; i < ways.Count; i++)
            Console.WriteLine($"| {ways[i].Name} | {string.Join(" | ", Enumerable.Range(0, 4).Select(k => totals[i].Average(t => t[k]).ToString("F4", CultureInfo.InvariantCulture)))} |");
        return 0;
    }
    private static List<(string Name, Func<float[], RleMask, ImageFrame, float[]> Logits)> Ways()
    {
        List<(string Name, Func<float[], RleMask, ImageFrame, float[]> Logits)> ways = [];
        foreach (float k in new float[] { 60, 100, 150, 250, 500 })
            ways.Add(($"linear {k}", (c, _, _) => [.. c.Select(v => k * ((2 * v) - 1))]));
        foreach (float alpha in new[] { 0.5f, 1f })
            ways.Add(($"linear 100 sharpened {alpha}", (c, _, _) => { float[] blurred = Blur(c); return [.. c.Select((v, i) => 100 * ((2 * (v + (alpha * (v - blurred[i])))) - 1))]; }));
        return ways;
    }

    private static float[] Distance(float[] coverage, float slope, float clamp)
    {
        const int n = 256, reach = 12;
        var result = new float[n * n];
        for (int y = 0; y < n; y++)
        {
            for (int x = 0; x < n; x++)
            {
                float c = coverage[(y * n) + x];
                bool inside = c > 0.5f;
                float best = reach;
                for (int dy = -reach; dy <= reach; dy++)
                {
                    int yy = y + dy;
                    if (yy < 0 || yy >= n) continue;
                    for (int dx = -reach; dx <= reach; dx++)
                    {
                        int xx = x + dx;
                        if (xx < 0 || xx >= n) continue;
                        float o = coverage[(yy * n) + xx];
                        if ((o > 0.5f) == inside) continue;
                        float d = MathF.Sqrt((dx * dx) + (dy * dy)) - 0.5f;
                        // edge lies nearer or farther by the coverage
                        d += inside ? o : 1 - o;
                        d -= 0.5f;
                        best = Math.Min(best, d + 0.5f);
                    }
                }

                result[(y * n) + x] = Math.Clamp(slope * (inside ? best : -best), -clamp, clamp);
            }
        }

        return result;
    }

    private static float[] Blur(float[] c)
    {
        const int n = 256;
        var r = new float[c.Length];
        for (int y = 0; y < n; y++)
            for (int x = 0; x < n; x++)
            {
                float sum = 0;
                for (int dy = -1; dy <= 1; dy++)
                    for (int dx = -1; dx <= 1; dx++)
                        sum += c[(Math.Clamp(y + dy, 0, n - 1) * n) + Math.Clamp(x + dx, 0, n - 1)] * (2 - Math.Abs(dx)) * (2 - Math.Abs(dy));
                r[(y * n) + x] = sum / 16;
            }
        return r;
    }
}
