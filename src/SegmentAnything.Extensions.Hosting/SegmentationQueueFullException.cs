namespace SegmentAnything.Extensions.Hosting;

/// <summary>As many calls are waiting as may: try again later. A web service answers with status 503.</summary>
public sealed class SegmentationQueueFullException : Exception
{
    /// <summary>Makes an exception without a message of its own.</summary>
    public SegmentationQueueFullException()
    {
    }

    /// <summary>Makes an exception.</summary>
    /// <param name="message">What happened, and what to do.</param>
    public SegmentationQueueFullException(string message)
        : base(message)
    {
    }

    /// <summary>Makes an exception.</summary>
    /// <param name="message">What happened, and what to do.</param>
    /// <param name="innerException">What led to it.</param>
    public SegmentationQueueFullException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }
}
