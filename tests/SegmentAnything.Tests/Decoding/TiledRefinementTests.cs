using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;
using SegmentAnything.Families.HqSam;
using SegmentAnything.Families.Sam1;
using SegmentAnything.Tests.Families.Sam2;

namespace SegmentAnything.Tests.Decoding;

/// <summary>HQ-SAM's mask in the tiled decoder, on random weights.</summary>
public sealed class TiledRefinementTests
{
    private const int Channels = 64, Early = 24, Tokens = 2, Masks = 3, Prompts = 5;

    // A grid whose rows are no whole vectors, and one whose rows are.
    [Theory]
    [InlineData(9, 4, 1, false)]
    [InlineData(9, 8, 2, true)]
    [InlineData(16, 16, 2, false)]
    public void Decode_WithRefinement_GivesWhatTheGraphsGive(int grid, int width, int threads, bool alone)
    {
        HqSamLayout layout = new(Channels, Early, 32, 16, 16, Channels / 8, 3);
        Dictionary<string, (int[], float[])> tensors = [];
        foreach ((string name, int[] shape) in RandomSam2.Sam1Tensors(Channels, Channels / 8, Channels / 4).Concat(layout.Tensors()))
            tensors[name] = (shape, RandomSam2.Values(name, shape));
        InMemoryStateDict weights = new("random weights", tensors);
        DecoderLayout decoder = Sam1Model.LayoutOf(weights);
        Assert.True(TiledMaskDecoder.Supports(decoder, layout.Refinement(alone)));
        HqSamModel model = new(16 * grid, grid, decoder, layout) { Weights = weights };
        SamOptions options = new() { Decoder = DecoderBackend.Graph, HqMask = alone ? HqMask.HighQualityOnly : HqMask.Sum };
        using WorkSplitter splitter = new(threads);
        using IMaskDecoderEngine graphs = model.CreateDecoder(options, splitter).Engine;
        using TiledMaskDecoder tiled = new(weights, decoder, splitter, width, layout.Refinement(alone));
        Random random = new(9);
        float[] features = Values(random, (Channels + Early) * grid * grid), tokens = Values(random, Prompts * Tokens * Channels);
        float[] dense = model.ReadWithoutMask();
        (float[] expected, float[] expectedIou) = Decode(graphs, Prompts, 0, int.MaxValue);
        (float[] found, float[] foundIou) = Decode(tiled, Prompts, 0, int.MaxValue);
        float largest = expected.Max(MathF.Abs);
        for (int i = 0; i < expected.Length; i++) Assert.Equal(expected[i], found[i], 1e-4f * largest);
        for (int i = 0; i < expectedIou.Length; i++) Assert.Equal(expectedIou[i], foundIou[i], 1e-3f);

        // Alone and with fewer rows wanted: the same to the bit.
        int size = 16 * grid * grid, rows = grid / 2;
        for (int prompt = 0; prompt < Prompts; prompt++)
        {
            (float[] alike, _) = Decode(tiled, 1, prompt, rows);
            for (int mask = 0; mask < Masks; mask++)
                Assert.True(alike.AsSpan(mask * size, 16 * grid * rows).SequenceEqual(found.AsSpan(((prompt * Masks) + mask) * size, 16 * grid * rows)));
        }

        (float[] Logits, float[] Iou) Decode(IMaskDecoderEngine engine, int prompts, int first, int gridRows)
        {
            using IPreparedImage image = engine.Prepare(features, dense, null, default);
            float[] logits = new float[prompts * Masks * 16 * grid * grid], iou = new float[prompts * Masks];
            DecodeRequest request = new()
            {
                Image = image,
                Tokens = tokens.AsSpan(first * Tokens * Channels, prompts * Tokens * Channels),
                Prompts = prompts,
                TokensPerPrompt = Tokens,
                Wanted = new WantedMasks(1, Masks, GridRows: gridRows),
            };
            engine.Decode(request, new DecodeResult { Logits = logits, PredictedIou = iou }, default);
            return (logits, iou);
        }
    }

    private static float[] Values(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => (2 * random.NextSingle()) - 1)];
}
