namespace SegmentAnything;

/// <summary>
/// A model is not what it was taken for: a tensor has another name, type or shape, or the file is no model at all.
/// The message says what was expected, what was found, and what to do.
/// </summary>
public sealed class ModelContractException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What was expected, what was found, and what to do.</param>
    /// <param name="tensorName">The tensor in question; null if the whole model is.</param>
    /// <param name="expected">The expected type and shape, or null.</param>
    /// <param name="found">The type and shape that was found, or null if there is no such tensor.</param>
    /// <param name="innerException">The cause, if another exception was.</param>
    public ModelContractException(
        string message, string? tensorName = null, string? expected = null, string? found = null, Exception? innerException = null)
        : base(message, innerException)
    {
        TensorName = tensorName;
        Expected = expected;
        Found = found;
    }

    /// <summary>The tensor in question; null if the whole model is.</summary>
    public string? TensorName { get; }

    /// <summary>The expected type and shape, such as <c>Float [1, 256, 64, 64]</c>; null if not about a tensor.</summary>
    public string? Expected { get; }

    /// <summary>The type and shape that was found; null if there is no such tensor.</summary>
    public string? Found { get; }
}
