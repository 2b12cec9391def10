using SegmentAnything.Execution;

namespace SegmentAnything;

/// <summary>How a model is run.</summary>
public sealed record SamOptions
{
    private readonly long _preparedImageBudget = 256L << 20;

    /// <summary>The CPU, all cores, our own decoder kernels.</summary>
    public static SamOptions Default { get; } = new();

    /// <summary>The execution providers to try, in order, and settings of ONNX Runtime. Default: the CPU.</summary>
    public ExecutionOptions Execution { get; init; } = ExecutionOptions.Default;

    /// <summary>What decodes masks. Default: <see cref="DecoderBackend.Auto"/>.</summary>
    public DecoderBackend Decoder { get; init; } = DecoderBackend.Auto;

    /// <summary>
    /// Bytes that the mask decoder may keep of the images that it was prompted for, so that their next prompts start at once:
    /// some 28 MB an image, which would otherwise be computed again. The image that was used longest ago goes first; what was
    /// kept of an embedding goes when the embedding is disposed. Default: 256 MB.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is negative.</exception>
    public long PreparedImageBudget
    {
        get => _preparedImageBudget;
        init
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            _preparedImageBudget = value;
        }
    }

    /// <summary>What the image encoder computes in. Default: <see cref="EncoderPrecision.Float32"/>.</summary>
    public EncoderPrecision EncoderPrecision { get; init; } = EncoderPrecision.Float32;
}

/// <summary>What the image encoder computes in.</summary>
public enum EncoderPrecision
{
    /// <summary>float32 throughout: the official embedding, to float noise.</summary>
    Float32,

    /// <summary>
    /// The linear layers in 8-bit integers, everything else in float32: faster, and a little less accurate. On the CPU
    /// only; for the published export of MobileSAM and for checkpoints.
    /// Measured with MobileSAM on three photographs and a processor with VNNI, against float32: 0.73 of the time; the
    /// embedding differs by 0.9 % (relative RMS); masks that the automatic generator would keep overlap by 0.9992 on
    /// average, all masks by 0.992. Without VNNI weights have 7 bits: 1.3 %, 0.9988, 0.987. Not measured with ViT weights.
    /// See docs/accuracy.md.
    /// </summary>
    Int8,
}

/// <summary>What decodes masks.</summary>
public enum DecoderBackend
{
    /// <summary>Our own kernels where the execution provider is the CPU, ONNX graphs elsewhere.</summary>
    Auto,

    /// <summary>ONNX graphs on the execution provider, whatever it is.</summary>
    Graph,
}
