using SegmentAnything.Checkpoints;
using SegmentAnything.Onnx;

namespace SegmentAnything.Families.Sam2;

/// <summary>
/// Gets the weights of prompt encoder and mask decoder back from <see cref="Sam2DecoderGraph.BuildExport"/>'s file, whose
/// constants have names that tell what they are. Exports of others are not read.
/// </summary>
internal static class Sam2DecoderImport
{
    /// <summary>The inputs that the export has.</summary>
    public const string ExpectedInputs = "image_embed, high_res_feats_0, high_res_feats_1, point_coords, point_labels, mask_input, has_mask_input (SAM 2)";

    /// <summary>Whether the model takes the maps of a SAM 2, and points.</summary>
    public static bool Fits(ModelProto model) =>
        model.Graph.Input.Any(i => i.Name == "high_res_feats_0") && model.Graph.Input.Any(i => i.Name == "point_coords");

    /// <summary>Recovers the weights under the library's names.</summary>
    /// <exception cref="CheckpointException">The file was made by another exporter.</exception>
    public static StateDict Read(ModelProto model, string source) => PlainDecoderImport.Read(
        model, source, ("mask_decoder.obj_score_token.weight", 1), ("mask_decoder.iou_token.weight", 1), ("mask_decoder.mask_tokens.weight", 0));
}
