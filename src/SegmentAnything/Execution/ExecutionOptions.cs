using System.Collections.Immutable;
using Microsoft.ML.OnnxRuntime;

namespace SegmentAnything;

/// <summary>Where and how models are run.</summary>
public sealed record ExecutionOptions
{
    private readonly ImmutableArray<ExecutionProvider> _providers = [new CpuProvider()];

    /// <summary>The processor, with ONNX Runtime's own number of threads.</summary>
    public static ExecutionOptions Default { get; } = new();

    /// <summary>
    /// The providers to try, best first. Each is tried alone, and the first with which the model loads is taken.
    /// Default: <see cref="CpuProvider"/> alone. End the list with a <see cref="CpuProvider"/> to run on the processor
    /// where nothing better is found; without it, that is an error.
    /// </summary>
    /// <exception cref="ArgumentException">The list is empty or has a null in it.</exception>
    public ImmutableArray<ExecutionProvider> Providers
    {
        get => _providers;
        init
        {
            if (value.IsDefaultOrEmpty)
                throw new ArgumentException("No execution provider is given; give one at least, such as new CpuProvider().", nameof(value));
            if (value.Contains(null!))
                throw new ArgumentException("The list of execution providers has a null in it.", nameof(value));
            _providers = value;
        }
    }

    /// <summary>
    /// Called with the options of each session before it is created, after everything else has been set: the door to
    /// all that ONNX Runtime can do and that has no name here. Default: null.
    /// </summary>
    /// <remarks>
    /// It is called once for each model and each provider that is tried. An exception it throws is not caught. Do not
    /// append providers in it: what is reported as taken would then be wrong. Without it, MobileSAM's image encoder runs on the
    /// processor as a chain of small sessions, which is faster; with it, as one.
    /// </remarks>
    public Action<SessionOptions>? ConfigureSession { get; init; }

    /// <summary>Threads for our own work: what the first CPU provider says, or one for each processor.</summary>
    internal int Threads => Providers.OfType<CpuProvider>().FirstOrDefault() is { Threads: > 0 } provider ? provider.Threads : Environment.ProcessorCount;

    /// <summary>Options with these providers, best first, and no hook.</summary>
    /// <param name="providers">The providers to try.</param>
    /// <exception cref="ArgumentException">No provider is given, or one is null.</exception>
    public static ExecutionOptions For(params ReadOnlySpan<ExecutionProvider> providers) => new() { Providers = [.. providers] };
}
