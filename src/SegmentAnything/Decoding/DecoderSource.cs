using SegmentAnything.Checkpoints;
using SegmentAnything.Graphs;

namespace SegmentAnything.Decoding;

/// <summary>Gets the weights of prompt encoder and mask decoder out of a model's files.</summary>
internal static class DecoderSource
{
    /// <summary>Reads the decoder's ONNX file.</summary>
    /// <exception cref="CheckpointException">The file is damaged or not of the official layout.</exception>
    public static StateDict Read(SamVariant variant, ModelFiles files)
    {
        ArgumentNullException.ThrowIfNull(variant);
        ArgumentNullException.ThrowIfNull(files);
        string source = $"the mask decoder of {variant.Name}";
        return OnnxDecoderImport.Read(OnnxFile.Parse(files.Read(ModelFileRole.Decoder).Span, source), source);
    }
}
