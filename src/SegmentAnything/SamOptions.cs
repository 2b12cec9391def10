using SegmentAnything.Execution;

namespace SegmentAnything;

/// <summary>How a model is run.</summary>
public sealed record SamOptions
{
    /// <summary>The CPU, all cores, our own decoder kernels.</summary>
    public static SamOptions Default { get; } = new();

    /// <summary>The execution providers to try, in order, and settings of ONNX Runtime. Default: the CPU.</summary>
    public ExecutionOptions Execution { get; init; } = ExecutionOptions.Default;

    /// <summary>What decodes masks. Default: <see cref="DecoderBackend.Auto"/>.</summary>
    public DecoderBackend Decoder { get; init; } = DecoderBackend.Auto;
}

/// <summary>What decodes masks.</summary>
public enum DecoderBackend
{
    /// <summary>Our own kernels where the execution provider is the CPU, ONNX graphs elsewhere.</summary>
    Auto,

    /// <summary>ONNX graphs on the execution provider, whatever it is.</summary>
    Graph,
}
