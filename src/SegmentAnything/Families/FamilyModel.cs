using System.Collections.Immutable;
using SegmentAnything.Checkpoints;
using SegmentAnything.Decoding;
using SegmentAnything.Graphs;
using SegmentAnything.Networks;

namespace SegmentAnything.Families;

/// <summary>
/// A model whose weights were recognised: all that the rest of the library asks of a family. Everything in it comes from the
/// weights' names and shapes, and nothing is read before it is asked for.
/// </summary>
internal abstract class FamilyModel
{
    /// <summary>
    /// The weights under the family's official names. Whoever opened the file owns and closes it. Only prompt encoder and mask
    /// decoder, where the image encoder is an ONNX file.
    /// </summary>
    public required StateDict Weights { get; init; }

    /// <summary>The published variant that has these sizes; null if there is none.</summary>
    public abstract SamVariant? Published { get; }

    /// <summary>What it is, for people, where it is no published variant: "SAM, ViT of 12 blocks with 768 channels".</summary>
    public abstract string Description { get; }

    /// <summary>
    /// Tells apart the encoders that are built from the same weights, where something decides that weights do not tell; a part
    /// of a file name.
    /// </summary>
    public virtual string EncoderKey => "";

    /// <summary>How images go in and masks come out.</summary>
    public abstract ModelFrame Frame { get; }

    /// <summary>What the image encoder gives; the first is <see cref="FeatureMapShape.Embedding"/>.</summary>
    public abstract ImmutableArray<FeatureMapShape> Features { get; }

    /// <summary>What it can be prompted with.</summary>
    public abstract ModelCapabilities Capabilities { get; }

    /// <summary>Which masks answer a prompt.</summary>
    public abstract MaskRules Masks { get; }

    /// <summary>Which masks answer a prompt, where an option decides it.</summary>
    public virtual MaskRules MasksFor(SamOptions options) => Masks;

    /// <summary>The side of the low-resolution logits.</summary>
    public abstract int LowResSize { get; }

    /// <summary>How automatic masks are looked for where the caller does not say.</summary>
    public virtual AutomaticMaskOptions AutomaticDefaults => AutomaticMaskOptions.Default;

    /// <summary>Reads how points and boxes become tokens.</summary>
    /// <exception cref="CheckpointException">A weight is missing or has an unexpected shape.</exception>
    public abstract PromptTokens ReadPromptTokens();

    /// <summary>Reads what stands at every image position where there is no mask prompt: C values.</summary>
    public abstract float[] ReadWithoutMask();

    /// <summary>Reads what encodes a mask prompt of <see cref="LowResSize"/> squared; null where the weights know none.</summary>
    /// <exception cref="CheckpointException">A weight is missing or has an unexpected shape.</exception>
    public abstract MaskPromptNetwork? ReadMaskPrompt();

    /// <summary>Makes the mask decoder.</summary>
    /// <param name="options">Providers, and the engine that is asked for.</param>
    /// <param name="splitter">The threads of our own kernels; it must outlive the engine.</param>
    /// <exception cref="ExecutionProviderException">No provider of the list works.</exception>
    public abstract (IMaskDecoderEngine Engine, ExecutionProvider Provider) CreateDecoder(SamOptions options, WorkSplitter splitter);

    /// <summary>
    /// Builds the image encoder: <c>image</c> (1, 3, S, S), normalised, S being the frame's encoder side, to an output for each
    /// of <see cref="Features"/>, under its name, (1, C, side, side).
    /// </summary>
    /// <param name="options">How the graph stores weights.</param>
    /// <param name="form">What the graph is built for.</param>
    /// <param name="progress">Told the share that is done.</param>
    /// <param name="cancellationToken">Stops between parts.</param>
    /// <exception cref="CheckpointException">A weight is missing or has an unexpected shape.</exception>
    public abstract GraphBuilder BuildEncoder(
        WeightOptions options, EncoderForm form, IProgress<float>? progress = null, CancellationToken cancellationToken = default);

    /// <summary>
    /// Builds the image encoder in our own kernels, whose maps are those of <see cref="Features"/> in their order; null where it
    /// is not written in them, or where a weight has another shape than they take.
    /// </summary>
    /// <param name="cancellationToken">Stops between parts.</param>
    public virtual EncoderNetwork? BuildEncoderNetwork(CancellationToken cancellationToken = default) => null;

    /// <summary>
    /// Builds prompt encoder and mask decoder as one graph with the inputs and outputs of the family's official export, for
    /// <see cref="CheckpointConverter"/>.
    /// </summary>
    public abstract GraphBuilder BuildOfficialDecoder();
}
