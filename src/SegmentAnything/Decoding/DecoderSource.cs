using SegmentAnything.Checkpoints;
using SegmentAnything.Graphs;

namespace SegmentAnything.Decoding;

/// <summary>Gets the weights of prompt encoder and mask decoder out of a model's files.</summary>
internal static class DecoderSource
{
    /// <summary>Reads the decoder's ONNX file, or the decoder's part of a checkpoint, into memory.</summary>
    /// <exception cref="ModelNotFoundException">Neither file is there.</exception>
    /// <exception cref="CheckpointException">The file is damaged or not of the official layout.</exception>
    public static StateDict Read(SamVariant variant, ModelFiles files)
    {
        ArgumentNullException.ThrowIfNull(variant);
        ArgumentNullException.ThrowIfNull(files);
        if (files.Roles.Contains(ModelFileRole.Checkpoint) && !files.Roles.Contains(ModelFileRole.Decoder))
        {
            using StateDict checkpoint = CheckpointReader.Open(files.Open(ModelFileRole.Checkpoint));
            return CopyDecoder(checkpoint);
        }

        string source = files.FindPath(ModelFileRole.Decoder) ?? $"the mask decoder of {variant.Name}";
        return OnnxDecoderImport.Read(OnnxFile.Parse(files.Read(ModelFileRole.Decoder).Span, source), source);
    }

    /// <summary>The decoder is small; a copy of it lets the file be closed.</summary>
    private static InMemoryStateDict CopyDecoder(StateDict checkpoint) => new(checkpoint.Source, checkpoint.Tensors.Keys
        .Where(name => name.StartsWith("mask_decoder.", StringComparison.Ordinal) || name.StartsWith("prompt_encoder.", StringComparison.Ordinal))
        .ToDictionary(name => name, name => (checkpoint.ShapeOf(name).ToArray(), checkpoint.ReadAny(name))));
}
