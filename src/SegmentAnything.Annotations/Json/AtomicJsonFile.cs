using System.Text.Encodings.Web;
using System.Text.Json;

namespace SegmentAnything.Annotations.Json;

/// <summary>A JSON file that appears under its name only when it is complete.</summary>
internal sealed class AtomicJsonFile : IDisposable
{
    // COCO's text is full of characters that only matter inside HTML, which this is not: left as they are.
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly AtomicFile? _file;
    private bool _completed;

    /// <summary>Writes to a file of another name in the same folder first.</summary>
    public AtomicJsonFile(string path)
    {
        _file = new AtomicFile(path);
        Json = new Utf8JsonWriter(_file.Stream, Options);
    }

    /// <summary>Writes to a stream, which stays open.</summary>
    public AtomicJsonFile(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        Json = new Utf8JsonWriter(stream, Options);
    }

    public Utf8JsonWriter Json { get; }

    /// <summary>Sends what was written so far on its way, so that it does not gather in memory.</summary>
    public void FlushIfLarge()
    {
        const int Large = 256 * 1024;
        if (Json.BytesPending >= Large) Json.Flush();
    }

    /// <summary>Throws where nothing can be written any more.</summary>
    /// <exception cref="InvalidOperationException">The file is complete already.</exception>
    public void CheckOpen()
    {
        if (_completed) throw new InvalidOperationException("The file is complete already.");
    }

    /// <summary>Gives the file its name. Nothing can be written afterwards.</summary>
    public void Complete()
    {
        CheckOpen();
        Json.Flush();
        _file?.Complete();
        _completed = true;
        Json.Reset(Stream.Null); // its disposal flushes what it writes to, which is closed
    }

    /// <summary>Deletes what was written, unless it is complete.</summary>
    public void Dispose()
    {
        if (_completed)
        {
            Json.Dispose();
            return;
        }

        _completed = true;
        Json.Reset(Stream.Null); // nothing half-written reaches the caller's stream on disposal
        Json.Dispose();
        _file?.Dispose();
    }
}
