namespace SegmentAnything;

/// <summary>A file of weights is damaged, hostile, or not of a layout that is understood. The message says which and where.</summary>
public sealed class CheckpointException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What was found, what was expected, and where in the file.</param>
    /// <param name="innerException">The cause, if another exception was.</param>
    public CheckpointException(string message, Exception? innerException = null) : base(message, innerException)
    {
    }
}
