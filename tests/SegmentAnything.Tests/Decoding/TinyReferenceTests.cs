using System.Text.Json;
using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;
using SegmentAnything.Families;
using SegmentAnything.Graphs;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.Decoding;

/// <summary>
/// Prompt encoder and mask decoder of two tiny models with random weights, against the official code: sizes that no
/// published model has, and every kind of prompt.
/// </summary>
/// <remarks>
/// Random weights make attention scores large, and the network so sensitive that float32 itself is the limit: the
/// official float32 logits are up to 2e-2 from those of the same network in double precision. So ours must be as near to
/// the double-precision truth as the official ones are, within a factor of two.
/// </remarks>
public sealed class TinyReferenceTests
{
    private const double TokenTolerance = 1e-5;
    private const double LogitTolerance = 1e-4;

    /// <summary>Predicted IoUs are four numbers a prompt: too few to take the official ones' errors as a measure.</summary>
    private const double ScoreTolerance = 2e-3;

    /// <summary>How far the official float32 logits may be from the truth: beyond, it is not rounding.</summary>
    private const double OfficialTolerance = 5e-2;

    public static TheoryData<string, string, DecoderBackend> Models { get; } = new()
    {
        { "tiny_a", "tiny_a.pth", DecoderBackend.Auto },
        { "tiny_a", "tiny_a.pth", DecoderBackend.Graph },
        { "tiny_b", "tiny_b.safetensors", DecoderBackend.Auto },
        { "tiny_b", "tiny_b.legacy.pth", DecoderBackend.Graph },
    };

    [Theory]
    [MemberData(nameof(Models))]
    public void EncodeThenDecode_EveryPrompt_GivesTheReferenceTokensLogitsAndScores(string model, string file, DecoderBackend backend)
    {
        string folder = TestPaths.RequireGolden("tiny", model);
        using JsonDocument manifest = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "manifest.json")));
        JsonElement root = manifest.RootElement;
        using StateDict weights = CheckpointReader.Open(Path.Combine(folder, file));
        int[] shape = [.. root.GetProperty("embedding").GetProperty("shape").EnumerateArray().Select(e => e.GetInt32())];
        int imageSize = root.GetProperty("config").GetProperty("img_size").GetInt32();
        SamVariant variant = SamModels.MobileSam with
        {
            Name = model,
            ImageSize = imageSize,
            EmbeddingChannels = shape[1],
            EmbeddingGrid = shape[2],
        };
        SamOptions options = new() { Decoder = backend };
        FamilyModel recognised = ModelFamilies.RecogniseDecoder(weights, variant);
        using PromptEncoder promptEncoder = new(recognised);
        using MaskDecoder decoder = new(variant, recognised, options);

        JsonElement size = root.GetProperty("original_size_hw");
        ImageSize source = new(size[1].GetInt32(), size[0].GetInt32());
        float[] values = ReferenceFile.ReadFloats(folder, root.GetProperty("embedding"));
        using ImageEmbedding embedding = new(
            values, [new FeatureMapShape(FeatureMapShape.Embedding, shape[1], shape[2])], new ImageFrame(source, imageSize), model, "0123456789abcdef");

        ReferenceMaskDecoder exact = new(weights);
        (double ours, double theirs) = (0, 0);
        (double ourScores, double theirScores) = (0, 0);
        foreach (JsonElement prompt in root.GetProperty("prompts").EnumerateArray())
        {
            string id = prompt.GetProperty("id").GetString()!;
            EncodedPrompt encoded = promptEncoder.Encode(PromptOf(folder, prompt), source);
            float[] sparse = ReferenceFile.ReadFloats(folder, prompt.GetProperty("sparse_embeddings"));
            double tokenDifference = ReferenceFile.MaxDifference(encoded.Tokens, sparse);
            Assert.True(tokenDifference <= TokenTolerance, $"{id}: tokens differ by {tokenDifference}");

            (double[] truth, double[] trueScores) = exact.Decode(values, encoded.DenseMemory, encoded.TokenMemory);
            float[] official = ReferenceFile.ReadFloats(folder, prompt.GetProperty("low_res_all4"));
            float[] officialScores = ReferenceFile.Floats(prompt.GetProperty("iou_all4"));
            MaskPrediction prediction = decoder.Decode(embedding, encoded, MaskSelection.All);
            Assert.Equal(4, prediction.Count);
            foreach (PredictedMask mask in prediction)
            {
                int length = mask.LowResLogits.Length;
                Range range = (mask.MaskToken * length)..((mask.MaskToken + 1) * length);
                ours = Math.Max(ours, MaxDifference(mask.LowResLogits.Span, truth.AsSpan()[range]));
                theirs = Math.Max(theirs, MaxDifference(official.AsSpan()[range], truth.AsSpan()[range]));
                ourScores = Math.Max(ourScores, Math.Abs(mask.PredictedIou - trueScores[mask.MaskToken]));
                theirScores = Math.Max(theirScores, Math.Abs(officialScores[mask.MaskToken] - trueScores[mask.MaskToken]));
            }
        }

        Assert.True(theirs <= OfficialTolerance, $"the official logits differ from the truth by {theirs}");
        Assert.True(ours <= Math.Max(LogitTolerance, 2 * theirs), $"logits differ from the truth by {ours}, the official ones by {theirs}");
        Assert.True(ourScores <= Math.Max(ScoreTolerance, 2 * theirScores), $"IoUs differ from the truth by {ourScores}, the official ones by {theirScores}");
    }

    [Theory]
    [InlineData("tiny_a")]
    [InlineData("tiny_b")]
    public void PositionalEncodingOfGrid_GivesTheReferenceDensePositions(string model)
    {
        string folder = TestPaths.RequireGolden("tiny", model);
        using JsonDocument manifest = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "manifest.json")));
        JsonElement description = manifest.RootElement.GetProperty("dense_pe");
        int channels = description.GetProperty("shape")[1].GetInt32();
        int grid = description.GetProperty("shape")[2].GetInt32();
        using StateDict weights = CheckpointReader.Open(Path.Combine(folder, model + ".pth"));
        float[] rows = PositionalEncoding.OfGrid(weights, grid);
        float[] expected = Matrices.Transpose(ReferenceFile.ReadFloats(folder, description), channels, grid * grid);
        Assert.True(ReferenceFile.MaxDifference(rows, expected) <= TokenTolerance);
    }

    private static double MaxDifference(ReadOnlySpan<float> found, ReadOnlySpan<double> truth)
    {
        double most = 0;
        for (int i = 0; i < truth.Length; i++)
        {
            double difference = Math.Abs(found[i] - truth[i]);
            if (!(difference <= most)) most = difference; // NaN counts
        }

        return most;
    }

    private static Prompt PromptOf(string folder, JsonElement json)
    {
        Prompt? prompt = null;
        if (json.TryGetProperty("points", out JsonElement points))
        {
            prompt = Prompt.FromPoints([.. points.EnumerateArray().Zip(json.GetProperty("labels").EnumerateArray(),
                (p, l) => new PointPrompt(p[0].GetSingle(), p[1].GetSingle(), (PointLabel)l.GetInt32()))]);
        }

        if (json.TryGetProperty("box", out JsonElement b))
        {
            (float x0, float y0, float x1, float y1) = (b[0].GetSingle(), b[1].GetSingle(), b[2].GetSingle(), b[3].GetSingle());
            prompt = prompt?.AndBox(x0, y0, x1, y1) ?? Prompt.Box(x0, y0, x1, y1);
        }

        if (json.TryGetProperty("mask_input", out JsonElement mask))
        {
            float[] logits = ReferenceFile.ReadFloats(folder, mask);
            prompt = prompt?.AndMask(logits) ?? Prompt.Mask(logits);
        }

        return prompt!;
    }
}
