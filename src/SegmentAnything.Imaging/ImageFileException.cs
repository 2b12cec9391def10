namespace SegmentAnything.Imaging;

/// <summary>An image file could not be read or written. The message says which, what was found, and what to do.</summary>
public sealed class ImageFileException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What was found, what was expected, and what to do; one line.</param>
    /// <param name="innerException">The cause, if another exception was.</param>
    public ImageFileException(string message, Exception? innerException = null) : base(message, innerException)
    {
    }
}
