using System.Collections.Immutable;

namespace SegmentAnything;

/// <summary>
/// None of the execution providers that were asked for can run a model. The message lists each with its reason, or, if
/// ONNX Runtime's native library was not found at all, the packages that have it.
/// </summary>
public sealed class ExecutionProviderException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What was tried, why it failed, and what to do.</param>
    /// <param name="failures">Each provider that was tried, with its reason; empty if none could be tried.</param>
    /// <param name="innerException">The first cause.</param>
    public ExecutionProviderException(
        string message, ImmutableArray<ExecutionProviderFailure> failures = default, Exception? innerException = null)
        : base(message, innerException) => Failures = failures.IsDefault ? [] : failures;

    /// <summary>Each provider that was tried, in order, with its reason; empty if none could be tried.</summary>
    public ImmutableArray<ExecutionProviderFailure> Failures { get; }
}

/// <summary>Why a provider was passed over.</summary>
/// <param name="Provider">The provider.</param>
/// <param name="Reason">What ONNX Runtime said, and what to do about it where that is known.</param>
public sealed record ExecutionProviderFailure(ExecutionProvider Provider, string Reason);
