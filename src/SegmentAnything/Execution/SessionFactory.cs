using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.ML.OnnxRuntime;

namespace SegmentAnything.Execution;

/// <summary>Loads models: tries the providers in order, says which was taken, or why none could be.</summary>
internal static class SessionFactory
{
    /// <summary>Loads a model from memory.</summary>
    /// <param name="model">The bytes of an ONNX file; they may be discarded afterwards.</param>
    /// <param name="source">What the bytes are, for messages.</param>
    /// <param name="options">Where to run it.</param>
    /// <param name="tuning">What this graph asks for; null for the default.</param>
    /// <exception cref="ExecutionProviderException">No provider works, or ONNX Runtime's native library was not found.</exception>
    /// <exception cref="ModelContractException">The bytes are not a model that ONNX Runtime understands.</exception>
    public static ModelSession Create(
        ReadOnlyMemory<byte> model, string source, ExecutionOptions? options = null, SessionTuning? tuning = null)
    {
        byte[] bytes = MemoryMarshal.TryGetArray(model, out ArraySegment<byte> segment)
            && segment.Offset == 0 && segment.Count == segment.Array!.Length ? segment.Array : model.ToArray();
        return Create(o => new InferenceSession(bytes, o), source, options, tuning);
    }

    /// <summary>Loads a model from a file.</summary>
    /// <param name="path">The ONNX file.</param>
    /// <param name="options">Where to run it.</param>
    /// <param name="tuning">What this graph asks for; null for the default.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="ExecutionProviderException">No provider works, or ONNX Runtime's native library was not found.</exception>
    /// <exception cref="ModelContractException">The file is not a model that ONNX Runtime understands.</exception>
    public static ModelSession Create(string path, ExecutionOptions? options = null, SessionTuning? tuning = null)
    {
        if (!File.Exists(path)) throw new FileNotFoundException($"There is no model file '{path}'.", path);
        return Create(o => new InferenceSession(path, o), path, options, tuning);
    }

    private static ModelSession Create(
        Func<SessionOptions, InferenceSession> load, string source, ExecutionOptions? options, SessionTuning? tuning)
    {
        options ??= ExecutionOptions.Default;
        var failures = ImmutableArray.CreateBuilder<ExecutionProviderFailure>();
        Exception? firstCause = null;
        foreach (ExecutionProvider provider in options.Providers)
        {
            using SessionOptions sessionOptions = CreateSessionOptions(source);
            (tuning ?? SessionTuning.Default).Apply(sessionOptions);
            Exception? failure = Try(() => provider.Configure(sessionOptions));
            if (failure is null)
            {
                // Outside of what is caught: an error of the application's own code is not a reason to pass a provider over.
                options.ConfigureSession?.Invoke(sessionOptions);
                InferenceSession? session = null;
                failure = Try(() => session = load(sessionOptions));
                if (session is not null) return Describe(session, source, provider is CpuProvider processor ? processor.ForSessions : provider, failures.ToImmutable());
                if (IsFaultOfTheModel(failure!) || (provider is CpuProvider or OnnxCpuProvider && failure is OnnxRuntimeException))
                {
                    throw new ModelContractException(
                        $"{source}: ONNX Runtime cannot load this model: {failure!.Message} Is the file complete, undamaged, and an ONNX model?",
                        innerException: failure);
                }
            }

            firstCause ??= failure;
            failures.Add(new ExecutionProviderFailure(provider, Explain(provider, failure!)));
        }

        throw new ExecutionProviderException(Describe(source, failures), failures.ToImmutable(), firstCause);
    }

    private static ModelSession Describe(
        InferenceSession session, string source, ExecutionProvider provider, ImmutableArray<ExecutionProviderFailure> passedOver)
    {
        try
        {
            return new ModelSession(session, source, provider, passedOver);
        }
        catch (Exception e) when (e is not ModelContractException)
        {
            session.Dispose();
            throw new ModelContractException($"{source}: its inputs or outputs are none that can be used: {e.Message}", innerException: e);
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    /// <summary>Touches the native library for the first time, and names the packages if there is none.</summary>
    private static SessionOptions CreateSessionOptions(string source)
    {
        try
        {
            return new SessionOptions();
        }
        catch (Exception e) when (Innermost(e) is DllNotFoundException or EntryPointNotFoundException or BadImageFormatException)
        {
            throw new ExecutionProviderException(
                $"{source} runs in ONNX Runtime, whose native library was not found, or is not the right one. Add one NuGet package that has it to the "
                + "application (the project that is run, not only a library): Microsoft.ML.OnnxRuntime for the processor (and Core ML "
                + "on macOS), Microsoft.ML.OnnxRuntime.Gpu for CUDA, or Microsoft.ML.OnnxRuntime.DirectML for DirectML on Windows, "
                + $"of the same version as Microsoft.ML.OnnxRuntime.Managed. The system said: {Innermost(e).Message.Split('\n')[0].TrimEnd()}",
                innerException: e);
        }
    }

    // What a provider may fail with: anything ONNX Runtime reports, or a function that this build of it lacks.
    private static Exception? Try(Action action)
    {
        try
        {
            action();
            return null;
        }
        catch (Exception e) when (e is OnnxRuntimeException or DllNotFoundException or EntryPointNotFoundException
            or BadImageFormatException or NotSupportedException or PlatformNotSupportedException or ArgumentException)
        {
            return e;
        }
    }

    // What the CPU cannot load nothing can; others may lack memory, a driver or an operator.
    // The C# exception keeps the error code only in its message.
    private static bool IsFaultOfTheModel(Exception e) => e is OnnxRuntimeException
        && (e.Message.Contains("[ErrorCode:InvalidProtobuf]", StringComparison.Ordinal)
            || e.Message.Contains("[ErrorCode:InvalidGraph]", StringComparison.Ordinal)
            || e.Message.Contains("[ErrorCode:NoModel]", StringComparison.Ordinal)
            || e.Message.Contains("No graph was found", StringComparison.Ordinal)); // what an empty file gives, as InvalidArgument

    private static string Explain(ExecutionProvider provider, Exception failure)
    {
        string reason = failure is EntryPointNotFoundException or DllNotFoundException
            ? $"the ONNX Runtime that was loaded was built without it ({failure.Message.TrimEnd('.')})."
            : failure.Message;
        return provider.Package is null or "Microsoft.ML.OnnxRuntime" ? reason : $"{reason} Its NuGet package is {provider.Package}.";
    }

    private static string Describe(string source, IReadOnlyList<ExecutionProviderFailure> failures)
    {
        var message = new StringBuilder($"{source}: none of the execution providers that were asked for works.");
        foreach (ExecutionProviderFailure failure in failures)
            message.Append($"{Environment.NewLine}  {failure.Provider.Name}: {failure.Reason}");
        if (!failures.Any(f => f.Provider is CpuProvider or OnnxCpuProvider))
            message.Append($"{Environment.NewLine}To run on the processor where none of them works, add a {nameof(CpuProvider)} at the end of the list.");
        return message.ToString();
    }

    private static Exception Innermost(Exception e)
    {
        while (e.InnerException is not null) e = e.InnerException;
        return e;
    }
}
