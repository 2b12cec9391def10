using System.Collections.Immutable;

namespace SegmentAnything;

/// <summary>What a model's file is.</summary>
public enum ModelFileKind
{
    /// <summary>Nothing that is known here.</summary>
    Unknown,

    /// <summary>All weights of a model: PyTorch or safetensors.</summary>
    Checkpoint,

    /// <summary>An image encoder, as ONNX.</summary>
    ImageEncoder,

    /// <summary>Prompt encoder and mask decoder, as ONNX.</summary>
    MaskDecoder,
}

/// <summary>An input or output of an ONNX file.</summary>
/// <param name="Name">Its name in the graph.</param>
/// <param name="Type">The type of its values, such as <c>float</c>.</param>
/// <param name="Shape">Its dimensions, outermost first; a name or <c>?</c> where it is free.</param>
public sealed record ModelTensor(string Name, string Type, ImmutableArray<string> Shape)
{
    /// <summary>Gives <c>name: type [shape]</c>.</summary>
    public override string ToString() => $"{Name}: {Type} [{string.Join(", ", Shape)}]";
}

/// <summary>What <see cref="ModelInspector"/> found in a file.</summary>
public sealed record ModelInspection
{
    /// <summary>The file.</summary>
    public required string Path { get; init; }

    /// <summary>What it is.</summary>
    public required ModelFileKind Kind { get; init; }

    /// <summary>The container or layout, such as <c>PyTorch checkpoint</c> or <c>ONNX, official export</c>.</summary>
    public required string Format { get; init; }

    /// <summary>The family and size, such as <c>SAM ViT-B</c>; null if not known.</summary>
    public string? Family { get; init; }

    /// <summary>Side of the square image that the model takes, in pixels; null if not known.</summary>
    public int? ImageSize { get; init; }

    /// <summary>Channels of the image embedding; null if not known.</summary>
    public int? EmbeddingChannels { get; init; }

    /// <summary>Rows, and columns, of the image embedding; null if not known.</summary>
    public int? EmbeddingGrid { get; init; }

    /// <summary>How many weights the file has.</summary>
    public long Parameters { get; init; }

    /// <summary>Masks that the decoder computes for a prompt, the single one included; null if not known.</summary>
    public int? Masks { get; init; }

    /// <summary>Whether pixels are normalised inside the graph; null where the file takes no image.</summary>
    public bool? NormalisesInside { get; init; }

    /// <summary>How an image is to be fitted.</summary>
    public PictureFit Fit { get; init; }

    /// <summary>ONNX: what the graph takes.</summary>
    public ImmutableArray<ModelTensor> Inputs { get; init; } = [];

    /// <summary>ONNX: what the graph gives.</summary>
    public ImmutableArray<ModelTensor> Outputs { get; init; } = [];

    /// <summary>ONNX: inputs whose first dimension is free, so that several things can be done in one call.</summary>
    public ImmutableArray<string> BatchedInputs { get; init; } = [];

    /// <summary>Whether this library can run it.</summary>
    public required bool CanRun { get; init; }

    /// <summary>Why not, and what to do; or what it needs beside it. Null if there is nothing to say.</summary>
    public string? Note { get; init; }
}
