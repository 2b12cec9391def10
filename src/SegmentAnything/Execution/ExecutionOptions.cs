using System.Collections.Immutable;
using Microsoft.ML.OnnxRuntime;

namespace SegmentAnything;

/// <summary>Where and how models are run.</summary>
public sealed record ExecutionOptions
{
    private readonly ImmutableArray<ExecutionProvider> _providers = [new CpuProvider()];

    /// <summary>The processor, with as many threads as it takes.</summary>
    public static ExecutionOptions Default { get; } = new();

    /// <summary>
    /// The providers to try, best first. Each is tried alone, and the first with which a network loads is taken.
    /// Default: <see cref="CpuProvider"/> alone. End the list with a <see cref="CpuProvider"/> to run on the processor
    /// where nothing better is found, be it that ONNX Runtime's native library is missing; without it, that is an error.
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
    /// append providers in it: what is reported as taken would then be wrong. With it, image encoders run in ONNX Runtime also where
    /// <see cref="CpuProvider"/> has faster kernels of our own.
    /// </remarks>
    public Action<SessionOptions>? ConfigureSession { get; init; }

    /// <summary>Threads for our own work: what the first provider says that is the processor, or one for each processor.</summary>
    internal int Threads => Providers.Select(p => p switch { CpuProvider own => own.Threads, OnnxCpuProvider onnx => onnx.Threads, _ => -1 })
        .FirstOrDefault(threads => threads >= 0) is > 0 and var threads ? threads : Environment.ProcessorCount;

    /// <summary>The processor is the first choice, in whatever kernels.</summary>
    internal bool IsOnProcessor => Providers[0] is CpuProvider or OnnxCpuProvider;

    /// <summary>
    /// Loads with the providers before the first <see cref="CpuProvider"/>, if there are any; where none of them works, with that one and those
    /// behind it. So whoever loads finds it first in the list or not at all.
    /// </summary>
    /// <param name="load">Is given options with a part of the providers.</param>
    /// <exception cref="ExecutionProviderException">None works.</exception>
    internal T Choose<T>(Func<ExecutionOptions, T> load)
    {
        int processor = 0;
        while (processor < Providers.Length && Providers[processor] is not CpuProvider) processor++;
        if (processor == 0 || processor == Providers.Length) return load(this);
        try
        {
            return load(this with { Providers = Providers[..processor] });
        }
        catch (ExecutionProviderException before)
        {
            try
            {
                return load(this with { Providers = Providers[processor..] });
            }
            catch (ExecutionProviderException after) when (!before.Failures.IsEmpty)
            {
                throw new ExecutionProviderException(before.Message + Environment.NewLine + after.Message, [.. before.Failures, .. after.Failures], before);
            }
        }
    }

    /// <summary>Options with these providers, best first, and no hook.</summary>
    /// <param name="providers">The providers to try.</param>
    /// <exception cref="ArgumentException">No provider is given, or one is null.</exception>
    public static ExecutionOptions For(params ReadOnlySpan<ExecutionProvider> providers) => new() { Providers = [.. providers] };
}
