using SegmentAnything.Execution;

namespace SegmentAnything;

/// <summary>How a model is run.</summary>
public sealed record SamOptions
{
    private readonly long _preparedImageBudget = 256L << 20;
    private readonly int _largestFilledHole, _largestRemovedSprinkle;

    /// <summary>The CPU, all cores, our own decoder kernels.</summary>
    public static SamOptions Default { get; } = new();

    /// <summary>The execution providers to try, in order, and settings of ONNX Runtime. Default: the CPU.</summary>
    public ExecutionOptions Execution { get; init; } = ExecutionOptions.Default;

    /// <summary>What decodes masks. Default: <see cref="DecoderBackend.Auto"/>.</summary>
    public DecoderBackend Decoder { get; init; } = DecoderBackend.Auto;

    /// <summary>
    /// Bytes that the mask decoder may keep of the images that it was prompted for, so that their next prompts start at once:
    /// some 28 MB an image (SAM 2: 41), which would otherwise be computed again. The image that was used longest ago goes first; what was
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

    /// <summary>
    /// Does <see cref="SamModel.Encode"/> also compute what the mask decoder makes of an image before any prompt, so that the first
    /// prompt takes no longer than the next? Where not, the first prompt does. It takes a small part of the encoder's time, and a
    /// place in <see cref="PreparedImageBudget"/>: switch it off where images are encoded in advance and prompted much later, or
    /// never. Default: true. <see cref="ImageEncoder"/> and saved embeddings are not concerned: for them there is
    /// <see cref="MaskDecoder.Prepare"/>.
    /// </summary>
    public bool PreparesEncodedImages { get; init; } = true;

    /// <summary>
    /// What the shapes of a checkpoint's weights do not tell. Null, the default, for what the published models have; a model
    /// of other sizes needs it.
    /// </summary>
    public ModelSpecification? Specification { get; init; }

    /// <summary>
    /// Regions of background of at most so many values of the low-resolution logits are filled before a predicted mask is made
    /// of them: of 256 x 256. Default: 0, none.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is negative.</exception>
    /// <remarks>Source: SAM 2, sam2_image_predictor.py (max_hole_area).</remarks>
    public int LargestFilledHole
    {
        get => _largestFilledHole;
        init
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            _largestFilledHole = value;
        }
    }

    /// <summary>The same for regions of mask, which are removed. Default: 0, none.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is negative.</exception>
    /// <remarks>Source: SAM 2, sam2_image_predictor.py (max_sprinkle_area).</remarks>
    public int LargestRemovedSprinkle
    {
        get => _largestRemovedSprinkle;
        init
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            _largestRemovedSprinkle = value;
        }
    }

    /// <summary>What HQ-SAM's masks are made of. Default: <see cref="HqMask.Sum"/>. Other models have no such choice.</summary>
    public HqMask HqMask { get; init; } = HqMask.Sum;

    /// <summary>
    /// Told, in a sentence, what was put right while a model was loaded: a file that was built of a checkpoint, and changed since,
    /// was built again. Called on the thread that loads. Default: null.
    /// </summary>
    public IProgress<string>? Notices { get; init; }

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
    /// <summary>Our own kernels where the execution provider is a <see cref="CpuProvider"/>, ONNX graphs elsewhere.</summary>
    Auto,

    /// <summary>ONNX graphs on the execution provider, whatever it is: on the CPU those of <see cref="OnnxCpuProvider"/>.</summary>
    Graph,
}
