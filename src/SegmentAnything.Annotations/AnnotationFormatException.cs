namespace SegmentAnything.Annotations;

/// <summary>
/// A file of annotations is not what it should be. The message names the file, the annotation and the place, and says what was
/// found and what was expected.
/// </summary>
public sealed class AnnotationFormatException : FormatException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What was found and what was expected.</param>
    /// <param name="position">The byte at or after which it was found, from the start of the file; -1 where it has no place.</param>
    /// <param name="innerException">The cause, if another exception was.</param>
    public AnnotationFormatException(string message, long position = -1, Exception? innerException = null)
        : base(position < 0 ? message : $"{message} (at byte {position})", innerException) => Position = position;

    /// <summary>The byte at or after which it was found, from the start of the file; -1 where it has no place.</summary>
    public long Position { get; }
}
