using System.Text.Json;
using Microsoft.ML.OnnxRuntime;
using SegmentAnything.Checkpoints;
using SegmentAnything.Families.Sam2;
using SegmentAnything.Masks;
using SegmentAnything.Rle;
using SegmentAnything.Tests.References;
using SegmentAnything.TestSupport;

namespace SegmentAnything.Tests.Families.Sam2;

public class Sam2DecoderGraphTests
{
    // What the reference data suggests.
    private const double LogitTolerance = 2e-3;
    private const double ScoreTolerance = 5e-5;

    public static TheoryData<string> Folders => [.. Sam2Golden.Folders];

    [Theory]
    [MemberData(nameof(Folders))]
    public void Build_EveryPrompt_EqualsTheOfficialCode(string folder)
    {
        Sam2Golden golden = Sam2Golden.Read(folder);
        foreach (string file in golden.Files)
        {
            using StateDict weights = golden.Open(file);
            Sam2Layout layout = Sam2Layout.Of(weights, golden.Spec);
            using InferenceSession session = new(Sam2DecoderGraph.Build(weights, layout, Sam2Family.LayoutOf(weights, layout)).ToBytes());
            float[] noMask = weights.ReadAny("prompt_encoder.no_mask_embed.weight");
            foreach (JsonElement picture in golden.Pictures)
            {
                foreach (JsonElement prompt in picture.GetProperty("prompts").Items())
                {
                    JsonElement sparse = prompt.GetProperty("sparse_embeddings");
                    int[] shape = sparse.GetProperty("shape").Ints();
                    bool hasMask = prompt.TryGetProperty("dense_embeddings", out JsonElement dense);
                    long side = hasMask ? layout.Grid : 1;
                    Dictionary<string, float[]> found = GraphRunner.Run(session, [
                        .. Maps(golden, picture, layout, "embedding", HieraEncoderGraph.HighRes0, HieraEncoderGraph.HighRes1),
                        ("dense", hasMask ? golden.Floats(dense) : noMask, [1, layout.Channels, side, side]),
                        ("sparse", golden.Floats(sparse), [shape[0], shape[1], shape[2]])]);
                    Compare(golden, prompt, found["low_res"], found["iou"], found["object_score"]);
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void BuildExport_EveryPrompt_EqualsTheOfficialCode(string folder)
    {
        Sam2Golden golden = Sam2Golden.Read(folder);
        using StateDict weights = golden.Open();
        Sam2Layout layout = Sam2Layout.Of(weights, golden.Spec);
        using InferenceSession session = new(Sam2DecoderGraph.BuildExport(weights, layout, Sam2Family.LayoutOf(weights, layout)).ToBytes());
        long side = 4 * layout.Grid;
        foreach (JsonElement picture in golden.Pictures)
        {
            foreach (JsonElement prompt in picture.GetProperty("prompts").Items())
            {
                bool hasMask = prompt.TryGetProperty("mask_input", out JsonElement mask);
                float[] points = Flat(prompt, "model_points"), labels = Flat(prompt, "model_labels");
                long prompts = prompt.GetProperty("sparse_embeddings").GetProperty("shape")[0].GetInt64(), count = labels.Length / prompts;
                Dictionary<string, float[]> found = GraphRunner.Run(session, [
                    .. Maps(golden, picture, layout, "image_embed", "high_res_feats_0", "high_res_feats_1"),
                    ("point_coords", points, [prompts, count, 2]), ("point_labels", labels, [prompts, count]),
                    ("mask_input", hasMask ? golden.Floats(mask) : new float[side * side], [1, 1, side, side]), ("has_mask_input", [hasMask ? 1 : 0], [1])]);
                Compare(golden, prompt, found["masks"], found["iou_predictions"], found["object_score_logits"]);
            }
        }
    }

    // Masks are made of the reference's own logits: only pixels may differ that rounding can take across the cut-off.
    [Theory]
    [MemberData(nameof(Folders))]
    public void ChosenMask_AtSourceSize_EqualsTheOfficialCode(string folder)
    {
        Sam2Golden golden = Sam2Golden.Read(folder);
        int side = golden.Spec.ImageSize!.Value / 4, fellBack = 0, kept = 0;
        foreach (JsonElement picture in golden.Pictures)
        {
            ImageSize size = picture.GetProperty("original_size_hw").SizeHw();
            MaskUpscaler upscaler = new(new ImageSize(side, side), size, side, side);
            foreach (JsonElement prompt in picture.GetProperty("prompts").Items())
            {
                float[] logits = golden.Floats(prompt.GetProperty("low_res_all4")), iou = Flat(prompt, "iou_all4");
                int[] chosen = prompt.GetProperty("multimask_false_selected_index").Ints();
                for (int i = 0; i < chosen.Length; i++)
                {
                    ReadOnlySpan<float> all = logits.AsSpan(4 * side * side * i, 4 * side * side);
                    int index = Sam2MaskRules.Choose(all, iou.AsSpan(4 * i, 4));
                    Assert.Equal(chosen[i], index);
                    if (index == 0) kept++;
                    else fellBack++;
                    Same(prompt.GetProperty("multimask_false")[i].GetProperty("masks")[0], upscaler, all.Slice(index * side * side, side * side));
                    for (int mask = 0; mask < 3; mask++)
                        Same(prompt.GetProperty("multimask_true")[i].GetProperty("masks")[mask], upscaler, all.Slice((mask + 1) * side * side, side * side));
                }
            }
        }

        Assert.True(fellBack > 0 && kept > 0, "Both outcomes should occur.");
    }

    private static void Same(JsonElement expected, MaskUpscaler upscaler, ReadOnlySpan<float> logits)
    {
        JsonElement rle = expected.GetProperty("rle");
        int[] size = rle.GetProperty("size").Ints();
        RleMask wanted = RleMask.FromCocoString(rle.GetProperty("counts").GetString()!, size[1], size[0]);
        RleMask found = upscaler.Measure(logits, 0, 1).Mask;
        Assert.InRange(wanted.SymmetricDifference(found).Area, 0, expected.GetProperty("px_abs_lt_1e-3").GetInt64());
    }

    private static (string, float[], long[])[] Maps(Sam2Golden golden, JsonElement picture, Sam2Layout layout, string embedding, string first, string second)
    {
        long grid = layout.Grid;
        return
        [
            (embedding, golden.Floats(picture.GetProperty("image_embed")), [1, layout.Channels, grid, grid]),
            (first, golden.Floats(picture.GetProperty("hr0")), [1, layout.HighRes0, 4 * grid, 4 * grid]),
            (second, golden.Floats(picture.GetProperty("hr1")), [1, layout.HighRes1, 2 * grid, 2 * grid]),
        ];
    }

    private static void Compare(Sam2Golden golden, JsonElement prompt, float[] logits, float[] iou, float[] score)
    {
        double ofLogits = ReferenceFile.MaxDifference(logits, golden.Floats(prompt.GetProperty("low_res_all4")));
        double ofIou = ReferenceFile.MaxDifference(iou, Flat(prompt, "iou_all4")), ofScore = ReferenceFile.MaxDifference(score, Flat(prompt, "object_score_logits"));
        TestContext.Current.TestOutputHelper?.WriteLine($"{prompt.GetProperty("id")}: logits {ofLogits:e1}, IoU {ofIou:e1}, score {ofScore:e1}");
        Assert.True(ofLogits < LogitTolerance && ofIou < ScoreTolerance && ofScore < ScoreTolerance, $"{prompt.GetProperty("id")}: {ofLogits}, {ofIou}, {ofScore}");
    }

    // A list of lists, or nothing.
    private static float[] Flat(JsonElement owner, string name)
    {
        return owner.TryGetProperty(name, out JsonElement list) && list.ValueKind == JsonValueKind.Array ? [.. Leaves(list)] : [];

        static IEnumerable<float> Leaves(JsonElement e) => e.ValueKind == JsonValueKind.Array ? e.EnumerateArray().SelectMany(Leaves) : [e.GetSingle()];
    }
}
