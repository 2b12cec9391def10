using Microsoft.ML.OnnxRuntime;

namespace SegmentAnything;

/// <summary>Hardware, and the part of ONNX Runtime that drives it, on which a model is run.</summary>
/// <remarks>
/// An application may derive a provider of its own. Two providers that are equal as records stand for the same device,
/// so give what tells devices apart as a property. What a provider cannot run, ONNX Runtime runs on the processor;
/// <see cref="Configure"/> must therefore not append the CPU provider, which would then be asked first and take everything.
/// </remarks>
public abstract record ExecutionProvider
{
    /// <summary>The name to show, such as <c>CUDA</c>.</summary>
    public abstract string Name { get; }

    /// <summary>The NuGet package whose native libraries have this provider, named in error messages; null if unknown.</summary>
    public virtual string? Package => null;

    /// <summary>
    /// True if the device bears only one run at a time. Runs of all sessions on equal providers then wait for each other.
    /// </summary>
    public virtual bool RunsOneAtATime => false;

    /// <summary>Sets the options of a new session so that it uses this provider, and no other.</summary>
    /// <param name="options">Fresh options, used for one attempt to create a session.</param>
    /// <exception cref="OnnxRuntimeException">The provider is not in this build of ONNX Runtime, or its device or driver is missing.</exception>
    /// <exception cref="EntryPointNotFoundException">The provider is not in this build of ONNX Runtime.</exception>
    public abstract void Configure(SessionOptions options);
}
