using Microsoft.ML.OnnxRuntime;

namespace SegmentAnything;

/// <summary>
/// Runs everything that is a network on the processor in ONNX Runtime: as a second opinion on <see cref="CpuProvider"/>, which prefers our
/// own kernels. Add the Microsoft.ML.OnnxRuntime package to the application (others include it too).
/// </summary>
/// <param name="Threads">Threads that work on one run, the calling one included; 0 for one per physical core.</param>
/// <remarks>Our own work on pixels and masks has as many threads, or one for each processor.</remarks>
public sealed record OnnxCpuProvider(int Threads = 0) : ExecutionProvider
{
    /// <summary>Threads that work on one run, the calling one included; 0 for one per physical core.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The number is negative or above 1,024.</exception>
    public int Threads { get; init => field = CpuProvider.CheckThreads(value); } = CpuProvider.CheckThreads(Threads);

    /// <inheritdoc/>
    public override string Name => "ONNX Runtime CPU";

    /// <inheritdoc/>
    public override string Package => "Microsoft.ML.OnnxRuntime";

    /// <inheritdoc/>
    public override void Configure(SessionOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);

        // Nothing is appended: every session ends in the CPU provider by itself.
        if (Threads > 0) options.IntraOpNumThreads = Threads;
    }
}
