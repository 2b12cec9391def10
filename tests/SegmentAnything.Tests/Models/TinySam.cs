using SegmentAnything.Checkpoints;
using SegmentAnything.Families;
using SegmentAnything.Families.Sam1;
using SegmentAnything.Graphs;
using SegmentAnything.Tests.Decoding;
using SegmentAnything.Tests.Families.Sam1;
using SegmentAnything.Tests.Graphs;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.Models;

/// <summary>A whole SAM with random weights, small enough to be built in a test.</summary>
internal static class TinySam
{
    /// <summary>Pictures of 64 pixels, a grid of 4, 32 channels.</summary>
    public static readonly VitLayout Layout = new(16, 4, 24, 3, 48, 32, [3, 4]);

    public static InMemoryStateDict Weights(int seed)
    {
        const int channels = 32, quarter = 4, full = 16;
        var random = new Random(seed);
        StateDict encoder = PlainVit.RandomWeights(Layout, seed), decoder = RandomDecoder.Weights(channels, mlp: 40, iouHidden: 16, iouDepth: 3, seed);
        Dictionary<string, (int[] Shape, float[] Values)> all = [];
        foreach (StateDict part in new[] { encoder, decoder })
        {
            foreach (string name in part.Tensors.Keys) all[name] = (part.ShapeOf(name).ToArray(), part.ReadAny(name));
        }

        for (int label = 0; label < 4; label++) Add($"point_embeddings.{label}.weight", 1, channels);
        Add("not_a_point_embed.weight", 1, channels);
        Add("no_mask_embed.weight", 1, channels);
        Add("mask_downscaling.0.weight", quarter, 1, 2, 2);
        Add("mask_downscaling.0.bias", quarter);
        Add("mask_downscaling.1.weight", quarter);
        Add("mask_downscaling.1.bias", quarter);
        Add("mask_downscaling.3.weight", full, quarter, 2, 2);
        Add("mask_downscaling.3.bias", full);
        Add("mask_downscaling.4.weight", full);
        Add("mask_downscaling.4.bias", full);
        Add("mask_downscaling.6.weight", channels, full, 1, 1);
        Add("mask_downscaling.6.bias", channels);
        return new InMemoryStateDict("tiny SAM", all);

        void Add(string name, params int[] shape) => all["prompt_encoder." + name] =
            (shape, [.. Enumerable.Range(0, shape.Aggregate(1, (a, b) => a * b)).Select(_ => random.NextSingle() - 0.5f)]);
    }

    /// <summary>The same, recognised.</summary>
    public static FamilyModel Model(int seed) => ModelFamilies.Recognise(Weights(seed));

    public static TinyTensor[] Tensors(StateDict weights) =>
        [.. weights.Tensors.Values.Select(t => new TinyTensor(t.Name, "float32", [.. t.Shape.Select(d => (long)d)], weights.ReadAny(t.Name)))];
}
