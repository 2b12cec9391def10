using SegmentAnything.Checkpoints;
using SegmentAnything.Onnx;

namespace SegmentAnything.Families.Sam2;

/// <summary>
/// Gets the weights of prompt encoder and mask decoder back from <see cref="Sam2DecoderGraph.BuildExport"/>'s file, whose
/// constants have names that tell what they are. Exports of others are run as they are.
/// </summary>
internal static class Sam2DecoderImport
{
    /// <summary>Whether the model's constants have our names.</summary>
    public static bool Fits(ModelProto model) => Sam2Exports.IsPlain(model) && model.Graph.Initializer.Any(t => t.Name == "output_tokens");

    /// <summary>Recovers the weights under the library's names.</summary>
    /// <exception cref="CheckpointException">The file was made by another exporter.</exception>
    public static StateDict Read(ModelProto model, string source) => PlainDecoderImport.Read(
        model, source, ("mask_decoder.obj_score_token.weight", 1), ("mask_decoder.iou_token.weight", 1), ("mask_decoder.mask_tokens.weight", 0));
}
