using System.Text.Json;
using CommunityToolkit.HighPerformance.Buffers;
using SegmentAnything.Imaging;
using SegmentAnything.Rle;
using SegmentAnything.TestSupport;

namespace SegmentAnything.ModelTests;

/// <summary>One photograph with everything the official predictor said about it.</summary>
internal sealed class ReferenceImage
{
    private readonly string _folder;
    private readonly JsonElement _manifest;

    private ReferenceImage(string folder)
    {
        _folder = folder;
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "manifest.json")));
        _manifest = document.RootElement.Clone();
    }

    public static IReadOnlyList<string> Names { get; } = ["truck", "groceries", "picture1"];

    public ImageSize Size => SizeOf(_manifest.GetProperty("original_size_hw"));

    public ImageSize InputSize => SizeOf(_manifest.GetProperty("input_size_hw"));

    /// <summary>Opens the data, or skips the running test where it is absent.</summary>
    public static ReferenceImage Open(string name) => new(TestPaths.RequireGolden("predictor", name));

    public LoadedImage LoadPixels() => ImageFile.Load(Path.Combine(_folder, _manifest.GetProperty("input_decoded_png").GetString()!));

    public byte[] ResizedRgb() =>
        File.ReadAllBytes(Path.Combine(_folder, _manifest.GetProperty("resized_rgb").GetProperty("file").GetString()!));

    public float[] Embedding() => ReferenceFile.ReadFloats(_folder,
        _manifest.TryGetProperty("embedding_f32", out JsonElement exact) ? exact : _manifest.GetProperty("embedding_f16"));

    /// <summary>The largest error of the stored embedding: 0 where it is float32.</summary>
    public double EmbeddingError() => _manifest.TryGetProperty("embedding_f16", out JsonElement half)
        && half.TryGetProperty("max_abs_error_vs_f32", out JsonElement error) ? error.GetDouble() : 0;

    /// <summary>The reference's own embedding, as if our encoder had made it.</summary>
    public ImageEmbedding ReferenceEmbedding(SamModel sam)
    {
        float[] values = Embedding();
        MemoryOwner<float> memory = MemoryOwner<float>.Allocate(values.Length);
        values.CopyTo(memory.Span);
        return new ImageEmbedding(memory, [new FeatureMapShape(FeatureMapShape.Embedding, 256, 64)], new ImageFrame(Size, 1024), sam.Variant.Name, sam.Encoder.Fingerprint);
    }

    public IEnumerable<ReferencePrompt> Prompts() =>
        _manifest.GetProperty("prompts").EnumerateArray().Select(p => new ReferencePrompt(_folder, p));

    private static ImageSize SizeOf(JsonElement heightThenWidth) => new(heightThenWidth[1].GetInt32(), heightThenWidth[0].GetInt32());
}

/// <summary>One prompt, or a batch of prompts, with the official answers.</summary>
internal sealed class ReferencePrompt(string folder, JsonElement json)
{
    public string Id => json.GetProperty("id").GetString()!;

    /// <summary>The prompts as a user gives them: one, or one for each of a batch.</summary>
    public IReadOnlyList<Prompt> Prompts()
    {
        if (json.TryGetProperty("boxes", out JsonElement boxes))
            return [.. boxes.EnumerateArray().Select(b => Prompt.FromBox(BoxOf(b)))];
        if (json.TryGetProperty("batch_points", out JsonElement batches))
        {
            return [.. batches.EnumerateArray().Zip(json.GetProperty("batch_labels").EnumerateArray(),
                (points, labels) => Prompt.FromPoints([.. Points(points, labels)]))];
        }

        Prompt? prompt = null;
        if (json.TryGetProperty("points", out JsonElement own))
            prompt = Prompt.FromPoints([.. Points(own, json.GetProperty("labels"))]);
        if (json.TryGetProperty("box", out JsonElement box))
        {
            Box b = BoxOf(box);
            prompt = prompt is null ? Prompt.FromBox(b) : prompt.AndBox(b.X0, b.Y0, b.X1, b.Y1);
        }

        if (json.TryGetProperty("mask_input", out JsonElement mask))
        {
            float[] logits = ReferenceFile.ReadFloats(folder, mask);
            prompt = prompt is null ? Prompt.Mask(logits) : prompt.AndMask(logits);
        }

        return [prompt ?? throw new InvalidDataException($"Prompt {Id} of the reference data says nothing.")];
    }

    public ReferenceAnswer Multiple => new(folder, json.GetProperty("multimask_true"));

    public ReferenceAnswer Single => new(folder, json.GetProperty("multimask_false"));

    private static Box BoxOf(JsonElement xyxy) =>
        new(xyxy[0].GetSingle(), xyxy[1].GetSingle(), xyxy[2].GetSingle(), xyxy[3].GetSingle());

    private static IEnumerable<PointPrompt> Points(JsonElement points, JsonElement labels) =>
        points.EnumerateArray().Zip(labels.EnumerateArray(),
            (p, l) => new PointPrompt(p[0].GetSingle(), p[1].GetSingle(), (PointLabel)l.GetInt32()));
}

/// <summary>What the official predictor answered, for each prompt of the batch and each mask.</summary>
internal sealed class ReferenceAnswer(string folder, JsonElement json)
{
    public float[][] PredictedIou() => [.. json.GetProperty("iou_predictions").EnumerateArray().Select(ReferenceFile.Floats)];

    /// <summary>B x masks x 256 x 256, and how far the stored values may be off.</summary>
    public (float[] Logits, double Error) LowRes() => json.TryGetProperty("low_res_f32", out JsonElement exact)
        ? (ReferenceFile.ReadFloats(folder, exact), 0)
        : (ReferenceFile.ReadFloats(folder, json.GetProperty("low_res")),
            json.GetProperty("low_res").GetProperty("max_abs_error_vs_f32").GetDouble());

    public ReferenceMask[][] Masks() =>
        [.. json.GetProperty("masks").EnumerateArray().Select(b => b.EnumerateArray().Select(m => new ReferenceMask(m)).ToArray())];
}

/// <summary>One official mask at source size.</summary>
internal sealed class ReferenceMask(JsonElement json)
{
    public long Area => json.GetProperty("area").GetInt64();

    public float StabilityScore => json.GetProperty("stability_score") is { ValueKind: JsonValueKind.Number } score ? score.GetSingle() : float.NaN;

    public RleMask Mask()
    {
        JsonElement rle = json.GetProperty("rle");
        return RleMask.FromCocoString(rle.GetProperty("counts").GetString()!,
            rle.GetProperty("size")[1].GetInt32(), rle.GetProperty("size")[0].GetInt32());
    }
}
