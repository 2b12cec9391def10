using Microsoft.ML.OnnxRuntime;

namespace SegmentAnything;

/// <summary>
/// Runs on the processor, in our own kernels, for which no other package is needed. What is not written in them runs on ONNX
/// Runtime's processor provider, as with <see cref="OnnxCpuProvider"/>, if the application has its native library.
/// </summary>
/// <param name="Threads">Threads that work on one run, the calling one included; 0 for one for each processor.</param>
/// <remarks>
/// Written in our kernels are the image encoders of SAM, MobileSAM, SlimSAM, HQ-SAM and SAM 2 in float32, every mask decoder of SAM's layout,
/// the prompt encoders, and all work on pixels and masks. <see cref="ExecutionOptions.ConfigureSession"/> asks for sessions of the encoders. <see cref="ImageEncoder.Provider"/> and <see cref="MaskDecoder.Provider"/> say which of both was taken. More than
/// 1,024 threads are refused.
/// </remarks>
public sealed record CpuProvider(int Threads = 0) : ExecutionProvider
{
    /// <summary>The most threads that can be asked for.</summary>
    internal const int MaxThreads = 1024;

    /// <summary>Threads that work on one run, the calling one included; 0 for one for each processor.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The number is negative or above 1,024.</exception>
    public int Threads { get; init => field = CheckThreads(value); } = CheckThreads(Threads);

    /// <inheritdoc/>
    public override string Name => "CPU";

    /// <summary>Of what is not written in our kernels.</summary>
    public override string Package => ForSessions.Package;

    /// <summary>What runs a session where this provider was asked for one.</summary>
    internal OnnxCpuProvider ForSessions => new(Threads);

    /// <summary>Sets the options as <see cref="OnnxCpuProvider"/> does: a session is what our kernels do not run.</summary>
    /// <inheritdoc/>
    public override void Configure(SessionOptions options) => ForSessions.Configure(options);

    internal static int CheckThreads(int threads) => threads is >= 0 and <= MaxThreads
        ? threads
        : throw new ArgumentOutOfRangeException(
            nameof(threads), threads, $"Give 0 (the default) or up to {MaxThreads} threads.");
}
