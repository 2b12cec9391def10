using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using SegmentAnything.Rle;

namespace SegmentAnything.Annotations;

/// <summary>
/// Goes through a JSON object of any length piece by piece: the elements of its lists one at a time, its other
/// properties whole. Memory is that of the largest piece.
/// </summary>
/// <remarks>
/// <code>
///   { "image": {...}, "annotations": [ {...}, {...}, ... ] }
///              piece                   piece  piece
/// </code>
/// </remarks>
internal sealed class JsonObjectReader(Stream stream, int firstBuffer = 64 * 1024) : IDisposable
{
    /// <summary>The largest piece that is read, in bytes: far more than a mask can take, far less than a hostile file.</summary>
    public const int MaxPiece = 512 << 20;

    private byte[] _buffer = new byte[firstBuffer];
    private int _start;
    private int _end;
    private bool _atEnd;
    private long _consumed;
    private JsonReaderState _state;
    private bool _inRoot;
    private bool _inList;
    private int _pieceStart;
    private int _pieceLength;

    /// <summary>The name of the property that the piece belongs to.</summary>
    public string Property { get; private set; } = "";

    /// <summary>Whether the piece is an element of a list; otherwise it is the property's whole value.</summary>
    public bool IsElement { get; private set; }

    /// <summary>The piece, until the next call of <see cref="Read"/>.</summary>
    public ReadOnlySpan<byte> Piece => _buffer.AsSpan(_pieceStart, _pieceLength);

    /// <summary>Where the piece starts in the stream, in bytes.</summary>
    public long Position { get; private set; }

    /// <summary>Goes to the next piece.</summary>
    /// <returns>Whether there is one.</returns>
    /// <exception cref="AnnotationFormatException">The stream is not a JSON object, or ends within it.</exception>
    public bool Read()
    {
        while (true)
        {
            Step step;
            try
            {
                step = TryStep();
            }
            catch (JsonException e)
            {
                throw new AnnotationFormatException($"The file is not JSON: {e.Message}", _consumed, e);
            }

            if (step == Step.Piece) return true;
            if (step == Step.End) return false;
            if (step == Step.NeedsMore) Fill();
        }
    }

    /// <summary>Reads the piece as a value of a known type.</summary>
    /// <exception cref="AnnotationFormatException">It is not such a value.</exception>
    public T Deserialize<T>(JsonTypeInfo<T> type) where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(Piece, type)
                ?? throw new AnnotationFormatException($"An element of \"{Property}\" is null.", Position);
        }
        catch (JsonException e)
        {
            throw new AnnotationFormatException($"\"{Property}\" holds something else than expected: {e.Message}", Position, e);
        }
        catch (RleFormatException e)
        {
            throw new AnnotationFormatException($"\"{Property}\" holds a malformed mask: {e.Message}", Position, e);
        }
    }

    public void Dispose() => stream.Dispose();

    private Step TryStep()
    {
        var reader = new Utf8JsonReader(_buffer.AsSpan(_start, _end - _start), _atEnd, _state);
        if (!reader.Read())
        {
            if (_atEnd && _inRoot) throw new AnnotationFormatException("The file ends within its JSON object: it was cut short.", _consumed);
            if (_atEnd) return Step.End;
            return Step.NeedsMore;
        }

        if (!_inRoot)
        {
            if (reader.TokenType != JsonTokenType.StartObject)
                throw new AnnotationFormatException($"The file starts with a JSON {reader.TokenType}, expected an object.", _consumed);
            _inRoot = true;
            Accept(ref reader);
            return Step.Continue;
        }

        if (reader.TokenType == JsonTokenType.EndObject && !_inList)
        {
            _inRoot = false;
            Accept(ref reader);
            return Step.End;
        }

        if (_inList)
        {
            if (reader.TokenType == JsonTokenType.EndArray)
            {
                _inList = false;
                Accept(ref reader);
                return Step.Continue;
            }

            return TryTake(ref reader, isElement: true);
        }

        string property = reader.GetString()!;
        if (!reader.Read()) return Step.NeedsMore;
        Property = property;
        if (reader.TokenType == JsonTokenType.StartArray)
        {
            _inList = true;
            Accept(ref reader);
            return Step.Continue;
        }

        return TryTake(ref reader, isElement: false);
    }

    // The reader stands on the first token of the piece. If the rest is not in the buffer, the step is tried again with
    // more; the buffer doubles, so a piece is scanned twice at most, in sum.
    private Step TryTake(ref Utf8JsonReader reader, bool isElement)
    {
        int start = (int)reader.TokenStartIndex;
        if (!reader.TrySkip()) return Step.NeedsMore;
        _pieceStart = _start + start;
        _pieceLength = (int)reader.BytesConsumed - start;
        Position = _consumed + start;
        IsElement = isElement;
        Accept(ref reader);
        return Step.Piece;
    }

    private void Accept(ref Utf8JsonReader reader)
    {
        _state = reader.CurrentState;
        _start += (int)reader.BytesConsumed;
        _consumed += reader.BytesConsumed;
    }

    private void Fill()
    {
        if (_atEnd) throw new AnnotationFormatException("The file ends within its JSON object: it was cut short.", _consumed);
        int kept = _end - _start;
        if (kept > _buffer.Length / 2)
        {
            if (_buffer.Length >= MaxPiece)
                throw new AnnotationFormatException($"A piece of \"{Property}\" is longer than {MaxPiece} bytes.", _consumed);
            byte[] larger = new byte[2 * _buffer.Length];
            _buffer.AsSpan(_start, kept).CopyTo(larger);
            _buffer = larger;
        }
        else
        {
            _buffer.AsSpan(_start, kept).CopyTo(_buffer);
        }

        (_start, _end) = (0, kept);
        int read = stream.Read(_buffer.AsSpan(_end));
        if (read == 0) _atEnd = true;
        _end += read;
    }

    private enum Step
    {
        Continue,
        Piece,
        NeedsMore,
        End,
    }
}
