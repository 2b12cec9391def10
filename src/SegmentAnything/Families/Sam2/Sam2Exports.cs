using System.Collections.Immutable;
using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;
using SegmentAnything.Onnx;

namespace SegmentAnything.Families.Sam2;

/// <summary>
/// The layouts of SAM 2 that other exporters write: samexporter's (and those with the same names), and Hugging Face's for
/// transformers.js. Tensors are bound by their names.
/// </summary>
/// <remarks>Source of the names: samexporter, sam2 export; transformers.js, models/sam2.</remarks>
internal static class Sam2Exports
{
    // The decoder's names of the three maps, in the order of Sam2Model.Features.
    private static readonly string[] Plain = ["image_embed", "high_res_feats_0", "high_res_feats_1"];
    private static readonly string[] HuggingFace = ["image_embeddings.2", "image_embeddings.0", "image_embeddings.1"];

    // By preference: masks at the low resolution.
    private static readonly string[] LogitNames = ["low_res_masks", "pred_masks", "masks"];
    private static readonly string[] IouNames = ["iou_predictions", "iou_scores"];
    private static readonly string[] ScoreNames = ["object_score_logits", "object_score"];
    private const int MultipleMasks = 3;
    private const int PixelsPerPosition = 16;

    /// <summary>The inputs that such a decoder has, for messages.</summary>
    public const string ExpectedInputs =
        "image_embed, high_res_feats_0, high_res_feats_1, point_coords, point_labels (SAM 2), or, for Hugging Face's, image_embeddings.0, .1, .2, input_points, input_labels";

    public static bool IsPlain(ModelProto model) => Has(model, Plain) && Has(model, "point_coords", "point_labels");

    public static bool IsHuggingFace(ModelProto model) => Has(model, HuggingFace) && Has(model, "input_points", "input_labels");

    /// <summary>Whether the model gives the maps of a SAM 2.</summary>
    public static bool IsEncoder(ModelProto model)
    {
        HashSet<string> outputs = [.. model.Graph.Output.Select(o => o.Name)];
        return Plain.All(outputs.Contains) || HuggingFace.All(outputs.Contains);
    }

    /// <summary>Makes a model of a decoder that is run as it is.</summary>
    /// <exception cref="CheckpointException">A tensor is missing, or one is there that nothing is known of.</exception>
    public static Sam2ExportedModel Read(ModelProto model, SamVariant variant, string source)
    {
        bool huggingFace = IsHuggingFace(model);
        string[] maps = huggingFace ? HuggingFace : Plain;
        string[] others = huggingFace
            ? ["input_points", "input_labels", "input_boxes"]
            : ["point_coords", "point_labels", "mask_input", "has_mask_input", "orig_im_size"];
        ValueInfoProto[] inputs = Inputs(model);
        string[] unknown = [.. inputs.Select(i => i.Name).Where(name => !maps.Contains(name) && !others.Contains(name))];
        if (unknown.Length > 0)
        {
            throw new CheckpointException(
                $"{source}: the input{(unknown.Length > 1 ? "s" : "")} {string.Join(", ", unknown)} of this SAM 2 decoder is not known; expected {string.Join(", ", maps.Concat(others))}.");
        }

        int channels = variant.EmbeddingChannels, grid = variant.EmbeddingGrid;
        if (variant.ImageSize != PixelsPerPosition * grid)
        {
            throw new CheckpointException(
                $"{source}: this decoder has the names of SAM 2's, whose images have {PixelsPerPosition} pixels for each position of the embedding; the image encoder takes {variant.ImageSize} pixels for {grid} positions. Is it SAM 3's?");
        }

        ImmutableArray<FeatureMapShape> features =
        [
            new(FeatureMapShape.Embedding, Channels(0, channels), grid),
            new(HieraEncoderGraph.HighRes0, Channels(1, channels / 8), 4 * grid),
            new(HieraEncoderGraph.HighRes1, Channels(2, channels / 4), 2 * grid),
        ];
        string logits = Output(LogitNames), iou = Output(IouNames);
        string? size = Optional("orig_im_size"), mask = Optional("mask_input"), hasMask = Optional("has_mask_input");
        // Where the file leaves their number open: those that bring masks to the source's size were published with one.
        int masks = Last(logits, 3) ?? Last(iou, 1) ?? (size is not null ? 1 : MultipleMasks);
        ExportedDecoderLayout layout = new()
        {
            Maps = [.. maps],
            Points = others[0],
            Labels = others[1],
            HasImageAxis = huggingFace,
            Boxes = Optional("input_boxes"),
            Mask = mask,
            HasMask = hasMask,
            Size = size,
            Logits = logits,
            Iou = iou,
            ObjectScore = ScoreNames.FirstOrDefault(name => model.Graph.Output.Any(o => o.Name == name)),
            FirstMask = masks == MultipleMasks ? 1 : 0,
            Masks = masks,
        };
        return new Sam2ExportedModel(model, layout, features, variant.ImageSize) { Weights = new InMemoryStateDict(source, new Dictionary<string, (int[] Shape, float[] Values)>()) };

        int Channels(int map, int otherwise) => Dimension(inputs.First(i => i.Name == maps[map]), 1) ?? otherwise;

        string? Optional(string name) => inputs.Any(i => i.Name == name) ? name : null;

        string Output(string[] names) => names.FirstOrDefault(name => model.Graph.Output.Any(o => o.Name == name))
            ?? throw new CheckpointException(
                $"{source}: this SAM 2 decoder has none of the outputs {string.Join(", ", names)}; it has {string.Join(", ", model.Graph.Output.Select(o => o.Name))}.");

        int? Last(string output, int fromEnd)
        {
            ValueInfoProto value = model.Graph.Output.First(o => o.Name == output);
            int rank = value.Type?.TensorType?.Shape?.Dim.Count ?? 0;
            return rank >= fromEnd ? Dimension(value, rank - fromEnd) : null;
        }
    }

    private static int? Dimension(ValueInfoProto value, int axis) =>
        value.Type?.TensorType?.Shape is { } shape && axis < shape.Dim.Count && shape.Dim[axis].DimValue is > 0 and <= int.MaxValue and var size ? (int)size : null;

    private static bool Has(ModelProto model, params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
        {
            if (!model.Graph.Input.Any(i => i.Name == name)) return false;
        }

        return true;
    }

    private static ValueInfoProto[] Inputs(ModelProto model)
    {
        HashSet<string> constants = [.. model.Graph.Initializer.Select(t => t.Name)];
        return [.. model.Graph.Input.Where(i => !constants.Contains(i.Name))];
    }
}
