using Microsoft.ML.OnnxRuntime;

namespace SegmentAnything;

/// <summary>Runs on the processor. Add the Microsoft.ML.OnnxRuntime package to the application (others include it too).</summary>
/// <param name="Threads">Threads that work on one run, the calling one included; 0 for one per physical core.</param>
public sealed record CpuProvider(int Threads = 0) : ExecutionProvider
{
    /// <inheritdoc/>
    public override string Name => "CPU";

    /// <inheritdoc/>
    public override string Package => "Microsoft.ML.OnnxRuntime";

    /// <inheritdoc/>
    /// <exception cref="ArgumentOutOfRangeException"><see cref="Threads"/> is negative.</exception>
    public override void Configure(SessionOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfNegative(Threads);

        // Nothing is appended: every session ends in the CPU provider by itself.
        if (Threads > 0) options.IntraOpNumThreads = Threads;
    }
}
