using System.Diagnostics;
using SegmentAnything.Benchmarks.Machine;
using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;
using SegmentAnything.Loading;
using SegmentAnything.Models;

namespace SegmentAnything.Benchmarks.Kernels;

/// <summary>
/// The tiled mask decoder alone, beside what the processor can do at all: per vector width and thread count, a click and a
/// prompt of a batch, three masks each.
/// </summary>
internal static class DecoderPeak
{
    private const int Channels = 256, Positions = 64 * 64, Sparse = 2, Masks = 3, Batch = 64;

    /// <summary>
    /// The same where image tokens are formed, as the graphs do it: layer 0's two cheap score products and its values, five
    /// products of the image with 56 columns and two with 32, upscaling, the masks, and the tokens' own layers.
    /// </summary>
    internal const double FormedMultiplyAdds = 801e6;

    /// <summary>
    /// Multiply-adds of a one-point prompt with three masks after docs/decoder.md, "Image tokens as coordinates", padding not
    /// counted: the four passes over the image, and the tokens' own layers.
    /// </summary>
    internal static double MultiplyAdds => MultiplyAddsOf(5 + Sparse);

    /// <summary>The same for so many tokens, output tokens included.</summary>
    internal static double MultiplyAddsOf(double tokens)
    {
        const double Heads = 8, Final = 1 + Masks, Inner = Channels / 2;
        double weights = Heads * tokens, coordinates = weights - Heads, all = (2 * coordinates) + 2;
        double head = weights * Inner / Heads, directions = coordinates * Inner / Heads, finalHead = Final * Inner;

        // A length multiplies each block of 8 coordinates with those up to it; the coordinate of the base is one more.
        double triangle = (coordinates * (coordinates + 8) / 2) + coordinates;
        double first = 2 * head;
        double second = head + Inner + directions + triangle + Inner + (2 * (head + (weights * (coordinates + 1))));
        double third = Inner + head + (weights * (coordinates + 1)) + (2 * (Inner + directions + triangle)) + (coordinates * (coordinates + 2))
            + Inner + (2 * (finalHead + (Heads * Final * all)));
        double upscale = (Channels * (all + 1)) + (4 * 64 * 128) + (Masks * 16 * 32);
        double own = 2 * tokens * ((2 * Channels * 2048.0) + (4 * Channels * Channels) + (4 * Channels * Inner));
        return (Positions * (first + second + third + upscale)) + own;
    }

    /// <summary>Measures and writes a Markdown table to the console.</summary>
    /// <param name="rounds">How often each is measured; the best counts, because other programs only ever slow down.</param>
    public static int Run(int rounds)
    {
        using OpenedModel opened = OpenedModel.Open(SamModels.MobileSam, ModelStore.Default.Find(SamModels.MobileSam));
        StateDict weights = opened.Model.Weights;
        DecoderLayout layout = DecoderLayout.Of(weights, heads: 8, normEpsilon: 1e-5f);
        var random = new Random(1);
        float[] embedding = Values(random, Channels * Positions, 0.2f), tokens = Values(random, Batch * Sparse * Channels, 1.5f);
        float[] dense = weights.ReadAny("prompt_encoder.no_mask_embed.weight");
        using PromptEncoder prompts = new(SamModels.MobileSam, ModelStore.Default.Find(SamModels.MobileSam));
        ReadOnlyMemory<float> mask = Values(random, 16 * Positions, 10);
        float[] encodedMask = prompts.Encode(Prompt.Mask(mask), new ImageSize(1024, 1024)).Dense.ToArray();
        float[] logits = new float[Batch * Masks * 16 * Positions], iou = new float[Batch * Masks];
        Console.WriteLine($"{MultiplyAdds / 1e6:F0} M multiply-adds a prompt, {FormedMultiplyAdds / 1e6:F0} M if its image tokens were formed; the peak is that of the same vectors.");
        Console.WriteLine();
        Console.WriteLine("| vectors | threads | peak, GFLOP/s | image, ms | mask prompt, ms | click, ms | of the peak | prompt of a batch of 64, ms | of the peak | as if formed |");
        Console.WriteLine("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
        for (int width = FmaPeak.WidestVector; width >= 4; width /= 2)
        {
            foreach (int threads in new[] { 1, Environment.ProcessorCount }.Distinct())
            {
                using WorkSplitter splitter = new(threads);
                using TiledMaskDecoder engine = new(weights, layout, splitter, width);
                using IPreparedImage image = engine.Prepare(embedding, dense, null, CancellationToken.None);
                double peak = FmaPeak.Measure(threads, width);
                double prepare = Best(rounds, () => engine.Prepare(embedding, dense, null, CancellationToken.None).Dispose());
                double prepareMask = Best(rounds, () => engine.Prepare(embedding, encodedMask, image, CancellationToken.None).Dispose());
                double click = Best(rounds * 4, () => Decode(1)), batch = Best(rounds, () => Decode(Batch)) / Batch;
                Console.WriteLine(
                    $"| {width * 32} bits | {threads} | {peak:F0} | {prepare * 1e3:F1} | {prepareMask * 1e3:F2} | {click * 1e3:F2} | {Share(click, peak):P0} "
                    + $"| {batch * 1e3:F2} | {Share(batch, peak):P0} | {Share(batch, peak) * FormedMultiplyAdds / MultiplyAdds:P0} |");

                void Decode(int prompts) => engine.Decode(
                    new DecodeRequest
                    {
                        Image = image,
                        Tokens = tokens.AsSpan(0, prompts * Sparse * Channels),
                        Prompts = prompts,
                        TokensPerPrompt = Sparse,
                        Wanted = new WantedMasks(1, Masks),
                    },
                    new DecodeResult { Logits = logits.AsSpan(0, prompts * Masks * 16 * Positions), PredictedIou = iou.AsSpan(0, prompts * Masks) },
                    CancellationToken.None);
            }
        }

        return 0;
    }

    private static double Share(double seconds, double peak) => 2 * MultiplyAdds / seconds / 1e9 / peak;

    private static double Best(int rounds, Action work)
    {
        // The runtime compiles the methods around the kernels anew after some calls.
        work();
        work();
        double best = double.MaxValue;
        for (int round = 0; round < rounds; round++)
        {
            long start = Stopwatch.GetTimestamp();
            work();
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        return best;
    }

    private static float[] Values(Random random, int count, float range)
    {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) values[i] = (random.NextSingle() - 0.5f) * 2 * range;
        return values;
    }
}
