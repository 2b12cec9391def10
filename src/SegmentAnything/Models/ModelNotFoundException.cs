using System.Collections.Immutable;

namespace SegmentAnything;

/// <summary>A model's files were not found, or could not be downloaded. The message lists what was tried, and says what to do.</summary>
public sealed class ModelNotFoundException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What is missing, what was tried, and what to do.</param>
    /// <param name="tried">The paths or addresses that were tried, each with what was found there.</param>
    /// <param name="innerException">The last cause, if another exception was.</param>
    public ModelNotFoundException(string message, ImmutableArray<string> tried = default, Exception? innerException = null)
        : base(message, innerException) => Tried = tried.IsDefault ? [] : tried;

    /// <summary>The paths or addresses that were tried, each with what was found there.</summary>
    public ImmutableArray<string> Tried { get; }
}
