using Microsoft.Extensions.Logging;

namespace SegmentAnything.Extensions.Hosting;

/// <summary>What is logged.</summary>
internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Information, "Loading the model {Model}")]
    public static partial void Loading(this ILogger logger, string model);

    [LoggerMessage(2, LogLevel.Information, "The model {Model} is loaded, after {Milliseconds:F0} ms")]
    public static partial void Loaded(this ILogger logger, string model, double milliseconds);

    [LoggerMessage(3, LogLevel.Information, "The model is warm, after {Milliseconds:F0} ms")]
    public static partial void Warm(this ILogger logger, double milliseconds);

    [LoggerMessage(4, LogLevel.Information, "Downloading {File}: {Received} of {Total} bytes")]
    public static partial void Downloading(this ILogger logger, string file, long received, long? total);

    [LoggerMessage(5, LogLevel.Debug, "{What} of {Width}x{Height} pixels: waited {Waited:F1} ms, took {Taken:F1} ms")]
    public static partial void Done(this ILogger logger, string what, int width, int height, double waited, double taken);

    [LoggerMessage(6, LogLevel.Warning, "A call was refused: {Length} are waiting already")]
    public static partial void QueueFull(this ILogger logger, int length);

    [LoggerMessage(7, LogLevel.Debug, "{Count} embeddings were dropped to keep to {MaxBytes} bytes")]
    public static partial void Dropped(this ILogger logger, int count, long maxBytes);
}
