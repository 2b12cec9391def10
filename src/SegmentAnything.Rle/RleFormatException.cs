namespace SegmentAnything.Rle;

/// <summary>What was given describes no mask: a malformed string, run, polygon or size.</summary>
/// <remarks>
/// Every way in which mask data can be wrong raises this one type, with the place and the reason. A wrong argument that
/// is not mask data, such as a destination that is too short, raises <see cref="ArgumentException"/>.
/// </remarks>
public sealed class RleFormatException : FormatException
{
    /// <summary>Creates the exception without details.</summary>
    public RleFormatException() : this("the data describes no mask")
    {
    }

    /// <summary>Creates the exception from a reason alone.</summary>
    /// <param name="reason">What was found, what was expected, what to do.</param>
    public RleFormatException(string reason) : this(reason, -1)
    {
    }

    /// <summary>Creates the exception from a reason and what caused it.</summary>
    /// <param name="reason">What was found, what was expected, what to do.</param>
    /// <param name="innerException">The cause.</param>
    public RleFormatException(string reason, Exception? innerException) : base(reason, innerException)
    {
        Reason = reason;
        Position = -1;
    }

    /// <summary>Creates the exception from a reason and a position.</summary>
    /// <param name="reason">What was found, what was expected, what to do.</param>
    /// <param name="position">Index of the offending character, run or coordinate; -1 where there is none.</param>
    public RleFormatException(string reason, long position)
        : base(position < 0 ? $"Not a mask: {reason}." : $"Not a mask: {reason} (at position {position}).")
    {
        Reason = reason;
        Position = position;
    }

    /// <summary>
    /// Index, from 0, of the offending character of a string, run of a list, coordinate of a polygon or mask of a
    /// sequence; -1 where the fault has no place (a size, a missing value).
    /// </summary>
    public long Position { get; }

    /// <summary>What was found, what was expected and, where it helps, what to do; without the position.</summary>
    public string Reason { get; }
}
