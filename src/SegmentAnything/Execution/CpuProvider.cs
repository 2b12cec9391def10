using Microsoft.ML.OnnxRuntime;

namespace SegmentAnything;

/// <summary>Runs on the processor. Add the Microsoft.ML.OnnxRuntime package to the application (others include it too).</summary>
/// <param name="Threads">Threads that work on one run, the calling one included; 0 for one per physical core.</param>
/// <remarks>
/// Our own work beside the network has as many threads, or one for each processor. More than <see cref="MaxThreads"/> are refused.
/// </remarks>
public sealed record CpuProvider(int Threads = 0) : ExecutionProvider
{
    /// <summary>The most threads that can be asked for.</summary>
    internal const int MaxThreads = 1024;

    /// <summary>Threads that work on one run, the calling one included; 0 for one per physical core.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The number is negative or above 1,024.</exception>
    public int Threads { get; init => field = Check(value); } = Check(Threads);

    /// <inheritdoc/>
    public override string Name => "CPU";

    /// <inheritdoc/>
    public override string Package => "Microsoft.ML.OnnxRuntime";

    /// <inheritdoc/>
    public override void Configure(SessionOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);

        // Nothing is appended: every session ends in the CPU provider by itself.
        if (Threads > 0) options.IntraOpNumThreads = Threads;
    }

    private static int Check(int threads) => threads is >= 0 and <= MaxThreads
        ? threads
        : throw new ArgumentOutOfRangeException(
            nameof(threads), threads, $"Give 0 (one thread per physical core) or up to {MaxThreads} threads.");
}
