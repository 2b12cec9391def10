using System.Collections.Immutable;

namespace SegmentAnything;

/// <summary>What a model's file is for.</summary>
public enum ModelFileRole
{
    /// <summary>The image encoder, as ONNX.</summary>
    Encoder,

    /// <summary>Prompt encoder and mask decoder, as ONNX in the layout of the official export or of Hugging Face's.</summary>
    Decoder,

    /// <summary>All weights, as the official code saves them (PyTorch or safetensors).</summary>
    Checkpoint,
}

/// <summary>One file of a model: what it is called, how to know it, where to get it.</summary>
/// <param name="Role">What it is for.</param>
/// <param name="FileName">Its name in the folder of its model, without a path.</param>
public sealed record ModelFile(ModelFileRole Role, string FileName)
{
    /// <summary>Its length in bytes; null if not known, and then not checked.</summary>
    public long? Bytes { get; init; }

    /// <summary>Its SHA-256 as 64 hexadecimal digits; null if not known. What has none is never downloaded.</summary>
    public string? Sha256 { get; init; }

    /// <summary>Where it can be downloaded, best first. Default: nowhere.</summary>
    public ImmutableArray<Uri> Downloads { get; init; } = [];
}
