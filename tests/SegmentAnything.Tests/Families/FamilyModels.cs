using System.Text.Json;
using SegmentAnything.Checkpoints;
using SegmentAnything.Families;
using SegmentAnything.Rle;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.Families;

/// <summary>A folder of reference data of one model: a checkpoint, pictures, prompts, and what the official code made of them.</summary>
internal sealed class FamilyModels
{
    private readonly string _folder;
    private readonly JsonElement _manifest;

    private FamilyModels(string folder)
    {
        _folder = folder;
        // Not disposed: elements of it are handed out.
        _manifest = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "manifest.json"))).RootElement;
    }

    /// <summary>Every model's manifest; of a folder that holds a checkpoint.</summary>
    public static IEnumerable<string> Manifests()
    {
        if (TestPaths.Golden is null || Path.Combine(TestPaths.Golden, "families") is not { } root || !Directory.Exists(root)) return [];
        return Directory.EnumerateDirectories(root).Select(folder => Path.Combine(folder, "manifest.json")).Where(File.Exists).Order(StringComparer.Ordinal);
    }

    /// <summary>The files that hold the model's weights, in whatever container and under whatever names.</summary>
    public static IEnumerable<string> Checkpoints(JsonElement manifest) => manifest.EnumerateObject()
        .Where(p => p.Name.StartsWith("checkpoint", StringComparison.Ordinal) && p.Value.ValueKind == JsonValueKind.Object)
        .Select(p => p.Value.GetProperty("file").GetString()!);

    /// <summary>Every model's folder and the first of its files, as cases of a theory.</summary>
    public static TheoryData<string, string> FirstCheckpoints()
    {
        TheoryData<string, string> models = [];
        foreach (string manifest in Manifests())
        {
            using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(manifest));
            models.Add(Path.GetFileName(Path.GetDirectoryName(manifest)!), Checkpoints(json.RootElement).First());
        }

        // A theory without cases fails: one that skips says why.
        if (models.Count == 0) models.Add("", "");
        return models;
    }

    /// <summary>What the model's masks can be made of.</summary>
    public static IEnumerable<HqMask> HqMasks(JsonElement manifest) =>
        manifest.TryGetProperty("hq_features", out _) ? [HqMask.Sum, HqMask.HighQualityOnly] : [HqMask.Sum];

    /// <summary>Gives a model, or skips the running test: the data is not here, or the family is not built here.</summary>
    public static FamilyModels Require(string folder)
    {
        FamilyModels model = new(TestPaths.RequireGolden("families", folder));
        using StateDict weights = CheckpointReader.Open(Path.Combine(model._folder, model._manifest.GetProperty("checkpoint").GetProperty("file").GetString()!));
        Assert.SkipWhen(ModelFamilies.RelativeOf(weights) is not null, $"{folder}: {ModelFamilies.RelativeOf(weights)?.Name} is not built here.");
        return model;
    }

    /// <summary>What its weights do not tell: tiny models have sizes that no published one has.</summary>
    public ModelSpecification Specification
    {
        get
        {
            JsonElement config = _manifest.GetProperty("config");
            if (config.TryGetProperty("global_att_blocks", out _)) return Sam2.Sam2Golden.SpecOf(config);
            return new ModelSpecification
            {
                ImageSize = config.TryGetProperty("frame_size", out JsonElement frame) ? frame.GetInt32()
                    : config.TryGetProperty("img_size", out JsonElement side) ? side.GetInt32() : null,
                Heads = config.TryGetProperty("num_heads", out JsonElement heads) && heads.ValueKind == JsonValueKind.Number ? heads.GetInt32() : null,
            };
        }
    }

    /// <summary>Where one of its checkpoints is.</summary>
    public string PathOf(string file) => Path.Combine(_folder, file);

    /// <summary>Loads one of its checkpoints.</summary>
    public SamModel Load(string file, SamOptions options) => SamModel.Load(Path.Combine(_folder, file), options with { Specification = Specification });

    /// <summary>Its pictures.</summary>
    public IEnumerable<ReferencePicture> Pictures() => _manifest.TryGetProperty("pictures", out JsonElement several)
        ? several.EnumerateArray().Select(picture => new ReferencePicture(_folder, picture, picture.GetProperty("id").GetString()!))
        : [new ReferencePicture(_folder, _manifest, "picture")];
}

/// <summary>A picture, the maps that the official encoder made of it, and prompts.</summary>
internal sealed class ReferencePicture
{
    // What the data calls each map, and what we do.
    private static readonly (string Theirs, string Ours)[] MapNames =
        [("embedding", FeatureMapShape.Embedding), ("image_embed", FeatureMapShape.Embedding), ("hr0", "high_res_0"), ("hr1", "high_res_1")];

    public ReferencePicture(string folder, JsonElement json, string name)
    {
        Name = name;
        JsonElement size = json.GetProperty("original_size_hw");
        Size = new ImageSize(size[1].GetInt32(), size[0].GetInt32());
        Pixels = PixelBuffer.FromRgb24(File.ReadAllBytes(Path.Combine(folder, json.GetProperty("image_rgb").GetProperty("file").GetString()!)), Size.Width, Size.Height);
        Maps = [.. MapNames.Where(m => json.TryGetProperty(m.Theirs, out _)).Select(m => (m.Ours, ReferenceFile.ReadFloats(folder, json.GetProperty(m.Theirs))))];
        Prompts = [.. json.GetProperty("prompts").EnumerateArray().SelectMany(prompt => ReferencePrompt.Of(folder, prompt, Size))];
    }

    public string Name { get; }

    public ImageSize Size { get; }

    public PixelBuffer Pixels { get; }

    /// <summary>By our names, channels first.</summary>
    public IReadOnlyList<(string Name, float[] Values)> Maps { get; }

    public IReadOnlyList<ReferencePrompt> Prompts { get; }
}

/// <summary>One prompt, and what the official decoder made of it.</summary>
internal sealed record ReferencePrompt
{
    // SAM 2's predictor limits the logits that it hands out, which its data says by this remark on those that are not.
    private const string Unlimited = "low_res_note";
    private const float HandedOutLimit = 32;

    public required string Name { get; init; }

    /// <summary>Points and the corners of a box: x, y, and 0 beside, 1 on the object, 2 and 3 corners, -1 for nothing.</summary>
    public required IReadOnlyList<(float X, float Y, int Label)> Points { get; init; }

    public required float[] Mask { get; init; }

    /// <summary>Logits of all mask tokens, where they are handed out.</summary>
    public float[]? LowRes { get; init; }

    /// <summary>The magnitude that logits are limited to when they are handed out.</summary>
    public float LogitLimit { get; init; } = float.PositiveInfinity;

    /// <summary>Logits of HQ-SAM's own mask, which has a token behind the others.</summary>
    public float[]? HighQuality { get; init; }

    /// <summary>Predicted IoU of all mask tokens.</summary>
    public float[]? Iou { get; init; }

    public float? ObjectScore { get; init; }

    public required IReadOnlyList<ReferenceAnswer> Answers { get; init; }

    /// <summary>The prompts of an entry: several where it is a batch, each an object of its own.</summary>
    public static IEnumerable<ReferencePrompt> Of(string folder, JsonElement json, ImageSize size)
    {
        JsonElement? lists = json.TryGetProperty("points", out JsonElement points) ? points
            : json.TryGetProperty("points_by_query", out points) ? points : null;
        bool isBatch = lists is { } all && all[0][0].ValueKind == JsonValueKind.Array;
        int count = isBatch ? lists!.Value.GetArrayLength() : 1;
        JsonElement? labels = json.TryGetProperty("labels", out JsonElement l) ? l : json.TryGetProperty("labels_by_query", out l) ? l : null;
        for (int query = 0; query < count; query++)
        {
            List<(float, float, int)> given = [];
            if (json.TryGetProperty("box", out JsonElement box))
            {
                given.Add((box[0].GetSingle(), box[1].GetSingle(), 2));
                given.Add((box[2].GetSingle(), box[3].GetSingle(), 3));
            }

            if (lists is { } list)
            {
                JsonElement own = isBatch ? list[query] : list, kinds = isBatch ? labels!.Value[query] : labels!.Value;
                given.AddRange(own.EnumerateArray().Zip(kinds.EnumerateArray(), (p, k) => (p[0].GetSingle(), p[1].GetSingle(), k.GetInt32())));
            }

            float[]? withHighQuality = json.TryGetProperty("low_res_all5", out JsonElement five) ? ReferenceFile.ReadFloats(folder, five) : null;
            float[]? lowRes = json.TryGetProperty("low_res_all4", out JsonElement low) ? ReferenceFile.ReadFloats(folder, low) : null;
            yield return new ReferencePrompt
            {
                Name = json.GetProperty("id").GetString()! + (count > 1 ? $"[{query}]" : ""),
                Points = given,
                Mask = json.TryGetProperty("mask_input", out JsonElement mask) ? ReferenceFile.ReadFloats(folder, mask) : [],
                LowRes = lowRes?.AsSpan(lowRes.Length / count * query, lowRes.Length / count).ToArray(),
                LogitLimit = json.TryGetProperty(Unlimited, out _) ? HandedOutLimit : float.PositiveInfinity,
                HighQuality = withHighQuality?.AsSpan(4 * withHighQuality.Length / 5).ToArray(),
                Iou = json.TryGetProperty("iou_all4", out JsonElement iou) ? ReferenceFile.Floats(Query(iou)) : null,
                ObjectScore = json.TryGetProperty("object_score_logits", out JsonElement score) ? score[query][0].GetSingle() : null,
                Answers =
                [
                    .. from answer in ((string Key, MaskSelection Selection)[])[("multimask_true", MaskSelection.Multiple), ("multimask_false", MaskSelection.Single)]
                       from kind in ((string Suffix, HqMask Mask)[])[("", HqMask.Sum), ("_hq_token_only", HqMask.HighQualityOnly)]
                       where json.TryGetProperty(answer.Key + kind.Suffix, out _)
                       select Answer(answer.Key + kind.Suffix, answer.Selection) with { HqMask = kind.Mask },
                ],
            };

            // One entry a query, or the entry itself.
            JsonElement Query(JsonElement element) =>
                element.ValueKind == JsonValueKind.Array && element[0].ValueKind != JsonValueKind.Number ? element[query] : element;

            ReferenceAnswer Answer(string key, MaskSelection selection)
            {
                JsonElement answer = Query(json.GetProperty(key));
                return new ReferenceAnswer
                {
                    Selection = selection,
                    Iou = ReferenceFile.Floats(answer.GetProperty("iou")),
                    Masks = [.. answer.GetProperty("masks").EnumerateArray().Select(m => (
                        RleMask.FromCocoString(m.GetProperty("rle").GetProperty("counts").GetString()!, size.Width, size.Height),
                        m.GetProperty("px_abs_lt_1e-2").GetInt32()))],
                    SelectedToken = json.TryGetProperty(key + "_selected_index", out JsonElement selected) ? selected[query].GetInt32() : null,
                    LowRes = json.TryGetProperty("returned_low_res", out JsonElement returned) && returned.TryGetProperty(key, out _) ? ReferenceFile.ReadFloats(folder, returned.GetProperty(key)) : null,
                };
            }
        }
    }

    /// <summary>As the library takes it: without points that stand for nothing, and no more than the model can have.</summary>
    public Prompt For(ModelCapabilities can)
    {
        (float X, float Y, int Label)[] given = [.. Points.Where(p => p.Label >= 0).Take(can.MostPoints ?? int.MaxValue)];
        PointPrompt[] points = [.. given.Where(p => p.Label <= 1).Select(p => new PointPrompt(p.X, p.Y, (PointLabel)p.Label))];
        (float X, float Y, int Label)[] corners = [.. given.Where(p => p.Label > 1)];
        Prompt? prompt = points.Length > 0 ? Prompt.FromPoints(points) : null;
        if (corners is [var a, var b]) prompt = prompt?.AndBox(a.X, a.Y, b.X, b.Y) ?? Prompt.Box(a.X, a.Y, b.X, b.Y);
        if (Mask.Length > 0) prompt = prompt?.AndMask(Mask) ?? Prompt.Mask(Mask);
        return prompt!;
    }
}

/// <summary>What a choice of masks gave.</summary>
internal sealed record ReferenceAnswer
{
    public required MaskSelection Selection { get; init; }

    /// <summary>What the masks are made of, in a family that has the choice.</summary>
    public HqMask HqMask { get; init; }

    public required float[] Iou { get; init; }

    /// <summary>Each mask, and how many of its pixels have logits so near to zero that they may differ.</summary>
    public required IReadOnlyList<(RleMask Mask, int Uncertain)> Masks { get; init; }

    /// <summary>The token that was chosen, where that is not fixed.</summary>
    public int? SelectedToken { get; init; }

    /// <summary>Logits that were handed out, where they are none of the tokens' own.</summary>
    public float[]? LowRes { get; init; }
}
