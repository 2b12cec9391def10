using System.Text.Json;
using System.Text.Unicode;

namespace SegmentAnything.Annotations.Json;

/// <summary>What a piece of a JSON file is.</summary>
internal enum PieceKind
{
    /// <summary>The value of a property that is no list, whole.</summary>
    Value,

    /// <summary>The start of a property's list; its elements follow, if there are any.</summary>
    ListStart,

    /// <summary>An element of a list.</summary>
    Element,
}

/// <summary>
/// Goes through a JSON object or list of any length piece by piece: the elements of its lists one at a time, its other
/// properties whole. Memory is that of the largest piece.
/// </summary>
/// <remarks>
/// <code>
///   { "image": {...}, "annotations": [ {...}, {...}, ... ] }     [ {...}, {...}, ... ]
///              piece                   piece  piece                piece  piece
/// </code>
/// A byte order mark and trailing commas are passed over. NaN and Infinity, which JSON does not have and Python writes, become
/// <see cref="NotFinite"/>. Nothing but white space may follow the end.
/// </remarks>
internal sealed class JsonPieceReader(Stream stream, string name, int firstBuffer = 64 * 1024) : IDisposable
{
    /// <summary>The largest piece that is read, in bytes: far more than a mask can take, far less than a hostile file.</summary>
    public const int MaxPiece = 512 << 20;

    /// <summary>How deep objects and lists may be nested.</summary>
    public const int MaxDepth = 256;

    /// <summary>The text that stands where the file has NaN or Infinity: one character that no number and no name has.</summary>
    public const string NotFinite = "\x7f";

    private static readonly JsonReaderOptions Options = new() { MaxDepth = MaxDepth, AllowTrailingCommas = true };

    private byte[] _buffer = new byte[firstBuffer];
    private int _start;
    private int _end; // of what the JSON reader may see
    private int _filled; // of what was read from the stream
    private bool _inText;
    private bool _escaped;
    private bool _atEnd;
    private bool _begun;
    private long _consumed;
    private JsonReaderState _state = new(Options);
    private bool _inObject;
    private bool _inRootList;
    private bool _inList;
    private bool _finished;
    private int _pieceStart;
    private int _pieceLength;

    /// <summary>The file's name in messages.</summary>
    public string Name => name;

    /// <summary>The name of the property that the piece belongs to; empty where the file is a list.</summary>
    public string Property { get; private set; } = "";

    /// <summary>What the piece is.</summary>
    public PieceKind Kind { get; private set; }

    /// <summary>The place of the element in its list, from 0.</summary>
    public long Index { get; private set; }

    /// <summary>The piece, until the next call of <see cref="Read"/>; one bracket for the start of a list.</summary>
    public ReadOnlySpan<byte> Piece => _buffer.AsSpan(_pieceStart, _pieceLength);

    /// <summary>Where the piece starts in the stream, in bytes.</summary>
    public long Position { get; private set; }

    /// <summary>Opens a file.</summary>
    /// <exception cref="IOException">It cannot be opened.</exception>
    public static JsonPieceReader Open(string path) => new(InputFile.Open(path), path);

    /// <summary>Goes to the next piece.</summary>
    /// <param name="cancellationToken">Looked at before it.</param>
    /// <returns>Whether there is one.</returns>
    /// <exception cref="AnnotationFormatException">The stream is no JSON object or list, or ends within it.</exception>
    public bool Read(CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (_finished) return false;
        while (true)
        {
            Step step;
            try
            {
                step = TryStep();
            }
            catch (JsonException e)
            {
                throw Fail(Describe(e), _consumed, e);
            }
            catch (InvalidOperationException e)
            {
                // A property's name that is not UTF-8.
                throw Fail("not UTF-8 text; save the file as UTF-8", _consumed, e);
            }

            switch (step)
            {
                case Step.Piece:
                    if (!Utf8.IsValid(Piece)) throw Fail($"{Place} is not UTF-8 text; save the file as UTF-8", Position);
                    return true;
                case Step.End:
                    CheckNothingFollows(cancellationToken);
                    _finished = true;
                    return false;
                case Step.NeedsMore:
                    cancellationToken.ThrowIfCancellationRequested();
                    Fill();
                    break;
            }
        }
    }

    /// <summary>The piece in words, such as <c>number 3 of "annotations"</c>.</summary>
    public string Place => Kind != PieceKind.Element ? $"\"{Property}\"" : Property.Length == 0 ? $"element {Index} of the list" : $"element {Index} of \"{Property}\"";

    /// <summary>An error that names the file.</summary>
    public AnnotationFormatException Fail(string message, long position = -1, Exception? cause = null) => new($"{name}: {message}", position, cause);

    /// <summary>An error that names the file and says that a list was expected where the piece is something else.</summary>
    public AnnotationFormatException FailExpectedList() =>
        Fail($"\"{Property}\" is {JsonValues.Describe(Piece[0])}, a list was expected", Position);

    public void Dispose() => stream.Dispose();

    private static string Describe(JsonException e)
    {
        if (e.Message.StartsWith("'/'", StringComparison.Ordinal)) return "comments are not JSON; take them out";
        if (e.Message.Contains("depth", StringComparison.Ordinal)) return $"nested deeper than {MaxDepth} levels";
        return $"not JSON: {e.Message}";
    }

    private Step TryStep()
    {
        // Never final: what is an object or a list shows its end itself.
        var reader = new Utf8JsonReader(_buffer.AsSpan(_start, _end - _start), isFinalBlock: false, _state);
        if (!reader.Read())
        {
            if (!_atEnd) return Step.NeedsMore;
            throw _begun ? FailCutShort() : Fail("the file holds no JSON object or list", _consumed);
        }

        if (!_begun)
        {
            _begun = true;
            switch (reader.TokenType)
            {
                case JsonTokenType.StartObject:
                    _inObject = true;
                    Accept(ref reader);
                    return Step.Continue;
                case JsonTokenType.StartArray:
                    _inRootList = true;
                    return StartList(ref reader);
                default:
                    throw Fail($"the file is {JsonValues.Describe(_buffer[_start + (int)reader.TokenStartIndex])}, an object or a list was expected", _consumed);
            }
        }

        if (_inList)
        {
            if (reader.TokenType == JsonTokenType.EndArray)
            {
                _inList = false;
                Accept(ref reader);
                return _inRootList ? Step.End : Step.Continue;
            }

            Step step = TryTake(ref reader, PieceKind.Element);
            if (step == Step.Piece) Index++;
            return step;
        }

        if (reader.TokenType == JsonTokenType.EndObject && _inObject)
        {
            Accept(ref reader);
            return Step.End;
        }

        string property = reader.GetString()!;
        if (!reader.Read()) return Step.NeedsMore;
        Property = property;
        return reader.TokenType == JsonTokenType.StartArray ? StartList(ref reader) : TryTake(ref reader, PieceKind.Value);
    }

    private Step StartList(ref Utf8JsonReader reader)
    {
        _inList = true;
        Index = -1;
        Kind = PieceKind.ListStart;
        (_pieceStart, _pieceLength, Position) = (_start + (int)reader.TokenStartIndex, 1, _consumed + reader.TokenStartIndex);
        Accept(ref reader);
        return Step.Piece;
    }

    // The reader stands on the first token of the piece. If the rest is not in the buffer, the step is tried again with
    // more; the buffer doubles, so a piece is scanned twice at most, in sum.
    private Step TryTake(ref Utf8JsonReader reader, PieceKind kind)
    {
        int start = (int)reader.TokenStartIndex;
        if (!reader.TrySkip()) return Step.NeedsMore;
        _pieceStart = _start + start;
        _pieceLength = (int)reader.BytesConsumed - start;
        Position = _consumed + start;
        Kind = kind;
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
        if (_atEnd) throw FailCutShort();
        int kept = _filled - _start;
        if (kept > _buffer.Length / 2)
        {
            if (_buffer.Length >= MaxPiece) throw Fail($"a piece of \"{Property}\" is longer than {MaxPiece} bytes", _consumed);
            byte[] larger = new byte[2 * _buffer.Length];
            _buffer.AsSpan(_start, kept).CopyTo(larger);
            _buffer = larger;
        }
        else
        {
            _buffer.AsSpan(_start, kept).CopyTo(_buffer);
        }

        (_start, _end, _filled) = (0, _end - _start, kept);
        int read = stream.Read(_buffer.AsSpan(_filled));
        bool first = _consumed == 0 && _end == 0;
        if (read == 0) _atEnd = true;
        _filled += read;
        if (first && !SkipByteOrderMark()) return;
        Expose();
    }

    // Whether there are enough bytes to know that there is no more of a mark to come.
    private bool SkipByteOrderMark()
    {
        ReadOnlySpan<byte> mark = [0xEF, 0xBB, 0xBF];
        ReadOnlySpan<byte> read = _buffer.AsSpan(0, _filled);
        if (read.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xFE]) || read.StartsWith((ReadOnlySpan<byte>)[0xFE, 0xFF]))
            throw Fail("the file is UTF-16 text; save it as UTF-8", 0);
        if (read.Length < mark.Length && mark.StartsWith(read) && !_atEnd) return false;
        if (read.StartsWith(mark)) (_start, _end, _consumed) = (mark.Length, mark.Length, mark.Length);
        return true;
    }

    // Lets the JSON reader see what was read, with NaN and Infinity replaced. Both end before a word that may go on.
    private void Expose()
    {
        Span<byte> bytes = _buffer.AsSpan(0, _filled);
        int i = _end;
        while (i < bytes.Length)
        {
            if (_escaped)
            {
                _escaped = false;
                i++;
            }
            else if (_inText)
            {
                int next = bytes[i..].IndexOfAny((byte)'"', (byte)'\\');
                if (next < 0)
                {
                    i = bytes.Length;
                    break;
                }

                i += next;
                if (bytes[i] == '"') _inText = false;
                else _escaped = true;
                i++;
            }
            else
            {
                int next = bytes[i..].IndexOfAny((byte)'"', (byte)'N', (byte)'I');
                if (next < 0)
                {
                    i = bytes.Length;
                    break;
                }

                i += next;
                if (bytes[i] == '"')
                {
                    _inText = true;
                    i++;
                    continue;
                }

                ReadOnlySpan<byte> word = bytes[i] == 'N' ? "NaN"u8 : "Infinity"u8;
                if (bytes.Length - i < word.Length && !_atEnd) break;
                if (!bytes[i..].StartsWith(word))
                {
                    i++; // no JSON, as the reader will say
                    continue;
                }

                // A minus alone is no token: it still stands before the word.
                int from = i > _start && bytes[i - 1] == '-' ? i - 1 : i;
                i += word.Length;
                bytes[from..i].Fill((byte)' ');
                (bytes[from], bytes[from + 1], bytes[from + 2]) = ((byte)'"', (byte)NotFinite[0], (byte)'"');
            }
        }

        _end = i;
    }

    private void CheckNothingFollows(CancellationToken cancellationToken)
    {
        while (true)
        {
            int rest = _buffer.AsSpan(_start, _filled - _start).IndexOfAnyExcept(" \t\r\n"u8);
            if (rest >= 0) throw Fail("something follows the end of the JSON: is it two files in one?", _consumed + rest);
            if (_atEnd) return;
            cancellationToken.ThrowIfCancellationRequested();
            _consumed += _filled - _start;
            _start = _end = 0;
            _filled = stream.Read(_buffer);
            _atEnd = _filled == 0;
        }
    }

    private AnnotationFormatException FailCutShort() => Fail("the file ends in the middle of its JSON: it was cut short", _consumed);

    private enum Step
    {
        Continue,
        Piece,
        NeedsMore,
        End,
    }
}
