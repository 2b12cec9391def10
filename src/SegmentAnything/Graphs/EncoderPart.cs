namespace SegmentAnything.Graphs;

/// <summary>How a part of an encoder takes what it computes from.</summary>
internal enum EncoderPartKind
{
    /// <summary>Strips of the image's planes, with more rows than are wanted of the result: those at the edges are wrong.</summary>
    Image,

    /// <summary>Some windows of tokens at a time, zeros beyond the picture; what comes out goes to the same places.</summary>
    Windows,

    /// <summary>Strips of rows of tokens, and the rows above and below that a 3 x 3 convolution sees; zeros beyond the picture.</summary>
    Strips,

    /// <summary>The same, to channel planes.</summary>
    StripsToPlanes,
}

/// <summary>
/// A part of an image encoder as a model of its own, which computes a piece of the picture at a time: the same model for
/// every piece, and no piece needs another one of the same part.
/// </summary>
internal sealed record EncoderPart
{
    /// <summary>An ONNX file with one input and one output.</summary>
    public required byte[] Model { get; init; }

    public required EncoderPartKind Kind { get; init; }

    /// <summary>Tokens along each side of what goes in; pixels of the image.</summary>
    public required int SourceGrid { get; init; }

    /// <summary>Values of a token that goes in; 3 of a pixel.</summary>
    public required int SourceChannels { get; init; }

    /// <summary>Tokens along each side of what comes out.</summary>
    public required int ResultGrid { get; init; }

    /// <summary>Values of a token that comes out.</summary>
    public required int ResultChannels { get; init; }

    /// <summary>Strips: rows of the result that a piece gives.</summary>
    public int Rows { get; init; }

    /// <summary>Image: rows of the result that are computed for a piece, the wrong ones included.</summary>
    public int ComputedRows { get; init; }

    /// <summary>Image: how many of these are wrong at the upper edge, unless it is the picture's.</summary>
    public int WrongAbove { get; init; }

    /// <summary>Windows: tokens along each side of a window.</summary>
    public int Window { get; init; }

    /// <summary>Windows: how many a piece has.</summary>
    public int Windows { get; init; }

    /// <summary>Windows along each side of the picture.</summary>
    public int WindowsAcross => (SourceGrid + Window - 1) / Window;

    /// <summary>Strips: rows of the source from one row of the result to the next.</summary>
    public int Stride => SourceGrid / ResultGrid;

    /// <summary>Strips: rows that go in.</summary>
    public int SourceRows => Stride * (Rows - 1) + 3;

    /// <summary>Pieces in all.</summary>
    public int Pieces => Kind == EncoderPartKind.Windows ? (WindowsAcross * WindowsAcross + Windows - 1) / Windows : ResultGrid / Rows;
}
