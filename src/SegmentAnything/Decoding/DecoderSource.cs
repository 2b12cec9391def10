using SegmentAnything.Checkpoints;
using SegmentAnything.Graphs;
using SegmentAnything.Models;

namespace SegmentAnything.Decoding;

/// <summary>Gets the weights of prompt encoder and mask decoder out of a model's files.</summary>
internal static class DecoderSource
{
    /// <summary>Reads the decoder's file, ONNX or a checkpoint of it, or what a whole checkpoint has of it.</summary>
    /// <exception cref="CheckpointException">The file is damaged or not of a known layout.</exception>
    public static StateDict Read(SamVariant variant, ModelFiles files)
    {
        ArgumentNullException.ThrowIfNull(variant);
        ArgumentNullException.ThrowIfNull(files);
        string source = $"the mask decoder of {variant.Name}";
        ModelFileRole role = files.Roles.Contains(ModelFileRole.Decoder) || !files.Roles.Contains(ModelFileRole.Checkpoint)
            ? ModelFileRole.Decoder
            : ModelFileRole.Checkpoint;
        using ByteSource bytes = files.Open(role);
        if (role == ModelFileRole.Decoder && CheckpointReader.Recognize(bytes) == CheckpointFormat.Unknown)
            return OnnxDecoderImport.Read(OnnxFile.Parse(files.Read(role).Span, source), source);

        // A copy in memory: the file of a whole model need not stay open for these few megabytes.
        using StateDict checkpoint = CheckpointReader.Open(bytes);
        InMemoryStateDict weights = checkpoint.CopyOf(CheckpointModel.DecoderPrefixes);
        _ = DecoderLayout.Of(weights);
        return weights;
    }
}
