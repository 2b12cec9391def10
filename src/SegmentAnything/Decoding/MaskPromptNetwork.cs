using SegmentAnything.Execution;

namespace SegmentAnything.Decoding;

/// <summary>The prompt encoder's three small convolutions, which turn a rough mask into values at every image position.</summary>
internal sealed class MaskPromptNetwork(byte[] graph, int channels, int grid, int maskSize, ExecutionOptions execution) : IDisposable
{
    private readonly ModelSession _session = SessionFactory.Create(graph, "the mask prompt's graph", execution);

    /// <summary>Encodes one mask.</summary>
    /// <param name="logits">As many as the mask's size says, row-major, in the model's padded frame.</param>
    /// <param name="dense">C x G x G values are written.</param>
    /// <param name="cancellationToken">Stops the run.</param>
    public void Encode(ReadOnlySpan<float> logits, Memory<float> dense, CancellationToken cancellationToken)
    {
        using TensorList inputs = new();
        inputs.AddCopy("mask", logits, 1, 1, maskSize, maskSize);
        using TensorList outputs = new();
        outputs.Add("dense", dense, 1, channels, grid, grid);
        _session.Run(inputs.AsSpan(), outputs.AsSpan(), cancellationToken);
    }

    public void Dispose() => _session.Dispose();
}
